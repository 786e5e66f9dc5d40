//! Clients that go.

use super::beating;
use crate::support::{Conn, FakeUpstream, Gateway, Reply, chat, chat_stream, event, within};
use std::time::{Duration, Instant};

#[tokio::test]
async fn a_hang_up_ends_the_upstreams_work_within_a_second() {
    let reply = Reply::streams([event("one")]).then_hangs();
    let upstream = FakeUpstream::with([reply]).await;
    let gateway = Gateway::before(&upstream).await;
    let mut conn = gateway.stream(chat_stream("up")).await;
    conn.chunks(event("one").len()).await;
    let mut received = upstream.request().await;
    let hung_up = Instant::now();
    drop(conn);
    received.closed().await;
    assert!(hung_up.elapsed() < Duration::from_secs(1));
    let line = gateway.log_line(|line| line.contains("client_gone")).await;
    assert!(
        line.contains(&format!("bytes={}", event("one").len())),
        "{line}"
    );
}

#[tokio::test]
async fn a_hang_up_before_the_answer_ends_the_upstreams_work_within_a_second() {
    for request in [chat("up"), chat_stream("up")] {
        let upstream = FakeUpstream::with([Reply::silence()]).await;
        let gateway = Gateway::before(&upstream).await;
        let mut conn = Conn::open(gateway.data).await;
        conn.post("/v1/chat/completions", &gateway.key, request.to_string())
            .await;
        let mut received = upstream.request().await;
        let hung_up = Instant::now();
        drop(conn);
        received.closed().await;
        assert!(hung_up.elapsed() < Duration::from_secs(1));
        gateway.log_line(|line| line.contains("client_gone")).await;
    }
}

#[tokio::test]
async fn a_hang_up_in_a_stream_that_began_early_ends_the_upstreams_work() {
    let upstream = FakeUpstream::with([Reply::silence()]).await;
    let gateway = beating(&upstream).await;
    let mut conn = gateway.stream(chat_stream("up")).await;
    conn.chunk().await.unwrap();
    let mut received = upstream.request().await;
    drop(conn);
    within("the cancel", received.closed()).await;
}

#[tokio::test]
async fn a_client_that_stops_reading_is_let_go() {
    let upstream = FakeUpstream::with([Reply::endless(event("x"))]).await;
    let gateway = Gateway::setup()
        .server("write_timeout = \"100ms\"")
        .upstream("up", &upstream, "")
        .start()
        .await;
    let conn = gateway.stream(chat_stream("up")).await;
    let mut received = upstream.request().await;
    received.closed().await;
    gateway.metric("weir_connections{plane=\"data\"}", 0).await;
    drop(conn); // it was there all the time
}
