//! Answers to chats, whole and as streams.

use super::*;

#[test]
fn the_same_request_gets_the_same_bytes() {
    let run = || {
        steps(chat(
            "simulator",
            json!({"stream": true, "n": 2, "seed": 3}),
        ))
    };
    assert_eq!(run(), run());
}

#[test]
fn another_prompt_gets_another_text() {
    let text = |content: &str| {
        let messages = json!([{"role": "user", "content": content}]);
        whole(chat("simulator", json!({"messages": messages})))["choices"][0]["message"].take()
    };
    assert_ne!(text("one"), text("two"));
}

#[test]
fn a_chat_answer_has_the_shape_of_openai() {
    let answer = whole(chat("simulator", json!({"max_completion_tokens": 3})));
    let text = answer["choices"][0]["message"]["content"].as_str().unwrap();
    let id = answer["id"].as_str().unwrap();
    assert!(id.starts_with("chatcmpl-sim"));
    assert_eq!(
        answer,
        json!({
            "id": id, "object": "chat.completion", "created": 1_700_000_000, "model": "simulator",
            "system_fingerprint": "fp_simulator_1",
            "choices": [{
                "index": 0,
                "message": {"role": "assistant", "content": text, "refusal": null, "annotations": []},
                "logprobs": null, "finish_reason": "length",
            }],
            "usage": {
                "prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12,
                "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
                "completion_tokens_details": {
                    "reasoning_tokens": 0, "audio_tokens": 0,
                    "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0,
                },
            },
        })
    );
}

#[test]
fn a_chat_stream_has_the_events_of_openai() {
    let options =
        json!({"stream": true, "max_tokens": 1, "stream_options": {"include_usage": true}});
    let (events, end) = events(chat("simulator", options));
    assert_eq!((events.len(), end), (5, Step::End));
    let token = events[1].pointer("/choices/0/delta/content").unwrap();
    let choice = |delta: Value, finish: Value| {
        let choice = json!({"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish});
        json!({
            "id": events[0]["id"], "object": "chat.completion.chunk", "created": 1_700_000_000,
            "model": "simulator", "system_fingerprint": "fp_simulator_1",
            "choices": [choice], "usage": null,
        })
    };
    let opening = json!({"role": "assistant", "content": "", "refusal": null});
    assert_eq!(events[0], choice(opening, Value::Null));
    assert_eq!(events[1], choice(json!({"content": token}), Value::Null));
    assert_eq!(events[2], choice(json!({}), json!("length")));
    assert_eq!(events[3]["choices"], json!([]));
    assert_eq!(events[3]["usage"]["total_tokens"], json!(10));
    assert_eq!(events[4], json!("[DONE]"));
}

#[test]
fn usage_is_in_a_stream_only_when_asked_for() {
    let (events, _) = events(chat("simulator", json!({"stream": true})));
    assert!(events.iter().all(|event| event.get("usage").is_none()));
}

#[test]
fn a_stream_says_what_the_whole_answer_says_token_by_token() {
    for (endpoint, path, whole_path) in [
        (Endpoint::Chat, "/delta/content", "/message/content"),
        (Endpoint::Completions, "/text", "/text"),
    ] {
        let request = |stream: bool| {
            let more = json!({"n": 3, "prompt": "x", "stream": stream, "stream_options": {"include_usage": stream}});
            ask(endpoint, &chat_request("simulator/fast", more))
        };
        let whole = whole(request(false));
        let (events, _) = events(request(true));
        let mut count = 0;
        for index in 0..3 {
            let said = said(&events, index, path);
            count += said.len() as u64;
            assert_eq!(
                json!(said.concat()),
                *whole["choices"][index].pointer(whole_path).unwrap()
            );
            assert_eq!(tokens(&said.concat()), said.len() as u64);
        }
        assert_eq!(whole["usage"]["completion_tokens"], json!(count));
        assert_eq!(events[events.len() - 2]["usage"], whole["usage"]);
        assert_eq!(whole["choices"][2]["finish_reason"], json!("stop"));
    }
}

#[test]
fn choices_speak_in_turns_and_a_round_takes_as_long_as_one_token() {
    let steps = steps(chat(
        "simulator",
        json!({"stream": true, "n": 2, "max_tokens": 2}),
    ));
    let wait = |step: &Step| match step {
        Step::Send { after, .. } => Some(*after),
        _ => None,
    };
    let waits: Vec<_> = steps.iter().filter_map(wait).collect();
    let (z, t) = (Duration::ZERO, TOKEN);
    assert_eq!(waits, [z, z, t, z, t, z, z, z, z]);
}

#[test]
fn a_whole_answer_waits_for_its_tokens_but_not_for_long() {
    assert_eq!(
        chat("simulator", json!({"max_tokens": 10})).delay,
        TOKEN * 10
    );
    assert_eq!(
        chat("simulator/long", json!({})).delay,
        Duration::from_secs(2)
    );
    assert_eq!(chat("simulator/fast", json!({})).delay, Duration::ZERO);
    assert_eq!(
        chat("simulator", json!({"stream": true})).delay,
        Duration::ZERO
    );
}

#[test]
fn a_stop_text_ends_the_answer() {
    let answer = whole(chat("simulator", json!({"stop": [" "]})));
    let text = answer["choices"][0]["message"]["content"].as_str().unwrap();
    assert_eq!(
        (text.contains(' '), &answer["choices"][0]["finish_reason"]),
        (false, &json!("stop"))
    );
    assert_eq!(answer["usage"]["completion_tokens"], json!(tokens(text)));
}

#[test]
fn prompts_are_counted_by_text_and_message() {
    let messages = json!([
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [
            {"type": "text", "text": "What is"}, {"type": "image_url", "image_url": {"url": "data:x"}},
            {"type": "text", "text": " this?"}]},
        {"role": "assistant", "content": null},
    ]);
    let answer = whole(chat("simulator", json!({"messages": messages})));
    assert_eq!(
        answer["usage"]["prompt_tokens"],
        json!(3 + 2 + 2 + 3 * MESSAGE_TOKENS)
    );
}

#[test]
fn a_huge_limit_is_no_longer_text() {
    let huge = whole(chat("simulator", json!({"max_tokens": u64::MAX, "n": 128})));
    assert!(huge["usage"]["completion_tokens"].as_u64().unwrap() < 128 * 70);
}
