//! A table as it lies on the disk, for someone who only looks.

use super::{
    Error,
    extent::{self, Extent},
    map::{self, GROUP_BYTES, GROUP_SLOTS, HALF_BYTES, HEADER_BYTES, SLOT_BYTES},
    recovery::aside,
    section::Torn,
    slot::{Slot, State},
};
use crate::ledger::entry::EntryId;
use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::Path,
    sync::atomic::AtomicU64,
};

/// What is in a table.
#[derive(Debug, Default)]
pub(in crate::ledger) struct View {
    pub(in crate::ledger) slots: usize,
    pub(in crate::ledger) in_flight: usize,
    /// Those that are settled and not given back.
    pub(in crate::ledger) settled: Vec<EntryId>,
    pub(in crate::ledger) torn: usize,
    /// Slots that were set aside.
    pub(in crate::ledger) aside: u64,
    /// Slots that are gone from the file, and may have held calls.
    pub(in crate::ledger) lost: usize,
    /// Starts before have found some gone, and noted it.
    pub(in crate::ledger) has_lost: bool,
    /// A gateway has it open.
    pub(in crate::ledger) in_use: bool,
}

/// Reads a table without taking it; none if there is none.
pub(in crate::ledger) fn view(path: &Path) -> Result<Option<View>, Error> {
    let refused = |source| Error::File {
        path: path.into(),
        source,
    };
    let mut file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(refused)?,
    };
    let extent = Extent::read(&file, path).map_err(refused)?;
    let extent = extent.ok_or_else(|| Error::Foreign { path: path.into() })?;
    let mut view = View {
        slots: extent.slots,
        in_use: file.try_lock_shared().is_err(),
        aside: std::fs::metadata(aside(path)).map_or(0, |data| data.len() / SLOT_BYTES as u64),
        lost: extent.lost,
        has_lost: extent::lost(path).exists(),
        ..View::default()
    };
    file.seek(SeekFrom::Start(HEADER_BYTES as u64))
        .map_err(refused)?;
    let mut group = [0; GROUP_BYTES];
    for index in 0..extent.reached {
        if index % GROUP_SLOTS == 0 {
            fill(&mut file, &mut group).map_err(refused)?;
        }
        view.look(&group, index % GROUP_SLOTS);
    }
    Ok(Some(view))
}

impl View {
    /// Looks at a slot by its place in its group.
    fn look(&mut self, group: &[u8; GROUP_BYTES], place: usize) {
        let [head, tail] = map::halves(place).map(|half| {
            let (words, _) = group[half..half + HALF_BYTES].as_chunks();
            let words = words.iter().map(|word| u64::from_le_bytes(*word));
            words.map(AtomicU64::new).collect::<Vec<_>>()
        });
        let slot = Slot {
            head: &head,
            tail: &tail,
            note: &[],
        };
        match slot.state() {
            Ok(State::Free) => {}
            Ok(State::InFlight) => self.in_flight += 1,
            Ok(State::Settled) => match slot.entry() {
                Ok(entry) => self.settled.push(entry.id),
                Err(Torn) => self.torn += 1,
            },
            Err(Torn) => self.torn += 1,
        }
    }
}

/// Reads on until `into` is full; what is beyond the file's end is zero, as it is once the file is made whole.
fn fill(file: &mut File, into: &mut [u8]) -> io::Result<()> {
    into.fill(0);
    let mut rest = into;
    loop {
        match file.read(rest) {
            Ok(0) => return Ok(()),
            Ok(read) => rest = &mut rest[read..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
