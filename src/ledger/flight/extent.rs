//! What a table's file is by its header and its length, and whether something is missing that was there.

use super::map::{GROUP_BYTES, GROUP_SLOTS, HALF_BYTES, HEADER_BYTES, NOTE_BYTES, SLOT_BYTES};
use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// The extension of the file that tells of slots that were lost.
const LOST: &str = "lost";

/// As many as can be asked for. A header that promises more is broken, and so may be whatever else it says.
const SLOTS_MAX: u64 = 1 << 22;
const MAGIC: u64 = u64::from_le_bytes(*b"weirflgt");
const VERSION: u64 = 3;
/// Bytes of the header that are in use: what the file is, how many slots it has, how many of them were ever reached.
const LABEL_BYTES: usize = 40;

/// The header of a file of so many slots, which were taken up to `reached`.
pub(super) fn label(slots: usize, reached: usize) -> Vec<u8> {
    let [size, slots, reached] = [SLOT_BYTES, slots, reached].map(|one| one as u64);
    let words = [MAGIC, VERSION, size, slots, reached];
    words.into_iter().flat_map(u64::to_le_bytes).collect()
}

/// What a table's file holds, by its header and its length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) slots: usize,
    /// From here on no slot was ever taken.
    pub(super) reached: usize,
    /// Those that may have been in use and are not in the file any more.
    pub(super) lost: usize,
    pub(super) has_header: bool,
    /// Something is missing that was there: a new file is not yet whole either, but it never had more.
    is_damaged: bool,
}

impl Extent {
    /// Reads it from a file; none if that is no table of this version.
    pub(super) fn read(file: &File, path: &Path) -> io::Result<Option<Self>> {
        let len = file.metadata()?.len() as usize;
        let mut header = [0; LABEL_BYTES];
        if len >= LABEL_BYTES {
            file.read_exact_at(&mut header, 0)?;
        }
        // They are made once the table is whole, and tell how many slots that had.
        let notes = match path.with_extension("notes").metadata() {
            Ok(notes) => notes.len() as usize / NOTE_BYTES,
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(error),
        };
        Ok(Self::of(&header, len, notes))
    }

    fn of(header: &[u8; LABEL_BYTES], len: usize, notes: usize) -> Option<Self> {
        let (words, _) = header.as_chunks();
        let words: [u64; LABEL_BYTES / 8] = std::array::from_fn(|at| u64::from_le_bytes(words[at]));
        let there = heads_in(len);
        match words {
            // Whatever is there may be a call, and says so itself.
            [0, 0, 0, 0, 0] => Some(Self {
                slots: there,
                reached: there,
                lost: notes.saturating_sub(there),
                has_header: false,
                is_damaged: notes > 0,
            }),
            [MAGIC, VERSION, size, slots, reached]
                if size == SLOT_BYTES as u64 && slots <= SLOTS_MAX =>
            {
                let slots = usize::try_from(slots).ok()?;
                let whole = slots.div_ceil(GROUP_SLOTS).checked_mul(GROUP_BYTES)?;
                let reached = slots.min(usize::try_from(reached).ok()?);
                Some(Self {
                    slots,
                    reached,
                    lost: reached.saturating_sub(there),
                    has_header: true,
                    is_damaged: len < HEADER_BYTES + whole,
                })
            }
            _ => None,
        }
    }

    /// Says that something is missing, and keeps a line about slots that were lost where it is not overlooked.
    pub(super) fn report(&self, table: &Path) -> io::Result<()> {
        if !self.is_damaged {
            return Ok(());
        }
        if self.lost == 0 {
            tracing::warn!(table = %table.display(), "the flight table had lost its header, or its end, in which no call was");
            return Ok(());
        }
        let path = lost(table);
        let mut file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(&path)?;
        writeln!(
            file,
            "{} slots that may have held calls were gone",
            self.lost
        )?;
        file.sync_all()?;
        tracing::error!(slots = self.lost, noted = %path.display(), "the flight table was cut short: calls in its slots may be lost");
        Ok(())
    }
}

/// The file that tells of slots that were lost; it is there only if some were.
pub(super) fn lost(table: &Path) -> PathBuf {
    table.with_extension(LOST)
}

/// How many slots begin in a file of this length.
fn heads_in(len: usize) -> usize {
    let bytes = len.saturating_sub(HEADER_BYTES);
    let begun = (bytes % GROUP_BYTES).div_ceil(HALF_BYTES).min(GROUP_SLOTS);
    bytes / GROUP_BYTES * GROUP_SLOTS + begun
}
