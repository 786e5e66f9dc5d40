//! How the nouns of a key are written in a column.

use super::key::{Hash, Kind};
use crate::domain::{KeyId, ModelRule, OnHangup};
use crate::store::{FromValue, Value};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A moment, in milliseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Millis(i64);

impl Millis {
    pub(super) const NEVER: Self = Self(i64::MAX);

    pub(super) fn of(time: SystemTime) -> Self {
        match time.duration_since(UNIX_EPOCH) {
            Ok(after) => Self(0).plus(after),
            Err(before) => Self(0i64.saturating_sub(whole(before.duration()))),
        }
    }

    pub(super) fn plus(self, span: Duration) -> Self {
        Self(self.0.saturating_add(whole(span)))
    }

    pub(super) fn time(self) -> SystemTime {
        let span = Duration::from_millis(self.0.unsigned_abs());
        if self.0 < 0 {
            UNIX_EPOCH - span
        } else {
            UNIX_EPOCH + span
        }
    }
}

fn whole(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

impl From<Millis> for Value {
    fn from(time: Millis) -> Self {
        Self::Int(time.0)
    }
}

impl FromValue for Millis {
    fn read(value: &Value) -> Option<Self> {
        i64::read(value).map(Self)
    }
}

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
        let text = String::read(value)?;
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
