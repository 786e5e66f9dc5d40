//! The script against a real Redis, under a prefix that no other test has.

mod away;
mod flows;
mod money;
mod nodes;
mod proxy;
mod stakes;
mod stocks;

use super::{
    link::Link,
    round::{Reply, Round},
};
use crate::domain::Redis;
use redis::IntoConnectionInfo;
use tokio::runtime::{Builder, Runtime};

/// A server for one test, and what is needed to wait for it.
pub(super) struct Server {
    runtime: Runtime,
    link: Link,
    pub(super) at: Redis,
    /// What the time of rounds begins with.
    pub(super) micros: u64,
}

#[expect(
    clippy::disallowed_methods,
    reason = "where tests find servers is no configuration of Weir's"
)]
fn url() -> String {
    let url = std::env::var("WEIR_TEST_REDIS_URL");
    url.unwrap_or_else(|_| "redis://127.0.0.1:6379/0".to_owned())
}

/// Where tests find Redis; nothing else there is touched.
pub(super) fn redis() -> Redis {
    let mut random = [0; 8];
    getrandom::fill(&mut random).unwrap();
    let known = url().into_connection_info().unwrap();
    let redis::ConnectionAddr::Tcp(host, port) = known.addr().clone() else {
        panic!("the tests' Redis is reached over TCP")
    };
    Redis {
        host,
        port,
        user: None,
        password: None,
        database: 0,
        tls: false,
        authorities: None,
        prefix: format!("weir-test-{:x}", u64::from_ne_bytes(random)),
    }
}

/// Says that a test is not run; in CI each has to be.
#[expect(
    clippy::print_stderr,
    reason = "who reads the tests' output must see it"
)]
#[expect(
    clippy::disallowed_methods,
    reason = "CI is no configuration of Weir's"
)]
pub(super) fn skip(at: &Redis, why: &str) {
    let is_ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
    assert!(!is_ci, "no Redis at {at}: {why}");
    eprintln!("SKIPPED: no Redis at {at}: {why}");
}

impl Server {
    /// None, loudly, where there is no Redis.
    pub(super) fn find() -> Option<Self> {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let at = redis();
        let mut link = Link::new(at.clone());
        if let Err(error) = runtime.block_on(link.connect()) {
            skip(&at, &error.to_string());
            return None;
        }
        Some(Self {
            runtime,
            link,
            at,
            micros: 1_800_000_000_000_000,
        })
    }

    pub(super) fn run(&mut self, round: &Round) -> Reply {
        self.runtime.block_on(self.link.run(round)).unwrap()
    }

    pub(super) fn fails(&mut self, round: &Round) -> String {
        let outcome = self.runtime.block_on(self.link.run(round));
        outcome.unwrap_err().to_string()
    }

    /// Somebody empties it; of others' keys nothing is touched.
    pub(super) fn lose_all(&mut self) {
        let prefix = format!("{}:", self.at.prefix);
        self.runtime.block_on(forget(&self.at, &prefix));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.lose_all();
    }
}

/// Removes all keys that begin with `prefix`.
pub(super) async fn forget(at: &Redis, prefix: &str) {
    let url = format!("redis://{}:{}/{}", at.host, at.port, at.database);
    let client = redis::Client::open(url).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let keys: Vec<String> = redis::cmd("KEYS")
        .arg(format!("{prefix}*"))
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
