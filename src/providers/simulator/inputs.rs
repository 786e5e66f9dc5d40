//! Reads a `prompt` or an `input`: one or many, each a text or a list of token ids.

use super::{
    hash::{Hash, hash},
    refusal::Refusal,
    text,
};
use serde_json::Value;

const INPUTS_MAX: usize = 2_048; // OpenAI's own bound

/// One prompt or input.
pub(super) struct Input {
    pub(super) tokens: u64,
    pub(super) hash: u64,
}

impl Input {
    /// A text.
    pub(super) fn text(text: &str) -> Self {
        Self {
            tokens: text::tokens(text),
            hash: hash(text.as_bytes()),
        }
    }

    /// Token ids, each of which counts as one token.
    fn ids(ids: &[Value]) -> Option<Self> {
        let mut hash = Hash::new();
        for id in ids {
            hash.field(&id.as_u64()?.to_le_bytes());
        }
        Some(Self {
            tokens: ids.len() as u64,
            hash: hash.finish(),
        })
    }

    fn read(value: &Value) -> Option<Self> {
        match value {
            Value::String(text) => Some(Self::text(text)),
            Value::Array(ids) if !ids.is_empty() => Self::ids(ids),
            _ => None,
        }
    }
}

/// Reads the member `param`.
pub(super) fn read(value: &Value, param: &str) -> Result<Vec<Input>, Refusal> {
    let inputs = match value {
        Value::Array(list) if list.first().is_some_and(Value::is_number) => {
            Input::ids(list).map(|ids| vec![ids])
        }
        Value::Array(list) if (1..=INPUTS_MAX).contains(&list.len()) => {
            list.iter().map(Input::read).collect()
        }
        Value::Array(_) => None,
        one => Input::read(one).map(|input| vec![input]),
    };
    inputs.ok_or_else(|| {
        let what = format!("a string, up to {INPUTS_MAX} strings, or token ids");
        Refusal::param(param, format!("'{param}' must be {what}."))
    })
}
