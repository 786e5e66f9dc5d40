//! What was begun with a credential that has ended since.

use super::{ORGANIZATION, account, becomes, delete, post, project, send, text};
use crate::support::{Conn, Gateway, chat, until};
use serde_json::json;

/// A new admin key, and its id.
async fn admin(gateway: &Gateway) -> (String, String) {
    let made = post(gateway, "/admin_api_keys", json!({"name": "short-lived"})).await;
    (
        text(&made, "/value").to_owned(),
        text(&made, "/id").to_owned(),
    )
}

async fn ends(gateway: &Gateway, key: &str) {
    let path = format!("{ORGANIZATION}/projects");
    until("the end of an admin key", async || {
        let answer = send(gateway, "GET", &path, key, "application/json", b"").await;
        (answer.status() == 401).then_some(())
    })
    .await;
}

/// Sends a request but for the last byte of its body.
async fn begin(conn: &mut Conn, path: &str, key: &str, body: &str) {
    let (most, _) = body.split_at(body.len() - 1);
    conn.send(format!(
        "POST {path} HTTP/1.1\r\nhost: w\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{most}",
        body.len()
    ))
    .await;
}

#[tokio::test]
async fn a_request_whose_admin_key_ends_over_its_body_is_refused() {
    let gateway = Gateway::setup().start().await;
    let (key, id) = admin(&gateway).await;
    let mut conn = Conn::open(gateway.control).await;
    let path = format!("{ORGANIZATION}/admin_api_keys");
    begin(&mut conn, &path, &key, r#"{"name":"heir"}"#).await;
    delete(&gateway, &format!("/admin_api_keys/{id}")).await;
    ends(&gateway, &key).await;
    conn.send("}").await;
    conn.response().await.refused(401, "invalid_api_key");
}

#[tokio::test]
async fn a_call_whose_key_ends_over_its_body_is_refused() {
    let gateway = Gateway::setup().start().await;
    let project = project(&gateway, "Search").await;
    let made = account(&gateway, &project, json!({"name": "indexer"})).await;
    let (key, id) = (text(&made, "/api_key/value"), text(&made, "/api_key/id"));
    let mut conn = Conn::open(gateway.data).await;
    begin(
        &mut conn,
        "/v1/chat/completions",
        key,
        &chat("simulator/fast").to_string(),
    )
    .await;
    delete(&gateway, &format!("/projects/{project}/api_keys/{id}")).await;
    becomes(&gateway, key, 401).await;
    conn.send("}").await;
    conn.response().await.refused(401, "invalid_api_key");
}

#[tokio::test]
async fn whoever_watches_sees_nothing_more_once_their_key_has_ended() {
    let gateway = Gateway::setup().start().await;
    let (key, id) = admin(&gateway).await;
    let mut conn = Conn::open(gateway.control).await;
    conn.send(format!(
        "GET /admin/events HTTP/1.1\r\nhost: w\r\nauthorization: Bearer {key}\r\n\r\n"
    ))
    .await;
    let head = conn.head().await;
    assert_eq!(head.status, 200);
    conn.chunk().await.unwrap().unwrap();
    delete(&gateway, &format!("/admin_api_keys/{id}")).await;
    while conn.chunk().await.unwrap().is_some() {}
}
