//! Whole nodes against one Redis.

use super::{
    away::{cents, until},
    forget,
    proxy::Proxy,
    redis,
};
use crate::{
    config::WithoutRedis,
    domain::{Coin, Flow, Kind, Level, Pace, Redis, Rule, Rules, Span},
    limits::{
        Admitted, Ask, Denied, Engine, Holder, Holders, Lease, Origin, Period, Refusal, Source,
        Used,
        shared::{Drawn, Fallback, Later, Past, PastError, Shared},
    },
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};
use tempfile::TempDir;
use tokio::{
    net::TcpStream,
    time::{Instant, timeout},
};

/// What all nodes write to.
#[derive(Clone, Default)]
pub(super) struct Ledger(Arc<Written>);

#[derive(Default)]
struct Written {
    spent: AtomicU64,
    /// How often it was asked for that.
    asked: AtomicU64,
    /// Whether it answers nobody.
    hangs: AtomicBool,
}

impl Ledger {
    pub(super) fn add(&self, spent: u64) {
        self.0.spent.fetch_add(spent, Ordering::SeqCst);
    }

    pub(super) fn spent(&self) -> u64 {
        self.0.spent.load(Ordering::SeqCst)
    }

    pub(super) fn asked(&self) -> u64 {
        self.0.asked.load(Ordering::SeqCst)
    }

    pub(super) fn hang(&self) {
        self.0.hangs.store(true, Ordering::SeqCst);
    }
}

impl Past for Ledger {
    fn settled(&self) -> Later<()> {
        Box::pin(std::future::ready(()))
    }

    fn spent(&self, _: &Holder, _: Kind, _: Period) -> Later<Result<u64, PastError>> {
        self.0.asked.fetch_add(1, Ordering::SeqCst);
        match self.0.hangs.load(Ordering::SeqCst) {
            true => Box::pin(std::future::pending()),
            false => Box::pin(std::future::ready(Ok(self.spent()))),
        }
    }
}

/// One node: an engine, and what it shares.
pub(super) struct Node {
    engine: Engine,
    pub(super) holders: Holders,
    pub(super) shared: Shared,
    data: Arc<TempDir>,
}

/// What a node says to a call.
pub(super) enum Said {
    Yes(Lease),
    No(Refusal),
    Away,
}

pub(super) const REQUESTS: Kind = Kind::Rate(Flow::Requests, Pace::Minute);
pub(super) const DOLLARS: Kind = Kind::Budget(Coin::Dollars, Span::Month);

impl Node {
    pub(super) fn start(at: &Redis, ledger: &Ledger, fallback: Fallback, limits: &[Rule]) -> Self {
        let data = Arc::new(tempfile::tempdir().unwrap());
        Self::start_in(data, at, ledger, fallback, limits)
    }

    /// The same node, after it has died.
    pub(super) fn again(
        &self,
        at: &Redis,
        ledger: &Ledger,
        fallback: Fallback,
        limits: &[Rule],
    ) -> Self {
        Self::start_in(Arc::clone(&self.data), at, ledger, fallback, limits)
    }

    fn start_in(
        data: Arc<TempDir>,
        at: &Redis,
        ledger: &Ledger,
        fallback: Fallback,
        limits: &[Rule],
    ) -> Self {
        let past = Arc::new(ledger.clone());
        let shared = Shared::start(at.clone(), fallback, data.path(), past).unwrap();
        let engine = Engine::new(Source::Drawn);
        let mut rules = Rules::default();
        limits.iter().for_each(|rule| rules.add(*rule));
        let mut holders = Holders::default();
        let origin = Origin::default();
        holders.push(engine.set(Level::Key, "k", origin, &rules, shared.now()));
        Self {
            engine,
            holders,
            shared,
            data,
        }
    }

    /// What the engine says to a call.
    pub(super) fn ask(&self, ask: &Ask) -> Admitted {
        self.engine.admit(&self.holders, ask, self.shared.now())
    }

    pub(super) async fn admit(&self, ask: &Ask) -> Said {
        loop {
            let short = match self.ask(ask) {
                Admitted::Granted(lease, _) => return Said::Yes(lease),
                Admitted::Refused(refusal) => return Said::No(refusal),
                Admitted::Unready => panic!("a store knows what was spent"),
                Admitted::Short(short) => short,
            };
            match self.shared.draw(short).await {
                Drawn::Granted => {}
                Drawn::Refused(refusal) => return Said::No(refusal),
                Drawn::Away => return Said::Away,
            }
        }
    }

    /// False if the budget is spent.
    pub(super) async fn extend(&self, lease: &mut Lease, to: u64, ahead: u64) -> bool {
        loop {
            let short = match lease.extend(to, ahead, self.shared.now()) {
                Ok(()) => return true,
                Err(Denied::Refused(_)) => return false,
                Err(Denied::Short(short)) => short,
            };
            match self.shared.draw(short).await {
                Drawn::Granted => {}
                Drawn::Refused(_) | Drawn::Away => return false,
            }
        }
    }

    pub(super) fn settle(&self, lease: Lease, ledger: &Ledger, cost: u64) {
        ledger.add(cost);
        let used = Used {
            cost: Some(cost),
            ..Used::default()
        };
        lease.settle(used, self.shared.now());
    }
}

pub(super) fn fallback(without: WithoutRedis) -> Fallback {
    Fallback { without, nodes: 1 }
}

/// A prefix of its own on the server of the tests; none, loudly, where there is no server.
pub(super) async fn server() -> Option<Redis> {
    let at = redis();
    let reached = timeout(
        Duration::from_secs(2),
        TcpStream::connect((at.host.as_str(), at.port)),
    );
    match reached.await {
        Ok(Ok(_)) => Some(at),
        _ => {
            super::skip(&at, "it does not answer");
            None
        }
    }
}

#[tokio::test]
async fn a_node_that_does_nothing_says_once_a_second_that_it_lives() {
    let Some(at) = server().await else { return };
    let (ledger, proxy) = (Ledger::default(), Proxy::to(&at).await);
    let node = Node::start(&proxy.at, &ledger, fallback(WithoutRedis::Closed), &[]);
    until(async || node.shared.is_there()).await;
    let (since, rounds) = (Instant::now(), proxy.rounds());
    until(async || proxy.rounds() >= rounds + 3).await;
    let elapsed = since.elapsed();
    assert!(elapsed >= Duration::from_secs(2), "{elapsed:?}");
    forget(&at, &at.prefix).await;
}

#[tokio::test]
async fn nobody_is_kept_who_gave_up_while_the_ledger_hangs() {
    let Some(at) = server().await else { return };
    let ledger = Ledger::default();
    ledger.hang();
    let limits = [Rule::new(DOLLARS, 1000)];
    let node = Node::start(&at, &ledger, fallback(WithoutRedis::Closed), &limits);
    let holder = node.holders.iter().next().unwrap();
    let Admitted::Short(shortage) = node.ask(&cents(1)) else {
        panic!("nothing is drawn")
    };
    let mut call = Box::pin(node.shared.draw(shortage));
    tokio::select! {
        drawn = &mut call => panic!("{drawn:?}"),
        () = until(async || ledger.asked() == 1) => {}
    }
    // What it waits with is as much as it keeps.
    let kept = Arc::strong_count(holder);
    drop(call);
    until(async || Arc::strong_count(holder) < kept).await;
    forget(&at, &at.prefix).await;
}

#[tokio::test]
async fn an_answer_that_has_begun_waits_for_nobody_who_was_refused() {
    let Some(at) = server().await else { return };
    let ledger = Ledger::default();
    let limits = [Rule::new(Kind::Rate(Flow::Tokens, Pace::Minute), 60)];
    let node = Node::start(&at, &ledger, fallback(WithoutRedis::Closed), &limits);
    let all = Ask {
        output: 60,
        output_least: 60,
        ..Ask::default()
    };
    let Said::Yes(mut lease) = node.admit(&all).await else {
        panic!("the bucket is full")
    };
    assert!(matches!(node.admit(&all).await, Said::No(_)));
    let Err(Denied::Short(shortage)) = lease.extend(70, 0, node.shared.now()) else {
        panic!("nothing is drawn")
    };
    let Drawn::Refused(refusal) = node.shared.draw(shortage).await else {
        panic!("ten take ten seconds")
    };
    // A minute later is promised to the one that was refused.
    assert!(
        refusal.wait.unwrap() <= Duration::from_secs(10),
        "{refusal:?}"
    );
    forget(&at, &at.prefix).await;
}

#[tokio::test]
async fn exactly_a_hundred_of_ten_thousand_pass() {
    let Some(at) = server().await else { return };
    let ledger = Ledger::default();
    let limits = [Rule::new(REQUESTS, 100)];
    let start = || {
        Arc::new(Node::start(
            &at,
            &ledger,
            fallback(WithoutRedis::Closed),
            &limits,
        ))
    };
    let nodes = [start(), start(), start()];
    let since = Instant::now();
    let mut calls = tokio::task::JoinSet::new();
    for number in 0..10_000 {
        let node = Arc::clone(&nodes[number % 3]);
        calls.spawn(async move {
            match node.admit(&Ask::default()).await {
                Said::Yes(_) => (1, None),
                Said::No(refusal) => (0, refusal.wait),
                Said::Away => (0, None),
            }
        });
    }
    let (mut passed, mut told) = (0_u128, 0_u128);
    while let Some(said) = calls.join_next().await {
        let (yes, wait) = said.unwrap();
        passed += yes;
        told += u128::from(wait.is_some());
    }
    // One comes back every 600 ms.
    let back = since.elapsed().as_millis() / 600 + 1;
    assert!((100..=100 + back).contains(&passed), "{passed}, {back}");
    assert_eq!(passed + told, 10_000);
    forget(&at, &at.prefix).await;
}
