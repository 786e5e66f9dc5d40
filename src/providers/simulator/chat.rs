//! `/v1/chat/completions`: what is asked, and what it gets.

use super::{
    Ask,
    fields::Fields,
    hash::{Hash, mix},
    message::Call,
    refusal::Refusal,
    reply::Reply,
    shape::Finish,
    speech::{Speech, Voice},
    text, tools,
};
use serde_json::Value;
use std::sync::Arc;

/// What a message costs beside its text: its role and its two borders.
pub const MESSAGE_TOKENS: u64 = 3;

const CHOICES_MAX: u64 = 128; // OpenAI's own bound on `n`

/// The answer to a chat request.
pub(super) fn answer(ask: &Ask<'_>) -> Result<Speech, Refusal> {
    let prompt = Prompt::read(ask.fields)?;
    let choices = ask.fields.count("n", 1..=CHOICES_MAX)?.unwrap_or(1);
    let max = max_tokens(ask.fields)?;
    let stops = ask.fields.stops()?;
    let tool = tools::chosen(ask.fields, &prompt)?;
    let document = response_document(ask.fields, prompt.hash)?;

    let each = |index: u64| match (&tool, &document) {
        (Some(call), _) => Reply::document(Arc::clone(&call.arguments), max, Finish::ToolCalls),
        (None, Some(json)) => {
            Reply::document(Arc::clone(json), max, Finish::Stop).stopped_at(&stops)
        }
        (None, None) => Reply::text(mix(prompt.hash ^ index), ask.manner.natural_tokens(), max)
            .stopped_at(&stops),
    };
    let replies = (0..choices).map(each).collect();
    let voice = tool.map_or(Voice::Chat, |tool| {
        Voice::Tool(Call {
            name: tool.name,
            hash: ask.hash,
        })
    });
    Ok(Speech::new(ask, voice, replies, prompt.tokens))
}

/// What of the messages matters to the answer.
pub(super) struct Prompt<'a> {
    tokens: u64,
    hash: u64,
    /// The texts of the last message from the user.
    pub(super) last_user: Vec<&'a str>,
    /// Whether the conversation ends with what a tool returned.
    pub(super) after_tool: bool,
}

impl<'a> Prompt<'a> {
    fn read(fields: Fields<'a>) -> Result<Self, Refusal> {
        let messages = fields.list("messages")?;
        if messages.is_empty() {
            return Err(Refusal::param(
                "messages",
                "'messages' must hold at least one message.",
            ));
        }
        let mut prompt = Self {
            tokens: 0,
            hash: 0,
            last_user: Vec::new(),
            after_tool: false,
        };
        let mut hash = Hash::new();
        for (index, message) in messages.iter().enumerate() {
            let wrong = || {
                let param = format!("messages[{index}]");
                let message = format!("'{param}' must have a role and a text, or a list of parts.");
                Refusal::param(param, message)
            };
            prompt.add(message, &mut hash).ok_or_else(wrong)?;
        }
        prompt.hash = hash.finish();
        Ok(prompt)
    }

    fn add(&mut self, message: &'a Value, hash: &mut Hash) -> Option<()> {
        let role = message.get("role")?.as_str()?;
        let texts = texts(message.get("content"))?;
        self.tokens += MESSAGE_TOKENS;
        for text in &texts {
            self.tokens += text::tokens(text);
            hash.field(text.as_bytes());
        }
        self.after_tool = role == "tool";
        if role == "user" {
            self.last_user = texts;
        }
        Some(())
    }
}

/// The texts of a message's content; images and audio have none.
fn texts(content: Option<&Value>) -> Option<Vec<&str>> {
    match content {
        None | Some(Value::Null) => Some(Vec::new()),
        Some(Value::String(text)) => Some(vec![text]),
        Some(Value::Array(parts)) => Some(
            parts
                .iter()
                .filter_map(|part| part.get("text")?.as_str())
                .collect(),
        ),
        Some(_) => None,
    }
}

fn max_tokens(fields: Fields<'_>) -> Result<u64, Refusal> {
    let newer = fields.count("max_completion_tokens", 1..=u64::MAX)?;
    let older = fields.count("max_tokens", 1..=u64::MAX)?;
    Ok(newer.or(older).unwrap_or(u64::MAX))
}

/// The JSON that `response_format` asks for, if it does.
fn response_document(fields: Fields<'_>, hash: u64) -> Result<Option<Arc<str>>, Refusal> {
    let Some(format) = fields.get("response_format") else {
        return Ok(None);
    };
    let wrong = |what: &str| {
        Err(Refusal::param(
            "response_format",
            format!("'response_format' {what}."),
        ))
    };
    match format.get("type").and_then(Value::as_str) {
        Some("text") => Ok(None),
        Some("json_object") => {
            let litres = mix(hash) % 1_000;
            let json = format!(r#"{{"river":"Weir","litres_per_second":{litres}}}"#);
            Ok(Some(json.into()))
        }
        Some("json_schema") => match format.pointer("/json_schema/schema") {
            Some(schema) => Ok(Some(super::schema::example(schema).into())),
            None => wrong("must have a json_schema with a schema"),
        },
        _ => wrong("must have the type text, json_object or json_schema"),
    }
}
