//! `POST /v1/responses`: passed on as it is, and metered, priced and limited as a chat is.

use crate::{
    counting::{self, MODEL, PIECES, count},
    ledger::{row, rows, says},
    support::{Conn, FakeUpstream, Gateway, Reply, error_event, free_port, until},
};
use serde_json::{Value, json};

const PATH: &str = "/v1/responses";
/// The prompt of `asking` and `streaming`: three that begin the answer, three around a message, a role, a word.
const PROMPT: u64 = 3 + 3 + 1 + 1;
/// A cent for a token of the answer, and nothing for the prompt.
const CENT_A_TOKEN: &str = "[[price]]\nmodel = \"up\"\ninput = 0\noutput = 10000\n";

fn asking(model: &str) -> Value {
    json!({"model": model, "input": "hi"})
}

fn streaming(model: &str) -> Value {
    json!({"model": model, "input": "hi", "stream": true})
}

/// An event of this type.
fn said(kind: &str, members: Value) -> String {
    let mut event = json!({"type": kind});
    let members = members.as_object().unwrap().clone();
    event.as_object_mut().unwrap().extend(members);
    format!("event: {kind}\ndata: {event}\n\n")
}

fn delta(text: &str) -> String {
    let place = json!({"item_id": "msg", "output_index": 0, "content_index": 0, "delta": text});
    said("response.output_text.delta", place)
}

fn completed(usage: &Value) -> String {
    let response = json!({"id": "resp", "model": "m-2026", "status": "completed", "usage": usage});
    said("response.completed", json!({"response": response}))
}

fn estimated(outcome: &str, output: u64) -> Value {
    json!({
        "endpoint": "responses", "model": MODEL, "stream": 1, "outcome": outcome, "source": "estimated",
        "input": PROMPT, "output": output,
    })
}

async fn begin(gateway: &Gateway, key: &str, body: &Value) -> Conn {
    let mut conn = Conn::open(gateway.data).await;
    conn.post(PATH, key, body.to_string()).await;
    conn
}

#[tokio::test]
async fn a_client_that_leaves_pays_for_its_prompt_and_for_the_text_that_it_was_sent() {
    let (reply, feed) = Reply::fed();
    let upstream = FakeUpstream::with([reply]).await;
    let gateway = counting::gateway(&upstream, "", "").await;
    let mut conn = begin(&gateway, &gateway.key, &streaming(MODEL)).await;
    conn.head().await;
    let begun = said("response.created", json!({"response": {"usage": null}}));
    feed.send(begun.clone().into()).unwrap();
    conn.chunks(begun.len()).await;
    for piece in PIECES.map(delta) {
        feed.send(piece.clone().into()).unwrap();
        conn.chunks(piece.len()).await;
    }
    drop(conn);
    upstream.request().await.closed().await;
    let expected = estimated("client_gone", count(&PIECES.concat()));
    says(&row(&gateway).await, &expected);
}

#[tokio::test]
async fn a_stream_that_breaks_off_or_falls_silent_has_a_prompt_and_an_answer_too() {
    let call = json!({"output_index": 1, "item": {"type": "function_call", "name": "get_weather", "arguments": ""}});
    let arguments = "{\"city\": \"Paris\"}";
    let events = [
        delta("Let me "),
        delta("look."),
        said("response.output_item.added", call),
        said(
            "response.function_call_arguments.delta",
            json!({"output_index": 1, "delta": arguments}),
        ),
        // What is over is told once more.
        said(
            "response.output_text.done",
            json!({"output_index": 0, "content_index": 0, "text": "Let me look."}),
        ),
        said(
            "response.output_item.done",
            json!({"output_index": 1, "item": {"type": "function_call", "name": "get_weather", "arguments": arguments}}),
        ),
    ];
    let texts = ["Let me look.", "get_weather", arguments];
    let output: u64 = texts.into_iter().map(count).sum();
    for (reply, outcome) in [
        (Reply::streams(&events).then_dies(), "upstream_failed"),
        (Reply::streams(&events).then_hangs(), "timed_out"),
    ] {
        let upstream = FakeUpstream::with([reply]).await;
        let idle = "timeouts = { connect = \"1s\", first_byte = \"9s\", idle = \"100ms\", total = \"1m\" }";
        let gateway = counting::gateway(&upstream, "", idle).await;
        let answer = gateway.post(PATH, streaming(MODEL)).await;
        assert_eq!(error_event(&answer.body)["code"], "upstream_interrupted");
        says(&row(&gateway).await, &estimated(outcome, output));
    }
}

#[tokio::test]
async fn what_the_provider_says_wins() {
    let usage = json!({"input_tokens": 70, "output_tokens": 90, "output_tokens_details": {"reasoning_tokens": 50}});
    let stream = [delta("Hi"), completed(&usage)];
    let whole = json!({"model": "m-2026", "output": [], "usage": usage}).to_string();
    let upstream = FakeUpstream::with([Reply::streams(stream), Reply::json(200, whole)]).await;
    let gateway = counting::gateway(&upstream, "", "").await;
    let expected = json!({
        "source": "provider", "input": 70, "output": 90, "reasoning": 50, "served_model": "m-2026", "outcome": "completed",
    });
    gateway.post(PATH, streaming(MODEL)).await;
    says(&row(&gateway).await, &expected);
    gateway.post(PATH, asking(MODEL)).await;
    let second = until("two rows", async || rows(&gateway).into_iter().nth(1)).await;
    says(&second, &expected);
}

#[tokio::test]
async fn a_whole_response_that_does_not_say_is_counted() {
    let content = json!([{"type": "output_text", "text": "Grüße, 世界\n"}, {"type": "refusal", "refusal": "again"}]);
    let output = json!([
        {"type": "reasoning", "summary": []},
        {"type": "message", "content": content},
        {"type": "function_call", "name": "f", "arguments": "{}"},
    ]);
    let answer = json!({"object": "response", "error": null, "output": output, "usage": null});
    let upstream = FakeUpstream::with([Reply::json(200, answer.to_string())]).await;
    let gateway = counting::gateway(&upstream, "", "").await;
    let mut request = asking(MODEL);
    request["metadata"] = json!({"team": "search"});
    gateway.post(PATH, &request).await;
    let output: u64 = ["Grüße, 世界\n", "again", "f", "{}"]
        .into_iter()
        .map(count)
        .sum();
    let row = row(&gateway).await;
    says(
        &row,
        &json!({"input": PROMPT, "output": output, "source": "estimated", "stream": 0}),
    );
    says(&row, &json!({"metadata": "{\"team\":\"search\"}"}));
}

#[tokio::test]
async fn a_stream_that_a_crash_interrupts_has_what_had_passed() {
    let (reply, feed) = Reply::fed();
    let upstream = FakeUpstream::with([reply]).await;
    let prices = "[[price]]\nmodel = \"up\"\ninput = 1\noutput = 10\n";
    let setup = || Gateway::setup().upstream("up", &upstream, "");
    let gateway = setup().config(prices).start().await;
    let mut conn = begin(&gateway, &gateway.key, &streaming("up")).await;
    conn.head().await;
    for _ in 0..3 {
        feed.send(delta("x").into()).unwrap();
        conn.chunks(delta("x").len()).await;
    }
    let dir = gateway.killed();
    let gateway = setup().start_in(dir).await;
    let expected = json!({"outcome": "interrupted", "model": "up", "output": 3, "cost": 30_000});
    says(&row(&gateway).await, &expected);
}

#[tokio::test]
async fn what_is_asked_is_read_and_passes_as_it_is() {
    let upstream = FakeUpstream::with([Reply::json(200, "{}")]).await;
    let gateway = Gateway::before(&upstream).await;
    for (body, code) in [
        ("{\"model\":\"m\"", "invalid_json"),
        ("[]", "invalid_json"),
        ("{\"model\":7}", "invalid_type"),
        ("{\"stream\":1}", "invalid_type"),
        (
            "{\"background\":false,\"background\":true}",
            "duplicate_parameter",
        ),
    ] {
        gateway.post(PATH, body).await.refused(400, code);
    }
    assert!(upstream.is_untouched().await);
    for body in [
        "{ \"prompt\" : {\"id\":\"pmpt_1\"}, \"stream_options\":{} ,\"stream\":true}",
        "{\"model\":\"not of the config's\",\"input\":0.90}",
    ] {
        assert_eq!(gateway.post(PATH, body).await.status(), 200);
        assert_eq!(upstream.request().await.text().await, body);
    }
    let rows = until("two rows", async || {
        Some(rows(&gateway)).filter(|rows| rows.len() == 2)
    })
    .await;
    assert_eq!(rows[0]["model"], "other");
    assert_eq!(rows[1]["model"], "not of the config's");
    let metrics = gateway.metrics().await;
    assert!(!metrics.contains("not of the"), "labels are bounded");
}

#[tokio::test]
async fn one_that_reaches_nobody_is_sent_again() {
    let address = free_port().await;
    let config = format!(
        "[[upstream]]\nname = \"gone\"\nprovider = \"openai\"\nbase_url = \"http://{address}/v1\"\nretries = 1"
    );
    let gateway = Gateway::setup().config(&config).start().await;
    let answer = gateway.post(PATH, asking("m")).await;
    answer.refused(502, "upstream_unreachable");
    says(&row(&gateway).await, &json!({"attempts": 2, "input": null}));
}

#[tokio::test]
async fn a_stream_ends_with_the_last_event_that_its_budget_pays() {
    let events: Vec<_> = (0..10).map(|_| delta("Hi")).collect();
    let upstream = FakeUpstream::with([Reply::streams(&events)]).await;
    let setup = Gateway::setup().upstream("up", &upstream, "");
    let gateway = setup.config(CENT_A_TOKEN).start().await;
    let key = gateway.make_known_key(&["--budget", "5"]).await;
    let answer = gateway
        .post_with(&key.key, PATH, streaming("up").to_string())
        .await;
    assert_eq!(error_event(&answer.body)["code"], "insufficient_quota");
    assert_eq!(answer.text().matches("\"Hi\"").count(), 5);
    let cost = 5 * 10_000_000;
    let expected = json!({"outcome": "cut_by_budget", "output": 5, "cost": cost});
    says(&row(&gateway).await, &expected);
    let next = gateway.post_with(&key.key, PATH, asking("up").to_string());
    next.await.refused(429, "insufficient_quota");
}

#[tokio::test]
async fn whole_answers_are_held_for_before_they_come() {
    let (reply, _feed) = Reply::fed_raw();
    let upstream = FakeUpstream::with([reply]).await;
    let setup = Gateway::setup().upstream("up", &upstream, "");
    let gateway = setup.config(CENT_A_TOKEN).start().await;
    let key = gateway.make_known_key(&["--budget", "9"]).await;
    let mut five = asking("up");
    five["max_output_tokens"] = 5.into();
    let _conn = begin(&gateway, &key.key, &five).await;
    let _in_the_air = upstream.request().await;
    let second = gateway.post_with(&key.key, PATH, five.to_string()).await;
    second.refused(429, "rate_limit_exceeded");
    let priceless = gateway.post_with(&key.key, PATH, asking("m").to_string());
    priceless.await.refused(403, "model_not_priced");
    let nameless = json!({"prompt": {"id": "pmpt_1"}}).to_string();
    let nameless = gateway.post_with(&key.key, PATH, nameless);
    nameless.await.refused(403, "model_not_priced");
}

#[tokio::test]
async fn its_prompt_is_held_for_and_its_model_s_limits_hold() {
    let (reply, _feed) = Reply::fed();
    let upstream = FakeUpstream::with([reply]).await;
    let setup = Gateway::setup().upstream("up", &upstream, "");
    let limit = "[[limit]]\non = \"model\"\nname = \"m*\"\ntokens_per_minute = 100000\nrequests_per_minute = 1\n";
    let gateway = setup.config(limit).start().await;
    let long = "word ".repeat(10_000);
    let mut conn = begin(
        &gateway,
        &gateway.key,
        &json!({"model": "m1", "input": long, "stream": true}),
    )
    .await;
    let head = conn.head().await;
    let left: u64 = head.all("x-ratelimit-remaining-tokens")[0].parse().unwrap();
    assert!(left < 90_000, "{left}");
    let second = gateway.post(PATH, asking("m2")).await;
    second.refused(429, "rate_limit_exceeded");
}

#[tokio::test]
async fn a_response_in_the_background_does_not_pass_what_it_cannot_be_held_to() {
    let queued =
        json!({"id": "resp_1", "model": "up", "status": "queued", "output": [], "usage": null});
    let upstream = FakeUpstream::with([Reply::json(200, queued.to_string())]).await;
    let setup = Gateway::setup().upstream("up", &upstream, "");
    let gateway = setup.config(CENT_A_TOKEN).start().await;
    let mut request = asking("up");
    request["background"] = true.into();
    for limit in [["--budget", "100"], ["--tokens-per-minute", "100000"]] {
        let key = gateway.make_known_key(&limit).await;
        for stream in [false, true] {
            request["stream"] = stream.into();
            let answer = gateway.post_with(&key.key, PATH, request.to_string()).await;
            let error = answer.refused(400, "background_not_allowed");
            assert_eq!(error["param"], "background");
        }
        request["background"] = false.into();
        let answer = gateway.post_with(&key.key, PATH, request.to_string()).await;
        assert_eq!(answer.status(), 200, "it asks for no such thing");
        request["background"] = true.into();
    }
    request["stream"] = false.into();
    let before = until("two rows", async || {
        Some(rows(&gateway)).filter(|rows| rows.len() == 2)
    });
    before.await;
    // Who is limited in requests alone may, and so may who is not limited at all. Nobody knows what it costs.
    let counted = gateway
        .make_known_key(&["--requests-per-minute", "9"])
        .await;
    for key in [&counted.key, &gateway.key] {
        let answer = gateway.post_with(key, PATH, request.to_string()).await;
        assert_eq!(answer.json()["status"], "queued");
    }
    let rows = until("four rows", async || {
        Some(rows(&gateway)).filter(|rows| rows.len() == 4)
    })
    .await;
    for row in &rows[2..] {
        let unknown = json!({"input": null, "output": null, "source": null, "cost": null, "outcome": "completed"});
        says(row, &unknown);
    }
}

#[tokio::test]
async fn one_that_is_too_long_to_be_read_passes_unread_or_not_at_all() {
    let answer =
        json!({"model": "up", "output": [], "usage": {"input_tokens": 3, "output_tokens": 4}});
    let upstream = FakeUpstream::with([Reply::json(200, answer.to_string())]).await;
    let setup = Gateway::setup().upstream("up", &upstream, "");
    let setup = setup.server("body_max = \"2KiB\"").config(CENT_A_TOKEN);
    let gateway = setup.start().await;
    let long = json!({"model": "up", "input": "x".repeat(4000)}).to_string();
    let limited = gateway.make_known_key(&["--budget", "100"]).await;
    let refused = gateway.post_with(&limited.key, PATH, &long).await;
    refused.refused(413, "request_too_large");
    let key = gateway
        .make_known_key(&["--requests-per-minute", "9"])
        .await;
    let answer = gateway.post_with(&key.key, PATH, &long).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(upstream.request().await.text().await, long);
    let expected = json!({"endpoint": "responses", "model": "up", "input": 3, "output": 4, "source": "provider"});
    says(&row(&gateway).await, &expected);
    // One that does not say how long it is has to be short enough.
    let mut conn = Conn::open(gateway.data).await;
    conn.send(format!(
        "POST {PATH} HTTP/1.1\r\nhost: w\r\nauthorization: Bearer {}\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{long}\r\n0\r\n\r\n",
        gateway.key,
        long.len()
    ))
    .await;
    conn.response().await.refused(413, "request_too_large");
}
