//! Three gateways, one Postgres and one Redis: what they allow together.

use super::{CENT_A_TOKEN, begin};
use crate::{
    ledger::rows,
    support::{
        Database, Dir, END, FakeUpstream, Gateway, Key, Reply, Setup, chat, chat_stream, event,
        until,
    },
};
use serde_json::json;
use std::sync::Arc;

const CENT: i64 = 10_000_000;
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);
const PATH: &str = "/v1/chat/completions";

/// Gateways that share a store and limits.
struct Nodes {
    /// The first owns the store.
    all: Vec<Gateway>,
    prefix: String,
    upstream: FakeUpstream,
}

impl Nodes {
    /// None, loudly, where there is no Postgres or no Redis for tests.
    async fn start(upstream: FakeUpstream) -> Option<Self> {
        let dir = Dir::on(Database::Postgres)?;
        if let Err(error) = connection().await {
            let is_ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
            assert!(!is_ci, "CI has a Redis server for tests: {error}");
            eprintln!("SKIPPED: no Redis server for tests: {error}");
            return None;
        }
        let name = dir.path().file_name().unwrap().to_string_lossy();
        let prefix = format!("weir-it-{}", name.trim_start_matches('.'));
        let mut nodes = Self {
            all: Vec::new(),
            prefix,
            upstream,
        };
        let beside = [Dir::beside(&dir), Dir::beside(&dir)];
        for dir in [dir].into_iter().chain(beside) {
            let node = nodes.setup().start_in(dir).await;
            node.metric("weir_limits_shared", 1).await;
            nodes.all.push(node);
        }
        Some(nodes)
    }

    fn setup(&self) -> Setup {
        let url = redis();
        let setup = Gateway::setup().upstream("up", &self.upstream, "stream_usage = false\n");
        setup.config(CENT_A_TOKEN).config(&format!(
            "[store]\nredis_url = \"{url}\"\nredis_prefix = \"{}\"",
            self.prefix
        ))
    }

    /// A key that all of them know.
    async fn key(&self, arguments: &[&str]) -> Key {
        let key = self.all[0].make_known_key(arguments).await;
        let authorization = format!("Bearer {}", key.key);
        for node in &self.all[1..] {
            until("the key is known", async || {
                let headers = [("authorization", authorization.as_str())];
                let response = node.bare("GET", "/v1/models", &headers).await;
                (response.status() == 200).then_some(())
            })
            .await;
        }
        key
    }

    fn spent(&self) -> i64 {
        let costs = rows(&self.all[0]);
        costs
            .iter()
            .map(|row| row["cost"].as_i64().unwrap_or(0))
            .sum()
    }

    /// Ends them, and removes what they have shared.
    async fn end(self) {
        drop(self.all);
        let mut connection = connection().await.unwrap();
        let keys: Vec<String> = redis::cmd("KEYS")
            .arg(format!("{}:*", self.prefix))
            .query_async(&mut connection)
            .await
            .unwrap();
        if !keys.is_empty() {
            let () = redis::cmd("DEL")
                .arg(keys)
                .query_async(&mut connection)
                .await
                .unwrap();
        }
    }
}

fn redis() -> String {
    let url = std::env::var("WEIR_TEST_REDIS_URL");
    url.unwrap_or_else(|_| "redis://127.0.0.1:6379/0".to_owned())
}

async fn connection() -> redis::RedisResult<redis::aio::MultiplexedConnection> {
    redis::Client::open(redis())?
        .get_multiplexed_async_connection()
        .await
}

#[tokio::test]
async fn three_gateways_let_a_hundred_a_minute_pass() {
    let answer = json!({"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 1}});
    let upstream = FakeUpstream::with([Reply::json(200, answer.to_string())]).await;
    let Some(nodes) = Nodes::start(upstream).await else {
        return;
    };
    let key: Arc<str> = nodes
        .key(&["--requests-per-minute", "100"])
        .await
        .key
        .into();
    let since = tokio::time::Instant::now();
    let mut clients = tokio::task::JoinSet::new();
    for number in 0..300 {
        let (address, key) = (nodes.all[number % 3].data, Arc::clone(&key));
        clients.spawn(async move {
            let mut conn = crate::support::Conn::open(address).await;
            conn.post(PATH, &key, chat("up").to_string()).await;
            let response = conn.response().await;
            if response.status() != 200 {
                response.refused(429, "rate_limit_exceeded");
                assert!(response.header("retry-after-ms").is_some());
            }
            usize::from(response.status() == 200)
        });
    }
    let passed: usize = clients.join_all().await.into_iter().sum();
    // One comes back every 600 ms.
    let back = since.elapsed().as_millis() as usize / 600 + 1;
    assert!((100..=100 + back).contains(&passed), "{passed}, {back}");
    nodes.end().await;
}

#[tokio::test]
async fn three_gateways_spend_one_budget_though_one_is_killed() {
    const BUDGET: i64 = 100;
    let one = event("Hi");
    let (feeds, replies): (Vec<_>, Vec<_>) = (0..3)
        .map(|_| Reply::fed())
        .map(|(reply, feed)| (feed, reply))
        .unzip();
    let upstream = FakeUpstream::with(replies).await;
    let Some(mut nodes) = Nodes::start(upstream).await else {
        return;
    };
    let key = nodes.key(&["--budget", &BUDGET.to_string()]).await;
    // Three streams of the last gateway have come to five tokens each when it is killed.
    let mut streams = Vec::new();
    for feed in &feeds {
        let (mut conn, head) = begin(&nodes.all[2], &key.key, &chat_stream("up")).await;
        assert_eq!(head.status, 200);
        for _ in 0..5 {
            feed.send(one.clone().into()).unwrap();
            conn.chunks(one.len()).await;
        }
        streams.push(conn);
    }
    let dir = nodes.all.pop().unwrap().killed();
    let node = nodes.setup().start_in(dir).await;
    nodes.all.push(node);
    // What is left is spent by all of them: seven tokens a call.
    let events: Vec<_> = (0..7).map(|_| one.clone()).chain([END.into()]).collect();
    nodes.upstream.now([Reply::streams(&events)]);
    let body = chat_stream("up").to_string();
    // What is put right after a death takes seconds: once at once, and again when nothing moves any more.
    let since = tokio::time::Instant::now();
    while nodes.spent() < 98 * BUDGET / 100 * CENT {
        assert!(since.elapsed() < PATIENCE, "{} is spent", nodes.spent());
        for node in &nodes.all {
            let response = node.post_with(&key.key, PATH, &body).await;
            if response.status() != 200 {
                response.refused(429, "insufficient_quota");
            }
        }
    }
    for node in &nodes.all {
        let response = node.post_with(&key.key, PATH, &body).await;
        assert!([200, 429].contains(&response.status()));
    }
    let interrupted = rows(&nodes.all[0]);
    let interrupted = interrupted
        .iter()
        .filter(|row| row["outcome"] == "interrupted");
    assert_eq!(interrupted.count(), 3);
    let spent = nodes.spent();
    assert!(spent <= BUDGET * CENT, "{spent}");
    nodes.end().await;
}
