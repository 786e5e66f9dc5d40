//! How the nouns of a key are written in a column.

use super::key::{Hash, Kind};
use crate::domain::{KeyId, ModelRule, OnHangup, Terms};
use crate::store::{FromValue, Value};

impl From<KeyId> for Value {
    fn from(id: KeyId) -> Self {
        id.as_str().into()
    }
}

impl FromValue for KeyId {
    fn read(value: &Value) -> Option<Self> {
        match value {
            Value::Text(text) => Self::parse(text.as_bytes()),
            _ => None,
        }
    }
}

impl From<Kind> for Value {
    fn from(kind: Kind) -> Self {
        kind.as_str().into()
    }
}

impl FromValue for Kind {
    fn read(value: &Value) -> Option<Self> {
        let Value::Text(text) = value else {
            return None;
        };
        [Self::Api, Self::Admin]
            .into_iter()
            .find(|kind| kind.as_str() == text)
    }
}

impl From<Hash> for Value {
    fn from(hash: Hash) -> Self {
        hash.0.into()
    }
}

impl FromValue for Hash {
    fn read(value: &Value) -> Option<Self> {
        <[u8; 32]>::read(value).map(Self)
    }
}

impl From<OnHangup> for Value {
    fn from(policy: OnHangup) -> Self {
        policy.to_string().into()
    }
}

impl FromValue for OnHangup {
    fn read(value: &Value) -> Option<Self> {
        String::read(value)?.parse().ok()
    }
}

/// A JSON array of names, or null for all.
impl From<&ModelRule> for Value {
    fn from(rule: &ModelRule) -> Self {
        match rule {
            ModelRule::All => Self::Null,
            ModelRule::Only(names) => {
                serde_json::Value::from(names.iter().map(|name| &**name).collect::<Vec<_>>())
                    .to_string()
                    .into()
            }
        }
    }
}

impl FromValue for ModelRule {
    fn read(value: &Value) -> Option<Self> {
        match value {
            Value::Null => Some(Self::All),
            Value::Text(text) => {
                let names: Vec<Box<str>> = serde_json::from_str(text).ok()?;
                Some(Self::Only(names.into()))
            }
            _ => None,
        }
    }
}

/// A JSON object, or null if nothing was agreed.
impl From<&Terms> for Value {
    fn from(terms: &Terms) -> Self {
        match terms.is_empty() {
            true => Self::Null,
            false => serde_json::to_string(terms).ok().into(),
        }
    }
}

impl FromValue for Terms {
    fn read(value: &Value) -> Option<Self> {
        match value {
            Value::Null => Some(Self::default()),
            Value::Text(text) => serde_json::from_str(text).ok(),
            _ => None,
        }
    }
}
