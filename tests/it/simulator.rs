//! The simulator through Weir: every fault that users rehearse behaves as its name says.

use crate::support::{Conn, Gateway, Response, chat, chat_stream, error_event, error_of};
use serde_json::{Value, json};

async fn gateway() -> Gateway {
    Gateway::setup()
        .config("[simulator]\nwords_per_second = 5000\n[timeouts]\nidle = \"200ms\"")
        .start()
        .await
}

/// The data of every event, `[DONE]` among them.
fn events(response: &Response) -> Vec<String> {
    let text = response.text();
    text.split("\n\n")
        .filter_map(|event| event.strip_prefix("data: ").map(str::to_owned))
        .collect()
}

fn text_of(response: &Response) -> String {
    let piece = |data: &String| {
        let chunk: Value = serde_json::from_str(data).ok()?;
        chunk["choices"][0]["delta"]["content"]
            .as_str()
            .map(str::to_owned)
    };
    events(response).iter().filter_map(piece).collect()
}

#[tokio::test]
async fn a_stream_and_a_whole_answer_are_proper_and_the_same_every_time() {
    let gateway = gateway().await;
    for model in ["simulator", "simulator/fast"] {
        let (one, two) = (
            gateway.chat(chat_stream(model)).await,
            gateway.chat(chat_stream(model)).await,
        );
        assert_eq!(events(&one).last().unwrap(), "[DONE]");
        assert!(!text_of(&one).is_empty());
        assert_eq!(text_of(&one), text_of(&two));
        let whole = gateway.chat(chat(model)).await.json();
        assert_eq!(whole["object"], "chat.completion");
        let usage = &whole["usage"];
        let sum =
            usage["prompt_tokens"].as_u64().unwrap() + usage["completion_tokens"].as_u64().unwrap();
        assert_eq!(usage["total_tokens"].as_u64(), Some(sum));
    }
}

#[tokio::test]
async fn usage_comes_at_the_end_of_a_stream_if_asked_for() {
    let gateway = gateway().await;
    let plain = gateway.chat(chat_stream("simulator/fast")).await;
    assert!(!plain.text().contains("usage"), "{}", plain.text());
    let mut request = chat_stream("simulator/fast");
    request["stream_options"] = json!({"include_usage": true});
    let asked = events(&gateway.chat(&request).await);
    let last: Value = serde_json::from_str(&asked[asked.len() - 2]).unwrap();
    assert_eq!(last["choices"], json!([]));
    assert!(last["usage"]["completion_tokens"].as_u64() > Some(0));
    request["model"] = "simulator/no-usage".into();
    let never = gateway.chat(&request).await;
    assert!(
        !never.text().contains("completion_tokens"),
        "{}",
        never.text()
    );
}

#[tokio::test]
async fn faults_in_a_stream_end_in_an_error_event() {
    let gateway = gateway().await;
    for model in [
        "simulator/die-midstream",
        "simulator/stall",
        "simulator/no-done",
    ] {
        let response = gateway.chat(chat_stream(model)).await;
        assert_eq!(response.status(), 200);
        assert!(!text_of(&response).is_empty(), "{model}");
        assert_eq!(
            error_event(&response.body)["code"],
            "upstream_interrupted",
            "{model}"
        );
        assert!(
            response.is_whole && !response.text().contains("[DONE]"),
            "{model}"
        );
    }
    let own = gateway.chat(chat_stream("simulator/error-event")).await;
    assert_ne!(error_event(&own.body)["code"], "upstream_interrupted");
}

#[tokio::test]
async fn faults_in_a_whole_answer_break_it_off() {
    let gateway = gateway().await;
    for model in ["simulator/die-midstream", "simulator/stall"] {
        let mut conn = Conn::open(gateway.data).await;
        conn.post(
            "/v1/chat/completions",
            &gateway.key,
            chat(model).to_string(),
        )
        .await;
        // What broke off at once may have no head either.
        if let Some(head) = conn.try_head().await {
            assert!(!conn.body(&head).await.1, "{model}");
        }
    }
}

#[tokio::test]
async fn refusals_have_their_status() {
    let gateway = gateway().await;
    for status in [429, 500, 503] {
        for request in [
            chat(&format!("simulator/{status}")),
            chat_stream(&format!("simulator/{status}")),
        ] {
            let response = gateway.chat(request).await;
            assert_eq!(response.status(), status);
            assert_eq!(response.header("x-weir-origin"), Some("upstream"));
            error_of(&response.body);
        }
    }
    assert_eq!(
        gateway
            .chat(chat("simulator/429"))
            .await
            .header("retry-after"),
        Some("1")
    );
    gateway
        .chat(chat("simulator/401"))
        .await
        .refused(502, "upstream_auth");
    assert_eq!(gateway.chat(chat("simulator/418")).await.status(), 404);
}

#[tokio::test]
async fn slow_models_are_slow_and_long_ones_long() {
    let gateway = Gateway::setup()
        .server("heartbeat = \"500ms\"")
        .start()
        .await;
    let begun = std::time::Instant::now();
    let mut request = chat_stream("simulator/slow");
    request["max_tokens"] = 2.into();
    gateway.chat(&request).await;
    assert!(begun.elapsed() >= std::time::Duration::from_millis(900));
    request["model"] = "simulator/slow-start".into();
    let late = gateway.chat(&request).await;
    assert!(
        late.text().starts_with(": ping\n: ping\n"),
        "{}",
        late.text()
    );
    assert_eq!(events(&late).last().unwrap(), "[DONE]");
    let config = Gateway::setup()
        .config("[simulator]\nwords_per_second = 100000")
        .start()
        .await;
    assert!(text_of(&config.chat(chat_stream("simulator/long")).await).len() > 4000);
}

#[tokio::test]
async fn tools_formats_choices_and_embeddings_are_served() {
    let gateway = gateway().await;
    let mut tools = chat("simulator/fast");
    tools["tools"] = json!([{"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}}]);
    tools["tool_choice"] = "required".into();
    let choice = gateway.chat(&tools).await.json()["choices"][0].clone();
    assert_eq!(choice["finish_reason"], "tool_calls", "{choice}");
    let call = &choice["message"]["tool_calls"][0]["function"];
    assert_eq!(call["name"], "weather");
    let arguments: Value = serde_json::from_str(call["arguments"].as_str().unwrap()).unwrap();
    assert!(arguments["city"].is_string());

    let mut format = chat("simulator/fast");
    format["response_format"] = json!({"type": "json_object"});
    format["n"] = 2.into();
    let answer = gateway.chat(&format).await.json();
    assert_eq!(answer["choices"].as_array().map(Vec::len), Some(2));
    let content = answer["choices"][1]["message"]["content"].as_str().unwrap();
    assert!(serde_json::from_str::<Value>(content).unwrap().is_object());

    let embed = json!({"model": "simulator/fast", "input": ["a", "b"]});
    let vectors = gateway.post("/v1/embeddings", embed).await.json();
    let sizes: Vec<usize> = vectors["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v["embedding"].as_array().unwrap().len())
        .collect();
    assert!(sizes.len() == 2 && sizes[0] == sizes[1] && sizes[0] > 0);
    let prompt = json!({"model": "simulator/fast", "prompt": "Once"});
    assert_eq!(
        gateway.post("/v1/completions", prompt).await.json()["object"],
        "text_completion"
    );
}
