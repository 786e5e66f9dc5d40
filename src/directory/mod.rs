//! The directory: projects, their service accounts and keys, and what they may do.
//!
//! Every change is one transaction with its entry in the audit log. What a request needs of it is in memory
//! ([`Directory::allowances`]), where it is read without a lock and follows the store within a second.

mod accounts;
mod admins;
mod alerts;
mod allowance;
mod error;
mod firings;
mod follow;
mod keys;
mod limits;
mod page;
mod projects;
mod rows;

pub use crate::store::{Page, Side};
pub use accounts::{Account, NewAccount, Role};
pub use alerts::{ADDRESS_MAX_CHARS, Alert, NewAlert, RECIPIENTS_MAX};
pub use allowance::{Allowance, Allowances, ModelPermissions, RateLimit, Retention};
pub use error::Error;
pub use firings::Armed;
pub use keys::{Made, NewProjectKey};
pub use page::Cursor;
pub use projects::{NewProject, Project, ProjectChange};

use crate::audit;
use crate::auth::Keys;
use crate::domain::is_visible;
use crate::store::{Db, Mode, Transaction};
use follow::Followed;
use std::sync::Arc;

/// The longest name of a project, a service account or the like.
pub const NAME_MAX_CHARS: usize = 128;

/// A handle to the directory; clones share all of it.
#[derive(Clone)]
pub struct Directory {
    db: Db,
    keys: Keys,
    allowances: Arc<Followed>,
}

impl Directory {
    /// Reads what projects may do into memory. `keys` are those of the same store.
    pub async fn open(db: Db, keys: Keys) -> Result<Self, Error> {
        let directory = Self {
            db,
            keys,
            allowances: Arc::default(),
        };
        directory.catch_up().await?;
        Ok(directory)
    }

    /// A page of the audit log; none if the entry at its side is not there.
    pub async fn audit_log(
        &self,
        wanted: audit::Wanted,
    ) -> Result<Option<Page<audit::Record>>, Error> {
        // A filter may have to look at all that there is.
        self.db.ask(move |tx| Ok(audit::page(tx, &wanted)?)).await
    }

    async fn read<T, F>(&self, look: F) -> Result<T, Error>
    where
        F: FnOnce(&mut Transaction<'_>) -> Result<T, Error> + Send + 'static,
        T: Send + 'static,
    {
        self.db.transact(Mode::Read, look).await
    }
}

/// Whether a name is one that people can read and no listing suffers from.
fn check_name(name: &str) -> Result<(), Error> {
    is_sane(name, NAME_MAX_CHARS)
        .then_some(())
        .ok_or(Error::Name)
}

fn is_sane(text: &str, chars: usize) -> bool {
    (1..=chars).contains(&text.chars().count()) && text.chars().all(is_visible)
}

#[cfg(test)]
#[path = "tests/mod.rs"]
#[expect(clippy::duplicate_mod, reason = "it finds its database by its name")]
mod on_postgres;
#[cfg(test)]
#[path = "tests/mod.rs"]
mod on_sqlite;
