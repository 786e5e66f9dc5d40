//! The Postgres driver: connects, brings the schema up to date, runs statements, and connects again when it must.
//!
//! Blocks. It drives a runtime of its own, so that whoever waits for an answer also waits no longer than it may.

mod migrate;
mod session;
mod tls;
mod value;

pub(super) use migrate::MIGRATIONS;

use super::{Datum, Error, Mode, Row, Table, Value};
use crate::domain;
use session::{Session, is_broken};
use sha2::{Digest, Sha256};
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio::time::Instant;
use tokio_postgres::Config;

/// To reach the server and to be let in.
const CONNECT: Duration = Duration::from_secs(5);
/// Pauses between attempts to connect, from the first to the longest: what is asked meanwhile fails at once.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));
/// A transaction in which this side has fallen silent is ended by the server: it may hold locks.
const SILENCE: Duration = Duration::from_secs(30);

/// A place for a connection: there is one in it, or the next transaction makes one.
pub(super) struct Connection {
    /// `None` only while it is dropped.
    runtime: Option<Runtime>,
    config: Config,
    tls: Option<tls::Connector>,
    schema: String,
    patience: Duration,
    session: Option<Session>,
    /// When it may be tried again, and how long it paused.
    pause: Option<(Instant, Duration)>,
    /// A transaction is open; false after its end, so true at a beginning means that the last one unwound.
    is_open: bool,
    /// A statement of the open transaction has failed: nothing of it can be committed.
    is_spoiled: bool,
}

impl Connection {
    /// One that is not connected yet. Each answer may take as long as `patience`.
    pub(super) fn new(server: &domain::Postgres, patience: Duration) -> Result<Self, Error> {
        let runtime = Builder::new_current_thread().enable_all().build();
        let mut config: Config = server.url.expose().parse().map_err(Error::Postgres)?;
        config.connect_timeout(CONNECT);
        config.tcp_user_timeout(patience);
        if config.get_application_name().is_none() {
            config.application_name("weir");
        }
        Ok(Self {
            runtime: Some(runtime.map_err(Error::Thread)?),
            tls: tls::Connector::new(server),
            config,
            schema: server.schema.clone(),
            patience,
            session: None,
            pause: None,
            is_open: false,
            is_spoiled: false,
        })
    }

    /// Connects and applies the migrations that are missing.
    pub(super) fn open(&mut self, migrations: &[&str]) -> Result<(), Error> {
        self.connect()?;
        migrate::migrate(self, migrations)
    }

    pub(super) fn begin(&mut self, mode: Mode) -> Result<(), Error> {
        if self.is_open {
            // A panic came in between; the server rolls back what it had begun.
            self.session = None;
        }
        (self.is_open, self.is_spoiled) = (false, false);
        let sql = match mode {
            Mode::Read => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY".to_owned(),
            Mode::Write => "BEGIN ISOLATION LEVEL READ COMMITTED".to_owned(),
            Mode::Alone => format!(
                "BEGIN ISOLATION LEVEL READ COMMITTED; SELECT pg_advisory_xact_lock({})",
                self.lock()
            ),
        };
        let was_connected = self.session.is_some();
        self.connect()?;
        match self.run(&sql) {
            // It had broken while nobody looked; nothing was lost by it, so one more try on a new one.
            Err(error) if was_connected && is_broken(&error) => {
                self.connect()?;
                self.run(&sql)?;
            }
            outcome => outcome?,
        }
        (self.is_open, self.is_spoiled) = (true, false);
        Ok(())
    }

    pub(super) fn commit(&mut self) -> Result<(), Error> {
        if self.is_spoiled {
            // Postgres would answer COMMIT with a rollback, and call that a success.
            self.roll_back();
            return Err(Error::Spoiled);
        }
        self.run("COMMIT")?;
        self.is_open = false;
        Ok(())
    }

    pub(super) fn roll_back(&mut self) {
        if self.session.is_some() && self.run("ROLLBACK").is_err() {
            // The server does it when the connection goes.
            self.session = None;
        }
        self.is_open = false;
    }

    pub(super) fn run(&mut self, sql: &str) -> Result<(), Error> {
        self.ask(async |session| session.run(sql).await)
    }

    pub(super) fn for_each(
        &mut self,
        sql: &str,
        values: &[Value],
        take: impl FnMut(Row) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.ask(async |session| session.for_each(sql, values, take).await)
    }

    pub(super) fn execute(&mut self, sql: &str, values: &[Value]) -> Result<u64, Error> {
        self.ask(async |session| session.execute(sql, values).await)
    }

    pub(super) fn add_new(
        &mut self,
        table: &Table<'_>,
        rows: &[Vec<Datum<'_>>],
    ) -> Result<Vec<bool>, Error> {
        self.ask(async |session| session.add_new(table, rows).await)
    }

    pub(super) fn add_up(
        &mut self,
        table: &Table<'_>,
        rows: &[Vec<Datum<'_>>],
    ) -> Result<(), Error> {
        self.ask(async |session| session.add_up(table, rows).await)
    }

    /// Asks the server something. If that breaks the connection it is given up.
    fn ask<T>(
        &mut self,
        question: impl AsyncFnOnce(&mut Session) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let (Some(runtime), Some(session)) = (&self.runtime, &mut self.session) else {
            return Err(Error::Away);
        };
        let outcome = runtime.block_on(question(session));
        if let Err(error) = &outcome {
            self.is_spoiled = true;
            if is_broken(error) || session.is_closed() {
                self.session = None;
            }
        }
        outcome
    }

    fn connect(&mut self) -> Result<(), Error> {
        if self.session.is_some() {
            return Ok(());
        }
        if self.pause.is_some_and(|(until, _)| Instant::now() < until) {
            return Err(Error::Away);
        }
        let Some(runtime) = &self.runtime else {
            return Err(Error::Away);
        };
        let make = Session::connect(&self.config, self.tls.as_ref(), self.patience);
        let made = runtime.block_on(async {
            // The driver's own limit is for each address, and does not count what the server takes to let it in.
            tokio::time::timeout(CONNECT * 2, make)
                .await
                .unwrap_or(Err(Error::Slow))
        });
        match made {
            Ok(session) => {
                self.session = Some(session);
                self.pause = None;
            }
            Err(error) => {
                let pause = self.pause.map_or(PAUSES.0, |(_, pause)| pause * 2);
                let pause = pause.min(PAUSES.1);
                self.pause = Some((Instant::now() + pause, pause));
                return Err(Error::Connect(Box::new(error)));
            }
        }
        let settings = format!(
            "SET search_path TO \"{}\"; SET statement_timeout TO {}; SET idle_in_transaction_session_timeout TO {}",
            self.schema,
            // After this side has given up, so that it is known which of the two came first.
            self.patience.as_millis() + 1000,
            SILENCE.as_millis(),
        );
        self.run(&settings)
    }

    /// The number under which this schema's writers take turns.
    fn lock(&self) -> i64 {
        let digest = Sha256::digest(format!("weir/{}", self.schema));
        digest
            .iter()
            .take(8)
            .fold(0, |number, byte| number << 8 | i64::from(*byte))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Waits for nothing, for this may be inside another runtime.
            runtime.shutdown_background();
        }
    }
}

#[cfg(test)]
mod tests;
