//! One connection to whichever database keeps the store, and the transactions on it.
//!
//! Blocks. Callers write one SQL for both databases: `$1` for values, integer arithmetic, no functions of dates.

use super::{Datum, Error, Row, Table, Value, postgres, sqlite};
use crate::domain::Place;
use std::time::Duration;

/// A connection. One to Postgres that breaks is made anew by the next transaction.
pub struct Connection(Engine);

enum Engine {
    Sqlite(rusqlite::Connection),
    // Boxed: it is ten times the size of the other, and there are three in a process.
    Postgres(Box<postgres::Connection>),
}

/// What a transaction is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// To read, all of it as it was at one moment.
    Read,
    /// To write what others may write at the same time.
    Write,
    /// To write what depends on what was read: all that do so take turns, on every node.
    Alone,
}

/// A transaction that is open. What is done in it is there for others as a whole or not at all.
pub struct Transaction<'c>(Open<'c>);

enum Open<'c> {
    Sqlite(rusqlite::Transaction<'c>),
    Postgres(&'c mut postgres::Connection),
}

impl Connection {
    /// Opens the store at `place`, makes it if there is none, and brings its tables up to date.
    pub(super) fn open(place: &Place, patience: Duration) -> Result<Self, Error> {
        Ok(Self(match place {
            Place::Sqlite(path) => Engine::Sqlite(sqlite::open(path, sqlite::MIGRATIONS)?),
            Place::Postgres(server) => {
                let mut conn = postgres::Connection::new(server, patience)?;
                // A runtime cannot be waited for inside another one, and whoever starts Weir may be in one.
                std::thread::scope(|scope| {
                    let opened = scope.spawn(|| conn.open(postgres::MIGRATIONS)).join();
                    opened.map_err(|_| Error::NoAnswer)?
                })?;
                Engine::Postgres(Box::new(conn))
            }
        }))
    }

    /// A further connection to a store that was opened.
    pub(super) fn again(place: &Place, patience: Duration) -> Result<Self, Error> {
        Ok(Self(match place {
            Place::Sqlite(path) => Engine::Sqlite(sqlite::open_reader(path)?),
            Place::Postgres(server) => {
                Engine::Postgres(Box::new(postgres::Connection::new(server, patience)?))
            }
        }))
    }

    /// Runs `work` in a transaction, which is committed if it succeeds and leaves no trace if not.
    ///
    /// If the commit itself fails, nobody can say which of the two happened.
    pub fn transact<T, E: From<Error>>(
        &mut self,
        mode: Mode,
        work: impl FnOnce(&mut Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let open = match &mut self.0 {
            Engine::Sqlite(conn) => Open::Sqlite(sqlite::begin(conn, mode)?),
            Engine::Postgres(conn) => {
                conn.begin(mode)?;
                Open::Postgres(conn)
            }
        };
        let mut tx = Transaction(open);
        let outcome = work(&mut tx);
        match (tx.0, &outcome) {
            (Open::Sqlite(tx), Ok(_)) => tx.commit().map_err(Error::from)?,
            // Dropped, it rolls back.
            (Open::Sqlite(_), Err(_)) => {}
            (Open::Postgres(conn), Ok(_)) => conn.commit()?,
            (Open::Postgres(conn), Err(_)) => conn.roll_back(),
        }
        outcome
    }

    /// All rows that a statement finds, which changes nothing.
    pub fn query(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Row>, Error> {
        self.transact(Mode::Read, |tx| tx.query(sql, values))
    }
}

impl Transaction<'_> {
    /// Hands over the rows that a statement finds, one by one.
    pub fn for_each(
        &mut self,
        sql: &str,
        values: &[Value],
        take: impl FnMut(Row) -> Result<(), Error>,
    ) -> Result<(), Error> {
        match &mut self.0 {
            Open::Sqlite(tx) => sqlite::for_each(tx, sql, values, take),
            Open::Postgres(conn) => conn.for_each(sql, values, take),
        }
    }

    /// All rows that a statement finds.
    pub fn query(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Row>, Error> {
        let mut rows = Vec::new();
        self.for_each(sql, values, |row| {
            rows.push(row);
            Ok(())
        })?;
        Ok(rows)
    }

    /// The first row that a statement finds.
    pub fn first(&mut self, sql: &str, values: &[Value]) -> Result<Option<Row>, Error> {
        Ok(self.query(sql, values)?.into_iter().next())
    }

    /// Runs a statement and says how many rows it changed.
    pub fn execute(&mut self, sql: &str, values: &[Value]) -> Result<u64, Error> {
        match &mut self.0 {
            Open::Sqlite(tx) => sqlite::execute(tx, sql, values),
            Open::Postgres(conn) => conn.execute(sql, values),
        }
    }

    /// Runs statements that have neither values nor answers.
    pub fn run(&mut self, sql: &str) -> Result<(), Error> {
        match &mut self.0 {
            Open::Sqlite(tx) => Ok(tx.execute_batch(sql)?),
            Open::Postgres(conn) => conn.run(sql),
        }
    }

    /// Adds rows to a table, and says of each whether it is new. One whose key is there already is left as it was.
    pub fn add_new(
        &mut self,
        table: &Table<'_>,
        rows: &[Vec<Datum<'_>>],
    ) -> Result<Vec<bool>, Error> {
        match &mut self.0 {
            Open::Sqlite(tx) => sqlite::add_new(tx, table, rows),
            Open::Postgres(conn) => conn.add_new(table, rows),
        }
    }

    /// Adds rows to those that have the same keys: every column that is not of the key is a sum.
    pub fn add_up(&mut self, table: &Table<'_>, rows: Vec<Vec<Datum<'_>>>) -> Result<(), Error> {
        let rows = table.merged(rows)?;
        match &mut self.0 {
            Open::Sqlite(tx) => sqlite::add_up(tx, table, &rows),
            Open::Postgres(conn) => conn.add_up(table, &rows),
        }
    }
}
