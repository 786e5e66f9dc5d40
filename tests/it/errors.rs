//! Every error has OpenAI's shape, says whose it is, and names its request.

use crate::support::{
    Conn, END, FakeUpstream, Gateway, Reply, Response, chat, chat_stream, error_event, event,
    free_port,
};
use std::time::Duration;

/// An upstream entry that leads to `address`, where perhaps nobody listens, and the model `name` that goes there.
fn entry(name: &str, address: std::net::SocketAddr, lines: &str) -> String {
    format!(
        "[[upstream]]\nname = \"{name}\"\nprovider = \"openai\"\nbase_url = \"http://{address}/v1\"\n{lines}\n\
         [[model]]\nname = \"{name}\"\nto = [\"{name}\"]\n"
    )
}

#[tokio::test]
async fn a_request_without_a_key_is_refused_before_anything_is_read() {
    let gateway = Gateway::setup().start().await;
    let mut conn = Conn::open(gateway.data).await;
    let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: w\r\ncontent-length: 1000000\r\n\r\n";
    conn.send(head).await;
    let error = conn.response().await.refused(401, "invalid_api_key");
    assert_eq!(error["type"], "invalid_request_error");
}

#[tokio::test]
async fn unknown_models_paths_and_methods_are_told_apart() {
    let gateway = Gateway::setup().start().await;
    let error = gateway
        .chat(chat("nope"))
        .await
        .refused(404, "model_not_found");
    assert_eq!(error["param"], "model");
    assert!(error["message"].as_str().unwrap().contains("nope"));
    for path in [
        "/",
        "/v1",
        "/v1/",
        "/v1/nothing",
        "/v2/chat/completions",
        "/v2/files",
        "/files",
        "/metrics",
        "/admin/events",
        "/readyz",
        "/info",
    ] {
        gateway.get(path).await.refused(404, "unknown_url");
    }
    for (method, path, allow) in [
        ("PUT", "/v1/chat/completions", "GET, HEAD, POST, OPTIONS"),
        ("GET", "/v1/embeddings", "POST, OPTIONS"),
        ("DELETE", "/v1/embeddings", "POST, OPTIONS"),
        ("POST", "/v1/models", "GET, HEAD, OPTIONS"),
        ("PUT", "/healthz", "GET, HEAD, OPTIONS"),
    ] {
        let response = gateway.send(method, path, &[]).await;
        response.refused(405, "method_not_allowed");
        assert_eq!(response.header("allow"), Some(allow), "{method} {path}");
    }
}

#[tokio::test]
async fn options_says_what_a_path_takes_and_head_has_no_body() {
    let gateway = Gateway::setup().start().await;
    let options = gateway.bare("OPTIONS", "/v1/chat/completions", &[]).await;
    assert_eq!(options.status(), 204);
    assert_eq!(options.header("allow"), Some("GET, HEAD, POST, OPTIONS"));
    let mut conn = Conn::open(gateway.data).await;
    let key = &gateway.key;
    let head =
        format!("HEAD /v1/models HTTP/1.1\r\nhost: w\r\nauthorization: Bearer {key}\r\n\r\n");
    conn.send(head).await;
    let head = conn.head().await;
    assert_eq!(head.status, 200);
    assert!(head.get("x-request-id").is_some());
    conn.send("GET /healthz HTTP/1.1\r\nhost: w\r\n\r\n").await;
    assert_eq!(conn.head().await.status, 200, "no body was in between");
}

#[tokio::test]
async fn an_upstreams_own_refusal_passes_with_what_retries_need() {
    let body = "{\"error\":{\"message\":\"slow down\",\"type\":\"requests\",\"param\":null,\"code\":\"rate_limit_exceeded\"}} ";
    let headers = [
        ("content-type", "application/json"),
        ("retry-after", "7"),
        ("retry-after-ms", "6900"),
        ("x-should-retry", "true"),
        ("x-ratelimit-remaining-requests", "0"),
        ("x-request-id", "req_theirs"),
    ];
    let upstream = FakeUpstream::start().await;
    let gateway = Gateway::before(&upstream).await;
    for status in [400, 403, 404, 409, 413, 415, 422, 429] {
        upstream.now([Reply::with(status, &headers, body)]);
        let response = gateway.chat(chat("up")).await;
        assert_eq!(response.status(), status);
        assert_eq!(response.text(), body);
        for (name, value) in &headers[1..4] {
            assert_eq!(response.header(name), Some(*value));
        }
        assert_eq!(response.header("x-weir-origin"), Some("upstream"));
        // The gateway's own, of a key that nobody limits.
        let remaining = response.header("x-ratelimit-remaining-requests");
        assert_eq!(remaining, Some("9007199254740991"));
        assert_ne!(response.header("x-request-id"), Some("req_theirs"));
    }
}

#[tokio::test]
async fn an_upstreams_refusal_of_a_stream_keeps_its_status() {
    let body = "{\"error\":{\"message\":\"no\",\"type\":\"t\",\"param\":null,\"code\":\"c\"}}";
    let upstream = FakeUpstream::with([Reply::json(429, body)]).await;
    let gateway = Gateway::before(&upstream).await;
    let response = gateway.chat(chat_stream("up")).await;
    assert_eq!((response.status(), response.text().as_str()), (429, body));
    assert_eq!(response.header("x-weir-origin"), Some("upstream"));
}

#[tokio::test]
async fn a_server_error_of_the_last_upstream_passes() {
    let upstream = FakeUpstream::with([Reply::with(
        503,
        &[("content-type", "text/html")],
        "<h1>no</h1>",
    )])
    .await;
    let gateway = Gateway::before(&upstream).await;
    let response = gateway.chat(chat("up")).await;
    assert_eq!(
        (response.status(), response.text().as_str()),
        (503, "<h1>no</h1>")
    );
    assert_eq!(response.header("x-weir-origin"), Some("upstream"));
}

#[tokio::test]
async fn an_upstream_that_refuses_weirs_credential_is_weirs_fault() {
    let body = "{\"error\":{\"message\":\"Incorrect API key provided: sk-up\"}}";
    let upstream = FakeUpstream::with([Reply::json(401, body)]).await;
    let gateway = Gateway::before(&upstream).await;
    for path in ["/v1/chat/completions", "/v1/responses"] {
        let response = gateway.post(path, chat("up")).await;
        response.refused(502, "upstream_auth");
        assert!(!response.text().contains("sk-up"));
    }
    gateway
        .metric("weir_attempts_total{upstream=\"up\",result=\"auth\"}", 2)
        .await;
}

#[tokio::test]
async fn an_upstream_that_is_not_there_is_a_502() {
    let gateway = Gateway::setup()
        .config(&entry("gone", free_port().await, "retries = 0"))
        .start()
        .await;
    for request in [chat("gone"), chat_stream("gone")] {
        let error = gateway
            .chat(request)
            .await
            .refused(502, "upstream_unreachable");
        assert_eq!(error["type"], "server_error");
    }
}

#[tokio::test]
async fn an_upstream_that_hangs_up_without_an_answer_is_a_502() {
    for reply in [
        Reply::reset(),
        Reply::raw("").then_closes(),
        Reply::raw("SSH-2.0-x\r\n\r\n").then_closes(),
    ] {
        let upstream = FakeUpstream::with([reply]).await;
        let gateway = Gateway::before(&upstream).await;
        gateway
            .chat(chat("up"))
            .await
            .refused(502, "upstream_unreachable");
    }
}

#[tokio::test]
async fn an_upstream_that_takes_too_long_to_answer_is_a_504() {
    let upstream = FakeUpstream::with([Reply::silence()]).await;
    let gateway = Gateway::setup()
        .upstream("up", &upstream, "timeouts = { first_byte = \"100ms\" }")
        .start()
        .await;
    for request in [chat("up"), chat_stream("up")] {
        gateway.chat(request).await.refused(504, "upstream_timeout");
    }
}

/// A gateway with the model `pair`, which goes to `first` and then to `second`.
async fn pair(first: String, second: &FakeUpstream) -> Gateway {
    Gateway::setup()
        .config(&first)
        .upstream("second", second, "")
        .config("[[model]]\nname = \"pair\"\nto = [\"first\", \"second\"]")
        .start()
        .await
}

#[tokio::test]
async fn the_next_target_answers_for_one_that_is_not_there() {
    let second = FakeUpstream::with([Reply::streams([event("two"), END.into()])]).await;
    let first = entry("first", free_port().await, "retries = 1");
    let gateway = pair(first, &second).await;
    let mut watcher = watch(&gateway).await;
    let response = gateway.chat(chat_stream("pair")).await;
    assert_eq!(response.text(), event("two") + END);
    for reason in ["unreachable", "upstream_unreachable"] {
        let retried = next_event(&mut watcher, "attempt.retried").await;
        assert!(
            retried.contains(&format!("\"reason\":\"{reason}\"")),
            "{retried}"
        );
        assert!(retried.contains("\"upstream\":\"first\""), "{retried}");
    }
}

#[tokio::test]
async fn the_next_target_answers_for_one_that_fails() {
    for reply in [
        Reply::json(500, "{}"),
        Reply::json(429, "{}"),
        Reply::json(401, "{}"),
        Reply::reset(),
        Reply::silence(),
    ] {
        let first = FakeUpstream::with([reply]).await;
        let second = FakeUpstream::with([Reply::json(200, "{\"second\":1}")]).await;
        let slow = "timeouts = { first_byte = \"150ms\" }";
        let gateway = pair(entry("first", first.address, slow), &second).await;
        let response = gateway.chat(chat("pair")).await;
        assert_eq!(
            (response.status(), response.text().as_str()),
            (200, "{\"second\":1}")
        );
        assert_eq!(
            first.request().await.text().await,
            second.request().await.text().await
        );
    }
}

#[tokio::test]
async fn what_is_wrong_with_the_request_itself_is_not_tried_elsewhere() {
    let first = FakeUpstream::with([Reply::json(400, "{\"bad\":1}")]).await;
    let second = FakeUpstream::with([Reply::json(200, "{}")]).await;
    let gateway = pair(entry("first", first.address, ""), &second).await;
    assert_eq!(gateway.chat(chat("pair")).await.status(), 400);
    assert!(second.is_untouched().await);
}

#[tokio::test]
async fn once_the_client_has_a_byte_nothing_is_tried_again() {
    let first = FakeUpstream::with([Reply::streams([event("one")]).then_dies()]).await;
    let second = FakeUpstream::with([Reply::streams([END])]).await;
    let gateway = pair(entry("first", first.address, ""), &second).await;
    let response = gateway.chat(chat_stream("pair")).await;
    assert_eq!(error_event(&response.body)["code"], "upstream_interrupted");
    assert!(second.is_untouched().await);
}

#[tokio::test]
async fn an_error_after_an_early_start_becomes_an_event() {
    let upstream = FakeUpstream::with([Reply::silence()]).await;
    let gateway = Gateway::setup()
        .server("heartbeat = \"30ms\"")
        .upstream("up", &upstream, "timeouts = { first_byte = \"300ms\" }")
        .start()
        .await;
    let response = gateway.chat(chat_stream("up")).await;
    assert_eq!(response.status(), 200);
    assert!(response.text().starts_with(": ping\n"));
    assert_eq!(error_event(&response.body)["code"], "upstream_timeout");
    assert!(response.is_whole && !response.text().contains("[DONE]"));
}

/// What a client gets of a stream that has begun before its upstream answers with `reply`.
async fn answered_late(reply: Reply) -> Response {
    let late = FakeUpstream::with([reply]).await;
    let hangs = FakeUpstream::with([Reply::silence()]).await;
    let gateway = Gateway::setup()
        .server("heartbeat = \"30ms\"")
        .upstream("hangs", &hangs, "timeouts = { first_byte = \"200ms\" }")
        .upstream("late", &late, "")
        .config("[[model]]\nname = \"m\"\nto = [\"hangs\", \"late\"]")
        .start()
        .await;
    gateway.chat(chat_stream("m")).await
}

#[tokio::test]
async fn an_upstreams_refusal_after_an_early_start_becomes_an_event() {
    let error =
        "{\"error\":{\"message\":\"no\",\"type\":\"t\",\"param\":null,\"code\":\"theirs\"}}";
    for (status, body, code) in [
        (429, error, "theirs"),
        (429, "<h1>no</h1>", "upstream_error"),
        (200, "{\"choices\":[]}", "upstream_error"), // no stream, though one was asked for
    ] {
        let response = answered_late(Reply::json(status, body)).await;
        assert_eq!(response.status(), 200);
        assert_eq!(error_event(&response.body)["code"], code);
    }
}

#[tokio::test]
async fn an_upstreams_refusal_in_an_event_is_as_it_was_written() {
    let error = "{\n  \"zone\": 1.0,\n  \"error\": {\"message\": \"no\"}\r\n}\n";
    let response = answered_late(Reply::json(400, error)).await;
    let event = "data: {   \"zone\": 1.0,   \"error\": {\"message\": \"no\"}  }\n\n";
    assert!(response.text().ends_with(event), "{}", response.text());
}

#[tokio::test]
async fn the_gateway_is_not_kept_waiting_by_an_upstream_that_accepts_nothing() {
    // A listener whose queue is full drops what knocks, as a host does that is down.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut queue = Vec::new();
    while let Ok(Ok(stream)) = tokio::time::timeout(
        Duration::from_millis(200),
        tokio::net::TcpStream::connect(address),
    )
    .await
    {
        queue.push(stream);
    }
    let lines = "retries = 0\ntimeouts = { connect = \"100ms\" }";
    let gateway = Gateway::setup()
        .config(&entry("full", address, lines))
        .start()
        .await;
    gateway
        .chat(chat("full"))
        .await
        .refused(502, "upstream_unreachable");
}

/// Follows all events of the gateway.
pub async fn watch(gateway: &Gateway) -> Conn {
    watch_over(Conn::open(gateway.control).await, gateway).await
}

/// The same on this connection.
pub async fn watch_over(mut conn: Conn, gateway: &Gateway) -> Conn {
    let admin = &gateway.admin;
    conn.send(format!(
        "GET /admin/events?kinds=* HTTP/1.1\r\nhost: w\r\nauthorization: Bearer {admin}\r\n\r\n"
    ))
    .await;
    assert_eq!(conn.head().await.status, 200);
    assert_eq!(conn.chunk().await, Ok(Some(b": watching\n\n".to_vec())));
    conn
}

/// The next event of a kind.
pub async fn next_event(watcher: &mut Conn, kind: &str) -> String {
    loop {
        let event = watcher.chunk().await.unwrap().expect("another event");
        let event = String::from_utf8(event).unwrap();
        if event.starts_with(&format!("event: {kind}\n")) {
            return event;
        }
    }
}
