//! What is refused, and how.

use super::*;

fn error_of(answer: Answer) -> (u16, Value) {
    (answer.status.as_u16(), whole(answer)["error"].take())
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
