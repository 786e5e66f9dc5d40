//! What the simulator promises, seen from outside.

use super::*;
use proptest::prelude::*;
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

fn error_of(answer: Answer) -> (u16, Value) {
    (answer.status.as_u16(), whole(answer)["error"].take())
}

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

fn weather() -> Value {
    let parameters = json!({"type": "object", "required": ["city", "days"],
        "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 2}}});
    json!([
        {"type": "function", "function": {"name": "get_tide"}},
        {"type": "function", "function": {"name": "get_weather", "parameters": parameters}},
    ])
}

#[test]
fn a_tool_is_called_when_it_is_asked_for() {
    let called = |more: Value| {
        let mut request = chat_request("simulator", more);
        request["tools"] = weather();
        let answer = whole(ask(Endpoint::Chat, &request));
        answer
            .pointer("/choices/0/message/tool_calls/0/function")
            .cloned()
    };
    let weather =
        Some(json!({"name": "get_weather", "arguments": r#"{"city":"example","days":2}"#}));
    let tide = Some(json!({"name": "get_tide", "arguments": "{}"}));
    let named = json!({"type": "function", "function": {"name": "get_weather"}});
    let mention = json!([{"role": "user", "content": "please use get_weather"}]);
    assert_eq!(called(json!({"tool_choice": named})), weather);
    assert_eq!(called(json!({"messages": mention})), weather);
    assert_eq!(
        called(json!({"messages": mention, "tool_choice": "required"})),
        weather
    );
    assert_eq!(called(json!({"tool_choice": "required"})), tide);
    assert_eq!(called(json!({"tool_choice": "auto"})), None);
    assert_eq!(
        called(json!({"messages": mention, "tool_choice": "none"})),
        None
    );
    let after = json!([mention[0], {"role": "tool", "tool_call_id": "x", "content": "rain"}]);
    assert_eq!(
        called(json!({"messages": after, "tool_choice": "required"})),
        None
    );
}

#[test]
fn a_tool_call_streams_its_name_and_then_its_arguments_in_pieces() {
    let more = json!({"tools": weather(), "tool_choice": "required", "stream": true,
        "messages": [{"role": "user", "content": "get_weather"}],
        "stream_options": {"include_usage": true}});
    let (events, _) = events(chat("simulator", more.clone()));
    let call = &events[0]["choices"][0]["delta"]["tool_calls"][0];
    assert!(call["id"].as_str().unwrap().starts_with("call_sim"));
    assert_eq!(events[0]["choices"][0]["delta"]["content"], Value::Null);
    assert_eq!(
        call["function"],
        json!({"name": "get_weather", "arguments": ""})
    );
    assert_eq!(
        events[1]["choices"][0]["delta"]["tool_calls"][0],
        json!({"index": 0, "function": {"arguments": "{\""}})
    );
    let pieces = said(&events, 0, "/delta/tool_calls/0/function/arguments");
    assert_eq!(pieces.concat(), r#"{"city":"example","days":2}"#);
    let tail = &events[events.len() - 3..];
    assert_eq!(tail[0]["choices"][0]["finish_reason"], json!("tool_calls"));
    assert_eq!(tail[1]["usage"]["completion_tokens"], json!(pieces.len()));
}

#[test]
fn a_response_format_gets_its_json() {
    let content = |format: Value| {
        let answer = whole(chat("simulator", json!({"response_format": format})));
        let text = answer["choices"][0]["message"]["content"]
            .as_str()
            .unwrap()
            .to_owned();
        serde_json::from_str::<Value>(&text)
    };
    assert!(content(json!({"type": "json_object"})).unwrap().is_object());
    assert!(content(json!({"type": "text"})).is_err());
    let schema = json!({"type": "object", "required": ["steps"], "properties": {
        "steps": {"type": "array", "items": {"$ref": "#/$defs/Step"}}},
        "$defs": {"Step": {"type": "object", "required": ["note"], "properties": {"note": {"type": "string"}}}}});
    let format = json!({"type": "json_schema", "json_schema": {"name": "plan", "schema": schema}});
    assert_eq!(
        content(format).unwrap(),
        json!({"steps": [{"note": "example"}]})
    );
}

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

#[test]
fn embeddings_in_base64_are_the_floats() {
    let vectors = |format: Value| {
        let request = json!({"model": "simulator", "input": ["a", "a b", "a"], "dimensions": 7,
            "encoding_format": format});
        let mut answer = whole(ask(Endpoint::Embeddings, &request));
        assert_eq!(
            answer["usage"],
            json!({"prompt_tokens": 4, "total_tokens": 4})
        );
        assert_eq!(answer["data"][2]["index"], json!(2));
        [0, 1, 2].map(|index| answer["data"][index]["embedding"].take())
    };
    let floats =
        vectors(json!("float")).map(|vector| serde_json::from_value::<Vec<f32>>(vector).unwrap());
    let decoded = vectors(json!("base64")).map(|vector| unbase64(vector.as_str().unwrap()));
    assert_eq!(floats, decoded);
    assert_eq!(floats[0], floats[2]);
    assert_ne!(floats[0], floats[1]);
    assert_eq!(floats[0].len(), 7);
    assert_eq!(vectors(Value::Null)[0], vectors(json!("float"))[0]);
}

/// Little-endian floats from base64, as a client reads them.
fn unbase64(text: &str) -> Vec<f32> {
    let digit = |c: u8| match c {
        b'A'..=b'Z' => c - b'A',
        b'a'..=b'z' => c - b'a' + 26,
        b'0'..=b'9' => c - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let digits: Vec<u8> = text.trim_end_matches('=').bytes().map(digit).collect();
    let byte = |i: usize| {
        let (at, shift) = (i * 8 / 6, i * 8 % 6);
        digits[at] << (2 + shift) | digits[at + 1] >> (4 - shift)
    };
    let bytes: Vec<u8> = (0..digits.len() * 6 / 8).map(byte).collect();
    bytes
        .chunks_exact(4)
        .map(|b| f32::from_le_bytes(b.try_into().unwrap()))
        .collect()
}

#[test]
fn an_embedding_has_the_usual_size_unless_asked_otherwise() {
    let size = |more: Value| {
        let mut request = json!({"model": "text-embedding-3-small", "input": [[1, 2], [3]]});
        request["dimensions"] = more;
        let answer = whole(ask(Endpoint::Embeddings, &request));
        assert_eq!(answer["usage"]["total_tokens"], json!(3));
        answer["data"][1]["embedding"].as_array().unwrap().len()
    };
    assert_eq!(size(Value::Null), 1_536);
    assert_eq!(size(json!(256)), 256);
}

#[test]
fn a_stream_that_breaks_off_has_sent_half_its_tokens() {
    for (model, last) in [
        ("die-midstream", Step::Die),
        ("stall", Step::Stall),
        ("error-event", Step::End),
    ] {
        let more =
            json!({"stream": true, "max_tokens": 11, "stream_options": {"include_usage": true}});
        let (events, end) = events(chat(&format!("simulator/{model}"), more));
        assert_eq!(end, last, "{model}");
        assert_eq!(said(&events, 0, "/delta/content").len(), 5);
        assert!(!events.contains(&json!("[DONE]")));
        let error = events.last().unwrap().get("error");
        assert_eq!(
            error.map(|error| error["type"].clone()),
            (model == "error-event").then(|| json!("server_error"))
        );
    }
}

#[test]
fn a_stream_without_done_ends_cleanly_and_says_no_reason() {
    let (events, end) = events(chat(
        "simulator/no-done",
        json!({"stream": true, "max_tokens": 5, "n": 2}),
    ));
    assert_eq!((events.len(), end), (12, Step::End));
    assert!(
        events
            .iter()
            .all(|event| event["choices"][0]["finish_reason"].is_null())
    );
}

#[test]
fn a_whole_answer_that_dies_has_sent_half_its_bytes_and_one_that_stalls_none() {
    let dying = chat("simulator/die-midstream", json!({}));
    let size = dying.play.size().unwrap();
    let dying = steps(dying);
    assert_eq!(sent(&dying).concat().len() as u64, size / 2);
    assert_eq!(dying.last(), Some(&Step::Die));
    assert_eq!(steps(chat("simulator/stall", json!({}))), [Step::Stall]);
}

#[test]
fn usage_may_be_withheld() {
    let more = json!({"stream": true, "stream_options": {"include_usage": true}});
    let (events, _) = events(chat("simulator/no-usage", more));
    assert!(events.iter().all(|event| event.get("usage").is_none()));
    assert_eq!(events.last(), Some(&json!("[DONE]")));
    assert_eq!(
        whole(chat("simulator/no-usage", json!({}))).get("usage"),
        None
    );
}

#[test]
fn slow_models_are_late_and_long_ones_long() {
    assert_eq!(
        chat("simulator/slow-start", json!({"stream": true})).delay,
        Duration::from_secs(3)
    );
    let slow = steps(chat("simulator/slow", json!({"stream": true})));
    assert!(matches!(slow[1], Step::Send { after, .. } if after == Duration::from_millis(500)));
    let long = whole(chat("simulator/long", json!({})));
    assert!((2_000..2_030).contains(&long["usage"]["completion_tokens"].as_u64().unwrap()));
}

#[test]
fn refusals_have_the_status_and_body_of_openai() {
    for (model, status, code) in [
        ("simulator/401", 401, json!("invalid_api_key")),
        ("simulator/429", 429, json!("rate_limit_exceeded")),
        ("simulator/500", 500, Value::Null),
        ("simulator/503", 503, Value::Null),
        ("simulator/xyz", 404, json!("model_not_found")),
    ] {
        for endpoint in [Endpoint::Chat, Endpoint::Completions, Endpoint::Embeddings] {
            let request = json!({"model": model});
            assert_eq!(
                ask(endpoint, &request).headers.contains_key("retry-after"),
                status == 429
            );
            let (got, error) = error_of(ask(endpoint, &request));
            assert_eq!((got, &error["code"]), (status, &code), "{model}");
            assert_eq!(error.as_object().unwrap().len(), 4);
        }
    }
}

#[test]
fn what_is_wrong_in_a_request_is_named() {
    for (endpoint, more, param) in [
        (Endpoint::Chat, json!({"model": 3}), "model"),
        (Endpoint::Chat, json!({"model": "m".repeat(257)}), "model"),
        (Endpoint::Chat, json!({"messages": null}), "messages"),
        (
            Endpoint::Chat,
            json!({"messages": [{"role": "user", "content": 3}]}),
            "messages[0]",
        ),
        (Endpoint::Chat, json!({"n": 129}), "n"),
        (Endpoint::Chat, json!({"max_tokens": 0}), "max_tokens"),
        (Endpoint::Chat, json!({"stream": "yes"}), "stream"),
        (Endpoint::Chat, json!({"stop": 1}), "stop"),
        (
            Endpoint::Chat,
            json!({"tool_choice": "required"}),
            "tool_choice",
        ),
        (
            Endpoint::Chat,
            json!({"response_format": {"type": "xml"}}),
            "response_format",
        ),
        (Endpoint::Completions, json!({"prompt": [true]}), "prompt"),
        (
            Endpoint::Completions,
            json!({"prompt": vec!["x"; 65], "n": 2}),
            "n",
        ),
        (Endpoint::Embeddings, json!({}), "input"),
        (
            Endpoint::Embeddings,
            json!({"input": "x", "dimensions": 4_097}),
            "dimensions",
        ),
        (
            Endpoint::Embeddings,
            json!({"input": vec!["x"; 2_048], "dimensions": 4_096}),
            "input",
        ),
        (
            Endpoint::Embeddings,
            json!({"input": "x", "encoding_format": "hex"}),
            "encoding_format",
        ),
    ] {
        let (status, error) = error_of(ask(endpoint, &chat_request("simulator", more)));
        assert_eq!((status, &error["param"]), (400, &json!(param)));
    }
    assert_eq!(
        answer(Endpoint::Chat, b"[1", PACE, 0).status,
        StatusCode::BAD_REQUEST
    );
    assert_eq!(chat("simulator", json!({})).status, StatusCode::OK);
    assert_eq!(
        ask(Endpoint::Forward, &chat_request("simulator", json!({}))).status,
        StatusCode::NOT_FOUND
    );
}

#[test]
fn a_huge_limit_is_no_longer_text() {
    let huge = whole(chat("simulator", json!({"max_tokens": u64::MAX, "n": 128})));
    assert!(huge["usage"]["completion_tokens"].as_u64().unwrap() < 128 * 70);
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        prop::sample::select(vec![
            "user",
            "tool",
            "object",
            "array",
            "integer",
            "#",
            "#/$defs/a",
            "json_schema"
        ])
        .prop_map(Value::from),
    ];
    let names = prop::sample::select(vec![
        "type",
        "properties",
        "required",
        "items",
        "anyOf",
        "$ref",
        "$defs",
        "a",
        "minItems",
        "minimum",
        "maxLength",
        "role",
        "content",
        "text",
        "function",
        "name",
        "parameters",
        "json_schema",
        "schema",
        "enum",
        "multipleOf",
    ]);
    leaf.prop_recursive(5, 48, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(names.clone(), inner, 0..6).prop_map(|map| {
                map.into_iter()
                    .map(|(name, value)| (name.to_owned(), value))
                    .collect()
            }),
        ]
    })
}

fn play_out(body: &[u8]) {
    for endpoint in [
        Endpoint::Chat,
        Endpoint::Completions,
        Endpoint::Embeddings,
        Endpoint::Forward,
    ] {
        steps(answer(endpoint, body, PACE, 0));
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
        play_out(&body);
    }

    #[test]
    fn no_members_make_it_panic(
        members in prop::collection::btree_map(
            prop::sample::select(vec![
                "messages", "n", "max_tokens", "stop", "stream", "stream_options", "tools", "tool_choice",
                "response_format", "prompt", "input", "dimensions", "encoding_format",
            ]),
            any_json(),
            0..5,
        ),
        stream in any::<bool>(),
    ) {
        let mut request = chat_request("simulator", json!({"stream": stream, "prompt": "x", "input": "x"}));
        for (name, value) in members {
            request[name] = value;
        }
        play_out(request.to_string().as_bytes());
    }

    #[test]
    fn every_schema_gets_valid_json(schema in any_json()) {
        let text = schema::example(&schema);
        prop_assert!(serde_json::from_str::<Value>(&text).is_ok(), "{}", text);
    }

    #[test]
    fn tokens_put_together_are_the_text(text in "\\PC{0,40}|[ a-c,\n]{0,40}") {
        let mut reply = reply::Reply::document(text.as_str().into(), u64::MAX, shape::Finish::Stop);
        prop_assert_eq!(reply.left(), tokens(&text));
        prop_assert_eq!(reply.rest(), text);
    }
}
