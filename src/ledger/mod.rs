//! Where usage goes: one entry a call, written down once, whatever way the call ends and whatever becomes of Weir.
//!
//! A call holds a slot of the flight table from before it goes upstream until its entry is committed to the store.
//! What a call does here is a few stores to memory; it never waits for a disk, nor for the writer.

mod bell;
mod call;
mod doctor;
mod entry;
#[cfg(test)]
pub(crate) mod fixture;
mod flight;
mod judge;
mod report;
mod rounds;
mod rows;
mod writer;

pub use call::{Asker, Flight};
pub use doctor::{Examined, examine};
pub use entry::{Admission, Answer, Counted, METADATA_MAX_BYTES, Settled, Settlement, Tokens};
pub use flight::Error;
pub use judge::sane;
pub use report::{
    Ask, Batch, Column, Format, Line, Payer, Payers, ReportError, Reports, Spent, Sum, Sums, Usage,
    Wanted, Width,
};

use crate::{domain::Place, store, telemetry::metrics};
use bell::Bell;
use flight::Table;
use rounds::Rounds;
use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

/// How a ledger is kept.
#[derive(Clone, Debug)]
pub struct Options {
    /// The flight table's file.
    pub table: PathBuf,
    /// The store.
    pub store: Place,
    /// Calls that can be in the air or wait for the store.
    pub slots: u32,
    /// How often the flight table is written to the disk; zero leaves that to the kernel.
    pub flush: Duration,
    /// How long entries are kept; zero is for ever.
    pub retention: Duration,
}

/// Why a ledger cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is no flight table.
    #[error(transparent)]
    Table(#[from] Error),
    /// There is no store.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A thread could not be started, or random numbers were not to be had.
    #[error("the ledger cannot start")]
    System(#[source] std::io::Error),
}

/// All slots of the flight table are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// Keeps entries.
pub struct Ledger {
    shared: Arc<Shared>,
    interrupted: BTreeSet<String>,
}

/// The threads behind a ledger.
#[must_use = "they are closed before the process ends"]
pub struct Threads {
    shared: Arc<Shared>,
    writer: JoinHandle<()>,
    flusher: Option<JoinHandle<()>>,
}

/// What calls and the ledger's threads share.
struct Shared {
    table: Table,
    bell: Bell,
    rounds: Rounds,
    stop: AtomicBool,
}

impl Ledger {
    /// Opens the flight table and the store, and has what an earlier process left in the air settled. Blocks.
    pub fn open(options: Options) -> Result<(Self, Threads), OpenError> {
        if let Some(dir) = options.table.parent() {
            store::create_private_dir(dir).map_err(OpenError::System)?;
        }
        let store = store::connect(&options.store)?;
        let mut random = [0; 5];
        getrandom::fill(&mut random)
            .map_err(|error| OpenError::System(std::io::Error::other(error)))?;
        let start = random
            .iter()
            .fold(0, |start, byte| start << 8 | u64::from(*byte));
        let (table, leftovers) = Table::open(&options.table, options.slots, start)?;
        metrics::ledger_torn((leftovers.torn + leftovers.lost) as u64);
        if leftovers.notes_lost > 0 {
            tracing::warn!(
                calls = leftovers.notes_lost,
                "metadata of calls of an earlier process is lost; their rows have none"
            );
        }
        if leftovers.settled + leftovers.interrupted > 0 {
            tracing::info!(
                settled = leftovers.settled,
                interrupted = leftovers.interrupted,
                "settling calls of an earlier process"
            );
        }
        let shared = Arc::new(Shared {
            table,
            bell: Bell::default(),
            rounds: Rounds::default(),
            stop: AtomicBool::new(false),
        });
        let writer = writer::Writer::new(Arc::clone(&shared), store, options.retention);
        let writer = spawn("weir-ledger", move || writer.run())?;
        let flusher = (!options.flush.is_zero())
            .then(|| {
                let shared = Arc::clone(&shared);
                spawn("weir-flush", move || flush(&shared, options.flush))
            })
            .transpose()?;
        let ledger = Self {
            shared: Arc::clone(&shared),
            interrupted: leftovers.models,
        };
        let threads = Threads {
            shared,
            writer,
            flusher,
        };
        Ok((ledger, threads))
    }

    /// Takes a slot for a call, which must not go upstream without one.
    pub fn admit(&self, admission: &Admission<'_>) -> Result<Flight, Full> {
        let slot = self.shared.table.admit(admission).ok_or(Full)?;
        let shared = Arc::clone(&self.shared);
        Ok(Flight::new(shared, slot, admission.endpoint))
    }

    /// Waits until everything that was settled before this call is committed, what an earlier process left included.
    ///
    /// While the store takes no entries, that is not soon.
    pub fn settled(&self) -> impl Future<Output = ()> + Send + use<> {
        let round = self.shared.rounds.want();
        self.shared.bell.ring();
        self.shared.rounds.over(round)
    }

    /// Tells again and again that entries may have been committed: soon after each, and once in a while.
    pub fn commits(&self) -> tokio::sync::watch::Receiver<u64> {
        self.shared.rounds.follow()
    }

    /// Models that calls of an earlier process asked for, which were in the air when it died.
    pub fn interrupted_models(&self) -> impl Iterator<Item = &str> {
        self.interrupted.iter().map(String::as_str)
    }

    /// Calls that are not over.
    pub fn in_the_air(&self) -> u32 {
        let (used, waiting) = self.slots();
        used.saturating_sub(waiting)
    }

    /// Slots that are taken, and those among them that wait for the store.
    pub fn slots(&self) -> (u32, u32) {
        (self.shared.table.used(), self.shared.table.waiting())
    }
}

impl Threads {
    /// Commits what is settled and stops. What cannot be committed soon waits in the flight table for the next start.
    pub fn close(self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        self.writer.thread().unpark();
        // They don't panic; if one did, what it left is in the flight table.
        let _ = self.writer.join();
        if let Some(flusher) = self.flusher {
            flusher.thread().unpark();
            let _ = flusher.join();
        }
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, OpenError> {
    let thread = thread::Builder::new().name(name.to_owned()).spawn(work);
    thread.map_err(OpenError::System)
}

/// Writes the flight table to the disk every so often, and once more at the end.
fn flush(shared: &Shared, every: Duration) {
    let mut is_last = false;
    while !is_last {
        thread::park_timeout(every);
        is_last = shared.stop.load(Ordering::SeqCst);
        if let Err(error) = shared.table.flush() {
            metrics::ledger_failed();
            tracing::warn!(%error, "the flight table cannot be written to the disk");
        }
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
