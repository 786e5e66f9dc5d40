//! What a start finds in a table: calls that an earlier process left, and slots that cannot be trusted.

use super::{Error, Table, section::Torn, slot::State};
use std::{
    collections::BTreeSet,
    fs::OpenOptions,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::atomic::Ordering,
};

/// More models than that are not told apart after a crash.
const MODELS_MAX: usize = 64;

/// What was found in a table at the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::ledger) struct Leftovers {
    /// Calls that had ended.
    pub(in crate::ledger) settled: usize,
    /// Calls that were in the air.
    pub(in crate::ledger) interrupted: usize,
    /// The models that those asked for, or the first of them.
    pub(in crate::ledger) models: BTreeSet<String>,
    /// Slots that cannot be trusted, and were set aside.
    pub(in crate::ledger) torn: usize,
    /// Slots that may have held calls, and were not in the file any more.
    pub(in crate::ledger) lost: usize,
    /// Calls among the first two whose metadata is not there any more.
    pub(in crate::ledger) notes_lost: usize,
}

impl Table {
    pub(super) fn recover(&self, slots: u32) -> Result<Leftovers, Error> {
        let mut found = Leftovers {
            lost: self.map.lost(),
            ..Leftovers::default()
        };
        let occupied = self.map.occupied().map_err(|source| Error::File {
            path: self.path.clone(),
            source,
        })?;
        let reached = occupied.iter().rposition(|is_occupied| *is_occupied);
        let reached = reached.map_or(0, |last| last as u64 + 1);
        self.map.reached().store(reached, Ordering::Relaxed);
        // Backwards, so that the first slots are on top, and only as many pages are touched as are needed.
        for index in (0..self.links.len() as u32).rev() {
            if !occupied[index as usize] {
                if index < slots {
                    self.free.push(&self.links, index);
                }
                continue;
            }
            let slot = self.slot(index);
            let settled = match slot.state() {
                // It was not, a moment ago: someone else writes here.
                Ok(State::Free) => Err(Torn),
                Ok(State::InFlight) => slot.interrupt().map(|model| {
                    found.interrupted += 1;
                    if found.models.len() < MODELS_MAX {
                        found.models.insert(model);
                    }
                }),
                Ok(State::Settled) => slot.entry().map(|_| found.settled += 1),
                Err(torn) => Err(torn),
            };
            self.used.fetch_add(1, Ordering::Relaxed);
            match settled {
                Ok(()) => {
                    found.notes_lost += usize::from(slot.has_lost_note());
                    self.queue(index);
                }
                Err(Torn) => {
                    found.torn += 1;
                    self.set_aside(index).map_err(|source| Error::File {
                        path: self.aside(),
                        source,
                    })?;
                }
            }
        }
        Ok(found)
    }

    /// Keeps what a torn slot holds in a file, for people to look at, and frees the slot.
    pub(super) fn set_aside(&self, index: u32) -> io::Result<()> {
        let path = self.aside();
        let mut file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(&path)?;
        file.write_all(&self.slot(index).raw())?;
        file.sync_all()?;
        tracing::error!(slot = index, kept = %path.display(), "a slot of the flight table is torn and not on the ledger");
        self.release(index);
        Ok(())
    }

    fn aside(&self) -> PathBuf {
        aside(&self.path)
    }
}

pub(super) fn aside(table: &Path) -> PathBuf {
    table.with_extension("torn")
}
