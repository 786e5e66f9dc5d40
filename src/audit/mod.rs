//! Who changed what: appends to the audit log, reads it, and verifies that nobody rewrote it.
//!
//! An entry is written in the transaction of the change that it tells of, so that neither is there without the other.
//! No entry ever holds a secret: what changed is told member by member.

mod chain;
mod examine;
mod list;

pub use chain::append;
pub use examine::examine;
pub use list::{Record, Wanted, page};

use crate::domain::KeyId;
use serde_json::Value;
use std::net::IpAddr;

/// The longest user agent that is noted; the rest is cut off.
const AGENT_MAX_CHARS: usize = 256;

/// Who makes a change, and from where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Who.
    pub actor: Actor,
    /// The address that the request came from.
    pub address: Option<IpAddr>,
    /// What its client calls itself.
    pub agent: Option<String>,
}

/// Who makes a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// The holder of the admin key in the configuration.
    ConfiguredKey,
    /// The holder of a stored admin key.
    AdminKey(KeyId),
    /// A user who has signed in.
    User {
        /// The user's id.
        id: String,
        /// The user's address.
        email: String,
    },
    /// Whoever ran a command, by the name that the operating system has for them.
    CommandLine(String),
    /// Weir itself.
    System,
}

impl Origin {
    /// Weir itself.
    pub fn system() -> Self {
        Actor::System.into()
    }

    /// A request from `address`.
    pub fn request(actor: Actor, address: IpAddr, agent: Option<&str>) -> Self {
        let sane = |c: &char| !c.is_control();
        let agent = agent.map(|agent| agent.chars().filter(sane).take(AGENT_MAX_CHARS).collect());
        Self {
            actor,
            address: Some(address),
            agent,
        }
    }
}

impl From<Actor> for Origin {
    fn from(actor: Actor) -> Self {
        Self {
            actor,
            address: None,
            agent: None,
        }
    }
}

impl Actor {
    fn kind(&self) -> &'static str {
        match self {
            Self::ConfiguredKey => "configured_key",
            Self::AdminKey(_) => "admin_key",
            Self::User { .. } => "user",
            Self::CommandLine(_) => "command_line",
            Self::System => "system",
        }
    }

    fn id(&self) -> Option<String> {
        match self {
            Self::ConfiguredKey | Self::System => None,
            Self::AdminKey(id) => Some(id.public()),
            Self::User { id, .. } | Self::CommandLine(id) => Some(id.clone()),
        }
    }

    fn email(&self) -> Option<&str> {
        match self {
            Self::User { email, .. } => Some(email),
            _ => None,
        }
    }
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// The nearest of OpenAI's words for it.
    pub kind: &'static str,
    /// Weir's own word, where OpenAI's says less.
    pub name: &'static str,
}

impl Event {
    /// One that OpenAI has a word for.
    pub const fn of(kind: &'static str) -> Self {
        Self { kind, name: kind }
    }

    /// One that is a kind of another in OpenAI's words.
    pub const fn as_a(kind: &'static str, name: &'static str) -> Self {
        Self { kind, name }
    }
}

/// A change to be told of.
#[derive(Clone, Debug)]
pub struct Entry<'a> {
    /// What happened.
    pub event: Event,
    /// In which project; none: in the organization.
    pub project: Option<&'a str>,
    /// To what, by its id.
    pub resource: Option<&'a str>,
    /// What it was like; null if it was not there.
    pub before: Value,
    /// What it is like now; null if it is gone.
    pub after: Value,
}

#[cfg(test)]
#[path = "tests.rs"]
#[expect(clippy::duplicate_mod, reason = "it finds its database by its name")]
mod on_postgres;
#[cfg(test)]
#[path = "tests.rs"]
mod on_sqlite;
