//! Where what must last is kept: opens the database, brings its tables up to date, runs other parts' statements.
//!
//! It never names a table or a row of theirs: a part's SQL lives with the part, only its migrations are listed here.

mod connection;
mod db;
mod follow;
mod moment;
mod page;
mod postgres;
mod sqlite;
mod table;
mod value;

pub use connection::{Connection, Mode, Transaction};
pub use db::Db;
pub use follow::follow;
pub use moment::Millis;
pub use page::{Page, Side};
pub(crate) use sqlite::create_private_dir;
pub use table::{Column, Kind, Table};
pub use value::{Datum, FromValue, Row, Value};

use crate::domain::Place;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// How long an answer of a server may take that others wait for.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long it may take if it is asked to add up a lot, and somebody waits for that.
const QUESTION_PATIENCE: Duration = Duration::from_secs(30);
/// How long it may take if it is asked to read all there is.
const LONG_PATIENCE: Duration = Duration::from_secs(600);

/// Opens the store as [`Db::open`] does, for a thread that owns its connection. Blocks.
pub fn connect(place: &Place) -> Result<Connection, Error> {
    Connection::open(place, PATIENCE)
}

/// [`connect`], to read all there is.
pub fn connect_to_read(place: &Place) -> Result<Connection, Error> {
    Connection::open(place, LONG_PATIENCE)
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
    /// The server cannot be reached, or does not let Weir in.
    #[error("cannot connect")]
    Connect(#[source] Box<Error>),
    /// A later Weir has used this store.
    #[error("{place} has version {found} and this weir knows up to {known}: use a newer weir")]
    Newer {
        /// The database.
        place: String,
        /// The version of the store.
        found: u32,
        /// The last version that this program knows.
        known: u32,
    },
    /// A migration failed and left nothing behind.
    #[error("cannot bring {place} to version {version}")]
    Migrate {
        /// The database.
        place: String,
        /// The version that was not reached.
        version: u32,
        /// What the database said.
        source: Box<Error>,
    },
    /// The thread that owns the connection could not be started.
    #[error("cannot start the store's thread")]
    Thread(#[source] io::Error),
    /// A statement failed.
    #[error("the store refused a statement")]
    Sqlite(#[from] rusqlite::Error),
    /// A statement failed, or the connection broke.
    #[error("the store refused a statement")]
    Postgres(#[source] tokio_postgres::Error),
    /// The connection is down and will be tried again.
    #[error("the store is away")]
    Away,
    /// The server took longer than it may; the connection is given up.
    #[error("the store took too long")]
    Slow,
    /// A statement of a transaction had failed that was to be committed.
    #[error("a part of the transaction had failed")]
    Spoiled,
    /// A column does not hold what it should.
    #[error("the store holds nonsense in {name:?}")]
    Column {
        /// The column.
        name: String,
    },
    /// A statement names a value that it was not given, or not as `$1`.
    #[error("a statement has the placeholder {name:?} and no value for it")]
    Placeholder {
        /// The placeholder.
        name: String,
    },
    /// The job panicked; the store itself goes on.
    #[error("the store gave no answer")]
    NoAnswer,
}

#[cfg(test)]
pub(crate) mod fixture;
// The same tests for each database.
#[cfg(test)]
#[path = "tests.rs"]
#[expect(clippy::duplicate_mod, reason = "it finds its database by its name")]
mod on_postgres;
#[cfg(test)]
#[path = "tests.rs"]
mod on_sqlite;
