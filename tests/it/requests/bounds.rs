//! Bodies that are too large or too slow.

use crate::support::{Conn, Gateway, chat, chat_stream};

#[tokio::test]
async fn a_body_that_is_too_large_is_a_413_whether_it_says_so_or_not() {
    let gateway = Gateway::setup()
        .server("body_max = \"100KiB\"")
        .start()
        .await;
    let key = &gateway.key;
    let head =
        format!("POST /v1/chat/completions HTTP/1.1\r\nhost: w\r\nauthorization: Bearer {key}\r\n");
    let mut told = Conn::open(gateway.data).await;
    told.send(format!("{head}content-length: 200000\r\n\r\n"))
        .await;
    told.response().await.refused(413, "request_too_large");
    let mut untold = Conn::open(gateway.data).await;
    let body = format!("\"{}", "x".repeat(110 << 10));
    untold
        .send(format!(
            "{head}transfer-encoding: chunked\r\n\r\n{:x}\r\n{body}",
            1 << 20
        ))
        .await;
    let response = untold.response().await;
    response.refused(413, "request_too_large");
    let fits = format!(
        "{{\"model\":\"simulator/fast\",\"max_tokens\":1,\"messages\":[{{\"role\":\"user\",\"content\":\"{}\"}}]}}",
        "x".repeat(99 << 10)
    );
    assert_eq!(gateway.chat(fits).await.status(), 200);
}

#[tokio::test]
async fn a_whole_upload_that_is_too_large_still_hears_why() {
    let gateway = Gateway::setup()
        .server("body_max = \"100KiB\"")
        .start()
        .await;
    let body = chat(&"x".repeat(3 << 20)).to_string();
    // Sent to its last byte before anything is read, as simple clients do.
    gateway.chat(body).await.refused(413, "request_too_large");
}

#[tokio::test]
async fn a_body_that_does_not_come_in_time_is_a_408() {
    let gateway = Gateway::setup()
        .server("body_timeout = \"100ms\"")
        .start()
        .await;
    let key = &gateway.key;
    let mut conn = Conn::open(gateway.data).await;
    conn.send(format!("POST /v1/chat/completions HTTP/1.1\r\nhost: w\r\nauthorization: Bearer {key}\r\ncontent-length: 100\r\n\r\n{{\"model\"")).await;
    conn.response().await.refused(408, "request_timeout");
    assert!(conn.closed().await.is_empty());
}

#[tokio::test]
async fn bodies_beyond_the_memory_for_them_are_turned_away() {
    let gateway = Gateway::setup()
        .server("body_max = \"1MiB\"\nbody_memory_max = \"1MiB\"")
        .start()
        .await;
    let key = &gateway.key;
    let mut held = Conn::open(gateway.data).await;
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: w\r\nauthorization: Bearer {key}\r\ncontent-length: 1000000\r\n\r\n\""
    );
    held.send(format!("{head}{}", "x".repeat(900_000))).await;
    crate::support::until("the memory in use", async || {
        let used = gateway.metrics().await;
        let line = used
            .lines()
            .find_map(|line| line.strip_prefix("weir_body_memory_bytes "));
        line.and_then(|used| used.parse::<f64>().ok())
            .filter(|used| *used > 890_000.0)
    })
    .await;
    let large = chat_stream(&"x".repeat(300_000)).to_string();
    let refused = gateway.chat(large).await;
    refused.refused(503, "overloaded");
    assert!(refused.header("retry-after").is_some());
    drop(held);
    gateway.metric("weir_body_memory_bytes", 0).await;
}
