//! The flight table: a slot for every call in the air, in memory that outlives the process.
//!
//! Counting is a store to memory. Nothing here waits: slots are taken, settled and handed to the writer without a lock
//! and without a system call.

mod end;
mod extent;
mod map;
mod passing;
mod reading;
mod recovery;
mod section;
mod slot;
mod stack;
mod view;

use super::entry::{Admission, Answer, Entry, EntryId, Settled, Settlement};
use crate::domain::{Asked, Endpoint};
use map::{GROUP_SLOTS, Map};
use passing::Passing;
use recovery::Leftovers;
use section::Torn;
use slot::{NOTE_WORDS, Slot, State};
use stack::Stack;
use std::{
    io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
};
pub(super) use view::{View, view};

/// Why there is no flight table.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be made or mapped.
    #[error("{} cannot be used", path.display())]
    File {
        /// The table's file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Another gateway has it.
    #[error("{} is in use by another weir: give each a `server.data_dir` of its own", path.display())]
    InUse {
        /// The table's file.
        path: PathBuf,
    },
    /// It is no flight table, or one of another version.
    #[error("{} is no flight table that this weir can read: if an earlier one made it, let that one settle its calls, then move the file away", path.display())]
    Foreign {
        /// The table's file.
        path: PathBuf,
    },
}

/// All slots.
pub(super) struct Table {
    /// How many may be taken; an earlier config may have made more.
    slots: u32,
    map: Map,
    path: PathBuf,
    links: Box<[AtomicU32]>,
    /// Groups of slots whose tails were stored to by this process, so that their page is memory.
    tails: Box<[AtomicBool]>,
    free: Stack,
    settled: Stack,
    /// Slots that are not free.
    used: AtomicU32,
    /// Slots that wait for the writer.
    waiting: AtomicU32,
    /// 40 bits that differ from start to start, so that ids and sequences do.
    start: u64,
    admitted: AtomicU64,
}

/// Slots that may wait for the writer: enough for a cheap commit.
const WAITING_MAX: u32 = 1024;
impl Table {
    /// Opens the table at `path`, made if missing, and has what an earlier process left in it settled. Blocks.
    pub(super) fn open(path: &Path, slots: u32, start: u64) -> Result<(Self, Leftovers), Error> {
        let map = Map::open(path, slots as usize)?;
        let table = Self {
            slots,
            links: (0..map.slots()).map(|_| AtomicU32::default()).collect(),
            tails: (0..map.slots().div_ceil(GROUP_SLOTS))
                .map(|_| AtomicBool::default())
                .collect(),
            map,
            path: path.into(),
            free: Stack::default(),
            settled: Stack::default(),
            used: AtomicU32::default(),
            waiting: AtomicU32::default(),
            start,
            admitted: AtomicU64::default(),
        };
        let leftovers = table.recover(slots)?;
        Ok((table, leftovers))
    }

    fn slot(&self, index: u32) -> Slot<'_> {
        let index = index as usize;
        let [head, tail] = self.map.halves(index);
        let note = &self.map.notes()[index * NOTE_WORDS..(index + 1) * NOTE_WORDS];
        Slot { head, tail, note }
    }

    fn tail(&self, index: u32) -> &AtomicBool {
        &self.tails[index as usize / GROUP_SLOTS]
    }

    /// Takes a slot for a call; none if the table is full.
    pub(super) fn admit(&self, admission: &Admission<'_>) -> Option<u32> {
        let index = self.free.pop(&self.links)?;
        self.used.fetch_add(1, Ordering::Relaxed);
        let reached = self.map.reached();
        // Most slots were used before, and the header's page need not go from thread to thread.
        if reached.load(Ordering::Relaxed) <= index.into() {
            reached.fetch_max(u64::from(index) + 1, Ordering::Relaxed);
        }
        let number = self.admitted.fetch_add(1, Ordering::Relaxed);
        let unique = u128::from(self.start) << 40 | u128::from(number & ((1 << 40) - 1));
        let id = EntryId::new(admission.started, unique);
        // Not counted on from what the slot holds: after a loss of power, that is older than what other pages hold of it.
        let sequence = (self.start << 8).wrapping_add(number);
        self.slot(index).admit(sequence, id, admission);
        Some(index)
    }

    /// Which call is in a slot.
    pub(super) fn sequence(&self, index: u32) -> u64 {
        self.slot(index).sequence()
    }

    /// Notes what the `sequence`th call asks for, if it is in this slot still.
    pub(super) fn ask(&self, index: u32, sequence: u64, asked: &Asked) {
        self.slot(index).ask(sequence, asked);
    }

    /// What was noted of what the call in a slot asks for.
    pub(super) fn asked(&self, index: u32) -> Asked {
        self.slot(index).asked()
    }

    pub(super) fn answer(&self, index: u32, answer: &Answer<'_>) {
        self.slot(index).answer(answer);
    }

    /// What is stored to as the answer of the call in a slot passes.
    pub(super) fn passing(&self, index: u32) -> Passing<'_> {
        let [head, _] = self.map.halves(index as usize);
        Passing::of(head)
    }

    /// Ends a call and queues its slot for the writer.
    pub(super) fn settle(
        &self,
        index: u32,
        endpoint: Endpoint,
        answer: Option<(u16, bool)>,
        settlement: &Settlement<'_>,
    ) -> Settled {
        let settled = self.slot(index).settle(endpoint, answer, settlement);
        let tail = self.tail(index);
        // Nearly always set, and a store would take its line from other threads.
        if !tail.load(Ordering::Relaxed) {
            tail.store(true, Ordering::Relaxed);
        }
        // A slot that was spoiled from outside is queued too: the writer sets it aside.
        self.queue(index);
        settled
    }

    fn queue(&self, index: u32) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        self.settled.push(&self.links, index);
    }

    /// Takes all that waits for the writer, in the order in which it was settled.
    pub(super) fn take_settled(&self, into: &mut Vec<u32>) {
        self.settled.take(&self.links, into);
    }

    /// Whether nothing waits to be taken.
    pub(super) fn is_drained(&self) -> bool {
        self.settled.is_empty()
    }

    /// The entry in a settled slot; none, and the slot set aside, if it is torn.
    pub(super) fn entry(&self, index: u32) -> io::Result<Option<Entry>> {
        match self.slot(index).entry() {
            Ok(entry) => Ok(Some(entry)),
            Err(Torn) => {
                self.set_aside(index)?;
                self.waiting.fetch_sub(1, Ordering::Relaxed);
                Ok(None)
            }
        }
    }

    /// Gives back a slot whose entry is where it lasts.
    pub(super) fn free(&self, index: u32) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        self.release(index);
    }

    fn release(&self, index: u32) {
        self.slot(index).free();
        self.used.fetch_sub(1, Ordering::Relaxed);
        self.free.push(&self.links, index);
    }

    /// Slots that are not free.
    pub(super) fn used(&self) -> u32 {
        self.used.load(Ordering::Relaxed)
    }

    /// Whether so many slots wait for the writer that it should not let them become more: one in eight of a small
    /// table. Of a large one it is far fewer, for each that was used once stays memory.
    pub(super) fn is_filling(&self) -> bool {
        self.waiting() > (self.slots / 8).min(WAITING_MAX)
    }

    /// Slots that wait for the writer to commit.
    pub(super) fn waiting(&self) -> u32 {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Has all that was stored so far written to the disk. Blocks.
    ///
    /// The kernel then watches for the next store to each page, and that store may wait for the disk. So the pages of
    /// calls in the air are stored to here at once, and their own stores find nothing to wait for.
    pub(super) fn flush(&self) -> io::Result<()> {
        self.map.flush()?;
        for index in 0..self.map.reached().load(Ordering::Relaxed) as u32 {
            let slot = self.slot(index);
            if slot.state() == Ok(State::InFlight) {
                slot.touch(self.tail(index).load(Ordering::Relaxed));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
