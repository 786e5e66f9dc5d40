//! What it costs to draw from what several nodes share: for one key with a rate and a budget, beside the same alone.

use crate::{Clock, rate, rules};
use redis::{Client, ConnectionAddr, IntoConnectionInfo, RedisResult, aio::MultiplexedConnection};
use std::{
    future::ready,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{runtime::Builder, task::JoinSet};
use weir::{
    config::WithoutRedis,
    domain::{Coin, Flow, Kind, Level, Pace, Redis, Rule, Span},
    limits::{
        Admitted, Ask, Charge, Engine, Holder, Holders, Now, Origin, Period, Shortage, Source,
        Used,
        shared::{Drawn, Fallback, Later, Past, PastError, Shared},
    },
};

const PER_MEASURE: Duration = Duration::from_secs(3);
/// Who ask at one time.
const CALLERS: usize = 64;
const COST: u64 = 4_250_000;
const DOLLARS: Kind = Kind::Budget(Coin::Dollars, Span::Month);

/// Nobody has spent anything before.
struct Nothing;

impl Past for Nothing {
    fn settled(&self) -> Later<()> {
        Box::pin(ready(()))
    }

    fn spent(&self, _: &Holder, _: Kind, _: Period) -> Later<Result<u64, PastError>> {
        Box::pin(ready(Ok(0)))
    }
}

struct Node {
    engine: Engine,
    holders: Holders,
    clock: Clock,
    shared: Option<Shared>,
}

impl Node {
    fn new(shared: Option<Shared>) -> Self {
        let source = shared.as_ref().map_or(Source::Own, |_| Source::Drawn);
        let (engine, clock) = (Engine::new(source), Clock(Instant::now()));
        let limits = rules(&[
            Rule {
                amount: 1_000_000_000,
                ..rate(Flow::Requests, Pace::Minute)
            },
            Rule::new(DOLLARS, 1_000_000_000_000_000),
        ]);
        let now = shared.as_ref().map_or(clock.now(), Shared::now);
        let mut holders = Holders::default();
        holders.push(engine.set(Level::Key, "k", Origin::default(), &limits, now));
        if let Some(unready) = engine.unready(&holders, now) {
            unready.budgets.iter().for_each(|unknown| unknown.tell(0));
        }
        Self {
            engine,
            holders,
            clock,
            shared,
        }
    }

    fn now(&self) -> Now {
        (self.shared.as_ref()).map_or_else(|| self.clock.now(), Shared::now)
    }

    /// None if it may go on.
    fn short(&self) -> Option<Shortage> {
        let ask = Ask {
            price: Some(Charge {
                input_nanos: COST,
                output_rate: 0,
            }),
            ..Ask::default()
        };
        match self.engine.admit(&self.holders, &ask, self.now()) {
            Admitted::Granted(lease, _) => {
                lease.settle(Used::default(), self.now());
                None
            }
            Admitted::Short(shortage) => Some(shortage),
            other => panic!("{other:?}"),
        }
    }

    async fn draw(&self, shortage: Shortage) {
        let shared = self.shared.as_ref().expect("who is alone lacks nothing");
        let drawn = shared.draw(shortage).await;
        assert!(matches!(drawn, Drawn::Granted), "{drawn:?}");
    }

    /// A call from its admission to its end.
    async fn call(&self) {
        while let Some(shortage) = self.short() {
            self.draw(shortage).await;
        }
    }
}

/// Prints what it finds; where there is no Redis, that there is none.
pub(crate) fn beside_alone() {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let url = std::env::var("WEIR_BENCH_REDIS_URL");
        let url = url.unwrap_or_else(|_| "redis://127.0.0.1:6379/0".to_owned());
        if let Err(error) = connect(&url).await {
            println!("SKIPPED: what is shared over Redis is not measured: {error}");
            return;
        }
        let alone = Arc::new(Node::new(None));
        report("alone, one caller", measure(&alone, 1).await);
        report("alone, 64 callers", measure(&alone, CALLERS).await);
        let dir = tempfile::tempdir().expect("a directory");
        let server = server(&url);
        let prefix = server.prefix.clone();
        let fallback = Fallback {
            without: WithoutRedis::Closed,
            nodes: 1,
        };
        let shared = Shared::start(server, fallback, dir.path(), Arc::new(Nothing));
        let node = Arc::new(Node::new(Some(shared.expect("it starts"))));
        report("over Redis, one caller", measure(&node, 1).await);
        report("over Redis, 64 callers", measure(&node, CALLERS).await);
        forget(&url, &prefix).await.expect("Redis is there");
    });
}

/// How long each call took, of so many callers.
async fn measure(node: &Arc<Node>, callers: usize) -> Vec<Duration> {
    let mut all = JoinSet::new();
    let end = Instant::now() + PER_MEASURE;
    for _ in 0..callers {
        let node = Arc::clone(node);
        all.spawn(async move {
            let mut times = Vec::new();
            while Instant::now() < end {
                let began = Instant::now();
                node.call().await;
                times.push(began.elapsed());
                if times.len() % 64 == 0 {
                    tokio::task::yield_now().await;
                }
            }
            times
        });
    }
    all.join_all().await.into_iter().flatten().collect()
}

fn report(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |hundredth: usize| times[(times.len() - 1) * hundredth / 100];
    println!(
        "one rate and one budget, {what}: {} a second, p50 {:.1?}, p99 {:.1?}, longest {:.1?}",
        times.len() as u64 / PER_MEASURE.as_secs(),
        at(50),
        at(99),
        at(100)
    );
}

fn server(url: &str) -> Redis {
    let known = url.into_connection_info().expect("a URL of Redis");
    let ConnectionAddr::Tcp(host, port) = known.addr().clone() else {
        panic!("Redis is reached over TCP, without TLS")
    };
    Redis {
        host,
        port,
        user: None,
        password: None,
        database: 0,
        tls: false,
        authorities: None,
        prefix: format!("weir-bench-{}", std::process::id()),
    }
}

async fn connect(url: &str) -> RedisResult<MultiplexedConnection> {
    let client = Client::open(url)?;
    client.get_multiplexed_async_connection().await
}

/// Removes what was left in Redis.
async fn forget(url: &str, prefix: &str) -> RedisResult<()> {
    let mut connection = connect(url).await?;
    let keys: Vec<String> = redis::cmd("KEYS")
        .arg(format!("{prefix}:*"))
        .query_async(&mut connection)
        .await?;
    redis::cmd("DEL")
        .arg(keys)
        .query_async(&mut connection)
        .await
}
