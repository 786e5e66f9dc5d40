//! Where what must last is kept: opens the database, brings its tables up to date, runs other parts' statements.
//!
//! It never names a table or a row of theirs: a part's SQL lives with the part, only its migrations are listed here.

mod db;
mod sqlite;

pub use db::Db;
pub(crate) use sqlite::create_private_dir;

use std::io;
use std::path::{Path, PathBuf};

/// Applied in this order, each once; the number of those applied is the version of a store.
///
/// A released one is never edited, and none may hold `BEGIN` or `COMMIT`: each runs in a transaction of its own.
const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001_keys.sql"),
    include_str!("migrations/0002_ledger.sql"),
    include_str!("migrations/0003_charges.sql"),
];

/// Opens the database at `path` as [`Db::open`] does, for a thread that owns its connection. Blocks.
pub fn connect(path: &Path) -> Result<rusqlite::Connection, Error> {
    sqlite::open(path, MIGRATIONS)
}

/// Why the store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file or a directory above it could not be made.
    #[error("cannot create {}", path.display())]
    Create {
        /// The database file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The file is there but cannot be used: not a database, not ours to write, locked for too long.
    #[error("cannot open {}", path.display())]
    Open {
        /// The database file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// The file system lacks the shared memory or locks that several processes on one store need.
    #[error("{} is on a file system without write-ahead logging", path.display())]
    NoWal {
        /// The database file.
        path: PathBuf,
    },
    /// A later Weir has used this store.
    #[error("{} has version {found} and this weir knows up to {known}: use a newer weir", path.display())]
    Newer {
        /// The database file.
        path: PathBuf,
        /// The version of the store.
        found: u32,
        /// The last version that this program knows.
        known: u32,
    },
    /// A migration failed and left nothing behind.
    #[error("cannot bring {} to version {version}", path.display())]
    Migrate {
        /// The database file.
        path: PathBuf,
        /// The version that was not reached.
        version: u32,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// The thread that owns the connection could not be started.
    #[error("cannot start the store's thread")]
    Thread(#[source] io::Error),
    /// A statement failed.
    #[error("the store refused a statement")]
    Sql(#[from] rusqlite::Error),
    /// The job panicked; the store itself goes on.
    #[error("the store gave no answer")]
    NoAnswer,
}

#[cfg(test)]
mod tests;
