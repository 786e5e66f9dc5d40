//! The same bytes.

use super::{asking_for_usage, metered, read};
use crate::support::{Conn, END, FakeUpstream, Gateway, Reply, chat, chat_stream, event};

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

#[tokio::test]
async fn an_event_of_more_than_a_megabyte_passes() {
    let large = event(&"\u{1f30a}".repeat(600_000)) + END;
    let upstream = FakeUpstream::with([Reply::streams(large.as_bytes().chunks(70_001))]).await;
    let gateway = Gateway::before(&upstream).await;
    let response = gateway.chat(chat_stream("up")).await;
    assert!(response.is_whole && response.body == large.as_bytes());
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
