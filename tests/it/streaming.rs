//! A stream through Weir is the stream without it: the same bytes, at the same pace, and an honest end.

use crate::support::{
    Conn, END, FakeUpstream, Gateway, Reply, chat, chat_stream, error_event, event, until, within,
};
use serde_json::json;
use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

/// Streams that a careless reader would change, each a whole answer.
const ODD: &[(&str, &[u8])] = &[
    ("LF", b"data: {\"choices\":[]}\n\ndata: [DONE]\n\n"),
    (
        "CRLF",
        b"data: {\"choices\":[]}\r\n\r\ndata: [DONE]\r\n\r\n",
    ),
    ("CR", b"data: {\"choices\":[]}\r\rdata: [DONE]\r\r"),
    (
        "mixed",
        b"data: {}\r\n\ndata: {}\n\rdata: {}\r\r\ndata: [DONE]\n\n",
    ),
    (
        "comments",
        b": hello\n\n:\n: again\ndata: {}\n: within\n\ndata: [DONE]\n\n",
    ),
    (
        "many lines",
        b"data: {\"choices\":\ndata: [{\"index\":0,\ndata: \"delta\":{}}]}\n\ndata: [DONE]\n\n",
    ),
    ("no space", b"data:{\"choices\":[]}\n\ndata:[DONE]\n\n"),
    ("two spaces", b"data:  {}\n\ndata:   [DONE]\n\n"),
    ("mark", b"\xef\xbb\xbfdata: {}\n\ndata: [DONE]\n\n"),
    (
        "other fields",
        b"event: x\nid: 1\nretry: 5\nnonsense\ndata: {}\n\ndata: [DONE]\n\n",
    ),
    ("empty data", b"data\n\ndata:\n\ndata: \n\ndata: [DONE]\n\n"),
    ("blank lines", b"\n\n\ndata: {}\n\n\n\ndata: [DONE]\n\n\n\n"),
    ("no JSON", b"data: hello {\n\ndata: \"\n\ndata: [DONE]\n\n"),
    ("no UTF-8", b"data: \xff\xfe\x80\n\ndata: [DONE]\n\n"),
    (
        "UTF-8",
        "data: {\"t\":\"wei\u{df} \u{1f30a} \u{65e5}\u{672c}\"}\n\ndata: [DONE]\n\n".as_bytes(),
    ),
    (
        "line breaks that are none",
        "data: {\"t\":\"a\u{2028}b\u{85}c\u{b}d\"}\n\ndata: [DONE]\n\n".as_bytes(),
    ),
    ("no blank line at the end", b"data: {}\n\ndata: [DONE]\n"),
    ("no line end at the end", b"data: {}\n\ndata: [DONE]"),
    (
        "words after the last",
        b"data: {}\n\ndata: [DONE]\n\n: bye\n\ndata: {\"more\":1}\n\n",
    ),
    (
        "numbers",
        b"data: {\"n\":0.90000000000000000001,\"m\":1E400,\"k\":-0}\n\ndata: [DONE]\n\n",
    ),
    (
        "null bytes",
        b"data: {\"a\":\"\\u0000\"}\0\n\ndata: [DONE]\n\n",
    ),
];

/// A stream with usage in it, as an upstream sends it that was asked, and what a client gets that did not ask.
fn metered() -> (Vec<u8>, Vec<u8>) {
    let with = "data: {\"id\":\"\u{df}\",\"choices\":[{\"delta\":{\"content\":\"a\"}}],\"usage\":null}\n\n\
                data: {\"usage\": null, \"choices\":[{\"delta\":{\"content\":\"b\"}}]}\r\n\r\n\
                : a comment\n\
                data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}] , \"usage\" : null }\n\n\
                data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2,\"total_tokens\":5}}\n\n\
                data: [DONE]\n\n";
    let without = "data: {\"id\":\"\u{df}\",\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n\
                   data: { \"choices\":[{\"delta\":{\"content\":\"b\"}}]}\r\n\r\n\
                   : a comment\n\
                   data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]  }\n\n\
                   data: [DONE]\n\n";
    (with.into(), without.into())
}

fn asking_for_usage() -> serde_json::Value {
    let mut request = chat_stream("up");
    request["stream_options"] = json!({"include_usage": true});
    request
}

async fn read(conn: &mut Conn, request: &str, key: &str) -> (Vec<u8>, bool) {
    conn.post("/v1/chat/completions", key, request).await;
    let head = conn.head().await;
    conn.body(&head).await
}

#[tokio::test]
async fn every_odd_framing_passes_byte_for_byte() {
    let upstream = FakeUpstream::start().await;
    let gateway = Gateway::before(&upstream).await;
    for request in [chat_stream("up"), asking_for_usage()] {
        for (name, bytes) in ODD {
            upstream.now([Reply::streams([bytes])]);
            let response = gateway.chat(&request).await;
            let (got, sent) = (response.text(), String::from_utf8_lossy(bytes));
            assert_eq!(response.body, *bytes, "{name}: {got:?} for {sent:?}");
            assert!(response.is_whole, "{name}");
        }
    }
}

#[tokio::test]
async fn odd_framings_pass_when_cut_at_every_byte() {
    let upstream = FakeUpstream::start().await;
    let gateway = Gateway::before(&upstream).await;
    let mut conn = Conn::open(gateway.data).await;
    let request = chat_stream("up").to_string();
    for (name, bytes) in ODD {
        for at in 1..bytes.len() {
            upstream.now([Reply::streams([&bytes[..at], &bytes[at..]])]);
            let (body, is_whole) = read(&mut conn, &request, &gateway.key).await;
            assert_eq!(body, *bytes, "{name} cut at {at}");
            assert!(is_whole, "{name} cut at {at}");
        }
        upstream.now([Reply::streams(bytes.chunks(1))]);
        let (body, _) = read(&mut conn, &request, &gateway.key).await;
        assert_eq!(body, *bytes, "{name} in single bytes");
    }
}

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
async fn a_stream_has_the_headers_that_keep_proxies_from_holding_it() {
    let headers = [
        ("content-type", "text/event-stream"),
        ("cache-control", "max-age=60"),
        ("x-accel-buffering", "yes"),
    ];
    let upstream = FakeUpstream::with([Reply::streams_as(&headers, [END])]).await;
    let gateway = Gateway::before(&upstream).await;
    let response = gateway.chat(chat_stream("up")).await;
    let type_ = response.header("content-type");
    assert_eq!(type_, Some("text/event-stream; charset=utf-8"));
    assert_eq!(response.header("cache-control"), Some("no-cache"));
    assert_eq!(response.header("x-accel-buffering"), Some("no"));
    assert_eq!(response.header("content-length"), None);
    for name in [
        "x-request-id",
        "openai-processing-ms",
        "x-process-time",
        "openai-version",
    ] {
        assert!(response.header(name).is_some(), "{name}");
    }
}

#[tokio::test]
async fn a_stream_of_known_length_passes_whole() {
    let (with, without) = metered();
    let headers = [("content-type", "text/event-stream")];
    let upstream = FakeUpstream::with([Reply::with(200, &headers, &with)]).await;
    let gateway = Gateway::before(&upstream).await;
    let response = gateway.chat(chat_stream("up")).await;
    assert_eq!(response.body, without);
    assert_eq!(response.header("content-length"), None);
}

const PING: &[u8] = b": ping\n";

/// A gateway whose streams are never silent for long.
async fn beating(upstream: &FakeUpstream) -> Gateway {
    Gateway::setup()
        .server("heartbeat = \"50ms\"")
        .upstream("up", upstream, "")
        .start()
        .await
}

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
async fn an_event_of_more_than_a_megabyte_passes() {
    let large = event(&"\u{1f30a}".repeat(600_000)) + END;
    let upstream = FakeUpstream::with([Reply::streams(large.as_bytes().chunks(70_001))]).await;
    let gateway = Gateway::before(&upstream).await;
    let response = gateway.chat(chat_stream("up")).await;
    assert!(response.is_whole && response.body == large.as_bytes());
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

#[tokio::test]
async fn a_hang_up_ends_the_upstreams_work_within_a_second() {
    let reply = Reply::streams([event("one")]).then_hangs();
    let upstream = FakeUpstream::with([reply]).await;
    let gateway = Gateway::before(&upstream).await;
    let mut conn = gateway.stream(chat_stream("up")).await;
    conn.chunks(event("one").len()).await;
    let mut received = upstream.request().await;
    let hung_up = Instant::now();
    drop(conn);
    received.closed().await;
    assert!(hung_up.elapsed() < Duration::from_secs(1));
    let line = gateway.log_line(|line| line.contains("client_gone")).await;
    assert!(
        line.contains(&format!("bytes={}", event("one").len())),
        "{line}"
    );
}

#[tokio::test]
async fn a_hang_up_before_the_answer_ends_the_upstreams_work_within_a_second() {
    for request in [chat("up"), chat_stream("up")] {
        let upstream = FakeUpstream::with([Reply::silence()]).await;
        let gateway = Gateway::before(&upstream).await;
        let mut conn = Conn::open(gateway.data).await;
        conn.post("/v1/chat/completions", &gateway.key, request.to_string())
            .await;
        let mut received = upstream.request().await;
        let hung_up = Instant::now();
        drop(conn);
        received.closed().await;
        assert!(hung_up.elapsed() < Duration::from_secs(1));
        gateway.log_line(|line| line.contains("client_gone")).await;
    }
}

#[tokio::test]
async fn a_hang_up_in_a_stream_that_began_early_ends_the_upstreams_work() {
    let upstream = FakeUpstream::with([Reply::silence()]).await;
    let gateway = beating(&upstream).await;
    let mut conn = gateway.stream(chat_stream("up")).await;
    conn.chunk().await.unwrap();
    let mut received = upstream.request().await;
    drop(conn);
    within("the cancel", received.closed()).await;
}

#[tokio::test]
async fn a_compressed_stream_passes_untouched() {
    let bytes: Vec<u8> = (0..5000u32).map(|i| ((i * 7919) >> 3) as u8).collect();
    let headers = [
        ("content-type", "text/event-stream"),
        ("content-encoding", "gzip"),
    ];
    let upstream = FakeUpstream::with([Reply::streams_as(&headers, bytes.chunks(333))]).await;
    let gateway = Gateway::before(&upstream).await;
    let response = gateway.chat(chat_stream("up")).await;
    assert_eq!(response.header("content-encoding"), Some("gzip"));
    assert!(response.is_whole && response.body == bytes);
}

#[tokio::test]
async fn a_whole_answer_passes_with_its_length_and_every_byte() {
    let body = b"{\"n\": 0.90, \"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1}, \"x\":\"\\u00e9\"} \n";
    let upstream = FakeUpstream::with([Reply::json(200, body)]).await;
    let gateway = Gateway::before(&upstream).await;
    let response = gateway.chat(chat("up")).await;
    assert_eq!(response.body, body);
    let length = body.len().to_string();
    assert_eq!(response.header("content-length"), Some(length.as_str()));
    assert_eq!(response.header("content-type"), Some("application/json"));
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

#[tokio::test]
async fn a_client_that_stops_reading_is_let_go() {
    let upstream = FakeUpstream::with([Reply::endless(event("x"))]).await;
    let gateway = Gateway::setup()
        .server("write_timeout = \"100ms\"")
        .upstream("up", &upstream, "")
        .start()
        .await;
    let conn = gateway.stream(chat_stream("up")).await;
    let mut received = upstream.request().await;
    received.closed().await;
    gateway.metric("weir_connections{plane=\"data\"}", 0).await;
    drop(conn); // it was there all the time
}
