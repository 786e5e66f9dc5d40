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

/// Names the place to a person, without a credential.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => path.display().fmt(f),
            Self::Postgres(server) => write!(f, "{} (schema {})", server.shown, server.schema),
        }
    }
}
