//! What a request's prompt costs, by the rules of its endpoint.
//!
//! Chat follows OpenAI's cookbook: three tokens around each message, one for a name, three that begin the answer.
//! What no rule covers is estimated and makes the sum an estimate: the call of a tool, audio, a file, a schema, and all
//! that a response is asked for.

mod response;

use super::{
    Count, Model, Why,
    estimate::estimate,
    image::{self, Detail},
    json::Value,
    sound::{PACKED_BYTES_PER_SECOND, RAW_BYTES_PER_SECOND},
    tools,
};
use crate::domain::Endpoint;

/// Tokens around each message.
const MESSAGE: u64 = 3;
/// Tokens that a message's name adds to its own.
const NAME: u64 = 1;
/// Tokens that begin the answer.
const ANSWER: u64 = 3;
/// Tokens around the call of a tool, by observation.
const TOOL_CALL: u64 = 3;

/// Counts the prompt in the body of a request to `endpoint`.
pub(super) fn count(model: &Model, endpoint: Endpoint, body: &[u8]) -> Count {
    let reader = Reader { model };
    let Some(request) = Value::parse(body).filter(|request| request.is_object()) else {
        return unread(body);
    };
    match endpoint {
        Endpoint::Chat => reader.chat(request),
        Endpoint::Completions => reader.completion(request),
        Endpoint::Embeddings => match request.get("input") {
            Some(input) => reader.input(input),
            None => unread(body),
        },
        Endpoint::Responses => reader.response(request),
        _ => unread(body),
    }
}

/// An estimate from the bytes alone.
pub(super) fn unread(body: &[u8]) -> Count {
    Count::estimated(body.len() as u64 / 4, Why::Unreadable)
}

/// Applies one model's rules.
pub(super) struct Reader<'a> {
    pub(super) model: &'a Model,
}

impl Reader<'_> {
    /// Counts a text of the prompt.
    pub(super) fn count(&self, text: &str) -> Count {
        self.model.cutter.count(text)
    }

    /// Counts what no rule covers by how it is written.
    pub(super) fn guess(&self, value: Value<'_>) -> Count {
        let text = value.text();
        let count = self.count(text.as_deref().unwrap_or(value.raw()));
        Count::estimated(count.tokens, count.estimated.unwrap_or(Why::Undocumented))
    }

    /// Counts a string; anything else is no text, and a guess.
    fn string(&self, value: Value<'_>) -> Count {
        match value.text() {
            Some(text) => self.count(&text),
            None if value.is_null() => Count::default(),
            None => Count::estimated(estimate(value.raw()), Why::Unreadable),
        }
    }

    fn chat(&self, request: Value<'_>) -> Count {
        let mut count = Count::exact(ANSWER);
        if !self.model.chat_documented {
            count.estimated = Some(Why::Undocumented);
        }
        request.members(|name, value| match name {
            "messages" => value.each(|message| count += self.message(message)),
            "tools" | "functions" => count += tools::count(self, value),
            // The schema is written into the prompt in a way of which nothing is published.
            "response_format" => {
                if let Some(schema) = value.get("json_schema") {
                    count += self.guess(schema);
                }
            }
            _ => {}
        });
        count
    }

    fn message(&self, message: Value<'_>) -> Count {
        let mut count = Count::exact(MESSAGE);
        message.members(|name, value| match name {
            "role" | "refusal" => count += self.string(value),
            "name" => {
                count += self.string(value);
                count += Count::exact(NAME);
            }
            "content" if value.is_array() => value.each(|part| count += self.part(part)),
            "content" => count += self.string(value),
            "tool_calls" => value.each(|call| count += self.tool_call(call)),
            "function_call" if value.is_object() => count += self.tool_call(value),
            _ => {}
        });
        count
    }

    fn tool_call(&self, call: Value<'_>) -> Count {
        let call = call.get("function").or(call.get("custom")).unwrap_or(call);
        let mut count = Count::estimated(TOOL_CALL, Why::Undocumented);
        call.members(|name, value| {
            if let "name" | "arguments" | "input" = name {
                count += self.string(value);
            }
        });
        count
    }

    /// A part of a message's content.
    fn part(&self, part: Value<'_>) -> Count {
        let kind = part.get("type").and_then(Value::text);
        let kind = kind.as_deref().unwrap_or_default();
        match (kind, part.get(kind)) {
            ("text" | "refusal", Some(text)) => self.string(text),
            ("image_url", Some(image)) => self.image(image, "url"),
            ("input_audio", Some(audio)) => recording(audio),
            _ => file(part),
        }
    }

    /// An image, the place of which stands in its member of the name `url`.
    fn image(&self, image: Value<'_>, url: &str) -> Count {
        let text = |name| image.get(name).and_then(Value::text);
        let detail = match text("detail").as_deref() {
            Some("low") => Detail::Low,
            Some("high") => Detail::High,
            _ => Detail::Auto,
        };
        image::count(
            self.model.images,
            text(url).as_deref().unwrap_or_default(),
            detail,
        )
    }

    fn completion(&self, request: Value<'_>) -> Count {
        let mut count = Count::default();
        request.members(|name, value| match name {
            "prompt" => count += self.input(value),
            "suffix" if !value.is_null() => count += self.guess(value),
            _ => {}
        });
        count
    }

    /// A text, several, a list of tokens, or several of these.
    fn input(&self, input: Value<'_>) -> Count {
        if !input.is_array() {
            return self.framed(input);
        }
        let mut count = Count::default();
        input.each(|element| {
            if element.is_number() {
                count.tokens += 1;
            } else if element.is_array() {
                element.each(|token| {
                    count += match token.is_number() {
                        true => Count::exact(1),
                        false => Count::estimated(1, Why::Unreadable),
                    };
                });
            } else {
                count += self.framed(element);
            }
        });
        count
    }

    /// A text that is a prompt by itself.
    fn framed(&self, text: Value<'_>) -> Count {
        let mut count = self.string(text);
        if text.is_string() {
            count.tokens += self.model.cutter.framing();
        }
        count
    }
}

/// A file, which is read as the text that is in it.
fn file(part: Value<'_>) -> Count {
    Count::estimated(part.raw().len() as u64 / 20, Why::Undocumented)
}

/// Audio: ten tokens a second, of which the length is known only from the bytes.
fn recording(audio: Value<'_>) -> Count {
    const TOKENS_PER_SECOND: u64 = 10;
    let raw = |name| audio.get(name).map_or("", Value::raw);
    let bytes_per_second = match raw("format") {
        "\"wav\"" => RAW_BYTES_PER_SECOND,
        _ => PACKED_BYTES_PER_SECOND,
    };
    let bytes = raw("data").len() as u64 / 4 * 3;
    let tokens = (bytes * TOKENS_PER_SECOND).div_ceil(bytes_per_second);
    Count::estimated(tokens, Why::Undocumented)
}
