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
