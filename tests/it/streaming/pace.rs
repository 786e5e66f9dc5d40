//! At the same pace, whoever reads.

use crate::support::{END, FakeUpstream, Gateway, Reply, chat_stream, event, until};
use std::{sync::atomic::Ordering, time::Duration};

#[tokio::test]
async fn each_event_arrives_before_the_next_is_sent() {
    let (reply, feed) = Reply::fed();
    let upstream = FakeUpstream::with([reply]).await;
    let gateway = Gateway::before(&upstream).await;
    let mut conn = gateway.stream(chat_stream("up")).await;
    for i in 0..100 {
        let sent = event(&format!("word {i}"));
        feed.send(sent.clone().into()).unwrap();
        assert_eq!(conn.chunk().await, Ok(Some(sent.into())));
        assert!(!conn.has_more());
    }
}

#[tokio::test]
async fn a_whole_event_does_not_wait_for_the_rest_of_the_next() {
    let (reply, feed) = Reply::fed();
    let upstream = FakeUpstream::with([reply]).await;
    let gateway = Gateway::before(&upstream).await;
    let mut conn = gateway.stream(chat_stream("up")).await;
    let (first, second) = (event("one"), event("two"));
    feed.send(format!("{first}{}", &second[..10]).into())
        .unwrap();
    assert_eq!(conn.chunks(first.len()).await, first.as_bytes());
    feed.send(second[10..].into()).unwrap();
    assert_eq!(conn.chunks(second.len()).await, second.as_bytes());
}

#[tokio::test]
async fn the_last_word_arrives_before_the_upstream_has_closed() {
    let (reply, feed) = Reply::fed();
    let upstream = FakeUpstream::with([reply]).await;
    let gateway = Gateway::before(&upstream).await;
    let mut conn = gateway.stream(chat_stream("up")).await;
    feed.send(END.into()).unwrap();
    assert_eq!(conn.chunks(END.len()).await, END.as_bytes());
    drop(feed);
    assert_eq!(conn.chunk().await, Ok(None));
}

#[tokio::test]
async fn a_slow_reader_slows_its_upstream_down_and_nobody_else() {
    let piece = event(&"x".repeat(1000));
    let upstream = FakeUpstream::with([Reply::endless(&piece)]).await;
    let (reply, feed) = Reply::fed();
    let other = FakeUpstream::with([reply]).await;
    let gateway = Gateway::setup()
        .upstream("up", &upstream, "")
        .upstream("other", &other, "")
        .start()
        .await;
    let before = gateway.resident_kib();
    let slow = gateway.stream(chat_stream("up")).await;
    let flood = upstream.request().await;
    let (mut last, mut still) = (0, 0);
    let written = until("the upstream is held up", async || {
        let now = flood.written.load(Ordering::SeqCst);
        still = if now == last && now > 0 { still + 1 } else { 0 };
        last = now;
        (still == 40).then_some(now)
    })
    .await;
    // The system's own buffers, of two connections, are by far the largest part.
    assert!(written < 24 << 20, "{written} bytes went into the gateway");
    let growth = gateway.resident_kib().saturating_sub(before);
    assert!(growth < 8 << 10, "the gateway grew by {growth} KiB");

    let mut quick = gateway.stream(chat_stream("other")).await;
    for _ in 0..20 {
        feed.send(event("x").into()).unwrap();
        assert_eq!(quick.chunk().await, Ok(Some(event("x").into())));
    }
    drop(slow);
}

#[tokio::test]
async fn a_reader_that_was_slow_gets_everything_in_the_end() {
    let pieces: Vec<String> = (0..3000)
        .map(|i| event(&format!("{i} {}", "x".repeat(2000))))
        .collect();
    let all = pieces.concat() + END;
    let upstream = FakeUpstream::with([Reply::streams(
        pieces.iter().map(String::as_str).chain([END]),
    )])
    .await;
    let gateway = Gateway::setup()
        .server("heartbeat = \"0s\"")
        .upstream("up", &upstream, "timeouts = { idle = \"300ms\" }")
        .start()
        .await;
    let mut conn = gateway.stream(chat_stream("up")).await;
    // Longer than the upstream may be silent: the silence is the client's own.
    tokio::time::sleep(Duration::from_millis(700)).await;
    let got = conn.chunks(all.len()).await;
    assert!(got == all.as_bytes());
    assert_eq!(conn.chunk().await, Ok(None));
}
