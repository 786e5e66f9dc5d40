//! The SQLite driver: makes the file, sets how it is written, applies migrations.
//!
//! Blocks. Knows no table.

mod statement;

pub(super) use statement::{add_new, add_up, execute, for_each};

use super::{Error, Mode};
use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};
use std::fs::{DirBuilder, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use std::{io, thread};

/// Applied in this order, each once; the number of those applied is the version of a store.
///
/// A released one is never edited, and none may hold `BEGIN` or `COMMIT`: each runs in a transaction of its own.
pub(super) const MIGRATIONS: &[&str] = &[
    include_str!("../migrations/sqlite/0001_keys.sql"),
    include_str!("../migrations/sqlite/0002_ledger.sql"),
    include_str!("../migrations/sqlite/0003_charges.sql"),
    include_str!("../migrations/sqlite/0004_hangup.sql"),
    include_str!("../migrations/sqlite/0005_rollup_day_key.sql"),
    include_str!("../migrations/sqlite/0006_people.sql"),
    include_str!("../migrations/sqlite/0007_directory.sql"),
    include_str!("../migrations/sqlite/0008_invites.sql"),
    include_str!("../migrations/sqlite/0009_audit_numbers.sql"),
    include_str!("../migrations/sqlite/0010_known_projects.sql"),
    include_str!("../migrations/sqlite/0011_alert_firings.sql"),
    include_str!("../migrations/sqlite/0012_user_tiers.sql"),
    include_str!("../migrations/sqlite/0013_project_hangup.sql"),
];

const BUSY: Duration = Duration::from_secs(5); // far beyond any transaction of ours, and someone may be waiting at a prompt
const RETRY: Duration = Duration::from_millis(10);

/// Opens the database at `path`, made if missing and readable by its owner only, with every migration applied.
pub(super) fn open(path: &Path, migrations: &[&str]) -> Result<Connection, Error> {
    create_private_file(path).map_err(|source| Error::Create {
        path: path.into(),
        source,
    })?;
    let refused = |source| Error::Open {
        path: path.into(),
        source,
    };
    let mut conn = connect(path).map_err(refused)?;
    if !enter_wal(&conn).map_err(refused)? {
        return Err(Error::NoWal { path: path.into() });
    }
    migrate(&mut conn, path, migrations)?;
    Ok(conn)
}

/// Opens a database that is there already, for reading only.
pub(super) fn open_reader(path: &Path) -> Result<Connection, Error> {
    let open = || {
        let conn = connect(path)?;
        conn.pragma_update(None, "query_only", true)?;
        Ok(conn)
    };
    open().map_err(|source| Error::Open {
        path: path.into(),
        source,
    })
}

/// Begins a transaction. One that writes takes the lock at once: what it reads stays true until it commits.
pub(super) fn begin(conn: &mut Connection, mode: Mode) -> Result<Transaction<'_>, Error> {
    let behavior = match mode {
        Mode::Read => TransactionBehavior::Deferred,
        Mode::Write | Mode::Alone => TransactionBehavior::Immediate,
    };
    Ok(conn.transaction_with_behavior(behavior)?)
}

/// Makes `dir` and those above it that are missing, for their owner only.
pub(crate) fn create_private_dir(dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

/// SQLite would make the file readable by all; the files that it makes beside it take this one's mode.
fn create_private_file(path: &Path) -> io::Result<()> {
    // Closing any descriptor of a file drops all locks that the process holds on it (POSIX), SQLite's among them.
    // So the file is only opened here while it is new, and nobody in this process may get ahead to lock it.
    static CREATING: Mutex<()> = Mutex::new(());
    let _creating = CREATING.lock().unwrap_or_else(PoisonError::into_inner);

    if let Some(dir) = path.parent() {
        create_private_dir(dir)?;
    }
    match OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
    {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    // Without the URI flag a path stays a path, whatever it starts with.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
    conn.busy_timeout(BUSY)?;
    conn.pragma_update(None, "foreign_keys", true)?;
    // FULL: a commit is on the disk when it returns. With NORMAL a power cut could bring a revoked key back.
    conn.pragma_update(None, "synchronous", "FULL")?;
    Ok(conn)
}

/// Switches to write-ahead logging, so that readers and the writer of several processes don't wait for each other.
fn enter_wal(conn: &Connection) -> rusqlite::Result<bool> {
    let mut waited = Duration::ZERO;
    loop {
        let mode = conn
            .pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0));
        match mode {
            // When two switch at once SQLite sees a deadlock and tells one at once, without the busy timeout.
            Err(error) if is_busy(&error) && waited < BUSY => {
                thread::sleep(RETRY);
                waited += RETRY;
            }
            mode => return Ok(mode? == "wal"),
        }
    }
}

fn is_busy(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
}

/// Brings the tables of a database up to date.
pub(super) fn migrate(
    conn: &mut Connection,
    path: &Path,
    migrations: &[&str],
) -> Result<(), Error> {
    let known = migrations.len() as u32;
    loop {
        // Without the write lock: nearly every start finds nothing to do.
        let found = version(conn).map_err(|source| Error::Open {
            path: path.into(),
            source,
        })?;
        if found > known {
            return Err(Error::Newer {
                place: path.display().to_string(),
                found,
                known,
            });
        }
        if found == known {
            return Ok(());
        }
        apply_next(conn, migrations).map_err(|source| Error::Migrate {
            place: path.display().to_string(),
            version: found + 1,
            source: Box::new(source.into()),
        })?;
    }
}

fn apply_next(conn: &mut Connection, migrations: &[&str]) -> rusqlite::Result<()> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Read again under the lock: another process may have applied it meanwhile.
    let done = version(&tx)?;
    if let Some(sql) = migrations.get(done as usize) {
        tx.execute_batch(sql)?;
        tx.pragma_update(None, "user_version", done + 1)?;
    }
    tx.commit()
}

fn version(conn: &Connection) -> rusqlite::Result<u32> {
    conn.pragma_query_value(None, "user_version", |row| row.get(0))
}

#[cfg(test)]
mod tests;
