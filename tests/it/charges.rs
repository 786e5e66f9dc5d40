//! What a call is charged, to whom, and what else its row says that a bill needs.

use crate::{
    ledger::{row, rows, says},
    support::{Conn, END, FakeUpstream, Gateway, Reply, chat, chat_stream, event, until},
};
use serde_json::{Value, json};

/// A price for `model`, in dollars for a million tokens.
fn price(model: &str, rates: &str) -> String {
    format!("[[price]]\nmodel = \"{model}\"\n{rates}\n")
}

fn answer(usage: &Value) -> Reply {
    let answer =
        json!({"model": "m-2026", "choices": [{"message": {"content": "Hi"}}], "usage": usage});
    Reply::json(200, answer.to_string())
}

/// A gateway that asks `upstream` for the model `up`, and knows these prices.
async fn gateway(upstream: &FakeUpstream, prices: &str) -> Gateway {
    let setup = Gateway::setup().upstream("up", upstream, "");
    setup.config(prices).start().await
}

#[tokio::test]
async fn a_call_costs_its_tokens_to_the_nano_dollar() {
    let usage = json!({
        "prompt_tokens": 1001, "completion_tokens": 100, "service_tier": "ignored",
        "prompt_tokens_details": {"cached_tokens": 400}, "completion_tokens_details": {"reasoning_tokens": 60},
    });
    let upstream = FakeUpstream::with([answer(&usage)]).await;
    let rates = "input = 2.50\ncached_input = 1.25\noutput = 10\nreasoning = 12";
    let gateway = gateway(&upstream, &price("m-*", rates)).await;
    gateway.chat(chat("up")).await;
    // 601 × 2500 + 400 × 1250 + 40 × 10000 + 60 × 12000
    let expected =
        json!({"cost": 3_122_500, "price": "i2.5 c1.25 o10 r12", "served_model": "m-2026"});
    says(&row(&gateway).await, &expected);
}

#[tokio::test]
async fn a_stream_costs_what_its_last_event_says() {
    let usage = "data: {\"choices\":[],\"model\":\"m\",\"service_tier\":\"priority\",\
         \"usage\":{\"prompt_tokens\":7,\"completion_tokens\":3}}\n\n";
    let end = END.replace("data: [DONE]", &format!("{usage}data: [DONE]"));
    let upstream = FakeUpstream::with([Reply::streams([event("Hi"), end])]).await;
    let prices = price("m", "input = 0.15\noutput = 0.6")
        + &price("m", "tier = \"priority\"\ninput = 0.2555\noutput = 1");
    let gateway = gateway(&upstream, &prices).await;
    let told = event("Hi").len() + END.len();
    gateway.stream(chat_stream("up")).await.chunks(told).await;
    // 7 × 255.5 + 3 × 1000 = 4788.5, rounded up
    let expected = json!({"cost": 4789, "price": "i0.2555 o1", "outcome": "completed"});
    says(&row(&gateway).await, &expected);
}

#[tokio::test]
async fn the_name_that_the_answer_gives_counts_before_the_name_that_was_asked() {
    let usage = json!({"prompt_tokens": 1, "completion_tokens": 0});
    let unnamed = json!({"choices": [], "usage": usage}).to_string();
    let replies = [answer(&usage), Reply::json(200, unnamed)];
    let upstream = FakeUpstream::with(replies).await;
    let prices = price("m-2026", "input = 1\noutput = 1") + &price("up", "input = 2\noutput = 2");
    let gateway = gateway(&upstream, &prices).await;
    gateway.chat(chat("up")).await;
    says(&row(&gateway).await, &json!({"cost": 1000}));
    gateway.chat(chat("up")).await;
    let second = until("two rows", async || rows(&gateway).into_iter().nth(1)).await;
    says(&second, &json!({"cost": 2000, "served_model": null}));
}

#[tokio::test]
async fn a_price_that_changes_leaves_the_rows_as_they_are() {
    let usage = json!({"prompt_tokens": 10, "completion_tokens": 1});
    let upstream = FakeUpstream::with([answer(&usage)]).await;
    let old = price("m-2026", "input = 1\noutput = 2");
    let gateway = gateway(&upstream, &old).await;
    gateway.chat(chat("up")).await;
    row(&gateway).await;
    let new = price("m-2026", "input = 3\noutput = 4");
    let setup = Gateway::setup().upstream("up", &upstream, "");
    gateway.rewrite(&setup.config(&new).text());
    gateway.signal(rustix::process::Signal::HUP);
    gateway
        .log_line(|line| line.contains("took up the changed configuration"))
        .await;
    gateway.chat(chat("up")).await;
    until("two rows", async || rows(&gateway).into_iter().nth(1)).await;
    let both: Vec<_> = rows(&gateway)
        .iter()
        .map(|row| (row["cost"].clone(), row["price"].clone()))
        .collect();
    let expected = [
        (json!(12_000), json!("i1 o2")),
        (json!(34_000), json!("i3 o4")),
    ];
    assert_eq!(both, expected);
}

#[tokio::test]
async fn a_model_without_a_price_is_named_and_not_free() {
    let usage = json!({"prompt_tokens": 10, "completion_tokens": 1});
    let replies = [answer(&usage), Reply::json(400, "{\"error\":{}}")];
    let upstream = FakeUpstream::with(replies).await;
    let gateway = gateway(&upstream, "").await;
    gateway.chat(chat("up")).await;
    says(&row(&gateway).await, &json!({"cost": null, "price": null}));
    // An error used nothing, so no price is missing.
    gateway.chat(chat("up")).await;
    gateway
        .metric("weir_unpriced_requests_total{model=\"up\"}", 1)
        .await;
    gateway.metric("weir_ledger_slots_used", 0).await;
    let doctor = gateway.weir(&["doctor"]).await;
    assert_eq!(doctor.code, Some(0), "{doctor:?}");
    let line = "no price       up: 1 requests\n";
    assert!(doctor.stdout.contains(line), "{doctor:?}");
    assert!(doctor.stdout.contains("1 without a price"), "{doctor:?}");
}

#[tokio::test]
async fn what_the_simulator_says_costs_nothing_and_is_known_to() {
    let gateway = Gateway::setup().start().await;
    gateway.chat(chat("simulator")).await;
    says(&row(&gateway).await, &json!({"cost": 0, "price": "i0 o0"}));
}

#[tokio::test]
async fn a_stream_that_a_crash_interrupts_is_charged_to_whom_it_is_for() {
    let (reply, feed) = Reply::fed_as(&[
        ("content-type", "text/event-stream"),
        ("x-request-id", "req_up"),
    ]);
    let upstream = FakeUpstream::with([reply]).await;
    let prices = price("up", "input = 1\noutput = 10");
    let gateway = gateway(&upstream, &prices).await;
    gateway.make_project("p").await;
    let key = ["--project", "p", "--user", "u"];
    let key = gateway.make_known_key(&key).await;
    let mut request = chat_stream("up");
    request["metadata"] = json!({"of": "a \"crash\""});
    let mut conn = Conn::open(gateway.data).await;
    conn.post("/v1/chat/completions", &key.key, request.to_string())
        .await;
    conn.head().await;
    for _ in 0..3 {
        feed.send(event("x").into()).unwrap();
        conn.chunks(event("x").len()).await;
    }
    let dir = gateway.killed();
    let setup = Gateway::setup().upstream("up", &upstream, "");
    let gateway = setup.start_in(dir).await;
    let row = row(&gateway).await;
    let expected = json!({
        "outcome": "interrupted", "output": 3, "cost": 30_000, "price": "i1 o10", "upstream_request_id": "req_up",
        "project_id": "p", "user_id": "u", "metadata": "{\"of\":\"a \\\"crash\\\"\"}",
    });
    says(&row, &expected);
}

#[tokio::test]
async fn whom_a_key_is_for_is_in_its_rows_its_sums_and_the_list() {
    let usage = json!({"prompt_tokens": 10, "completion_tokens": 1});
    let upstream = FakeUpstream::with([answer(&usage)]).await;
    let gateway = gateway(&upstream, "").await;
    gateway.make_project("proj_1").await;
    let key = gateway.make_known_key(&["--project", "proj_1"]).await;
    let call = chat("up").to_string();
    let answer = gateway.post_with(&key.key, "/v1/chat/completions", call);
    assert_eq!(answer.await.status(), 200);
    let expected = json!({"key_id": key.id, "project_id": "proj_1", "user_id": null});
    says(&row(&gateway).await, &expected);
    let list = gateway.weir(&["key", "list"]).await.stdout;
    assert!(list.contains("proj_1"), "{list}");
    let doctor = gateway.weir(&["doctor"]).await;
    assert!(doctor.stdout.ends_with("all agree\n"), "{doctor:?}");
    for wrong in ["", "a\nb", &"x".repeat(65)] {
        let exit = gateway.weir(&["key", "create", "--user", wrong]).await;
        assert_eq!(exit.code, Some(2), "{exit:?}");
    }
}

#[tokio::test]
async fn metadata_is_kept_whole_or_not_at_all_and_the_upstream_gets_it_all() {
    let usage = json!({"prompt_tokens": 1, "completion_tokens": 1});
    let upstream = FakeUpstream::with([answer(&usage)]).await;
    let gateway = gateway(&upstream, "").await;
    let many: Value = (0..5)
        .map(|n| (n.to_string(), json!("x".repeat(500))))
        .collect::<serde_json::Map<_, _>>()
        .into();
    let wordy = json!({"team": "x".repeat(513)});
    let cases = [
        (json!({"team": "ä", "run": "7"}), true),
        (json!({}), true),
        (many, false),
        (wordy, false),
        (json!({"nested": {"a": "b"}}), false),
        (json!("text"), false),
    ];
    for (number, (metadata, _)) in cases.iter().enumerate() {
        let mut request = chat("up");
        request["metadata"] = metadata.clone();
        assert_eq!(gateway.chat(&request).await.status(), 200);
        assert_eq!(upstream.request().await.text().await, request.to_string());
        until("a row", async || rows(&gateway).into_iter().nth(number)).await;
    }
    let kept: Vec<_> = rows(&gateway)
        .iter()
        .map(|row| row["metadata"].clone())
        .collect();
    let is_kept = |(metadata, is_kept): &(Value, bool)| match is_kept {
        true => json!(metadata.to_string()),
        false => Value::Null,
    };
    assert_eq!(kept, cases.iter().map(is_kept).collect::<Vec<_>>());
    gateway
        .metric("weir_ledger_metadata_left_out_total", 3)
        .await;
}

#[tokio::test]
async fn images_are_counted_and_priced_by_the_piece() {
    let images = json!({"created": 1, "data": [{"url": "a"}, {"b64_json": "b"}]});
    let upstream = FakeUpstream::with([Reply::json(200, images.to_string())]).await;
    let prices = price("dall-e-3", "input = 0\noutput = 0\nimage = 0.04");
    let gateway = gateway(&upstream, &prices).await;
    let request = json!({"prompt": "a weir", "model": "dall-e-3", "n": 2, "size": "1024x1024"});
    gateway.post("/v1/images/generations", &request).await;
    let expected = json!({
        "endpoint": "image_generations", "model": "dall-e-3", "quantity": 2, "image_size": "1024x1024",
        "cost": 80_000_000, "price": "i0 o0 p0.04", "source": null,
    });
    says(&row(&gateway).await, &expected);
}

/// Sends a form with a file to be transcribed.
async fn transcribe(gateway: &Gateway) {
    let form = "--x\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\r\nRIFF\r\n\
         --x\r\ncontent-disposition: form-data; name=\"model\"\r\n\r\nwhisper-1\r\n--x--\r\n";
    let mut conn = Conn::open(gateway.data).await;
    conn.send(format!(
        "POST /v1/audio/transcriptions HTTP/1.1\r\nhost: w\r\nauthorization: Bearer {}\r\n\
         content-type: multipart/form-data; boundary=x\r\ncontent-length: {}\r\n\r\n{form}",
        gateway.key,
        form.len()
    ))
    .await;
    assert_eq!(conn.response().await.status(), 200);
}

#[tokio::test]
async fn what_is_stored_is_not_charged_again_when_it_is_read() {
    let usage = json!({"input_tokens": 4, "output_tokens": 5});
    let answer = json!({"id": "resp_1", "model": "m", "status": "completed", "usage": usage});
    let event = json!({"type": "response.completed", "response": answer});
    let events = [("content-type", "text/event-stream")];
    let stream = format!("event: response.completed\ndata: {event}\n\n");
    let upstream = FakeUpstream::with([
        Reply::json(200, answer.to_string()),
        Reply::json(200, answer.to_string()),
        Reply::with(200, &events, stream),
        Reply::json(200, answer.to_string()),
    ])
    .await;
    let gateway = gateway(&upstream, &price("m", "input = 1\noutput = 2")).await;
    gateway
        .post("/v1/responses", json!({"model": "m", "input": "x"}))
        .await;
    for (method, path) in [
        ("GET", "/v1/responses/resp_1"),
        ("GET", "/v1/responses/resp_1?stream=true"),
        ("DELETE", "/v1/chat/completions/c_1"),
    ] {
        assert_eq!(gateway.send(method, path, &[]).await.status(), 200);
    }
    until("four rows", async || rows(&gateway).into_iter().nth(3)).await;
    let rows = rows(&gateway);
    let made = json!({"endpoint": "responses", "input": 4, "output": 5, "cost": 14_000});
    says(&rows[0], &made);
    for row in &rows[1..] {
        let read = json!({"endpoint": "forward", "served_model": "m", "status": 200,
            "input": null, "output": null, "source": null, "cost": null});
        says(row, &read);
    }
}

#[tokio::test]
async fn what_is_not_tokens_has_a_quantity_and_its_own_endpoint() {
    let audio = [("content-type", "audio/mpeg")];
    let text =
        json!({"text": "hello", "duration": 11.2, "usage": {"type": "duration", "seconds": 12}});
    let replies = [
        Reply::with(200, &audio, "sound"),
        Reply::json(200, "{\"text\":\"hello\",\"duration\":8.01}"),
        Reply::json(200, text.to_string()),
        Reply::json(200, "{\"model\":\"omni-moderation\",\"results\":[]}"),
        Reply::json(
            200,
            "{\"model\":\"m\",\"usage\":{\"input_tokens\":4,\"output_tokens\":5}}",
        ),
        Reply::json(400, "{\"error\":{}}"),
    ];
    let upstream = FakeUpstream::with(replies).await;
    let gateway = gateway(&upstream, &price("m", "input = 1\noutput = 2")).await;
    let speech = json!({"model": "tts-1", "input": "Grüße", "voice": "alloy"});
    for (path, body) in [("speech", &speech), ("translations", &json!({}))] {
        gateway.post(&format!("/v1/audio/{path}"), body).await;
    }
    transcribe(&gateway).await;
    gateway.post("/v1/moderations", json!({"input": "x"})).await;
    gateway
        .post("/v1/responses", json!({"model": "m", "input": "x"}))
        .await;
    gateway.post("/v1/audio/speech", &speech).await;
    until("six rows", async || rows(&gateway).into_iter().nth(5)).await;
    let expected = [
        json!({"endpoint": "speech", "model": "tts-1", "quantity": 5, "cost": null}),
        json!({"endpoint": "translations", "model": "other", "quantity": 9}),
        json!({"endpoint": "transcriptions", "model": "whisper-1", "quantity": 12}),
        json!({"endpoint": "moderations", "served_model": "omni-moderation", "quantity": null}),
        json!({"endpoint": "responses", "model": "m", "input": 4, "output": 5, "cost": 14_000}),
        json!({"endpoint": "speech", "model": "tts-1", "quantity": null, "status": 400}),
    ];
    for (row, expected) in rows(&gateway).iter().zip(&expected) {
        says(row, expected);
    }
    let doctor = gateway.weir(&["doctor"]).await;
    assert!(doctor.stdout.ends_with("all agree\n"), "{doctor:?}");
}
