//! Bodies reach the upstream as they were written.

use crate::support::{Conn, END, FakeUpstream, Gateway, Reply, chat};
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
