//! What the simulator promises, seen from outside.

mod chat;
mod completions;
mod embeddings;
mod hostile;
mod manner;
mod refusal;
mod tools;

use super::*;
use serde_json::json;

const PACE: Pace = Pace {
    words_per_second: 50,
};
const TOKEN: Duration = Duration::from_millis(20);

fn ask(endpoint: Endpoint, request: &Value) -> Answer {
    answer(
        endpoint,
        request.to_string().as_bytes(),
        PACE,
        1_700_000_000,
    )
}

/// A chat request with `more` members.
fn chat_request(model: &str, more: Value) -> Value {
    let mut request =
        json!({"model": model, "messages": [{"role": "user", "content": "Tell me of the weir."}]});
    for (name, value) in more.as_object().unwrap() {
        request[name] = value.clone();
    }
    request
}

fn chat(model: &str, more: Value) -> Answer {
    ask(Endpoint::Chat, &chat_request(model, more))
}

/// All steps, the last of which is not a `Send`.
fn steps(mut answer: Answer) -> Vec<Step> {
    let mut steps = vec![answer.play.next()];
    while matches!(steps.last(), Some(Step::Send { .. })) {
        steps.push(answer.play.next());
    }
    assert_eq!(
        steps.last(),
        Some(&answer.play.next()),
        "a play that is over stays over"
    );
    steps
}

fn sent(steps: &[Step]) -> Vec<&[u8]> {
    fn bytes(step: &Step) -> Option<&[u8]> {
        match step {
            Step::Send { bytes, .. } => Some(bytes),
            _ => None,
        }
    }
    steps.iter().filter_map(bytes).collect()
}

/// The body of an answer that comes in one piece, after a check of its length.
fn whole(answer: Answer) -> Value {
    let length = answer.headers[header::CONTENT_LENGTH]
        .to_str()
        .unwrap()
        .to_owned();
    assert_eq!(answer.headers[header::CONTENT_TYPE], "application/json");
    assert_eq!(
        answer.play.size().map(|size| size.to_string()),
        Some(length.clone())
    );
    let steps = steps(answer);
    let body = sent(&steps).concat();
    assert_eq!(
        (body.len().to_string(), steps.last()),
        (length, Some(&Step::End))
    );
    serde_json::from_slice(&body).unwrap()
}

/// The data of a stream's events, and how it ended. `[DONE]` is a string.
fn events(answer: Answer) -> (Vec<Value>, Step) {
    assert_eq!(
        answer.headers[header::CONTENT_TYPE],
        "text/event-stream; charset=utf-8"
    );
    assert_eq!(answer.play.size(), None);
    let mut steps = steps(answer);
    let end = steps.pop().unwrap();
    let event = |bytes: &[u8]| {
        let text = std::str::from_utf8(bytes).unwrap();
        let data = text
            .strip_prefix("data: ")
            .unwrap()
            .strip_suffix("\n\n")
            .unwrap();
        if data == "[DONE]" {
            json!(data)
        } else {
            serde_json::from_str(data).unwrap()
        }
    };
    (sent(&steps).into_iter().map(event).collect(), end)
}

/// What the events add to a choice at `path` within the choice, one text an event.
fn said<'a>(events: &'a [Value], index: usize, path: &str) -> Vec<&'a str> {
    let choices = events.iter().filter_map(|event| event["choices"].get(0));
    let choices = choices.filter(|choice| choice["index"] == json!(index));
    choices
        .filter_map(|c| c.pointer(path)?.as_str())
        .filter(|text| !text.is_empty())
        .collect()
}
