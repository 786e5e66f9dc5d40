//! Usage that Weir asks for, and who sees it.

use super::{asking_for_usage, metered, read};
use crate::support::{Conn, END, FakeUpstream, Gateway, Reply, chat, chat_stream};

#[tokio::test]
async fn usage_that_nobody_asked_for_is_hidden_wherever_the_stream_is_cut() {
    let upstream = FakeUpstream::start().await;
    let gateway = Gateway::before(&upstream).await;
    let mut conn = Conn::open(gateway.data).await;
    let request = chat_stream("up").to_string();
    let (with, without) = metered();
    for at in 1..with.len() {
        upstream.now([Reply::streams([&with[..at], &with[at..]])]);
        let (body, _) = read(&mut conn, &request, &gateway.key).await;
        let (body, wanted) = (
            String::from_utf8_lossy(&body),
            String::from_utf8_lossy(&without),
        );
        assert_eq!(body, wanted, "cut at {at}");
    }
    upstream.now([Reply::streams(with.chunks(1))]);
    assert_eq!(read(&mut conn, &request, &gateway.key).await.0, without);
}

#[tokio::test]
async fn usage_that_was_asked_for_is_left_alone() {
    let (with, _) = metered();
    let upstream = FakeUpstream::with([Reply::streams([&with])]).await;
    let gateway = Gateway::before(&upstream).await;
    let request = asking_for_usage().to_string();
    assert_eq!(gateway.chat(&request).await.body, with);
    assert_eq!(upstream.request().await.text().await, request);
}

#[tokio::test]
async fn hidden_usage_is_counted_all_the_same() {
    let (with, _) = metered();
    let upstream = FakeUpstream::with([Reply::streams([&with])]).await;
    let gateway = Gateway::before(&upstream).await;
    gateway.chat(chat_stream("up")).await;
    let tokens = |kind| format!("weir_tokens_total{{model=\"up\",kind=\"{kind}\"}}");
    gateway.metric(&tokens("input"), 3).await;
    gateway.metric(&tokens("output"), 2).await;
}

#[tokio::test]
async fn usage_is_asked_for_by_the_smallest_edit() {
    let upstream = FakeUpstream::with([Reply::streams([END])]).await;
    let gateway = Gateway::before(&upstream).await;
    let on = "\"include_usage\":true";
    for (options, edited) in [
        ("", format!(",\"stream_options\":{{{on}}}")),
        (
            " , \"stream_options\" : null",
            format!(" , \"stream_options\" : {{{on}}}"),
        ),
        (
            ",\"stream_options\":{ }",
            format!(",\"stream_options\":{{{on} }}"),
        ),
        (
            ",\"stream_options\":{\"x\":1.50}",
            format!(",\"stream_options\":{{{on},\"x\":1.50}}"),
        ),
        (
            ",\"stream_options\":{\"include_usage\":false}",
            format!(",\"stream_options\":{{{on}}}"),
        ),
    ] {
        let body = |options: &str| {
            format!(
                "{{\"temperature\":0.90, \"messages\":[],\n\"stream\":true,\"model\":\"up\"{options}}}\n "
            )
        };
        gateway.chat(body(options)).await;
        assert_eq!(upstream.request().await.text().await, body(&edited));
    }
}

#[tokio::test]
async fn an_upstream_that_cannot_say_usage_is_not_asked() {
    let upstream = FakeUpstream::with([Reply::streams([END])]).await;
    let gateway = Gateway::setup()
        .upstream("up", &upstream, "stream_usage = false")
        .start()
        .await;
    let request = chat_stream("up").to_string();
    gateway.chat(&request).await;
    assert_eq!(upstream.request().await.text().await, request);
}

#[tokio::test]
async fn a_request_without_a_stream_is_not_edited() {
    let upstream = FakeUpstream::with([Reply::json(200, "{}")]).await;
    let gateway = Gateway::before(&upstream).await;
    let request = chat("up").to_string();
    gateway.chat(&request).await;
    assert_eq!(upstream.request().await.text().await, request);
}
