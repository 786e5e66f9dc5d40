//! Moments as columns hold them.

use super::{FromValue, Value};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A moment, in milliseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Millis(i64);

impl Millis {
    /// Later than any other.
    pub const NEVER: Self = Self(i64::MAX);

    /// The moment of a time.
    pub fn of(time: SystemTime) -> Self {
        match time.duration_since(UNIX_EPOCH) {
            Ok(after) => Self(0).plus(after),
            Err(before) => Self(0i64.saturating_sub(whole(before.duration()))),
        }
    }

    /// The moment so much later.
    pub fn plus(self, span: Duration) -> Self {
        Self(self.0.saturating_add(whole(span)))
    }

    /// Whole seconds since 1970, as OpenAI's API writes times; what was before is 0.
    pub fn seconds(self) -> u64 {
        u64::try_from(self.0 / 1000).unwrap_or(0)
    }

    /// The time of the moment.
    pub fn time(self) -> SystemTime {
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
