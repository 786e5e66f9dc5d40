//! What else an answer can be made of, and what of it is not counted: sound, content in parts, half events, errors,
//! prompts that come again.

use crate::{
    counting::{MODEL, PIECES, PROMPT, count, counted, delta, gateway},
    ledger::{row, says},
    support::{Conn, END, FakeUpstream, Gateway, Reply, chat, chat_stream, event},
};
use serde_json::{Value, json};

/// The row of a call whose upstream answers so.
async fn row_of(path: &str, request: Value, reply: Reply) -> Value {
    let upstream = FakeUpstream::with([reply]).await;
    let gateway = gateway(&upstream, "", "").await;
    gateway.post(path, request).await;
    row(&gateway).await
}

async fn streamed(model: &str, deltas: Vec<Value>) -> Value {
    let events = deltas.into_iter().map(|value| delta(0, value));
    let reply = Reply::streams(events.chain([END.to_owned()]));
    row_of("/v1/chat/completions", chat_stream(model), reply).await
}

#[tokio::test]
async fn content_in_parts_is_counted_as_the_texts_in_it() {
    let text = |text: &str| json!({"content": [{"type": "text", "text": text}]});
    let thought = json!({"type": "thinking", "thinking": [{"type": "text", "text": "hm, well"}]});
    let deltas = || {
        let texts = PIECES.map(text);
        let thoughts = json!({"content": [thought, {"type": "refusal", "refusal": "no"}]});
        [vec![thoughts], texts.to_vec()].concat()
    };
    let output = count(&PIECES.concat()) + count("hm, well") + count("no");
    let row = streamed(MODEL, deltas()).await;
    says(&row, &counted("completed", output));
    says(&row, &json!({"reasoning": count("hm, well")}));
    let row = streamed("other", deltas()).await;
    says(&row, &json!({"source": "estimated", "output": 4}));

    let message = json!({"content": [thought, {"type": "text", "text": PIECES.concat()}]});
    let answer = json!({"choices": [{"message": message}]}).to_string();
    let row = row_of(
        "/v1/chat/completions",
        chat(MODEL),
        Reply::json(200, answer),
    )
    .await;
    let output = count(&PIECES.concat()) + count("hm, well");
    says(&row, &counted("completed", output));
}

#[tokio::test]
async fn sound_is_estimated_and_what_it_says_is_counted() {
    let second = "AAAA".repeat(16_000);
    let sound = |size: usize| {
        let data = [json!({"audio": {"id": "a", "transcript": ""}})];
        let transcript = PIECES.map(|text| json!({"audio": {"transcript": text}}));
        let pieces = second.as_bytes().chunks(size);
        let pieces = pieces.map(|piece| json!({"audio": {"data": str::from_utf8(piece).unwrap()}}));
        data.into_iter().chain(transcript).chain(pieces).collect()
    };
    let text = count(&PIECES.concat());
    for size in [1000, 64_000] {
        let row = streamed(MODEL, sound(size)).await;
        let expected = json!({"source": "estimated", "input": PROMPT, "output": text + 20, "audio_output": 20});
        says(&row, &expected);
    }
    let audio = json!({"data": second, "transcript": PIECES.concat()});
    let answer = json!({"choices": [{"message": {"content": null, "audio": audio}}]}).to_string();
    let row = row_of(
        "/v1/chat/completions",
        chat(MODEL),
        Reply::json(200, answer),
    )
    .await;
    says(
        &row,
        &json!({"source": "estimated", "output": text + 60, "audio_output": 60}),
    );
}

#[tokio::test]
async fn what_is_left_of_an_event_that_is_not_complete_costs_nothing() {
    let (reply, feed) = Reply::fed();
    let upstream = FakeUpstream::with([reply]).await;
    let gateway = gateway(&upstream, "", "").await;
    let mut conn = gateway.stream(chat_stream(MODEL)).await;
    let half = event("fourteen tokens of text that never went to anybody at all");
    let half = &half[..half.len() - 4];
    feed.send([&event(PIECES[0]), half].concat().into())
        .unwrap();
    conn.chunks(event(PIECES[0]).len()).await;
    drop(conn);
    upstream.request().await.closed().await;
    says(
        &row(&gateway).await,
        &counted("client_gone", count(PIECES[0])),
    );

    let events = [event(PIECES[0]), half.to_owned()].concat();
    let row = row_of(
        "/v1/chat/completions",
        chat_stream(MODEL),
        Reply::streams([events]).then_dies(),
    )
    .await;
    says(&row, &counted("upstream_failed", count(PIECES[0])));
}

#[tokio::test]
async fn an_answer_that_is_nothing_but_an_error_costs_nothing() {
    let error =
        json!({"error": {"message": "no", "type": "server_error", "param": null, "code": null}});
    let told = format!("data: {error}\n\n");
    let nothing =
        json!({"status": 200, "source": null, "input": null, "output": null, "cost": null});
    let path = "/v1/chat/completions";
    let row = row_of(path, chat(MODEL), Reply::json(200, error.to_string())).await;
    says(&row, &nothing);
    let row = row_of(path, chat_stream(MODEL), Reply::streams([&told])).await;
    says(&row, &nothing);
    // With a piece of an answer before it, or with usage, it was one.
    let row = row_of(
        path,
        chat_stream(MODEL),
        Reply::streams([&event("two words"), &told]),
    )
    .await;
    says(&row, &counted("completed", 2));
    let mut error = error;
    error["usage"] = json!({"prompt_tokens": 70, "completion_tokens": 9});
    let row = row_of(path, chat(MODEL), Reply::json(200, error.to_string())).await;
    says(
        &row,
        &json!({"source": "provider", "input": 70, "output": 9}),
    );
}

#[tokio::test]
async fn a_prompt_that_comes_again_in_the_answer_is_counted_once() {
    let request =
        |echo: bool| json!({"model": MODEL, "prompt": "The quick brown", "echo": echo, "n": 2});
    let answer = |echo: bool| {
        let text = match echo {
            true => "The quick brown fox jumps",
            false => " fox jumps",
        };
        json!({"choices": [{"index": 0, "text": text}, {"index": 1, "text": text}]}).to_string()
    };
    for (echo, source) in [(true, "estimated"), (false, "counted")] {
        let reply = Reply::json(200, answer(echo));
        let row = row_of("/v1/completions", request(echo), reply).await;
        says(&row, &json!({"source": source, "input": 3, "output": 4}));
    }
}

/// A client may stop at the last byte that it needs, and Weir may be killed just then.
#[tokio::test]
async fn who_has_read_an_answer_to_its_end_finds_it_settled_though_weir_was_killed() {
    let prose = include_str!("../../docs/ledger.md").repeat(8);
    let answer =
        json!({"choices": [{"message": {"content": PIECES.concat()}, "finish_reason": "stop"}]});
    for stream in [true, false] {
        let reply = match stream {
            true => Reply::streams(PIECES.map(event).into_iter().chain([END.into()])).then_hangs(),
            false => Reply::json(200, answer.to_string()),
        };
        let upstream = FakeUpstream::with([reply]).await;
        let gateway = gateway(&upstream, "", "").await;
        let mut request = chat(MODEL);
        request["stream"] = stream.into();
        request["messages"][0]["content"] = prose.as_str().into();
        let mut conn = Conn::open(gateway.data).await;
        conn.post("/v1/chat/completions", &gateway.key, request.to_string())
            .await;
        let head = conn.head().await;
        match stream {
            true => {
                conn.chunks(PIECES.map(event).concat().len() + END.len())
                    .await
            }
            false => conn.body(&head).await.0,
        };
        let dir = gateway.killed();
        let gateway = Gateway::setup().start_in(dir).await;
        let mut expected = counted("completed", count(&PIECES.concat()));
        expected["input"] = (PROMPT - 1 + count(&prose)).into();
        says(&row(&gateway).await, &expected);
    }
}
