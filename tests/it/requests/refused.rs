//! What cannot be understood is refused with its place.

use crate::support::{Conn, FakeUpstream, Gateway, Reply, chat};

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
