//! What Weir counts itself, to the token: of streams that are cut in every way, and of answers that don't say.

use crate::{
    ledger::{row, rows, says},
    support::{
        Conn, END, FakeUpstream, Gateway, PATIENCE, Reply, chat, chat_stream, event, within,
    },
};
use serde_json::{Value, json};
use weir::tokens::Encoding;

pub(crate) const MODEL: &str = "gpt-4o";
/// The prompt of `chat` and `chat_stream`: three around a message, a role, a word, three that begin the answer.
pub(crate) const PROMPT: u64 = 3 + 1 + 1 + 3;
/// Several tokens each, and together fewer than apart.
pub(crate) const PIECES: [&str; 3] = ["It is antidis", "establishment", "arianism, isn't it? "];
const USAGE: &str =
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":70,\"completion_tokens\":90}}\n\n";

pub(crate) fn count(text: &str) -> u64 {
    Encoding::O200k.count(text)
}

/// A gateway whose model has an encoding that Weir knows.
pub(crate) async fn gateway(upstream: &FakeUpstream, server: &str, lines: &str) -> Gateway {
    let url = upstream.url();
    Gateway::setup()
        .server(server)
        .config(&format!(
            "[[upstream]]\nname = \"up\"\nprovider = \"openai\"\nbase_url = \"{url}\"\n{lines}\n\
             [[model]]\nname = \"{MODEL}\"\nto = [\"up\"]\n[[model]]\nname = \"other\"\nto = [\"up\"]\n\
             [[model]]\nname = \"text-embedding-3-small\"\nto = [\"up\"]"
        ))
        .start()
        .await
}

pub(crate) fn counted(outcome: &str, output: u64) -> Value {
    json!({"outcome": outcome, "source": "counted", "input": PROMPT, "output": output})
}

/// An event of a choice with this delta.
pub(crate) fn delta(choice: u32, delta: Value) -> String {
    let chunk = json!({"choices": [{"index": choice, "delta": delta}]});
    format!("data: {chunk}\n\n")
}

#[tokio::test]
async fn a_client_that_leaves_pays_for_what_it_was_sent() {
    let (reply, feed) = Reply::fed();
    let upstream = FakeUpstream::with([reply]).await;
    let gateway = gateway(&upstream, "", "").await;
    let mut conn = gateway.stream(chat_stream(MODEL)).await;
    for piece in PIECES {
        feed.send(event(piece).into()).unwrap();
        conn.chunks(event(piece).len()).await;
    }
    drop(conn);
    upstream.request().await.closed().await;
    says(
        &row(&gateway).await,
        &counted("client_gone", count(&PIECES.concat())),
    );
}

#[tokio::test]
async fn a_stream_that_its_upstream_breaks_off_is_counted() {
    let reply = Reply::streams(PIECES.map(event)).then_dies();
    let upstream = FakeUpstream::with([reply]).await;
    let gateway = gateway(&upstream, "", "").await;
    gateway.chat(chat_stream(MODEL)).await;
    says(
        &row(&gateway).await,
        &counted("upstream_failed", count(&PIECES.concat())),
    );
}

#[tokio::test]
async fn a_stream_that_falls_silent_is_counted() {
    let reply = Reply::streams(PIECES.map(event)).then_hangs();
    let upstream = FakeUpstream::with([reply]).await;
    let idle =
        "timeouts = { connect = \"1s\", first_byte = \"9s\", idle = \"100ms\", total = \"1m\" }";
    let gateway = gateway(&upstream, "", idle).await;
    gateway.chat(chat_stream(MODEL)).await;
    says(
        &row(&gateway).await,
        &counted("timed_out", count(&PIECES.concat())),
    );
}

#[tokio::test]
async fn a_stream_that_a_shutdown_ends_is_counted_before_the_process_ends() {
    let (reply, feed) = Reply::fed();
    let upstream = FakeUpstream::with([reply]).await;
    let gateway = gateway(&upstream, "shutdown_grace = 0", "").await;
    let mut conn = gateway.stream(chat_stream(MODEL)).await;
    feed.send(event(PIECES[0]).into()).unwrap();
    conn.chunks(event(PIECES[0]).len()).await;
    gateway.terminate();
    conn.closed().await;
    let dir = within("the end", gateway.dir_after_exit()).await;
    let rows = crate::ledger::rows_in(&dir);
    says(&rows[0], &counted("interrupted", count(PIECES[0])));
    assert_eq!(rows.len(), 1);
}

#[tokio::test]
async fn what_the_provider_said_before_it_broke_off_is_what_counts() {
    let reply = Reply::streams([event("a"), USAGE.into()]).then_dies();
    let upstream = FakeUpstream::with([reply]).await;
    let gateway = gateway(&upstream, "", "").await;
    gateway.chat(chat_stream(MODEL)).await;
    let expected =
        json!({"outcome": "upstream_failed", "source": "provider", "input": 70, "output": 90});
    says(&row(&gateway).await, &expected);
}

#[tokio::test]
async fn every_part_of_every_choice_is_counted_as_a_text_of_its_own() {
    let call = |index: u32, name: &str, arguments: &str| json!({"tool_calls": [{"index": index, "id": "c", "type": "function", "function": {"name": name, "arguments": arguments}}]});
    let events = [
        delta(0, json!({"role": "assistant", "content": ""})),
        delta(
            0,
            json!({"reasoning_content": "Think", "reasoning": "Think"}),
        ),
        delta(1, json!({"content": "Zwei"})),
        delta(
            0,
            json!({"reasoning_content": "ing twice", "reasoning": "ing twice"}),
        ),
        delta(0, json!({"content": "First "})) + &delta(1, json!({"content": "mal 𝄞"})),
        delta(0, json!({"content": "answer"})),
        delta(0, json!({"refusal": "I can"})),
        delta(0, json!({"refusal": "not"})),
        delta(1, call(0, "get_weather", "")),
        delta(1, call(1, "get_time", "{\"zone\"")),
        delta(1, call(0, "", "{\"city\": \"Par")),
        delta(1, call(0, "", "is\"}")),
        delta(1, call(1, "", ":\"CET\"}")),
        // The way of before, and a server that writes the index last.
        delta(
            2,
            json!({"function_call": {"name": "old", "arguments": "{}"}}),
        ),
        "data: {\"choices\":[{\"delta\":{\"content\":\"bac\"},\"index\":3}]}\n\n".into(),
        "data: {\"choices\":[{\"delta\":{\"content\":\"kwards\"},\"index\":3}]}\n\n".into(),
        END.into(),
    ];
    let texts = [
        "Thinking twice",
        "First answer",
        "Zweimal 𝄞",
        "I cannot",
        "get_weather",
        "{\"city\": \"Paris\"}",
        "get_time",
        "{\"zone\":\"CET\"}",
        "old",
        "{}",
        "backwards",
    ];
    let expected: u64 = texts.into_iter().map(count).sum();
    let stream = events.concat();
    // Cut through events, escapes and characters.
    for len in [1, 7, stream.len()] {
        let upstream = FakeUpstream::with([Reply::streams(stream.as_bytes().chunks(len))]).await;
        let gateway = gateway(&upstream, "", "").await;
        gateway.chat(chat_stream(MODEL)).await;
        let row = row(&gateway).await;
        says(&row, &counted("completed", expected));
        says(&row, &json!({"reasoning": count(texts[0])}));
    }
}

#[tokio::test]
async fn an_answer_that_does_not_say_is_counted() {
    let message = json!({"content": "Grüße, 世界\n", "reasoning": "hm", "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]});
    let answer = json!({"choices": [{"message": message, "finish_reason": "stop"}, {"message": {"content": "again"}}]});
    let upstream = FakeUpstream::with([Reply::json(200, answer.to_string())]).await;
    let gateway = gateway(&upstream, "", "").await;
    gateway.chat(chat(MODEL)).await;
    let expected = ["Grüße, 世界\n", "hm", "f", "{}", "again"].map(count);
    says(
        &row(&gateway).await,
        &counted("completed", expected.iter().sum()),
    );
}

#[tokio::test]
async fn a_whole_answer_is_counted_however_long_it_is_and_however_many_texts_it_has() {
    let prose = include_str!("../../docs/limits.md").repeat(24);
    let texts = |texts: Vec<&str>| {
        let choices = texts
            .into_iter()
            .map(|text| json!({"message": {"content": text}}));
        json!({"choices": choices.collect::<Vec<_>>()}).to_string()
    };
    for (answer, expected) in [
        (texts(vec![&prose]), count(&prose)),
        (texts(vec!["two words"; 100]), 200),
    ] {
        let upstream = FakeUpstream::with([Reply::json(200, answer)]).await;
        let gateway = gateway(&upstream, "", "").await;
        gateway.chat(chat(MODEL)).await;
        says(&row(&gateway).await, &counted("completed", expected));
    }
}

#[tokio::test]
async fn a_part_that_is_not_said_is_counted_beside_what_is() {
    let answer =
        json!({"choices": [{"message": {"content": "two words"}}], "usage": {"prompt_tokens": 70}});
    let upstream = FakeUpstream::with([Reply::json(200, answer.to_string())]).await;
    let gateway = gateway(&upstream, "", "").await;
    gateway.chat(chat(MODEL)).await;
    let expected = json!({"source": "counted", "input": 70, "output": 2});
    says(&row(&gateway).await, &expected);
}

#[tokio::test]
async fn embeddings_are_what_was_asked_for() {
    let upstream = FakeUpstream::with([Reply::json(200, "{\"data\":[]}")]).await;
    let gateway = gateway(&upstream, "", "").await;
    let body = json!({"model": "text-embedding-3-small", "input": ["hello world", "again"]});
    gateway.post("/v1/embeddings", body).await;
    let input = Encoding::Cl100k.count("hello world") + Encoding::Cl100k.count("again");
    let expected = json!({"source": "counted", "input": input, "output": null});
    says(&row(&gateway).await, &expected);
}

#[tokio::test]
async fn an_error_has_no_tokens() {
    let error = json!({"error": {"message": "no", "type": "t", "param": null, "code": null}});
    let upstream = FakeUpstream::with([Reply::json(400, error.to_string())]).await;
    let gateway = gateway(&upstream, "", "").await;
    gateway.chat(chat(MODEL)).await;
    let expected = json!({"source": null, "input": null, "output": null, "status": 400});
    says(&row(&gateway).await, &expected);
}

#[tokio::test]
async fn long_texts_are_counted_to_the_token_too() {
    let prose = include_str!("../../docs/architecture.md").repeat(8);
    let (reply, feed) = Reply::fed();
    let upstream = FakeUpstream::with([reply]).await;
    let gateway = gateway(&upstream, "", "").await;
    let mut request = chat_stream(MODEL);
    request["messages"][0]["content"] = prose.as_str().into();
    let mut conn = gateway.stream(&request).await;
    for text in ["Short first. ", &prose, " And short again."] {
        feed.send(event(text).into()).unwrap();
        conn.chunks(event(text).len()).await;
    }
    drop(conn);
    let output = count(&format!("Short first. {prose} And short again."));
    let mut expected = counted("client_gone", output);
    expected["input"] = (PROMPT - 1 + count(&prose)).into();
    says(&row(&gateway).await, &expected);
}

#[tokio::test]
async fn a_model_of_no_known_encoding_is_estimated_and_says_so() {
    let upstream = FakeUpstream::with([Reply::streams([
        event("a"),
        event(&"eleven words of prose in one event are no one token ".repeat(4)),
    ])
    .then_dies()])
    .await;
    let gateway = gateway(&upstream, "", "").await;
    gateway.chat(chat_stream("other")).await;
    let row = row(&gateway).await;
    says(
        &row,
        &json!({"source": "estimated", "outcome": "upstream_failed"}),
    );
    assert!((30..70).contains(&row["output"].as_u64().unwrap()), "{row}");
    assert!((4..20).contains(&row["input"].as_u64().unwrap()), "{row}");
}

/// A stream under a key with this policy, of which one event has come.
async fn left(policy: &str, gateway: &Gateway, feed: &crate::support::Feed) {
    let key = gateway.make_known_key(&["--on-hangup", policy]).await;
    let mut conn = Conn::open(gateway.data).await;
    let call = chat_stream(MODEL).to_string();
    conn.post("/v1/chat/completions", &key.key, call).await;
    assert_eq!(conn.head().await.status, 200);
    feed.send(event("Hello").into()).unwrap();
    conn.chunks(event("Hello").len()).await;
    drop(conn);
}

#[tokio::test]
async fn by_policy_a_stream_is_read_to_its_end_for_the_providers_figure() {
    let (reply, feed) = Reply::fed();
    let upstream = FakeUpstream::with([reply]).await;
    let gateway = gateway(&upstream, "", "").await;
    left("finish", &gateway, &feed).await;
    gateway.metric("weir_connections{plane=\"data\"}", 0).await;
    assert!(rows(&gateway).is_empty(), "the call goes on");
    let rest = [
        event(" and so on"),
        END.replace("data: [DONE]", &format!("{USAGE}data: [DONE]")),
    ];
    feed.send(rest.concat().into()).unwrap();
    let expected = json!({"outcome": "client_gone", "source": "provider", "input": 70, "output": 90, "status": 200});
    says(&row(&gateway).await, &expected);
}

#[tokio::test]
async fn by_policy_a_stream_is_read_up_to_so_many_tokens() {
    let (reply, feed) = Reply::fed();
    let upstream = FakeUpstream::with([reply]).await;
    let gateway = gateway(&upstream, "", "").await;
    left("finish-up-to=4", &gateway, &feed).await;
    gateway.metric("weir_connections{plane=\"data\"}", 0).await;
    for text in [" one", " two"] {
        feed.send(event(text).into()).unwrap();
    }
    assert!(rows(&gateway).is_empty(), "three tokens are not four");
    feed.send(event(" three four").into()).unwrap();
    upstream.request().await.closed().await;
    says(&row(&gateway).await, &counted("client_gone", 5));
}

/// The head of an answer with a length, and its body.
fn raw(kind: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n{body}")
        .into()
}

#[tokio::test]
async fn a_client_that_leaves_before_the_answer_does_not_end_a_call_that_is_to_be_finished() {
    let document = json!({"choices": [], "usage": {"prompt_tokens": 70, "completion_tokens": 90}});
    let stream = [
        event("Hello"),
        END.replace("data: [DONE]", &format!("{USAGE}data: [DONE]")),
    ];
    let document = (chat(MODEL), raw("application/json", &document.to_string()));
    let stream = (
        chat_stream(MODEL),
        raw("text/event-stream", &stream.concat()),
    );
    // The last client has been sent comments when it leaves.
    for (heartbeat, early, (request, answer)) in [
        ("1h", false, document),
        ("1h", false, stream.clone()),
        ("10ms", true, stream),
    ] {
        let (reply, feed) = Reply::fed_raw();
        let upstream = FakeUpstream::with([reply]).await;
        let server = format!("on_hangup = \"finish\"\nheartbeat = \"{heartbeat}\"");
        let gateway = gateway(&upstream, &server, "").await;
        let mut conn = Conn::open(gateway.data).await;
        conn.post("/v1/chat/completions", &gateway.key, request.to_string())
            .await;
        let _received = upstream.request().await;
        if early {
            conn.head().await;
        }
        drop(conn);
        gateway.metric("weir_connections{plane=\"data\"}", 0).await;
        feed.send(answer).unwrap();
        let expected = json!({
            "outcome": "client_gone", "source": "provider", "input": 70, "output": 90, "status": 499,
        });
        says(&row(&gateway).await, &expected);
    }
}

#[tokio::test]
async fn without_such_a_policy_a_hang_up_cancels() {
    let (reply, feed) = Reply::fed_raw();
    let upstream = FakeUpstream::with([reply]).await;
    let gateway = gateway(&upstream, "", "").await;
    let mut conn = Conn::open(gateway.data).await;
    conn.post(
        "/v1/chat/completions",
        &gateway.key,
        chat(MODEL).to_string(),
    )
    .await;
    let mut received = upstream.request().await;
    drop(conn);
    received.closed().await;
    says(
        &row(&gateway).await,
        &json!({"outcome": "client_gone", "status": 499, "source": null}),
    );
    drop(feed);
}

#[tokio::test]
async fn a_finished_call_is_bounded_by_its_time_limits_and_by_a_shutdown() {
    let (reply, feed) = Reply::fed();
    let upstream = FakeUpstream::with([reply]).await;
    let server = "on_hangup = \"finish\"\nshutdown_grace = \"20s\"";
    let gateway = gateway(&upstream, server, "").await;
    let mut conn = gateway.stream(chat_stream(MODEL)).await;
    feed.send(event("Hello").into()).unwrap();
    conn.chunks(event("Hello").len()).await;
    drop(conn);
    gateway.metric("weir_connections{plane=\"data\"}", 0).await;
    gateway.terminate();
    gateway.log_line(|line| line.contains("draining")).await;
    // The grace is for it as for anybody.
    feed.send(
        [END.replace("data: [DONE]", &format!("{USAGE}data: [DONE]"))]
            .concat()
            .into(),
    )
    .unwrap();
    drop(feed);
    let dir = tokio::time::timeout(PATIENCE, gateway.dir_after_exit())
        .await
        .unwrap();
    let rows = crate::ledger::rows_in(&dir);
    let expected = json!({"outcome": "client_gone", "source": "provider", "output": 90});
    says(&rows[0], &expected);
}
