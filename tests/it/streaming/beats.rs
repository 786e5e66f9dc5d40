//! A silent stream is kept alive.

use super::beating;
use crate::support::{END, FakeUpstream, Gateway, Reply, chat_stream, event};

const PING: &[u8] = b": ping\n";

#[tokio::test]
async fn a_stream_is_kept_alive_before_the_upstream_answers() {
    let upstream = FakeUpstream::with([Reply::silence()]).await;
    let gateway = beating(&upstream).await;
    let mut conn = gateway.stream(chat_stream("up")).await;
    for _ in 0..3 {
        assert_eq!(conn.chunk().await, Ok(Some(PING.into())));
    }
}

#[tokio::test]
async fn a_stream_that_began_early_goes_on_with_the_upstreams_bytes() {
    let (reply, feed) = Reply::fed_as(&[("content-type", "text/event-stream")]);
    let upstream = FakeUpstream::with([Reply::silence(), reply]).await;
    let gateway = Gateway::setup()
        .server("heartbeat = \"50ms\"")
        .upstream("slow", &upstream, "timeouts = { first_byte = \"200ms\" }")
        .config("[[model]]\nname = \"both\"\nto = [\"slow\", \"slow\"]")
        .start()
        .await;
    let mut conn = gateway.stream(chat_stream("both")).await;
    assert_eq!(conn.chunk().await, Ok(Some(PING.into())));
    feed.send(event("late").into()).unwrap();
    drop(feed.send(END.into()));
    drop(feed);
    let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked";
    let head = crate::support::Head {
        status: 200,
        headers: vec![("transfer-encoding".into(), "chunked".into())],
        raw: head.into(),
    };
    let (body, is_whole) = conn.body(&head).await;
    let text = String::from_utf8(body).unwrap().replace(": ping\n", "");
    assert_eq!(text, event("late") + END);
    assert!(is_whole);
}

#[tokio::test]
async fn a_stream_is_kept_alive_in_gaps() {
    let (reply, feed) = Reply::fed();
    let upstream = FakeUpstream::with([reply]).await;
    let gateway = beating(&upstream).await;
    let mut conn = gateway.stream(chat_stream("up")).await;
    assert_eq!(conn.chunk().await, Ok(Some(PING.into())));
    feed.send(event("one").into()).unwrap();
    let mut seen = Vec::new();
    while !seen.ends_with(event("one").as_bytes()) {
        seen.extend(conn.chunk().await.unwrap().unwrap());
    }
    assert_eq!(conn.chunk().await, Ok(Some(PING.into())));
    assert_eq!(conn.chunk().await, Ok(Some(PING.into())));
}

#[tokio::test]
async fn a_comment_never_stands_inside_an_event() {
    let (reply, feed) = Reply::fed();
    let upstream = FakeUpstream::with([reply]).await;
    let gateway = beating(&upstream).await;
    let mut conn = gateway.stream(chat_stream("up")).await;
    let whole = event("halved");
    for piece in whole.as_bytes().chunks(9) {
        feed.send(piece.into()).unwrap();
        let mut gap = Vec::new();
        while gap.is_empty() {
            gap = conn.chunk().await.unwrap().unwrap();
        }
        if gap != PING {
            assert_eq!(gap, whole.as_bytes(), "an event in one piece");
            return;
        }
    }
    let mut last = PING.to_vec();
    while last == PING {
        last = conn.chunk().await.unwrap().unwrap();
    }
    assert_eq!(last, whole.as_bytes());
}

#[tokio::test]
async fn a_comment_never_stands_inside_an_event_too_large_to_hold() {
    let (reply, feed) = Reply::fed();
    let upstream = FakeUpstream::with([reply, Reply::silence()]).await;
    let gateway = beating(&upstream).await;
    let mut conn = gateway.stream(chat_stream("up")).await;
    let large = event(&"x".repeat(3 << 20));
    let (half, rest) = large.split_at(2 << 20);
    feed.send(half.into()).unwrap();
    let mut got = conn.chunks(half.len()).await;
    // Another stream's comments tell that the time for one has passed here as well.
    let mut clock = gateway.stream(chat_stream("up")).await;
    for _ in 0..4 {
        clock.chunk().await.unwrap().unwrap();
    }
    feed.send(rest.into()).unwrap();
    while got.len() < large.len() {
        got.extend(conn.chunk().await.unwrap().unwrap());
    }
    let got = String::from_utf8(got).unwrap();
    let text = got.trim_start_matches(": ping\n");
    assert!(large.starts_with(text.trim_end_matches(": ping\n")));
    assert_eq!(conn.chunk().await, Ok(Some(PING.into())), "and then again");
}

#[tokio::test]
async fn there_are_no_comments_when_they_are_switched_off() {
    let reply = Reply::streams([event("one")]).then_hangs();
    let upstream = FakeUpstream::with([reply]).await;
    let gateway = Gateway::setup()
        .server("heartbeat = \"0s\"")
        .upstream("up", &upstream, "timeouts = { idle = \"200ms\" }")
        .start()
        .await;
    let response = gateway.chat(chat_stream("up")).await;
    assert!(!response.text().contains("ping"), "{}", response.text());
    assert!(response.text().starts_with(&event("one")));
}
