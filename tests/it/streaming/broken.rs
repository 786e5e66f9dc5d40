//! An honest end of what breaks off.

use crate::support::{END, FakeUpstream, Gateway, Reply, chat, chat_stream, error_event, event};

/// What a client gets of a stream that breaks off.
async fn broken(reply: Reply) -> String {
    let upstream = FakeUpstream::with([reply]).await;
    let gateway = Gateway::setup()
        .upstream("up", &upstream, "timeouts = { idle = \"200ms\" }")
        .start()
        .await;
    let response = gateway.chat(chat_stream("up")).await;
    assert!(response.is_whole, "the body itself ends as it should");
    response.text()
}

#[tokio::test]
async fn an_upstream_that_dies_midway_ends_in_an_error_event() {
    let pieces = || [event("one"), event("two")];
    for reply in [
        Reply::streams(pieces()).then_dies(),
        Reply::streams(pieces()).then_closes(),
    ] {
        let text = broken(reply).await;
        assert!(text.starts_with(&pieces().concat()), "{text}");
        let error = error_event(text.as_bytes());
        assert_eq!(error["code"], "upstream_interrupted");
        assert!(!text.contains("[DONE]"), "{text}");
    }
}

#[tokio::test]
async fn half_an_event_of_an_upstream_that_died_is_not_shown() {
    let half = &event("half")[..20];
    let text = broken(Reply::streams([&event("one"), half]).then_dies()).await;
    let rest = text.strip_prefix(&event("one")).unwrap();
    assert!(rest.starts_with("data: {\"error\""), "{text}");
    assert_eq!(error_event(text.as_bytes())["code"], "upstream_interrupted");
}

#[tokio::test]
async fn an_upstream_that_dies_before_its_first_event_ends_in_an_error_event() {
    let text = broken(Reply::streams::<&str>([]).then_dies()).await;
    assert_eq!(error_event(text.as_bytes())["code"], "upstream_interrupted");
}

#[tokio::test]
async fn an_upstream_that_dies_after_carriage_returns_ends_in_an_error_event() {
    let text = broken(Reply::streams(["data: {\"choices\":[]}\r\r"]).then_dies()).await;
    assert_eq!(error_event(text.as_bytes())["code"], "upstream_interrupted");
}

#[tokio::test]
async fn an_upstream_that_stalls_ends_in_an_error_event() {
    let text = broken(Reply::streams([event("one")]).then_hangs()).await;
    assert!(text.starts_with(&event("one")), "{text}");
    assert_eq!(error_event(text.as_bytes())["code"], "upstream_interrupted");
    assert!(!text.contains("[DONE]"), "{text}");
}

#[tokio::test]
async fn a_stream_that_stops_short_of_its_end_ends_in_an_error_event() {
    let text = broken(Reply::streams([event("one")])).await;
    assert_eq!(error_event(text.as_bytes())["code"], "upstream_interrupted");
}

#[tokio::test]
async fn a_stream_that_is_complete_without_its_last_word_passes() {
    let end = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
    assert_eq!(broken(Reply::streams([end])).await, end);
}

#[tokio::test]
async fn an_upstream_that_dies_after_its_last_word_has_said_everything() {
    for reply in [
        Reply::streams([END]).then_dies(),
        Reply::streams([END]).then_hangs(),
    ] {
        assert_eq!(broken(reply).await, END);
    }
}

#[tokio::test]
async fn an_upstreams_own_error_event_passes_and_stands_alone() {
    let error = "data: {\"error\":{\"message\":\"no\",\"code\":\"x\"}}\n\n";
    let sent = event("one") + error;
    assert_eq!(broken(Reply::streams([&sent])).await, sent);
}

#[tokio::test]
async fn a_stream_that_takes_too_long_in_all_ends_in_an_error_event() {
    let upstream = FakeUpstream::with([Reply::endless(event("x"))]).await;
    let gateway = Gateway::setup()
        .upstream("up", &upstream, "timeouts = { total = \"300ms\" }")
        .start()
        .await;
    let mut conn = gateway.stream(chat_stream("up")).await;
    let mut last = Vec::new();
    while let Some(chunk) = conn.chunk().await.unwrap() {
        last = chunk;
    }
    assert_eq!(error_event(&last)["code"], "upstream_interrupted");
}

#[tokio::test]
async fn a_large_event_that_breaks_off_breaks_the_body_off() {
    let half = format!("data: {}", "x".repeat(2 << 20));
    let upstream = FakeUpstream::with([Reply::streams([half]).then_closes()]).await;
    let gateway = Gateway::before(&upstream).await;
    let response = gateway.chat(chat_stream("up")).await;
    assert!(!response.is_whole, "an error event inside an event is none");
    assert!(!response.text().contains("upstream_interrupted"));
}

#[tokio::test]
async fn a_whole_answer_that_breaks_off_or_stalls_breaks_off_for_the_client() {
    let headers = [("content-type", "application/json")];
    for reply in [
        Reply::streams_as(&headers, ["{\"half\":"]).then_dies(),
        Reply::streams_as(&headers, ["{\"half\":"]).then_hangs(),
    ] {
        let upstream = FakeUpstream::with([reply]).await;
        let gateway = Gateway::setup()
            .upstream("up", &upstream, "timeouts = { idle = \"200ms\" }")
            .start()
            .await;
        let response = gateway.chat(chat("up")).await;
        assert!(!response.is_whole, "{}", response.text());
    }
}
