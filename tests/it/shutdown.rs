//! SIGTERM: no new work, a grace for what runs, an honest end for what still runs then.

use crate::support::{
    Conn, END, FakeUpstream, Gateway, Reply, chat_stream, error_event, event, until,
};
use tokio::net::TcpStream;

/// A gateway with one stream under way, which the test feeds.
async fn streaming(grace: &str) -> (Gateway, FakeUpstream, Conn, crate::support::Feed) {
    let (reply, feed) = Reply::fed();
    let upstream = FakeUpstream::with([reply]).await;
    let gateway = Gateway::setup()
        .server(&format!("shutdown_grace = \"{grace}\""))
        .upstream("up", &upstream, "")
        .start()
        .await;
    let mut conn = gateway.stream(chat_stream("up")).await;
    feed.send(event("one").into()).unwrap();
    conn.chunks(event("one").len()).await;
    (gateway, upstream, conn, feed)
}

/// Waits until the gateway says that it drains.
async fn draining(gateway: &Gateway) {
    until("a 503 of /readyz", async || {
        (gateway.control("/readyz").await.status() == 503).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_running_stream_is_finished_and_nothing_new_is_taken() {
    let (gateway, _upstream, mut conn, feed) = streaming("60s").await;
    gateway.terminate();
    draining(&gateway).await;
    assert!(
        TcpStream::connect(gateway.data).await.is_err(),
        "the listener is closed"
    );
    assert_eq!(
        gateway.control("/readyz").await.json()["status"],
        "draining"
    );
    assert_eq!(gateway.control("/healthz").await.status(), 200);
    feed.send(END.into()).unwrap();
    drop(feed);
    assert_eq!(conn.chunks(END.len()).await, END.as_bytes());
    assert_eq!(conn.chunk().await, Ok(None));
    let (code, log) = gateway.exited().await;
    assert_eq!(code, Some(0), "{log}");
}

#[tokio::test]
async fn a_stream_that_outlasts_the_grace_ends_with_an_error_event() {
    let (gateway, upstream, mut conn, _feed) = streaming("200ms").await;
    let mut received = upstream.request().await;
    gateway.terminate();
    let last = conn.chunk().await.unwrap().unwrap();
    assert_eq!(error_event(&last)["type"], "server_error");
    assert_eq!(conn.chunk().await, Ok(None), "and with nothing after it");
    received.closed().await;
    let (code, log) = gateway.exited().await;
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("outcome=interrupted"), "{log}");
}

#[tokio::test]
async fn a_stream_that_waits_for_its_upstream_ends_with_an_error_event_too() {
    let upstream = FakeUpstream::with([Reply::silence()]).await;
    let gateway = Gateway::setup()
        .server("shutdown_grace = \"200ms\"\nheartbeat = \"20ms\"")
        .upstream("up", &upstream, "")
        .start()
        .await;
    let mut conn = gateway.stream(chat_stream("up")).await;
    conn.chunk().await.unwrap().unwrap();
    gateway.terminate();
    let mut last = Vec::new();
    while let Some(chunk) = conn.chunk().await.expect("a proper end") {
        last = chunk;
    }
    assert_eq!(error_event(&last)["type"], "server_error");
    assert_eq!(gateway.exited().await.0, Some(0));
}

#[tokio::test]
async fn a_request_that_waits_for_its_upstream_is_told() {
    let upstream = FakeUpstream::with([Reply::silence()]).await;
    let gateway = Gateway::setup()
        .server("shutdown_grace = \"200ms\"")
        .upstream("up", &upstream, "")
        .start()
        .await;
    let mut conn = Conn::open(gateway.data).await;
    conn.post(
        "/v1/chat/completions",
        &gateway.key,
        crate::support::chat("up").to_string(),
    )
    .await;
    upstream.request().await;
    gateway.terminate();
    conn.response().await.refused(503, "draining");
    assert_eq!(gateway.exited().await.0, Some(0));
}

#[tokio::test]
async fn idle_connections_do_not_hold_it_up() {
    let gateway = Gateway::setup()
        .server("shutdown_grace = \"60s\"")
        .start()
        .await;
    let mut used = Conn::open(gateway.data).await;
    used.send("GET /healthz HTTP/1.1\r\nhost: w\r\n\r\n").await;
    assert_eq!(used.response().await.status(), 200);
    let mut fresh = Conn::open(gateway.data).await;
    gateway.metric("weir_connections{plane=\"data\"}", 2).await;
    gateway.terminate();
    assert!(used.closed().await.is_empty());
    assert!(fresh.closed().await.is_empty());
    assert_eq!(gateway.exited().await.0, Some(0));
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let (gateway, _upstream, mut conn, _feed) = streaming("60s").await;
    gateway.terminate();
    draining(&gateway).await;
    gateway.signal(rustix::process::Signal::INT);
    let last = conn.chunk().await.unwrap().unwrap();
    assert_eq!(error_event(&last)["type"], "server_error");
    assert_eq!(gateway.exited().await.0, Some(0));
}
