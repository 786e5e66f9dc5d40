//! Tools that are called, and answers that are JSON.

use super::*;

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
