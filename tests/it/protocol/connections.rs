//! How long a connection lasts, and how many there are.

use super::ask;
use crate::support::{Conn, END, FakeUpstream, Gateway, Reply, chat, chat_stream, event, until};

#[tokio::test]
async fn requests_sent_at_once_are_answered_in_order() {
    let upstream =
        FakeUpstream::with([Reply::json(200, "{\"n\":1}"), Reply::json(200, "{\"n\":2}")]).await;
    let gateway = Gateway::before(&upstream).await;
    let mut conn = Conn::open(gateway.data).await;
    let (key, body) = (&gateway.key, chat("up").to_string());
    let post = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: w\r\nauthorization: Bearer {key}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    conn.send(format!("{post}GET /nope HTTP/1.1\r\nhost: w\r\n\r\n{post}"))
        .await;
    assert_eq!(conn.response().await.text(), "{\"n\":1}");
    assert_eq!(conn.response().await.status(), 404);
    assert_eq!(conn.response().await.text(), "{\"n\":2}");
}

#[tokio::test]
async fn a_client_of_1996_gets_whole_answers_and_streams() {
    let upstream =
        FakeUpstream::with([Reply::json(200, "{}"), Reply::streams([&event("one"), END])]).await;
    let gateway = Gateway::before(&upstream).await;
    let key = &gateway.key;
    for (request, wanted) in [
        (chat("up"), "{}".to_owned()),
        (chat_stream("up"), event("one") + END),
    ] {
        let body = request.to_string();
        let mut conn = Conn::open(gateway.data).await;
        conn.send(format!(
            "POST /v1/chat/completions HTTP/1.0\r\nauthorization: Bearer {key}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        ))
        .await;
        let head = conn.head().await;
        assert_eq!((head.status, head.get("transfer-encoding")), (200, None));
        let (body, _) = conn.body(&head).await;
        assert_eq!(String::from_utf8(body).unwrap(), wanted);
        assert!(conn.closed().await.is_empty());
    }
}

#[tokio::test]
async fn a_client_that_asks_first_is_told_to_go_on_or_not() {
    let upstream = FakeUpstream::with([Reply::json(200, "{}")]).await;
    let gateway = Gateway::before(&upstream).await;
    let body = chat("up").to_string();
    let head = |key: &str| {
        let len = body.len();
        format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: w\r\nauthorization: Bearer {key}\r\nexpect: 100-continue\r\ncontent-length: {len}\r\n\r\n"
        )
    };
    let mut conn = Conn::open(gateway.data).await;
    conn.send(head(&gateway.key)).await;
    assert_eq!(conn.head().await.status, 100);
    conn.send(&body).await;
    assert_eq!(conn.response().await.status(), 200);
    assert_eq!(upstream.request().await.get("expect"), None);
    ask(&gateway, head("nope"))
        .await
        .refused(401, "invalid_api_key");
}

#[tokio::test]
async fn an_idle_connection_is_closed_in_the_end() {
    let gateway = Gateway::setup()
        .server("idle_timeout = \"100ms\"")
        .start()
        .await;
    let mut fresh = Conn::open(gateway.data).await;
    assert!(fresh.closed().await.is_empty());
    let mut used = Conn::open(gateway.data).await;
    used.send("GET /healthz HTTP/1.1\r\nhost: w\r\n\r\n").await;
    assert_eq!(used.response().await.status(), 200);
    assert!(used.closed().await.is_empty());
}

#[tokio::test]
async fn a_connection_that_is_answered_is_not_idle() {
    let (reply, feed) = Reply::fed();
    let upstream = FakeUpstream::with([reply]).await;
    let gateway = Gateway::setup()
        .server("idle_timeout = \"50ms\"\nheader_timeout = \"50ms\"")
        .upstream("up", &upstream, "")
        .start()
        .await;
    let mut conn = gateway.stream(chat_stream("up")).await;
    // Until another connection has been closed for being idle, twice over.
    for _ in 0..2 {
        Conn::open(gateway.data).await.closed().await;
    }
    feed.send(END.into()).unwrap();
    assert_eq!(conn.chunks(END.len()).await, END.as_bytes());
}

#[tokio::test]
async fn connections_beyond_the_most_are_turned_away_politely() {
    let gateway = Gateway::setup().server("connections_max = 2").start().await;
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut conn = Conn::open(gateway.data).await;
        conn.send("GET /healthz HTTP/1.1\r\nhost: w\r\n\r\n").await;
        assert_eq!(conn.response().await.status(), 200);
        held.push(conn);
    }
    let refused = ask(&gateway, "GET /healthz HTTP/1.1\r\nhost: w\r\n\r\n").await;
    refused.refused(503, "overloaded");
    assert!(refused.header("retry-after").is_some());
    held.pop();
    until("a free place", async || {
        let response = ask(&gateway, "GET /healthz HTTP/1.1\r\nhost: w\r\n\r\n").await;
        (response.status() == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn ten_thousand_idle_connections_cost_little_and_disturb_nobody() {
    const COUNT: usize = 10_000;
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let wanted = COUNT as u64 + 2_000;
    if limit.maximum.is_some_and(|most| most < wanted) {
        eprintln!(
            "SKIPPED: this machine allows {:?} open files, and the test needs {wanted}",
            limit.maximum
        );
        return;
    }
    let raised = rustix::process::Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, raised).unwrap();
    let gateway = Gateway::setup().start().await;
    let before = gateway.resident_kib();
    let mut idle = Vec::with_capacity(COUNT);
    for _ in 0..COUNT {
        idle.push(Conn::open(gateway.data).await);
    }
    gateway
        .metric("weir_connections{plane=\"data\"}", COUNT as u64)
        .await;
    assert_eq!(gateway.get("/v1/models").await.status(), 200);
    let each = (gateway.resident_kib() - before) * 1024 / COUNT as u64;
    // What the optimised build needs is a third of this.
    assert!(each < 32 << 10, "{each} bytes an idle connection");
    drop(idle);
    gateway.metric("weir_connections{plane=\"data\"}", 0).await;
}

#[tokio::test]
async fn a_refusal_says_whether_its_connection_takes_another_request() {
    let gateway = Gateway::setup().start().await;
    let mut conn = Conn::open(gateway.data).await;

    // The whole body was read: the next request may come.
    let unknown = chat("nobody-knows-this-one").to_string();
    conn.post("/v1/chat/completions", &gateway.key, &unknown)
        .await;
    let refused = conn.response().await;
    refused.refused(404, "model_not_found");
    assert_eq!(refused.header("connection"), None);

    // The body was not waited for: nobody may take this connection for one that goes on.
    for body in ["", "{}", &unknown] {
        let mut conn = Conn::open(gateway.data).await;
        conn.send(format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: w\r\nauthorization: Bearer nope\r\ncontent-length: {}\r\n\r\n{body}",
            unknown.len()
        ))
        .await;
        let refused = conn.response().await;
        refused.refused(401, "invalid_api_key");
        assert_eq!(refused.header("connection"), Some("close"), "{body:?}");
    }

    conn.post(
        "/v1/chat/completions",
        &gateway.key,
        chat("simulator").to_string(),
    )
    .await;
    assert_eq!(conn.response().await.status(), 200);
}
