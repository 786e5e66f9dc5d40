//! The thread that commits settled calls to the store, many at a time.
//!
//! Its queue is the flight table. While the store fails, slots stay taken and nothing is lost; when all are taken, new
//! calls are refused.

use super::{
    Shared,
    entry::Entry,
    rows::{self, HOUR_MILLIS},
};
use crate::{
    store::{self, Connection},
    telemetry::metrics,
};
use std::{
    sync::{Arc, atomic::Ordering},
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::time::Instant;

/// How long the first entry of a batch waits for others, so that they share a commit: what that costs beside the rows
/// (two waits for the disk, the sums) is then paid a few times a second.
const LINGER: Duration = Duration::from_millis(250);
/// How often the writer looks in the meantime whether it must not wait any longer.
const LOOK: Duration = Duration::from_millis(20);
/// Entries a transaction: enough to make the commit cheap, and over in some milliseconds.
const BATCH: usize = 1024;
/// Pauses after a failure, from the first to the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));
/// How long a store that fails is tried again after Weir was told to stop.
const LAST_TRY: Duration = Duration::from_secs(3);
/// How often entries are looked for that are to be deleted.
const PRUNE: Duration = Duration::from_secs(60);

pub(super) struct Writer {
    shared: Arc<Shared>,
    store: Connection,
    retention: Duration,
    prune_at: Instant,
    /// Since when the store has failed.
    failing: Option<Instant>,
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, store: Connection, retention: Duration) -> Self {
        Self {
            shared,
            store,
            retention,
            prune_at: Instant::now(),
            failing: None,
        }
    }

    /// Writes until it is told to stop and nothing is left, or nothing more can be written.
    pub(super) fn run(mut self) {
        let mut slots = Vec::new();
        loop {
            let stop = self.is_told_to_stop();
            let round = self.shared.rounds.begin();
            self.shared.table.take_settled(&mut slots);
            if slots.is_empty() && stop {
                self.shared.rounds.end(round);
                return;
            }
            for batch in slots.chunks(BATCH) {
                if !self.commit(batch) {
                    return;
                }
            }
            slots.clear();
            self.shared.rounds.end(round);
            self.wait();
            self.linger();
        }
    }

    /// Sleeps while there is nothing to do.
    fn wait(&self) {
        let idle = || self.shared.table.is_drained() && !self.must_not_wait();
        if !self.is_prune_due() {
            self.shared.bell.wait(PRUNE, idle);
        }
    }

    /// Gives entries the time to become many, and takes it to delete old ones.
    fn linger(&mut self) {
        let until = Instant::now() + LINGER;
        while !self.shared.table.is_filling() && !self.must_not_wait() && Instant::now() < until {
            match self.is_prune_due() {
                true => self.prune(),
                false => thread::park_timeout(LOOK),
            }
        }
    }

    fn must_not_wait(&self) -> bool {
        self.is_told_to_stop() || self.shared.rounds.is_wanted()
    }

    fn is_told_to_stop(&self) -> bool {
        self.shared.stop.load(Ordering::SeqCst)
    }

    fn is_prune_due(&self) -> bool {
        !self.retention.is_zero() && Instant::now() >= self.prune_at
    }

    /// Commits the calls in `slots`, however often that takes; false if Weir stops and they stay where they are.
    fn commit(&mut self, slots: &[u32]) -> bool {
        let (entries, whole) = self.read(slots);
        let mut pause = PAUSES.0;
        loop {
            match rows::write(&mut self.store, &entries) {
                Ok(written) => {
                    whole
                        .into_iter()
                        .for_each(|slot| self.shared.table.free(slot));
                    metrics::ledger_written(written as u64, lag(&entries));
                    if self.failing.take().is_some() {
                        tracing::info!("the store takes entries again");
                    }
                    return true;
                }
                Err(error) => {
                    if !self.may_try_again(&error) {
                        return false;
                    }
                    thread::park_timeout(pause);
                    pause = (pause * 2).min(PAUSES.1);
                }
            }
        }
    }

    /// The entries in `slots`, and the slots that hold them: torn ones are left out.
    fn read(&self, slots: &[u32]) -> (Vec<Entry>, Vec<u32>) {
        let mut entries = Vec::with_capacity(slots.len());
        let mut whole = Vec::with_capacity(slots.len());
        for slot in slots {
            match self.shared.table.entry(*slot) {
                Ok(Some(entry)) => {
                    entries.push(entry);
                    whole.push(*slot);
                }
                Ok(None) => metrics::ledger_torn(1),
                Err(error) => {
                    // It stays taken, and the next start tries again.
                    metrics::ledger_failed();
                    tracing::error!(%error, slot, "a torn slot of the flight table cannot be set aside");
                }
            }
        }
        (entries, whole)
    }

    fn may_try_again(&mut self, error: &store::Error) -> bool {
        metrics::ledger_failed();
        if self.failing.is_none() {
            let error: &dyn std::error::Error = error;
            tracing::error!(
                error,
                "the store takes no entries; they wait in the flight table"
            );
        }
        let since = *self.failing.get_or_insert_with(Instant::now);
        !self.is_told_to_stop() || since.elapsed() < LAST_TRY
    }

    /// Deletes some of the entries that are too old. If that were all, it looks again later.
    fn prune(&mut self) {
        let oldest = millis().saturating_sub(self.retention.as_millis() as u64);
        // By whole hours, so that an hour's rows either add up to its rollup or are gone.
        let oldest = oldest / HOUR_MILLIS * HOUR_MILLIS;
        match rows::prune(&mut self.store, oldest) {
            Ok(0) => self.prune_at = Instant::now() + PRUNE,
            Ok(_) => {}
            Err(error) => {
                metrics::ledger_failed();
                let error: &dyn std::error::Error = &error;
                tracing::warn!(error, "old entries cannot be deleted");
                self.prune_at = Instant::now() + PRUNE;
            }
        }
    }
}

/// How long ago the oldest of them ended.
fn lag(entries: &[Entry]) -> Duration {
    let ends = entries
        .iter()
        .map(|entry| entry.started + entry.duration_us / 1000);
    let oldest = ends.min().unwrap_or(u64::MAX);
    Duration::from_millis(millis().saturating_sub(oldest))
}

fn millis() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    since.as_millis() as u64
}
