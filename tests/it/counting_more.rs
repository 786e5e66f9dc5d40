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
