//! Where a request begins and ends, and what it asks of whom.

use super::{ask, refuses};
use crate::support::{Conn, FakeUpstream, Gateway, Head, Reply, error_of};

#[tokio::test]
async fn a_request_with_two_ideas_of_its_length_is_never_read_as_two() {
    let upstream = FakeUpstream::with([Reply::json(200, "{}")]).await;
    let gateway = Gateway::before(&upstream).await;
    let key = &gateway.key;
    let hidden =
        format!("POST /v1/chat/completions HTTP/1.1\r\nhost: w\r\nauthorization: Bearer {key}\r\n");
    for lengths in [
        "content-length: 5\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: chunked\r\ncontent-length: 5\r\n",
        "content-length: 5\r\ncontent-length: 6\r\n",
        "content-length: 5, 6\r\n",
        "content-length: +5\r\n",
        "content-length: 0x5\r\n",
        "content-length: -1\r\n",
        "content-length: 99999999999999999999999\r\n",
        "transfer-encoding: chunked, identity\r\n",
        "transfer-encoding: gzip\r\n",
        "transfer-encoding: xchunked\r\ncontent-length: 5\r\n",
    ] {
        let request =
            format!("{hidden}{lengths}\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\nhost: w\r\n\r\n");
        let mut conn = Conn::open(gateway.data).await;
        conn.send(&request).await;
        let response = conn.response().await;
        assert_eq!(response.status(), 400, "{lengths}: {}", response.text());
        error_of(&response.body);
        let rest = conn.closed().await;
        assert!(
            !String::from_utf8_lossy(&rest).contains("200 OK"),
            "{lengths}: the second request was answered"
        );
    }
    assert!(upstream.is_untouched().await);
}

#[tokio::test]
async fn what_is_not_http_is_refused_in_openais_shape() {
    let gateway = Gateway::setup().start().await;
    for bytes in [
        &b"hello\r\n\r\n"[..],
        b"GET /healthz\0 HTTP/1.1\r\nhost: w\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nhost: w\r\na\0b: c\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nhost: w\r\nx: a\0b\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nhost : w\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nhost: w\r\nx: a\r\n folded\r\n\r\n",
        b"GET /healthz HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    ] {
        refuses(&gateway, bytes, 400).await;
    }
}

#[tokio::test]
async fn http_2_that_nobody_negotiated_is_hung_up_on() {
    let gateway = Gateway::setup().start().await;
    let mut conn = Conn::open(gateway.data).await;
    conn.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    assert!(conn.closed().await.is_empty());
}

#[tokio::test]
async fn chunks_that_are_none_are_refused() {
    let gateway = Gateway::setup().start().await;
    let key = &gateway.key;
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: w\r\nauthorization: Bearer {key}\r\ntransfer-encoding: chunked\r\n\r\n"
    );
    for chunks in [
        "zz\r\n",
        "5\r\nabcdefgh\r\n",
        "-1\r\n",
        "fffffffffffffffff\r\n",
        "2\nab\r\n",
    ] {
        let response = ask(&gateway, format!("{head}{chunks}")).await;
        assert_eq!(response.status(), 400, "{chunks}");
        error_of(&response.body);
    }
}

#[tokio::test]
async fn a_target_may_be_absolute_but_may_not_climb() {
    let gateway = Gateway::setup().start().await;
    let key = &gateway.key;
    let get = |target: &str| {
        format!("GET {target} HTTP/1.1\r\nhost: w\r\nauthorization: Bearer {key}\r\n\r\n")
    };
    assert_eq!(
        ask(&gateway, get("http://elsewhere/healthz"))
            .await
            .status(),
        200
    );
    for target in [
        "//v1/../models",
        "/v1/../v1/models",
        "/v1//models",
        "/v1/./models",
        "/v1/%2e%2e/healthz",
        "*",
    ] {
        let response = ask(&gateway, get(target)).await;
        assert_eq!(response.status(), 404, "{target}: {}", response.text());
        error_of(&response.body);
    }
    let response = ask(&gateway, "CONNECT upstream:443 HTTP/1.1\r\nhost: w\r\n\r\n").await;
    assert!(
        matches!(response.status(), 400 | 404 | 405),
        "{}",
        response.status()
    );
    error_of(&response.body);
}

#[tokio::test]
async fn methods_that_openai_does_not_have_end_here() {
    let upstream = FakeUpstream::with([Reply::json(200, "{}")]).await;
    let gateway = Gateway::before(&upstream).await;
    let allowed = "POST, GET, DELETE, HEAD, OPTIONS, PUT, PATCH";
    for method in ["TRACE", "CONNECT", "PROPFIND", "FOO", "M-SEARCH", "get"] {
        for path in ["/v1/files", "/v1/chat/completions", "/healthz"] {
            let refused = gateway.send(method, path, &[]).await;
            refused.refused(405, "method_not_allowed");
            assert_eq!(refused.header("allow"), Some(allowed), "{method}");
        }
        let mut conn = Conn::open(gateway.control).await;
        conn.send(format!("{method} /info HTTP/1.1\r\nhost: w\r\n\r\n"))
            .await;
        conn.response().await.refused(405, "method_not_allowed");
    }
    assert!(upstream.is_untouched().await);
    assert_eq!(gateway.send("PATCH", "/v1/files", &[]).await.status(), 200);
}

#[tokio::test]
async fn a_request_names_one_server() {
    let gateway = Gateway::setup().start().await;
    for hosts in [
        "",
        "host: a\r\nhost: b\r\n",
        "host: a\r\nhost: a\r\n",
        "host: a b\r\n",
        "host: a/b\r\n",
        "host: user@a\r\n",
        "host: a, b\r\n",
        "host: \u{e9}\r\n",
    ] {
        let request = format!("GET /healthz HTTP/1.1\r\n{hosts}\r\n");
        ask(&gateway, request).await.refused(400, "bad_request");
    }
    for request in [
        "GET /healthz HTTP/1.0\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nhost:\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nhost: [::1]:8080\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nhost: my_gate-way.test.:80\r\n\r\n",
        "GET http://elsewhere/healthz HTTP/1.1\r\nhost: w\r\n\r\n",
    ] {
        assert_eq!(ask(&gateway, request).await.status(), 200, "{request}");
    }
}

#[tokio::test]
async fn a_stream_that_is_answered_to_a_hidden_request_is_not_confused_with_the_next() {
    // A refusal that leaves a body unread must not let that body be taken for a request.
    let gateway = Gateway::setup().start().await;
    let mut conn = Conn::open(gateway.data).await;
    let hidden = "GET /healthz HTTP/1.1\r\nhost: w\r\n\r\n";
    let len = hidden.len();
    conn.send(format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: w\r\ncontent-length: {len}\r\n\r\n{hidden}"
    ))
    .await;
    conn.response().await.refused(401, "invalid_api_key");
    conn.send("GET /nope HTTP/1.1\r\nhost: w\r\n\r\n").await;
    let next: Option<Head> = conn.try_head().await;
    assert!(next.is_none_or(|head| head.status == 404));
}
