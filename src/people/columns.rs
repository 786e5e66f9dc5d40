//! How the nouns of an account are written in a column.

use super::password::PasswordHash;
use crate::{
    domain::{ProjectRole, Role},
    store::{FromValue, Value},
};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A moment, in milliseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Millis(i64);

impl Millis {
    pub(super) fn of(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    pub(super) fn plus(self, span: Duration) -> Self {
        let span = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(span))
    }

    pub(super) fn time(self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(u64::try_from(self.0).unwrap_or_default())
    }
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

impl From<Role> for Value {
    fn from(role: Role) -> Self {
        role.as_str().into()
    }
}

impl FromValue for Role {
    fn read(value: &Value) -> Option<Self> {
        Self::named(&String::read(value)?)
    }
}

impl From<ProjectRole> for Value {
    fn from(role: ProjectRole) -> Self {
        role.as_str().into()
    }
}

impl FromValue for ProjectRole {
    fn read(value: &Value) -> Option<Self> {
        Self::named(&String::read(value)?)
    }
}

impl From<&PasswordHash> for Value {
    fn from(hash: &PasswordHash) -> Self {
        hash.expose().into()
    }
}

impl FromValue for PasswordHash {
    fn read(value: &Value) -> Option<Self> {
        String::read(value).map(Self::stored)
    }
}
