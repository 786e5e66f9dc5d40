//! Limits from outside: who is let through, what the others are told, and what becomes of a stream whose budget ends.

mod budgets;
mod change;
mod everyone;
mod held;
mod overview;
mod rates;
mod shared;

use crate::support::{Conn, Gateway, Head, Response};
use std::time::Duration;

/// What a model called `up` costs: a cent for a token of the answer, and nothing for the prompt.
const CENT_A_TOKEN: &str = "[[price]]\nmodel = \"up\"\ninput = 0\noutput = 10000\n";

/// A tier, and limits of all and of the model.
const GOLD: &str = r#"
[[tier]]
name = "gold"
concurrent_requests = 3

[[limit]]
on = "organization"
budgets = [{ dollars = 3, per = "month" }]

[[limit]]
on = "model"
name = "u*"
concurrent_requests = 5
"#;

/// Sends a request with `key` and waits for the head of its answer.
async fn begin(gateway: &Gateway, key: &str, body: &serde_json::Value) -> (Conn, Head) {
    let mut conn = Conn::open(gateway.data).await;
    conn.post("/v1/chat/completions", key, body.to_string())
        .await;
    let head = conn.head().await;
    (conn, head)
}

/// How long a refused client is told to wait.
fn told(response: &Response) -> Duration {
    let millis: u64 = response.header("retry-after-ms").unwrap().parse().unwrap();
    let seconds: u64 = response.header("retry-after").unwrap().parse().unwrap();
    assert_eq!(seconds, millis.div_ceil(1000), "in whole seconds, no less");
    Duration::from_millis(millis)
}
