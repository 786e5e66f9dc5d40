//! Answers of the Responses API.

use super::{
    heard::{texts, wherever_it_is_cut},
    read_events,
};
use crate::wire::answer::DocumentReader;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// An event of this type.
fn event(kind: &str, members: Value) -> Value {
    let mut event = json!({"type": kind, "sequence_number": 1});
    let members = members.as_object().unwrap().clone();
    event.as_object_mut().unwrap().extend(members);
    event
}

/// The events of an answer that thinks, speaks, refuses and calls tools, as OpenAI sends them.
fn events() -> Vec<Value> {
    let call = |arguments: &str| json!({"type": "function_call", "id": "fc", "call_id": "c", "name": "get_weather", "arguments": arguments});
    let message = json!({"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Grüße again"}]});
    let delta = |kind: &str, item: u32, part: (&str, u32), delta: &str| {
        let members = json!({"item_id": "i", "output_index": item, part.0: part.1, "delta": delta, "logprobs": [{"token": "no"}]});
        event(&format!("response.{kind}.delta"), members)
    };
    let bare = |kind: &str, item: u32, delta: &str| {
        let members = json!({"item_id": "i", "output_index": item, "delta": delta});
        event(&format!("response.{kind}.delta"), members)
    };
    vec![
        event(
            "response.created",
            json!({"response": {"model": "m", "output": [], "usage": null}}),
        ),
        event(
            "response.output_item.added",
            json!({"output_index": 0, "item": {"type": "reasoning", "summary": [], "content": []}}),
        ),
        delta("reasoning_summary_text", 0, ("summary_index", 0), "I th"),
        delta("reasoning_summary_text", 0, ("summary_index", 0), "ink\n"),
        delta("reasoning_summary_text", 0, ("summary_index", 1), "twice"),
        event(
            "response.reasoning_summary_text.done",
            json!({"output_index": 0, "summary_index": 0, "text": "I think\n"}),
        ),
        event(
            "response.output_item.added",
            json!({"output_index": 1, "item": {"type": "message", "content": []}}),
        ),
        delta("output_text", 1, ("content_index", 0), "Grü\"\u{1d11e}"),
        delta("output_text", 1, ("content_index", 0), "ße"),
        delta("refusal", 1, ("content_index", 1), "No"),
        event(
            "response.output_text.done",
            json!({"output_index": 1, "content_index": 0, "text": "Grüße"}),
        ),
        event(
            "response.output_item.done",
            json!({"output_index": 1, "item": message}),
        ),
        event(
            "response.output_item.added",
            json!({"output_index": 2, "item": call("")}),
        ),
        bare("function_call_arguments", 2, "{\"city\":"),
        bare("function_call_arguments", 2, "\"Ulm\"}"),
        event(
            "response.function_call_arguments.done",
            json!({"output_index": 2, "name": "get_weather", "arguments": "{\"city\":\"Ulm\"}"}),
        ),
        event(
            "response.output_item.done",
            json!({"output_index": 2, "item": call("{\"city\":\"Ulm\"}")}),
        ),
        event(
            "response.output_item.added",
            json!({"output_index": 3, "item": {"type": "custom_tool_call", "name": "sh", "input": ""}}),
        ),
        bare("custom_tool_call_input", 3, "ls"),
        event(
            "response.shell_call_output_content.delta",
            json!({"output_index": 4, "command_index": 0, "delta": {"stdout": "not the model's"}}),
        ),
        event(
            "response.completed",
            json!({"response": {"model": "m", "output": [message], "usage": {"input_tokens": 3, "output_tokens": 9}}}),
        ),
    ]
}

fn expected() -> BTreeMap<String, String> {
    let number = |item: u32, part: u32| item << 8 | part;
    [
        (number(0, 0), "Reasoning", "I think\n"),
        (number(0, 1), "Reasoning", "twice"),
        (number(1, 0), "Content", "Grü\"\u{1d11e}ße"),
        (number(1, 1), "Refusal", "No"),
        (number(2, 0), "ToolName(0)", "get_weather"),
        (number(2, 0), "ToolArguments(0)", "{\"city\":\"Ulm\"}"),
        (number(3, 0), "ToolName(0)", "sh"),
        (number(3, 0), "ToolArguments(0)", "ls"),
    ]
    .map(|(number, part, text)| (format!("{number} {part}"), text.to_owned()))
    .into()
}

/// A stream of these events, the members of each in the order that `sort` gives them.
fn stream(events: &[Value], sort: impl Fn(&mut Vec<(&String, &Value)>)) -> String {
    let line = |event: &Value| {
        let mut members: Vec<_> = event.as_object().unwrap().iter().collect();
        sort(&mut members);
        let members = members.into_iter();
        let members = members.map(|(name, value)| format!("{}:{value}", json!(name)));
        let data = members.collect::<Vec<_>>().join(",");
        format!(
            "event: {}\ndata: {{{data}}}\n\n",
            event["type"].as_str().unwrap()
        )
    };
    events.iter().map(line).collect()
}

/// With the type first, as OpenAI writes it.
fn type_first(members: &mut Vec<(&String, &Value)>) {
    members.sort_by_key(|(name, _)| (*name != "type", *name == "delta", name.to_string()));
}

/// With the type last and the names before it from A to Z, as others do.
fn type_last(members: &mut Vec<(&String, &Value)>) {
    members.sort_by_key(|(name, _)| (*name == "type", name.to_string()));
}

#[test]
fn the_texts_of_events_are_heard_once_wherever_they_are_cut() {
    let stream = stream(&events(), type_first);
    let stream = stream.as_bytes();
    assert_eq!(texts(&[stream]), expected());
    wherever_it_is_cut(stream, texts, &expected());
}

proptest! {
    #[test]
    fn members_may_come_in_any_order_and_in_any_pieces(
        order in any::<[u8; 8]>(),
        size in 1..200_usize,
    ) {
        let stream = stream(&events(), |members| {
            members.sort_by_key(|(name, _)| {
                let sum: usize = name.bytes().map(usize::from).sum();
                (order[sum % order.len()], name.to_string())
            });
        });
        let pieces: Vec<&[u8]> = stream.as_bytes().chunks(size).collect();
        prop_assert_eq!(texts(&pieces), expected());
    }
}

#[test]
fn only_what_is_new_counts_as_a_piece() {
    let events = events();
    for sort in [type_first, type_last] {
        let mut reader = crate::wire::answer::EventReader::default();
        reader.listen();
        let mut content = Vec::new();
        let hear = &mut |_, _, _: &str| {};
        reader.feed(stream(&events, sort).as_bytes(), hear, |_, event| {
            content.push(event.content);
        });
        let begins = |event: &Value| !event["item"]["name"].is_null();
        let expected = events.iter().map(|event| {
            let kind = event["type"].as_str().unwrap();
            kind.ends_with(".delta") || kind.ends_with("item.added") && begins(event)
        });
        assert_eq!(content, expected.collect::<Vec<_>>());
        assert!(reader.seen().ended && !reader.seen().unreadable);
        assert_eq!(reader.seen().usage.unwrap().output, Some(9));
    }
}

#[test]
fn what_a_late_type_leaves_open_is_bounded() {
    let long = "x".repeat(9000);
    let item = json!({"type": "function_call", "name": "f", "arguments": long});
    let members = json!({"output_index": 1, "content_index": 0, "delta": long});
    let events = [
        event("response.reasoning_text.delta", members),
        event(
            "response.output_item.done",
            json!({"output_index": 2, "item": item}),
        ),
    ];
    let stream = stream(&events, type_last);
    let expected = BTreeMap::from([("0 Content".to_owned(), long)]);
    for size in [stream.len(), 8000, 100] {
        let pieces: Vec<_> = stream.as_bytes().chunks(size).collect();
        let mut heard = texts(&pieces);
        // Its place is guessed too, if it comes behind.
        let content = heard.remove("256 Content");
        heard.extend(content.map(|text| ("0 Content".to_owned(), text)));
        assert_eq!(heard, expected, "in pieces of {size}");
    }
}

#[test]
fn the_texts_of_a_whole_response_are_heard() {
    let response = json!({
        "object": "response", "model": "m", "error": null, "instructions": "not the model's",
        "output": [
            "THOUGHT",
            {"type": "message", "content": [
                {"type": "output_text", "text": "one", "annotations": [{"title": "no", "text": "no"}]},
                {"type": "output_text", "text": "two"}, {"type": "refusal", "refusal": "no"}]},
            {"type": "function_call", "name": "f", "arguments": "{\"a\":1}"},
            {"type": "mcp_call", "name": "g", "arguments": "{}", "output": "not the model's"},
            {"type": "code_interpreter_call", "code": "print()", "outputs": [{"logs": "no"}]},
            {"type": "image_generation_call", "result": "AAAA"},
        ],
        "tools": [{"type": "function", "name": "not this"}],
    });
    // What an item is comes first here: only so is it known in time that these are thoughts.
    let thought = r#"{"type":"reasoning","summary":[{"type":"summary_text","text":"short"}],"content":[{"type":"reasoning_text","text":"long"}],"encrypted_content":"x"}"#;
    let response = response.to_string().replace("\"THOUGHT\"", thought);
    let read = |pieces: &[&[u8]]| {
        let mut reader = DocumentReader::default();
        reader.listen();
        let mut texts = BTreeMap::<_, String>::new();
        for piece in pieces {
            reader.feed(piece, &mut |choice, part, text| {
                let name = format!("{} {} {part:?}", choice >> 8, choice & 0xff);
                texts.entry(name).or_default().push_str(text);
            });
        }
        assert!(reader.seen().content && !reader.seen().unreadable);
        texts
    };
    let expected = [
        ("0 0 Reasoning", "short"),
        ("0 1 Reasoning", "long"),
        ("1 0 Content", "one"),
        ("1 1 Content", "two"),
        ("1 2 Refusal", "no"),
        ("2 0 ToolName(0)", "f"),
        ("2 0 ToolArguments(0)", "{\"a\":1}"),
        ("3 0 ToolName(0)", "g"),
        ("3 0 ToolArguments(0)", "{}"),
        ("4 0 ToolArguments(0)", "print()"),
    ]
    .map(|(name, text)| (name.to_owned(), text.to_owned()));
    let expected = BTreeMap::from(expected);
    wherever_it_is_cut(response.as_bytes(), read, &expected);
}

#[test]
fn sound_and_what_it_says_are_told_apart() {
    let events = [
        event("response.audio.delta", json!({"delta": "AAAA"})),
        event("response.audio.transcript.delta", json!({"delta": "hm"})),
        event("response.audio.done", json!({})),
    ];
    for sort in [type_first, type_last] {
        let other = event("of another kind", json!({"delta": "x"}));
        assert!(!read_events(&stream(&[other], sort)).0[0].content);
    }
    let (read, _) = read_events(&stream(&events, type_first));
    assert!(read[0].content && read[1].content && !read[2].content);
    let heard = texts(&[stream(&events, type_first).as_bytes()]);
    let expected = [("0 Sound", "AAAA"), ("0 Transcript", "hm")];
    let expected = expected.map(|(name, text)| (name.to_owned(), text.to_owned()));
    assert_eq!(heard, BTreeMap::from(expected));
}
