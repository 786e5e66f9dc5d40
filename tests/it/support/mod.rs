//! What the tests are written with: a real gateway, a scripted upstream, and a client that sees every byte.

mod client;
mod dir;
mod gateway;
pub mod schema;
mod upstream;

pub use client::{Conn, Head, Response};
pub use dir::{Database, Dir};
pub use gateway::{Exit, Gateway, Key, Setup, free_port, weir, weir_unheard};
pub use upstream::{FakeUpstream, Feed, Reply};

use serde_json::Value;
use std::{future::Future, time::Duration};

/// How long anything may take before a test gives up. It bounds a failure; no passing test waits for it.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Waits for `work`, and fails the test by the name of what never came.
pub async fn within<T>(what: &str, work: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, work).await {
        Ok(done) => done,
        Err(_) => panic!("never came: {what}"),
    }
}

/// Looks again and again until `look` finds something; for states that tell nobody when they change.
pub async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    within(what, async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
}

/// A chat request for `model`.
pub fn chat(model: &str) -> Value {
    serde_json::json!({"model": model, "messages": [{"role": "user", "content": "Hello"}]})
}

/// A chat request whose answer is to be a stream.
pub fn chat_stream(model: &str) -> Value {
    let mut request = chat(model);
    request["stream"] = true.into();
    request
}

/// An event of a chat stream with a piece of text in it.
pub fn event(text: &str) -> String {
    let chunk = serde_json::json!({"id": "c", "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": text}}]});
    format!("data: {chunk}\n\n")
}

/// The events with which a chat stream comes to its proper end.
pub const END: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";

/// Asserts that `body` is an error of Weir's or in its shape: all four members and no more. Returns the inner object.
#[track_caller]
pub fn error_of(body: &[u8]) -> Value {
    let text = String::from_utf8_lossy(body);
    let value: Value =
        serde_json::from_slice(body).unwrap_or_else(|_| panic!("no JSON error: {text}"));
    let error = &value["error"];
    let members: Vec<&String> = error.as_object().expect(&text).keys().collect();
    assert_eq!(members, ["code", "message", "param", "type"], "{text}");
    assert!(
        error["message"].as_str().is_some_and(|m| !m.is_empty()),
        "{text}"
    );
    assert!(error["type"].is_string(), "{text}");
    error.clone()
}

/// The error object in the last event of a stream.
#[track_caller]
pub fn error_event(stream: &[u8]) -> Value {
    let text = String::from_utf8_lossy(stream);
    let data = text
        .trim_end()
        .rsplit("data: ")
        .next()
        .expect("a data line");
    assert!(
        text.ends_with("\n\n"),
        "the last event is not whole: {text}"
    );
    error_of(data.as_bytes())
}
