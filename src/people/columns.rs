//! How the nouns of an account are written in a column.

use super::password::PasswordHash;
use crate::{
    domain::{ProjectRole, Role},
    store::{FromValue, Value},
};

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
