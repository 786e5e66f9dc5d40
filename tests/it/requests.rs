//! What the caller wrote reaches the upstream as it was written; what cannot be understood is refused with its place.

use crate::support::{Conn, END, FakeUpstream, Gateway, Reply, chat, chat_stream};
use serde_json::json;

/// Bodies that a parser who writes them out again would change. All ask for the model `up`.
const ODD: &[&str] = &[
    r#"{"model":"up","messages":[],"temperature":0.9,"top_p":1e400,"seed":-0,"n":1.0E+2,"big":123456789012345678901234567890}"#,
    "\u{20}\r\n\t{ \"messages\" : [ ] ,\n\t\"model\"\t:\r\"up\" , \"x_unknown\" : { \"b\" : 1 , \"a\" : [ null , true ] } } \n",
    r#"{"messages":[{"role":"user","content":"\u00e9\ud83c\udf0a\/\"\\\b\f\n\r\t\u0000"}],"model":"up","stream":false}"#,
    r#"{"x":{"model":"down","stream":true,"messages":1},"messages":[{"model":"other"}],"model":"up","same":1,"same":2}"#,
    "{\"model\":\"up\",\"messages\":[{\"role\":\"user\",\"content\":\"wei\u{df} \u{1f30a} \u{65e5}\u{2028}\u{7f}\"}]}",
    r#"{"model":"\u0075p","messages":[],"stream":null,"stream_options":null}"#,
    r#"{"mod\u0065l":"up","mess\u0061ges":[]}"#,
];

#[tokio::test]
async fn every_byte_reaches_the_upstream_as_it_was_written() {
    let upstream = FakeUpstream::with([Reply::json(200, "{}")]).await;
    let gateway = Gateway::before(&upstream).await;
    for body in ODD {
        assert_eq!(gateway.chat(body).await.status(), 200, "{body}");
        assert_eq!(upstream.request().await.text().await, *body);
    }
}

#[tokio::test]
async fn a_body_in_many_pieces_reaches_the_upstream_whole() {
    let upstream = FakeUpstream::with([Reply::json(200, "{}")]).await;
    let gateway = Gateway::before(&upstream).await;
    let key = &gateway.key;
    for (size, body) in [1, 7, 100_000].into_iter().zip([
        ODD[4].to_owned(),
        ODD[2].to_owned(),
        format!(
            "{{\"model\":\"up\",\"messages\":[\"{}\"]}}",
            "\u{1f30a}x".repeat(300_000)
        ),
    ]) {
        let mut conn = Conn::open(gateway.data).await;
        conn.send(format!("POST /v1/chat/completions HTTP/1.1\r\nhost: w\r\nauthorization: Bearer {key}\r\ntransfer-encoding: chunked\r\n\r\n")).await;
        for piece in body.as_bytes().chunks(size) {
            conn.send([format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat())
                .await;
        }
        conn.send("0\r\n\r\n").await;
        assert_eq!(conn.response().await.status(), 200);
        let mut received = upstream.request().await;
        assert_eq!(
            received.get("content-length"),
            Some(body.len().to_string().as_str())
        );
        assert!(received.body().await == body.as_bytes());
    }
}

#[tokio::test]
async fn a_model_of_another_name_is_renamed_in_place() {
    let upstream = FakeUpstream::with([Reply::streams([END])]).await;
    let gateway = Gateway::setup()
        .upstream("up", &upstream, "")
        .config("[[model]]\nname = \"fast\"\nto = [{ upstream = \"up\", model = \"gpt-\\\"4\" }]")
        .start()
        .await;
    let body = |model: &str, options: &str| {
        format!(
            "{{ \"stream\":true,\"model\" : {model} ,\"temperature\":0.90,\"messages\":[{{\"model\":\"fast\"}}]{options}}}"
        )
    };
    gateway.chat(body("\"f\\u0061st\"", "")).await;
    let usage = ",\"stream_options\":{\"include_usage\":true}";
    assert_eq!(
        upstream.request().await.text().await,
        body("\"gpt-\\\"4\"", usage)
    );
}

#[tokio::test]
async fn the_other_endpoints_go_where_they_should() {
    let upstream = FakeUpstream::with([Reply::json(200, "{}")]).await;
    let gateway = Gateway::before(&upstream).await;
    for (path, body) in [
        (
            "/v1/completions?a=b%20c",
            json!({"model": "up", "prompt": "x"}),
        ),
        (
            "/v1/embeddings",
            json!({"model": "up", "input": ["x", "y"], "dimensions": 3}),
        ),
        ("/v1/chat/completions?api-version=1&x", chat("up")),
    ] {
        assert_eq!(gateway.post(path, &body).await.status(), 200);
        let mut received = upstream.request().await;
        assert_eq!(received.line(), ("POST", path));
        assert_eq!(received.text().await, body.to_string());
    }
}

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

#[tokio::test]
async fn what_is_no_json_is_refused_with_its_place() {
    let gateway = Gateway::setup().start().await;
    for (body, place) in [
        ("", "byte 0"),
        ("   ", "byte 3"),
        ("{\"model\":\"simulator\",}", "byte 21"),
        ("{\"model\":\"simulator\"", "byte 20"),
        ("{\"model\":simulator}", "byte 9"),
        ("{\"model\":\"simulator\",\"messages\":[]} x", "byte 36"),
        ("{\"model\":\"a\u{1}\"}", "byte 11"),
        ("{\"a\":01}", "byte 6"),
        ("{'a':1}", "byte 1"),
        ("{\"a\":NaN}", "byte 5"),
        ("{\"a\":\"\\x\"}", "byte 7"),
        ("\u{feff}{}", "byte 0"),
    ] {
        let error = gateway.chat(body).await.refused(400, "invalid_json");
        assert!(
            error["message"].as_str().unwrap().contains(place),
            "{body}: {error}"
        );
    }
}

#[tokio::test]
async fn what_is_no_utf_8_is_refused_with_its_place() {
    let gateway = Gateway::setup().start().await;
    for bad in [
        &b"\xff"[..],
        b"\xc0\x80",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        b"\xe2\x82",
    ] {
        let body = [b"{\"model\":\"simulator\",\"messages\":[\"", bad, b"\"]}"].concat();
        let response = gateway
            .post_with(&gateway.key, "/v1/chat/completions", body)
            .await;
        let error = response.refused(400, "invalid_json");
        assert!(
            error["message"].as_str().unwrap().contains("byte 34"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn members_that_are_missing_mistyped_or_there_twice_are_named() {
    let gateway = Gateway::setup().start().await;
    for (path, body, code, param) in [
        (
            "chat/completions",
            "{\"messages\":[]}",
            "missing_required_parameter",
            "model",
        ),
        (
            "chat/completions",
            "{\"model\":\"simulator\"}",
            "missing_required_parameter",
            "messages",
        ),
        (
            "embeddings",
            "{\"model\":\"simulator\"}",
            "missing_required_parameter",
            "input",
        ),
        (
            "chat/completions",
            "{\"model\":1,\"messages\":[]}",
            "invalid_type",
            "model",
        ),
        (
            "chat/completions",
            "{\"model\":\"\",\"messages\":[]}",
            "invalid_type",
            "model",
        ),
        (
            "chat/completions",
            "{\"model\":null,\"messages\":[]}",
            "invalid_type",
            "model",
        ),
        (
            "chat/completions",
            "{\"model\":\"simulator\",\"messages\":\"x\"}",
            "invalid_type",
            "messages",
        ),
        (
            "chat/completions",
            "{\"model\":\"simulator\",\"messages\":[],\"stream\":\"yes\"}",
            "invalid_type",
            "stream",
        ),
        (
            "embeddings",
            "{\"model\":\"simulator\",\"input\":7}",
            "invalid_type",
            "input",
        ),
        (
            "chat/completions",
            "{\"model\":\"a\",\"messages\":[],\"model\":\"b\"}",
            "duplicate_parameter",
            "model",
        ),
        (
            "chat/completions",
            "{\"model\":\"a\",\"messages\":[],\"mod\\u0065l\":\"b\"}",
            "duplicate_parameter",
            "model",
        ),
        (
            "chat/completions",
            "{\"model\":\"a\",\"messages\":[],\"stream\":true,\"stream\":false}",
            "duplicate_parameter",
            "stream",
        ),
    ] {
        let error = gateway
            .post(&format!("/v1/{path}"), body)
            .await
            .refused(400, code);
        assert_eq!(error["param"], param, "{body}: {error}");
    }
    for body in ["[]", "7", "null", "\"x\""] {
        gateway.chat(body).await.refused(400, "invalid_json");
    }
}

#[tokio::test]
async fn a_model_of_a_name_too_long_is_refused_and_not_repeated_for_ever() {
    let gateway = Gateway::setup().start().await;
    let response = gateway.chat(chat(&"x".repeat(100_000))).await;
    assert!((400..=404).contains(&response.status()));
    assert!(response.body.len() < 2000, "{} bytes", response.body.len());
}

#[tokio::test]
async fn nesting_has_a_bound_that_no_bomb_gets_past() {
    let upstream = FakeUpstream::with([Reply::json(200, "{}")]).await;
    let gateway = Gateway::before(&upstream).await;
    let nested = |depth: usize| {
        format!(
            "{{\"model\":\"up\",\"messages\":[],\"x\":{}{}}}",
            "[".repeat(depth - 1),
            "]".repeat(depth - 1)
        )
    };
    assert_eq!(gateway.chat(nested(128)).await.status(), 200);
    gateway.chat(nested(129)).await.refused(400, "invalid_json");
    gateway
        .chat("[".repeat(10 << 20))
        .await
        .refused(400, "invalid_json");
    gateway
        .chat("{\"a\":".repeat(1 << 20))
        .await
        .refused(400, "invalid_json");
    assert_eq!(gateway.bare("GET", "/healthz", &[]).await.status(), 200);
}

#[tokio::test]
async fn a_body_of_another_type_is_a_415() {
    let upstream = FakeUpstream::with([Reply::json(200, "{}")]).await;
    let gateway = Gateway::before(&upstream).await;
    let (key, body) = (&gateway.key, chat("up").to_string());
    for (kind, status) in [
        ("content-type: text/plain\r\n", 415),
        ("content-type: multipart/form-data; boundary=x\r\n", 415),
        ("content-type: application/jsonx\r\n", 415),
        ("content-type: Application/JSON; charset=utf-8\r\n", 200),
        ("content-type: application/vnd.api+json\r\n", 200),
        ("", 200),
    ] {
        let mut conn = Conn::open(gateway.data).await;
        conn.send(format!("POST /v1/chat/completions HTTP/1.1\r\nhost: w\r\nauthorization: Bearer {key}\r\n{kind}content-length: {}\r\n\r\n{body}", body.len())).await;
        let response = conn.response().await;
        assert_eq!(response.status(), status, "{kind}");
        if status == 415 {
            response.refused(415, "unsupported_media_type");
        }
    }
}

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
