//! Reads the members of a request, each refused by its name when it is wrong. `null` is the same as absent.

use super::refusal::Refusal;
use serde_json::{Map, Value};
use std::ops::RangeInclusive;

const MODEL_MAX_BYTES: usize = 256; // it is repeated in every event
const STOPS_MAX: usize = 4; // OpenAI's own bound

/// The members of one JSON object.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a>(pub(super) &'a Map<String, Value>);

impl<'a> Fields<'a> {
    /// A member that is there.
    pub(super) fn get(self, name: &str) -> Option<&'a Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    /// The name of the model.
    pub(super) fn model(self) -> Result<&'a str, Refusal> {
        let model = self.get("model").and_then(Value::as_str);
        model
            .filter(|name| (1..=MODEL_MAX_BYTES).contains(&name.len()))
            .ok_or_else(|| Refusal::param("model", "You must provide a model parameter."))
    }

    /// A switch; off when absent.
    pub(super) fn flag(self, name: &str) -> Result<bool, Refusal> {
        let wrong = || Refusal::param(name, format!("'{name}' must be true or false."));
        self.get(name)
            .map_or(Ok(false), |value| value.as_bool().ok_or_else(wrong))
    }

    /// A whole number within `range`.
    pub(super) fn count(
        self,
        name: &str,
        range: RangeInclusive<u64>,
    ) -> Result<Option<u64>, Refusal> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        let count = value.as_u64().filter(|count| range.contains(count));
        let wrong = || match (range.start(), range.end()) {
            (low, &u64::MAX) => format!("'{name}' must be an integer of at least {low}."),
            (low, high) => format!("'{name}' must be an integer from {low} to {high}."),
        };
        count.map(Some).ok_or_else(|| Refusal::param(name, wrong()))
    }

    /// A list; empty when absent.
    pub(super) fn list(self, name: &str) -> Result<&'a [Value], Refusal> {
        let wrong = || Refusal::param(name, format!("'{name}' must be an array."));
        let list = self
            .get(name)
            .map(|value| value.as_array().ok_or_else(wrong))
            .transpose()?;
        Ok(list.map_or(&[], Vec::as_slice))
    }

    /// The texts that end an answer: one, or a list of up to four.
    pub(super) fn stops(self) -> Result<Vec<&'a str>, Refusal> {
        let stops = match self.get("stop") {
            None => Some(Vec::new()),
            Some(Value::String(stop)) => Some(vec![stop.as_str()]),
            Some(Value::Array(stops)) if stops.len() <= STOPS_MAX => {
                stops.iter().map(Value::as_str).collect()
            }
            Some(_) => None,
        };
        let mut stops = stops.ok_or_else(|| {
            Refusal::param(
                "stop",
                "'stop' must be a string or an array of up to 4 strings.",
            )
        })?;
        stops.retain(|stop| !stop.is_empty());
        Ok(stops)
    }

    /// Whether the client asked for a stream, and for usage at its end.
    pub(super) fn stream(self) -> Result<(bool, bool), Refusal> {
        let options = self.get("stream_options").and_then(Value::as_object);
        let usage = options.map_or(Ok(false), |options| Fields(options).flag("include_usage"))?;
        Ok((self.flag("stream")?, usage))
    }
}
