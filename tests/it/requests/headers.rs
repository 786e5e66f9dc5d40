//! Headers that pass, and those that stop.

use crate::support::{Conn, FakeUpstream, Gateway, Reply, chat};

#[tokio::test]
async fn credentials_and_connection_headers_stop_at_the_gateway() {
    let upstream = FakeUpstream::with([Reply::json(200, "{}")]).await;
    let gateway = Gateway::setup()
        .upstream(
            "up",
            &upstream,
            "api_key = \"$UPSTREAM_KEY\"\nheaders = { openai-organization = \"org-ours\" }",
        )
        .env("UPSTREAM_KEY", "sk-upstream-secret")
        .start()
        .await;
    let (key, body) = (&gateway.key, chat("up").to_string());
    let mut conn = Conn::open(gateway.data).await;
    conn.send(format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: weir.test\r\nauthorization: Bearer {key}\r\nx-api-key: {key}\r\n\
         cookie: a=b\r\nconnection: keep-alive, x-named\r\nx-named: 1\r\nkeep-alive: timeout=5\r\nte: trailers\r\n\
         proxy-authorization: Basic x\r\nproxy-connection: keep-alive\r\nupgrade: h2c\r\nx-forwarded-for: 1.2.3.4\r\n\
         forwarded: for=1.2.3.4\r\nopenai-organization: org-theirs\r\nopenai-project: proj-theirs\r\nreferer: r\r\norigin: o\r\n\
         x-stainless-lang: python\r\nuser-agent: OpenAI/Python 1.0\r\nopenai-beta: assistants=v2\r\nidempotency-key: i\r\n\
         content-type: application/json\r\naccept: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    ))
    .await;
    assert_eq!(conn.response().await.status(), 200);
    let received = upstream.request().await;
    assert!(!received.head.contains(key.as_str()), "{}", received.head);
    for name in [
        "x-api-key",
        "cookie",
        "x-named",
        "keep-alive",
        "te",
        "proxy-authorization",
        "proxy-connection",
        "upgrade",
        "x-forwarded-for",
        "forwarded",
        "openai-project",
        "referer",
        "origin",
        "transfer-encoding",
    ] {
        assert_eq!(received.get(name), None, "{name}");
    }
    for (name, value) in [
        ("authorization", "Bearer sk-upstream-secret"),
        ("openai-organization", "org-ours"),
        ("x-stainless-lang", "python"),
        ("user-agent", "OpenAI/Python 1.0"),
        ("openai-beta", "assistants=v2"),
        ("idempotency-key", "i"),
        ("content-type", "application/json"),
        ("accept", "application/json"),
        ("accept-encoding", "identity"),
        ("host", upstream.address.to_string().as_str()),
    ] {
        assert_eq!(received.get(name), Some(value), "{name}");
    }
}

#[tokio::test]
async fn what_is_the_upstreams_own_stops_at_the_gateway() {
    let headers = [
        ("content-type", "application/json"),
        ("server", "cloudflare"),
        ("set-cookie", "__cf_bm=1"),
        ("set-cookie", "b=2"),
        ("openai-organization", "org-ours"),
        ("openai-project", "proj-ours"),
        ("x-ratelimit-limit-tokens", "1"),
        ("x-ratelimit-reset-requests", "1s"),
        ("connection", "x-named"),
        ("x-named", "1"),
        ("keep-alive", "timeout=5"),
        ("alt-svc", "h3"),
        ("strict-transport-security", "max-age=1"),
        ("access-control-allow-origin", "*"),
        ("x-weir-origin", "forged"),
        ("x-request-id", "req_theirs"),
        ("openai-processing-ms", "77"),
        ("openai-version", "2030-01-01"),
        ("x-custom", "kept"),
    ];
    let upstream = FakeUpstream::with([Reply::with(200, &headers, "{}")]).await;
    let gateway = Gateway::before(&upstream).await;
    let response = gateway.chat(chat("up")).await;
    for (name, _) in headers[1..15]
        .iter()
        .filter(|(name, _)| !name.starts_with("x-ratelimit"))
    {
        assert_eq!(response.header(name), None, "{name}");
    }
    let ours = ["x-ratelimit-limit-tokens", "x-ratelimit-reset-requests"];
    let ours = ours.map(|name| response.header(name));
    assert_eq!(ours, [Some("9007199254740991"), Some("0s")]);
    assert_eq!(response.header("x-custom"), Some("kept"));
    assert_eq!(response.header("openai-processing-ms"), Some("77"));
    assert_eq!(response.header("openai-version"), Some("2030-01-01"));
    assert_eq!(
        response.header("x-weir-upstream-request-id"),
        Some("req_theirs")
    );
    assert!(
        response
            .header("x-request-id")
            .unwrap()
            .starts_with("req_0")
    );
}

#[tokio::test]
async fn a_sane_request_id_is_kept_and_any_other_is_replaced() {
    let gateway = Gateway::setup().start().await;
    let long = "x".repeat(129);
    for (id, kept) in [
        ("trace-1.a:b_c", true),
        ("a b", false),
        ("<script>", false),
        (long.as_str(), false),
        ("", false),
    ] {
        let response = gateway
            .bare("GET", "/v1/models", &[("x-request-id", id)])
            .await;
        let got = response.header("x-request-id").unwrap().to_owned();
        assert_eq!(got == id, kept, "{id} {got}");
        if !kept {
            let digits = got.strip_prefix("req_").unwrap();
            assert!(digits.len() == 32 && digits.bytes().all(|b| b.is_ascii_hexdigit()));
        }
    }
}

#[tokio::test]
async fn a_request_id_is_the_same_in_the_answer_the_log_and_upstream() {
    let upstream = FakeUpstream::with([Reply::json(200, "{}")]).await;
    let gateway = Gateway::before(&upstream).await;
    let response = gateway.chat(chat("up")).await;
    let id = response.header("x-request-id").unwrap();
    assert_eq!(upstream.request().await.get("x-request-id"), Some(id));
    let line = gateway.log_line(|line| line.contains(id)).await;
    for field in [
        "model=up",
        "upstream.name=up",
        "status=200",
        "outcome=completed",
        "path=/v1/chat/completions",
    ] {
        assert!(line.contains(field), "{line}");
    }
}
