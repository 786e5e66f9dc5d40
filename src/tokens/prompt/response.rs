//! The prompt of a response. Nothing is published of what stands around its texts: it is taken to be what it is in a
//! chat, and the sum is an estimate. What is stored upstream (an earlier response, a conversation) is not in it.

use super::{ANSWER, MESSAGE, Reader, file, recording};
use crate::tokens::{Count, Why, json::Value, tools};

/// Tokens of a role.
const ROLE: u64 = 1;
/// Letters of what is encrypted, in base64, for a token of it.
const ENCRYPTED_BYTES: u64 = 6;

impl Reader<'_> {
    pub(super) fn response(&self, request: Value<'_>) -> Count {
        let mut count = Count::estimated(ANSWER, Why::Undocumented);
        request.members(|name, value| match name {
            "instructions" | "input" => count += self.items(value),
            "tools" => count += tools::count(self, value),
            "text" => {
                let format = value.get("format");
                if let Some(schema) = format.and_then(|format| format.get("schema")) {
                    count += self.guess(schema);
                }
            }
            "prompt" => {
                if let Some(variables) = value.get("variables") {
                    count += self.guess(variables);
                }
            }
            _ => {}
        });
        count
    }

    /// A text, which is a message, or a list of items.
    fn items(&self, value: Value<'_>) -> Count {
        if value.is_null() {
            return Count::default();
        }
        let mut count = Count::default();
        if value.is_array() {
            value.each(|item| count += self.item(item));
        } else {
            count += Count::exact(MESSAGE + ROLE);
            count += self.string(value);
        }
        count
    }

    /// A message, the call of a tool, what came of one, a thought.
    fn item(&self, item: Value<'_>) -> Count {
        let mut count = Count::exact(MESSAGE);
        item.members(|name, value| match name {
            "role" | "name" | "arguments" | "input" | "code" => count += self.string(value),
            "content" | "output" | "summary" => count += self.content(value),
            "action" | "operation" | "results" if !value.is_null() => count += self.guess(value),
            "encrypted_content" => {
                let tokens = value.raw().len() as u64 / ENCRYPTED_BYTES;
                count += Count::estimated(tokens, Why::Undocumented);
            }
            _ => {}
        });
        count
    }

    /// A text, a part, or a list of parts.
    fn content(&self, value: Value<'_>) -> Count {
        if value.is_object() {
            return self.item_part(value);
        }
        if !value.is_array() {
            return self.string(value);
        }
        let mut count = Count::default();
        value.each(|part| count += self.item_part(part));
        count
    }

    fn item_part(&self, part: Value<'_>) -> Count {
        let kind = part.get("type").and_then(Value::text);
        let is_image = matches!(kind.as_deref(), Some("input_image" | "computer_screenshot"));
        let text = part.get("text").or(part.get("refusal"));
        match (text, part.get("input_audio"), kind) {
            _ if is_image => self.image(part, "image_url"),
            (Some(text), ..) => self.string(text),
            (_, Some(audio), _) => recording(audio),
            (.., Some(_)) => file(part),
            // What a shell has printed has no type.
            (.., None) => self.guess(part),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::Endpoint,
        tokens::{Model, prompt},
    };
    use serde_json::json;

    fn count(body: serde_json::Value) -> u64 {
        let model = Model::named("gpt-4o");
        let body = body.to_string();
        let count = prompt::count(&model, Endpoint::Responses, body.as_bytes());
        assert_eq!(count.estimated, Some(Why::Undocumented), "{body}");
        count.tokens
    }

    fn words(text: &str) -> u64 {
        Model::named("gpt-4o").cutter.count(text).tokens
    }

    #[test]
    fn a_text_is_a_message_of_a_user() {
        let hello = words("Hello, world");
        let text = count(json!({"model": "m", "input": "Hello, world"}));
        assert_eq!(text, ANSWER + MESSAGE + ROLE + hello);
        for message in [
            json!({"role": "user", "content": "Hello, world"}),
            json!({"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello, world"}]}),
        ] {
            assert_eq!(count(json!({"input": [message]})), text);
        }
        let both = count(json!({"instructions": "Be brief.", "input": "Hello, world"}));
        assert_eq!(both, text + MESSAGE + ROLE + words("Be brief."));
        assert_eq!(count(json!({"instructions": null, "input": []})), ANSWER);
    }

    #[test]
    fn the_texts_of_every_item_count() {
        let arguments = "{\"city\":\"Ulm\"}";
        for (item, texts) in [
            (
                json!({"type": "function_call", "call_id": "c", "name": "weather", "arguments": arguments}),
                vec!["weather", arguments],
            ),
            (
                json!({"type": "function_call_output", "call_id": "c", "output": "rain, and more of it"}),
                vec!["rain, and more of it"],
            ),
            (
                json!({"type": "custom_tool_call_output", "output": [{"type": "input_text", "text": "rain"}]}),
                vec!["rain"],
            ),
            (
                json!({"type": "reasoning", "summary": [{"type": "summary_text", "text": "It rains"}]}),
                vec!["It rains"],
            ),
            (
                json!({"type": "message", "role": "assistant", "content": [{"type": "refusal", "refusal": "No, thanks"}]}),
                vec!["assistant", "No, thanks"],
            ),
            (json!({"type": "item_reference", "id": "msg_1"}), vec![]),
        ] {
            let texts: u64 = texts.into_iter().map(words).sum();
            let expected = ANSWER + MESSAGE + texts;
            assert_eq!(count(json!({"input": [item]})), expected, "{item}");
        }
    }

    #[test]
    fn images_and_files_are_no_text() {
        let part = |part| count(json!({"input": [{"role": "user", "content": [part]}]}));
        let data = "A".repeat(100_000);
        let low = json!({"type": "input_image", "detail": "low", "image_url": format!("data:image/png;base64,{data}")});
        assert_eq!(part(low), ANSWER + MESSAGE + ROLE + 85);
        assert!(part(json!({"type": "input_image", "file_id": "file-1"})) > 85);
        let file = json!({"type": "input_file", "file_data": data});
        assert!((5000..5100).contains(&part(file)));
        let sound = json!({"type": "input_audio", "input_audio": {"data": data, "format": "mp3"}});
        assert!((40..60).contains(&part(sound)));
        let thought = json!({"type": "reasoning", "encrypted_content": data, "summary": []});
        assert!(count(json!({"input": [thought]})) < 20_000);
    }

    #[test]
    fn tools_and_schemas_are_part_of_it() {
        let bare = count(json!({"input": "x"}));
        let tool = json!({"type": "function", "name": "weather", "description": "Tells it.", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}});
        assert!(count(json!({"input": "x", "tools": [tool]})) > bare + 15);
        assert!(count(json!({"input": "x", "tools": [{"type": "web_search"}]})) > bare);
        let format = json!({"format": {"type": "json_schema", "name": "n", "schema": {"type": "object", "properties": {}}}});
        assert!(count(json!({"input": "x", "text": format})) > bare + 5);
        let prompt = json!({"id": "pmpt_1", "variables": {"city": "Ulm"}});
        assert!(count(json!({"input": "x", "prompt": prompt})) > bare);
    }

    #[test]
    fn a_body_that_is_no_such_request_is_still_something() {
        for body in ["{", "[]", "7"] {
            let model = Model::named("gpt-4o");
            let body = body.repeat(40);
            let count = prompt::count(&model, Endpoint::Responses, body.as_bytes());
            assert_eq!(count.estimated, Some(Why::Unreadable));
            assert!(count.tokens > 0);
        }
    }
}
