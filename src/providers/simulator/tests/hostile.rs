//! Nothing that is sent makes it panic.

use super::*;
use proptest::prelude::*;

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
