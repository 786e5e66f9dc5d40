//! What users and sign-ins are called.

use crate::{
    auth::random_text,
    domain::KeyId,
    store::{FromValue, Value},
};
use std::fmt;

/// Names a user: `user-` and 16 letters and digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct UserId(KeyId);

/// Names a sign-in: `sess_` and 16 letters and digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionId(KeyId);

/// Names an invite: `invite-` and 16 letters and digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct InviteId(KeyId);

fn random() -> Result<KeyId, getrandom::Error> {
    let text = random_text::<{ KeyId::LEN }>()?;
    Ok(KeyId::parse(&*text).expect("the alphabet is letters and digits"))
}

macro_rules! id {
    ($name:ident, $prefix:literal) => {
        impl $name {
            pub(super) fn new() -> Result<Self, getrandom::Error> {
                random().map(Self)
            }

            /// Reads an id.
            pub fn parse(text: &str) -> Option<Self> {
                KeyId::parse(text.strip_prefix($prefix)?.as_bytes()).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{self}")
            }
        }

        impl From<$name> for Value {
            fn from(id: $name) -> Self {
                id.to_string().into()
            }
        }

        impl FromValue for $name {
            fn read(value: &Value) -> Option<Self> {
                Self::parse(&String::read(value)?)
            }
        }
    };
}

id!(UserId, "user-");
id!(SessionId, "sess_");
id!(InviteId, "invite-");

impl UserId {
    /// What ids of users begin with.
    pub const PREFIX: &str = "user-";

    /// Under what the calls of this user are written down where others have the key's id.
    pub(super) fn meter(self) -> KeyId {
        self.0
    }
}
