//! What a provider says of an answer that it has not finished, and what it says that cannot be: the row is right all
//! the same.

use crate::{
    counting::{MODEL, PIECES, PROMPT, count, counted, gateway},
    ledger::{row, rows, says},
    support::{END, FakeUpstream, Reply, chat, chat_stream, event, until},
};
use serde_json::{Value, json};

/// An event with this text that reports usage too.
fn piece(text: &str, input: u64, output: u64) -> String {
    let usage = json!({"prompt_tokens": input, "completion_tokens": output});
    let chunk = json!({"choices": [{"index": 0, "delta": {"content": text}}], "usage": usage});
    format!("data: {chunk}\n\n")
}

fn usage(input: u64, output: u64) -> String {
    let usage = json!({"prompt_tokens": input, "completion_tokens": output});
    format!("data: {}\n\n", json!({"choices": [], "usage": usage}))
}

/// `END` with this before its last word.
fn end_with(usage: &str) -> String {
    END.replace("data: [DONE]", &format!("{usage}data: [DONE]"))
}

/// What a row says of a stream of these events that ends there, or breaks off.
async fn streamed(events: &[String], dies: bool) -> Value {
    let reply = Reply::streams(events);
    let reply = match dies {
        true => reply.then_dies(),
        false => reply,
    };
    let upstream = FakeUpstream::with([reply]).await;
    let gateway = gateway(&upstream, "", "").await;
    gateway.chat(chat_stream(MODEL)).await;
    row(&gateway).await
}

#[tokio::test]
async fn a_stream_that_is_cut_costs_what_passed_whatever_its_pieces_say() {
    let output = count(&PIECES.concat());
    // Zeros until the last piece, the prompt only, a count of what came, and one that knows of more than can be seen.
    let pieces = |said: [u64; 3]| {
        let pieces = PIECES.iter().zip(said);
        pieces.map(|(text, said)| piece(text, 70, said)).collect()
    };
    let first = [vec![piece("", 70, 0)], PIECES.map(event).to_vec()].concat();
    for (events, source, output) in [
        (pieces([0; 3]), "counted", output),
        (first, "counted", output),
        (pieces([1, 2, output]), "provider", output),
        (pieces([50, 60, 70]), "provider", 70),
    ] {
        let row = streamed(&events, true).await;
        let expected =
            json!({"outcome": "upstream_failed", "input": 70, "output": output, "source": source});
        says(&row, &expected);
    }
}

#[tokio::test]
async fn a_client_that_leaves_a_stream_of_zeros_pays_for_what_it_was_sent() {
    let (reply, feed) = Reply::fed();
    let upstream = FakeUpstream::with([reply]).await;
    let gateway = gateway(&upstream, "", "").await;
    let mut conn = gateway.stream(chat_stream(MODEL)).await;
    for text in PIECES {
        let event = piece(text, 0, 0);
        feed.send(event.clone().into()).unwrap();
        conn.chunks(event.len()).await;
    }
    drop(conn);
    says(
        &row(&gateway).await,
        &counted("client_gone", count(&PIECES.concat())),
    );
}

#[tokio::test]
async fn usage_is_final_if_no_text_comes_after_it() {
    let output = count(&PIECES.concat());
    let text = PIECES.map(event).concat();
    let last = piece(PIECES[2], 70, 2);
    let early = |said| [piece("", 70, said), text.clone(), END.into()];
    for (events, source, expected) in [
        // A zero too.
        (
            [text.clone(), end_with(&usage(70, 0)), String::new()],
            "provider",
            0,
        ),
        ([text.clone(), last, END.into()], "provider", 2),
        (early(0), "counted", output),
        (early(1), "counted", output),
        (early(90), "provider", 90),
    ] {
        let row = streamed(&events, false).await;
        let expected =
            json!({"outcome": "completed", "input": 70, "output": expected, "source": source});
        says(&row, &expected);
    }
    // After the last piece nothing is left to come.
    let end = END.replace("data: [DONE]\n\n", &usage(70, 2));
    let row = streamed(&[text, end], true).await;
    says(
        &row,
        &json!({"outcome": "upstream_failed", "output": 2, "source": "provider"}),
    );
}

#[tokio::test]
async fn without_an_encoding_a_cut_stream_of_zeros_is_estimated() {
    let events = PIECES.map(|text| piece(text, 70, 0));
    let upstream = FakeUpstream::with([Reply::streams(events).then_dies()]).await;
    let gateway = gateway(&upstream, "", "").await;
    gateway.chat(chat_stream("other")).await;
    let expected = json!({"input": 70, "output": 3, "source": "estimated"});
    says(&row(&gateway).await, &expected);
}

#[tokio::test]
async fn a_figure_that_is_missing_or_none_is_counted_whichever_it_is() {
    let text = "The quick brown fox";
    let output = count(text);
    let (mut replies, mut all, mut all_refused) = (Vec::new(), Vec::new(), 0);
    for (said, refused, expected) in [
        (json!({"completion_tokens": 7}), 0, (PROMPT, 7)),
        (
            json!({"prompt_tokens": null, "completion_tokens": 7}),
            0,
            (PROMPT, 7),
        ),
        (
            json!({"prompt_tokens": -5, "completion_tokens": 7}),
            1,
            (PROMPT, 7),
        ),
        (
            json!({"prompt_tokens": 100.5, "completion_tokens": 7}),
            1,
            (PROMPT, 7),
        ),
        (
            json!({"prompt_tokens": 1_u64 << 50, "completion_tokens": 7}),
            1,
            (PROMPT, 7),
        ),
        (
            json!({"prompt_tokens": 70, "completion_tokens": 1_u64 << 45}),
            1,
            (70, output),
        ),
        (
            json!({"prompt_tokens": "5", "completion_tokens": "7"}),
            1,
            (PROMPT, output),
        ),
        (
            json!({"prompt_tokens": true, "completion_tokens": [7]}),
            1,
            (PROMPT, output),
        ),
        (json!([1, 2]), 1, (PROMPT, output)),
        (json!("12"), 1, (PROMPT, output)),
        (json!(12), 1, (PROMPT, output)),
        (json!(null), 0, (PROMPT, output)),
        (json!({}), 0, (PROMPT, output)),
    ] {
        let answer = json!({"choices": [{"message": {"content": text}}], "usage": said});
        let event_of = json!({"choices": [], "usage": said});
        let stream = [event(text), end_with(&format!("data: {event_of}\n\n"))];
        replies.extend([Reply::json(200, answer.to_string()), Reply::streams(stream)]);
        all_refused += 2 * refused;
        all.extend([(said.clone(), expected), (said, expected)]);
    }
    let upstream = FakeUpstream::with(replies).await;
    let gateway = gateway(&upstream, "", "").await;
    for number in 0..all.len() {
        let request = [chat(MODEL), chat_stream(MODEL)];
        gateway.chat(&request[number % 2]).await;
    }
    let rows = until("the rows", async || {
        Some(rows(&gateway)).filter(|rows| rows.len() == all.len())
    });
    for (row, (said, (input, output))) in rows.await.iter().zip(all) {
        assert_eq!(
            (&row["input"], &row["output"]),
            (&json!(input), &json!(output)),
            "{said}"
        );
        says(row, &json!({"outcome": "completed", "source": "counted"}));
    }
    gateway
        .metric("weir_ledger_usage_refused_total", all_refused)
        .await;
}
