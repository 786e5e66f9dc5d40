//! Who is calling: turns the credential on a request into a `Caller`.
//!
//! A request is answered from memory and never waits, neither for the store nor for a change to the keys.
//! No secret leaves here except once, when it is made.

mod alter;
mod change;
mod columns;
mod error;
mod first;
mod follow;
mod header;
mod index;
mod key;
mod live;
mod records;
mod tiers;

pub use alter::{KeyChange, NotesChange, alter};
pub use change::{NewKey, add, end, end_all, end_part, replace};
pub use error::{Error, Rejected};
pub use first::{FirstKeys, first_api_key};
pub(crate) use header::credential;
pub(crate) use key::random_text;
pub use key::{Kind, Minted, new_id};
pub use live::{Search, Stretch};
pub use records::{Record, Whose, find, find_live, page};
pub use tiers::tiers;

use crate::domain::{Caller, KeyId, Secret};
use crate::store::Db;
use crate::store::Millis;
use index::Index;
use key::Hash;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;
use subtle::ConstantTimeEq;

/// The longest name of a key, and of a model in its list.
pub const NAME_MAX_CHARS: usize = 128;
/// The most models that a key may list.
pub const MODELS_MAX: usize = 256;
/// The most ranges of addresses that it may list.
pub const NETWORKS_MAX: usize = 64;
/// The most notes that it may have, and how long their names and values may be, as OpenAI bounds its own.
pub const METADATA_MAX: (usize, usize, usize) = (16, 64, 512);
/// The largest number that every reader of JSON keeps as it is.
pub const NUMBER_MAX: u64 = (1 << 53) - 1;

/// All keys: in memory to check requests, in the store to last. Clones share both.
///
/// The thread that owns the store's connection makes every change, to the rows and then to the memory;
/// so the two cannot fall out of step, and changes need no lock.
#[derive(Clone)]
pub struct Keys {
    db: Db,
    index: Arc<Index>,
}

/// Who is at the controls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admin {
    /// The holder of the secret in the config.
    Configured,
    /// The holder of a stored key.
    Key(KeyId),
}

impl Keys {
    /// Reads every key of `db` into memory.
    pub async fn open(db: Db) -> Result<Self, Error> {
        let keys = Self {
            db,
            index: Arc::default(),
        };
        keys.catch_up().await?;
        Ok(keys)
    }

    /// Whether the store answers, and soon.
    pub async fn is_open(&self) -> bool {
        self.db.is_open().await
    }

    /// Whose request this is, on the data plane.
    pub fn authenticate(&self, headers: &http::HeaderMap) -> Result<Caller, Rejected> {
        self.authenticate_at(headers, SystemTime::now())
    }

    /// [`Keys::authenticate`] at a given time.
    pub fn authenticate_at(
        &self,
        headers: &http::HeaderMap,
        now: SystemTime,
    ) -> Result<Caller, Rejected> {
        self.find(header::credential(headers)?, Kind::Api, now)
    }

    /// Whose request this is, on the control plane: the holder of an admin key or of the `configured` secret.
    pub fn authenticate_admin(
        &self,
        headers: &http::HeaderMap,
        configured: Option<&Secret>,
    ) -> Result<Admin, Rejected> {
        self.authenticate_admin_at(headers, configured, SystemTime::now())
    }

    /// [`Keys::authenticate_admin`] at a given time.
    pub fn authenticate_admin_at(
        &self,
        headers: &http::HeaderMap,
        configured: Option<&Secret>,
        now: SystemTime,
    ) -> Result<Admin, Rejected> {
        let credential = header::credential(headers)?;
        // Of any form, as an operator chose it. Hashed, so that the time to compare tells nothing of its length either.
        let is_configured = |secret: &Secret| {
            Hash::of(secret.expose().as_bytes())
                .ct_eq(&Hash::of(credential))
                .into()
        };
        if configured.is_some_and(is_configured) {
            return Ok(Admin::Configured);
        }
        self.find(credential, Kind::Admin, now)
            .map(|caller| Admin::Key(caller.key))
    }

    fn find(&self, credential: &[u8], kind: Kind, now: SystemTime) -> Result<Caller, Rejected> {
        let shown = key::parse(credential).ok_or(Rejected::Malformed)?;
        self.index.find(&shown, kind, Millis::of(now))
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys")
            .field("len", &self.index.len())
            .finish_non_exhaustive()
    }
}

// The same tests for each database.
#[cfg(test)]
#[path = "tests/mod.rs"]
#[expect(clippy::duplicate_mod, reason = "it finds its database by its name")]
mod on_postgres;
#[cfg(test)]
#[path = "tests/mod.rs"]
mod on_sqlite;
