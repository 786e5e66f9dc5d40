//! Answers to prompts.

use super::*;

#[test]
fn completions_answer_every_prompt_n_times() {
    for (prompt, choices, prompt_tokens) in [
        (json!("The weir"), 2, 2),
        (json!(["The", "weir, now"]), 4, 4),
        (json!([5, 6, 7]), 2, 3),
        (json!([[5, 6, 7], [8]]), 4, 4),
        (Value::Null, 2, 0),
    ] {
        let request = json!({"model": "simulator", "prompt": prompt, "n": 2, "max_tokens": 4});
        let answer = whole(ask(Endpoint::Completions, &request));
        assert_eq!(answer["object"], json!("text_completion"));
        assert_eq!(answer["choices"].as_array().unwrap().len(), choices);
        assert_eq!(answer["choices"][choices - 1]["index"], json!(choices - 1));
        assert_eq!(answer["usage"]["prompt_tokens"], json!(prompt_tokens));
        assert_eq!(answer["usage"]["completion_tokens"], json!(choices * 4));
    }
}

#[test]
fn a_completion_stream_is_text_then_a_finish_reason() {
    let request = json!({"model": "simulator", "prompt": "x", "max_tokens": 1, "stream": true});
    let (events, end) = events(ask(Endpoint::Completions, &request));
    assert_eq!((events.len(), end), (3, Step::End));
    assert!(events[0]["id"].as_str().unwrap().starts_with("cmpl-sim"));
    let last = json!({"text": "", "index": 0, "logprobs": null, "finish_reason": "length"});
    assert_eq!(events[1]["choices"], json!([last]));
}
