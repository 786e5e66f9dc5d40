//! How the nouns of a key are written in a column.

use super::key::{Hash, Kind};
use crate::domain::{KeyId, ModelRule, OnHangup};
use rusqlite::Result;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
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

impl ToSql for Millis {
    fn to_sql(&self) -> Result<ToSqlOutput<'_>> {
        Ok(self.0.into())
    }
}

impl FromSql for Millis {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_i64().map(Self)
    }
}

impl ToSql for KeyId {
    fn to_sql(&self) -> Result<ToSqlOutput<'_>> {
        Ok(self.as_str().into())
    }
}

impl FromSql for KeyId {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Self::parse(value.as_bytes()?).ok_or(FromSqlError::InvalidType)
    }
}

impl ToSql for Kind {
    fn to_sql(&self) -> Result<ToSqlOutput<'_>> {
        Ok(self.as_str().into())
    }
}

impl FromSql for Kind {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let text = value.as_str()?;
        let kind = [Self::Api, Self::Admin]
            .into_iter()
            .find(|kind| kind.as_str() == text);
        kind.ok_or(FromSqlError::InvalidType)
    }
}

impl ToSql for Hash {
    fn to_sql(&self) -> Result<ToSqlOutput<'_>> {
        self.0.to_sql()
    }
}

impl FromSql for Hash {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        <[u8; 32]>::column_result(value).map(Self)
    }
}

impl ToSql for OnHangup {
    fn to_sql(&self) -> Result<ToSqlOutput<'_>> {
        Ok(self.to_string().into())
    }
}

impl FromSql for OnHangup {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_str()?.parse().map_err(FromSqlError::other)
    }
}

/// A JSON array of names, or null for all.
impl ToSql for ModelRule {
    fn to_sql(&self) -> Result<ToSqlOutput<'_>> {
        match self {
            Self::All => Ok(rusqlite::types::Null.into()),
            Self::Only(names) => {
                let text = serde_json::to_string(names.as_ref());
                Ok(text
                    .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?
                    .into())
            }
        }
    }
}

impl FromSql for ModelRule {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match value {
            ValueRef::Null => Ok(Self::All),
            text => {
                let names: Vec<Box<str>> =
                    serde_json::from_slice(text.as_bytes()?).map_err(FromSqlError::other)?;
                Ok(Self::Only(names.into()))
            }
        }
    }
}
