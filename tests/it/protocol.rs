//! HTTP as attackers, old clients and proxies speak it: a right answer each time, and nothing grows.

use crate::support::{
    Conn, END, FakeUpstream, Gateway, Head, Reply, Response, chat, chat_stream, error_of, event,
    until, within,
};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::ServerName;
use std::{path::Path, sync::Arc, time::Duration};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

/// Sends bytes as they are and takes one answer.
async fn ask(gateway: &Gateway, bytes: impl AsRef<[u8]>) -> Response {
    let mut conn = Conn::open(gateway.data).await;
    conn.send(bytes).await;
    conn.response().await
}

/// Asserts that an answer is an error in OpenAI's shape after which the connection ends.
async fn refuses(gateway: &Gateway, bytes: impl AsRef<[u8]>, status: u16) {
    let shown =
        String::from_utf8_lossy(&bytes.as_ref()[..bytes.as_ref().len().min(80)]).into_owned();
    let mut conn = Conn::open(gateway.data).await;
    conn.send(bytes).await;
    let response = conn.response().await;
    assert_eq!(response.status(), status, "{shown:?}: {}", response.text());
    error_of(&response.body);
    assert!(response.header("x-request-id").is_some());
    assert_eq!(response.header("x-weir-origin"), Some("gateway"));
    let rest = conn.closed().await;
    assert!(
        rest.is_empty(),
        "{shown:?}: {}",
        String::from_utf8_lossy(&rest)
    );
}

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
async fn headers_that_do_not_come_in_time_are_a_408() {
    let gateway = Gateway::setup()
        .server("header_timeout = \"100ms\"")
        .start()
        .await;
    for beginning in [
        "G",
        "GET /healthz HTTP/1.1\r\n",
        "GET /healthz HTTP/1.1\r\nhost: w\r\nx: y",
    ] {
        refuses(&gateway, beginning, 408).await;
    }
}

#[tokio::test]
async fn headers_that_trickle_in_are_a_408_all_the_same() {
    let gateway = Gateway::setup()
        .server("header_timeout = \"200ms\"")
        .start()
        .await;
    let mut conn = Conn::open(gateway.data).await;
    conn.send("GET /healthz HTTP/1.1\r\n").await;
    let (mut reader, mut writer) = tokio::io::split(conn.stream);
    let trickle = async {
        loop {
            if tokio::io::AsyncWriteExt::write_all(&mut writer, b"x: y\r\n")
                .await
                .is_err()
            {
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let mut answer = vec![0; 12];
    let read = tokio::io::AsyncReadExt::read_exact(&mut reader, &mut answer);
    tokio::select! {
        () = trickle => unreachable!(),
        read = within("an answer", read) => { read.unwrap(); }
    }
    assert_eq!(answer, b"HTTP/1.1 408");
}

#[tokio::test]
async fn headers_that_are_too_large_are_a_431() {
    let gateway = Gateway::setup().start().await;
    let large = format!(
        "GET /healthz HTTP/1.1\r\nhost: w\r\nx: {}\r\n\r\n",
        "y".repeat(70 << 10)
    );
    refuses(&gateway, large, 431).await;
    let many = format!(
        "GET /healthz HTTP/1.1\r\nhost: w\r\n{}\r\n",
        "x: y\r\n".repeat(2000)
    );
    refuses(&gateway, many, 431).await;
    gateway
        .log_line(|line| line.contains("code=\"headers_too_large\"") && line.contains("req_"))
        .await;
    gateway
        .metric("weir_refusals_total{code=\"headers_too_large\"}", 2)
        .await;
    let fitting = format!(
        "GET /healthz HTTP/1.1\r\nhost: w\r\nx: {}\r\n\r\n",
        "y".repeat(60 << 10)
    );
    assert_eq!(ask(&gateway, fitting).await.status(), 200);
}

#[tokio::test]
async fn a_url_that_is_too_long_is_refused() {
    let gateway = Gateway::setup().start().await;
    let long = format!("GET /{} HTTP/1.1\r\nhost: w\r\n\r\n", "y".repeat(66_000));
    let response = ask(&gateway, long).await;
    assert!(
        matches!(response.status(), 414 | 431),
        "{}",
        response.status()
    );
    error_of(&response.body);
}

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

/// A self-signed certificate in `dir`.
pub fn certify(dir: &Path, name: &str) -> CertifiedKey<rcgen::KeyPair> {
    let made = generate_simple_self_signed([name.to_owned()]).unwrap();
    std::fs::write(dir.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    std::fs::write(dir.join("cert.pem"), made.cert.pem()).unwrap();
    made
}

pub const TLS: &str = "tls_cert = \"cert.pem\"\ntls_key = \"key.pem\"";

/// Opens a TLS connection to a gateway whose certificate is `trusted`.
pub async fn tls(
    gateway: &Gateway,
    trusted: &CertifiedKey<rcgen::KeyPair>,
    name: &'static str,
    alpn: &[&[u8]],
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(trusted.cert.der().clone()).unwrap();
    let provider = rustls::crypto::ring::default_provider();
    let mut config = rustls::ClientConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    let stream = TcpStream::connect(gateway.data).await?;
    let connector = TlsConnector::from(Arc::new(config));
    connector
        .connect(ServerName::try_from(name).unwrap(), stream)
        .await
}

#[tokio::test]
async fn tls_speaks_http_1_to_those_who_ask_for_no_more() {
    let dir = tempfile::tempdir().unwrap();
    let certificate = certify(dir.path(), "weir.test");
    let upstream = FakeUpstream::with([Reply::streams([END])]).await;
    let gateway = Gateway::setup()
        .server(TLS)
        .upstream("up", &upstream, "")
        .start_in(dir)
        .await;
    let stream = tls(&gateway, &certificate, "weir.test", &[]).await.unwrap();
    let mut conn = Conn::over(stream);
    conn.post(
        "/v1/chat/completions",
        &gateway.key,
        chat_stream("up").to_string(),
    )
    .await;
    let response = conn.response().await;
    assert_eq!((response.status(), response.text().as_str()), (200, END));
    assert!(gateway.printed().contains("https://"));
}

#[tokio::test]
async fn tls_speaks_http_2_to_those_who_offer_it() {
    let dir = tempfile::tempdir().unwrap();
    let certificate = certify(dir.path(), "weir.test");
    let (first, second) = (Reply::fed(), Reply::fed());
    let upstream = FakeUpstream::with([first.0, second.0]).await;
    let gateway = Gateway::setup()
        .server(TLS)
        .upstream("up", &upstream, "")
        .start_in(dir)
        .await;
    let stream = tls(&gateway, &certificate, "weir.test", &[b"h2", b"http/1.1"])
        .await
        .unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let io = hyper_util::rt::TokioIo::new(stream);
    let executor = hyper_util::rt::TokioExecutor::new();
    let (mut sender, connection) = hyper::client::conn::http2::handshake(executor, io)
        .await
        .unwrap();
    tokio::spawn(connection);
    let mut streams = Vec::new();
    for feed in [&first.1, &second.1] {
        feed.send(event("h2").into()).unwrap();
        let request = http::Request::post("https://weir.test/v1/chat/completions")
            .header("authorization", format!("Bearer {}", gateway.key))
            .body(http_body_util::Full::new(bytes::Bytes::from(
                chat_stream("up").to_string(),
            )))
            .unwrap();
        let response = within("an answer", sender.send_request(request))
            .await
            .unwrap();
        assert_eq!(response.status(), 200);
        assert!(response.headers().get("connection").is_none());
        streams.push(response.into_body());
    }
    let mut many = http::Request::get("https://weir.test/healthz");
    for i in 0..101 {
        many = many.header(format!("x-{i}"), "y");
    }
    let many = many.body(http_body_util::Full::default()).unwrap();
    let refused = within("a refusal", sender.send_request(many))
        .await
        .unwrap();
    assert_eq!(refused.status(), 431);
    assert!(refused.headers().contains_key("x-request-id"));
    for (body, feed) in streams.iter_mut().zip([first.1, second.1]) {
        use http_body_util::BodyExt as _;
        let frame = within("an event", body.frame()).await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), event("h2"));
        feed.send(END.into()).unwrap();
        drop(feed);
        let rest = within("the end", body.collect()).await.unwrap().to_bytes();
        assert_eq!(rest, END);
    }
}

#[tokio::test]
async fn a_new_certificate_is_taken_up_without_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    certify(dir.path(), "old.test");
    let gateway = Gateway::setup().server(TLS).start_in(dir).await;
    let new = certify(gateway.dir.path(), "new.test");
    until("the new certificate", async || {
        tls(&gateway, &new, "new.test", &[]).await.ok().map(drop)
    })
    .await;
    gateway
        .log_line(|line| line.contains("took up the new certificate"))
        .await;
}

#[tokio::test]
async fn a_client_that_speaks_plainly_to_tls_is_not_answered_in_kind() {
    let dir = tempfile::tempdir().unwrap();
    let certificate = certify(dir.path(), "weir.test");
    let gateway = Gateway::setup().server(TLS).start_in(dir).await;
    let mut conn = Conn::open(gateway.data).await;
    conn.send("GET /healthz HTTP/1.1\r\nhost: w\r\n\r\n").await;
    assert!(!String::from_utf8_lossy(&conn.closed().await).contains("HTTP/1.1"));
    tls(&gateway, &certificate, "weir.test", &[]).await.unwrap();
}

#[tokio::test]
async fn a_page_may_call_if_the_config_says_so() {
    let gateway = Gateway::setup()
        .config("[cors]\norigins = [\"https://good.test\"]")
        .start()
        .await;
    let preflight = [
        ("origin", "https://good.test"),
        ("access-control-request-method", "POST"),
        (
            "access-control-request-headers",
            "authorization, x-stainless-lang",
        ),
    ];
    let response = gateway
        .bare("OPTIONS", "/v1/chat/completions", &preflight)
        .await;
    assert_eq!(response.status(), 204);
    assert_eq!(
        response.header("access-control-allow-origin"),
        Some("https://good.test")
    );
    assert_eq!(
        response.header("access-control-allow-headers"),
        Some(preflight[2].1)
    );
    assert!(
        response
            .header("access-control-allow-methods")
            .unwrap()
            .contains("POST")
    );
    assert_eq!(response.header("access-control-max-age"), Some("600"));
    // A page can read a refusal too, or it would see nothing but "network error".
    let refused = gateway.bare("GET", "/v1/models", &preflight[..1]).await;
    assert_eq!(
        (
            refused.status(),
            refused.header("access-control-allow-origin")
        ),
        (401, Some("https://good.test"))
    );
    assert!(
        refused
            .header("access-control-expose-headers")
            .unwrap()
            .contains("x-request-id")
    );
    for origin in ["https://bad.test", "https://good.test.bad.test", "null"] {
        let response = gateway
            .bare("GET", "/v1/models", &[("origin", origin)])
            .await;
        assert_eq!(response.header("access-control-allow-origin"), None);
        assert_eq!(response.header("vary"), Some("origin"));
    }
}

#[tokio::test]
async fn no_page_may_call_unless_the_config_says_so() {
    let gateway = Gateway::setup().start().await;
    let headers = [
        ("origin", "https://good.test"),
        ("access-control-request-method", "POST"),
    ];
    let response = gateway
        .bare("OPTIONS", "/v1/chat/completions", &headers)
        .await;
    assert!(
        !response
            .head
            .raw
            .to_lowercase()
            .contains("access-control-allow"),
        "{}",
        response.head.raw
    );
}

/// The address that the log gives for a request with this header.
async fn address(gateway: &Gateway, header: (&str, &str)) -> String {
    let response = gateway.send("GET", "/v1/models", &[header]).await;
    let id = response.header("x-request-id").unwrap().to_owned();
    let line = gateway.log_line(|line| line.contains(&id)).await;
    let field = line.split("client.address=").nth(1).unwrap();
    field.split(' ').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_clients_address_is_believed_only_from_a_trusted_proxy() {
    let gateway = Gateway::setup().start().await;
    assert_eq!(
        address(&gateway, ("x-forwarded-for", "1.2.3.4")).await,
        "127.0.0.1"
    );
    let proxied = Gateway::setup()
        .server("trusted_proxies = [\"127.0.0.0/8\", \"10.0.0.0/8\"]")
        .start()
        .await;
    for (header, wanted) in [
        (("x-forwarded-for", "1.2.3.4"), "1.2.3.4"),
        (("x-forwarded-for", "6.6.6.6, 1.2.3.4, 10.0.0.9"), "1.2.3.4"),
        (
            ("forwarded", "for=\"[2001:db8::1]:99\";proto=https"),
            "2001:db8::1",
        ),
        (("x-forwarded-for", "nonsense"), "127.0.0.1"),
        (
            ("forwarded", "for=1.2.3.4;host=\"x,for=6.6.6.6\""),
            "1.2.3.4",
        ),
        (
            ("forwarded", "for=6.6.6.6;host=\"x, for=1.2.3.4"),
            "127.0.0.1",
        ),
    ] {
        assert_eq!(address(&proxied, header).await, wanted, "{header:?}");
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
