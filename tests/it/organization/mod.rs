//! OpenAI's Administration API: projects, accounts, keys and limits, and who changed them.
//!
//! Every answer of every test here, good or bad, is held against OpenAI's description.

mod agreed;
mod audit;
mod commands;
mod ended;
mod hangup;
mod hostile;
mod life;
mod limits;
mod pages;
mod spec;
mod terms;

use crate::support::{Conn, Gateway, Response, until};
use serde_json::{Value, json};

const ORGANIZATION: &str = "/v1/organization";

/// Asks the control plane as an admin.
async fn ask(gateway: &Gateway, method: &str, path: &str, body: Option<Value>) -> Response {
    let body = body.map_or(Vec::new(), |body| body.to_string().into_bytes());
    let answer = send(
        gateway,
        method,
        path,
        &gateway.admin,
        "application/json",
        &body,
    )
    .await;
    spec::conforms(method, path, &answer);
    answer
}

/// Asks it for something that there must be.
async fn good(gateway: &Gateway, method: &str, path: &str, body: Option<Value>) -> Value {
    let path = format!("{ORGANIZATION}{path}");
    let answer = ask(gateway, method, &path, body).await;
    assert_eq!(answer.status(), 200, "{method} {path}: {}", answer.text());
    answer.json()
}

async fn get(gateway: &Gateway, path: &str) -> Value {
    good(gateway, "GET", path, None).await
}

async fn post(gateway: &Gateway, path: &str, body: Value) -> Value {
    good(gateway, "POST", path, Some(body)).await
}

async fn delete(gateway: &Gateway, path: &str) -> Value {
    good(gateway, "DELETE", path, None).await
}

/// Asks it for something that it must refuse, and returns the error.
async fn bad(
    gateway: &Gateway,
    method: &str,
    path: &str,
    body: Option<Value>,
    (status, code): (u16, &str),
) -> Value {
    let path = format!("{ORGANIZATION}{path}");
    let answer = ask(gateway, method, &path, body).await;
    assert_eq!(
        answer.status(),
        status,
        "{method} {path}: {}",
        answer.text()
    );
    answer.refused(status, code)
}

async fn send(
    gateway: &Gateway,
    method: &str,
    path: &str,
    key: &str,
    media: &str,
    body: &[u8],
) -> Response {
    let mut conn = Conn::open(gateway.control).await;
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: weir\r\nauthorization: Bearer {key}\r\nuser-agent: tests/1\r\n\
         content-type: {media}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    conn.send([head.as_bytes(), body].concat()).await;
    conn.response().await
}

/// A new project's id.
async fn project(gateway: &Gateway, name: &str) -> String {
    let made = post(gateway, "/projects", json!({"name": name})).await;
    made["id"].as_str().unwrap().to_owned()
}

/// A new service account of a project, with its first key.
async fn account(gateway: &Gateway, project: &str, body: Value) -> Value {
    post(
        gateway,
        &format!("/projects/{project}/service_accounts"),
        body,
    )
    .await
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_else(|| panic!("{pointer} of {value}"))
}

/// What a key gets that asks a simulated model for a word.
async fn status(gateway: &Gateway, key: &str) -> u16 {
    let body = json!({"model": "simulator/fast", "messages": [{"role": "user", "content": "x"}], "max_tokens": 1});
    gateway
        .post_with(key, "/v1/chat/completions", body.to_string())
        .await
        .status()
}

/// Waits until a key has this status.
async fn becomes(gateway: &Gateway, key: &str, wanted: u16) {
    until("a change of the key's fate", async || {
        (status(gateway, key).await == wanted).then_some(())
    })
    .await;
}
