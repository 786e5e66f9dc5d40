//! Where what must last is kept.

use super::{Authorities, Secret};
use std::fmt;
use std::path::PathBuf;

/// A database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A file of this machine's.
    Sqlite(PathBuf),
    /// A server that several nodes may share.
    Postgres(Postgres),
}

/// How a Postgres server is reached, and what of it is Weir's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Postgres {
    /// User, password, hosts and database, as the driver reads them; well formed.
    pub url: Secret,
    /// The hosts and the database alone, for messages.
    pub shown: String,
    /// The schema that holds Weir's tables. Others are left alone.
    pub schema: String,
    /// Whether the server must speak TLS and prove who it is.
    pub tls: bool,
    /// Who may vouch for it, in place of the public's authorities.
    pub authorities: Option<Authorities>,
}

/// How a Redis server is reached, and which of its keys are Weir's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redis {
    /// Its name or its address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// As whom to knock, if it knows users.
    pub user: Option<String>,
    /// What to show there.
    pub password: Option<Secret>,
    /// The number of the database in it.
    pub database: u16,
    /// Whether the server must speak TLS and prove who it is.
    pub tls: bool,
    /// Who may vouch for it, in place of the public's authorities.
    pub authorities: Option<Authorities>,
    /// What the names of Weir's keys begin with. Others are left alone.
    pub prefix: String,
}

/// Names the server to a person, without a credential.
impl fmt::Display for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "redis://{}:{}/{}", self.host, self.port, self.database)
    }
}

/// Names the place to a person, without a credential.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => path.display().fmt(f),
            Self::Postgres(server) => write!(f, "{} (schema {})", server.shown, server.schema),
        }
    }
}
