//! The file behind the flight table, mapped into memory. The one place in Weir with `unsafe`.
//!
//! A store into the mapping is in the kernel's hands at once, so what was stored outlives the process, however that
//! ends. What outlives the machine is what has been flushed.

use super::Error;
use memmap2::{MmapOptions, MmapRaw};
use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, Write},
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

/// Bytes before the first slot: a page, so that no half of a slot lies across two.
pub(super) const HEADER_BYTES: usize = 4096;
/// Bytes of a slot: a head, which a call uses from its start, and a tail, which most use at their end only.
pub(super) const SLOT_BYTES: usize = 2 * HALF_BYTES;
pub(super) const HALF_BYTES: usize = 1024;
/// So many heads fill a page, and their tails the next one: a stream that waits holds no memory for its end.
pub(super) const GROUP_SLOTS: usize = 4;
pub(super) const GROUP_BYTES: usize = GROUP_SLOTS * SLOT_BYTES;
/// Bytes of a slot's note, which lies in a file of its own: its pages are memory only where calls have notes.
pub(super) const NOTE_BYTES: usize = 2048;

/// The extension of the file that tells of slots that were lost.
const LOST: &str = "lost";

const MAGIC: u64 = u64::from_le_bytes(*b"weirflgt");
const VERSION: u64 = 3;
/// Bytes of the header that are in use: what the file is, how many slots it has, how many of them were ever reached.
const LABEL_BYTES: usize = 40;
/// The word of the header that says how many slots were ever reached.
const REACHED: usize = 4;

/// A table's file, locked and mapped. The lock ends with the process, or when this is dropped.
pub(super) struct Map {
    raw: MmapRaw,
    notes: MmapRaw,
    slots: usize,
    lost: usize,
    /// Holds the lock.
    file: File,
}

impl Map {
    /// Opens the file at `path`, made if missing, with room for at least `slots`.
    ///
    /// A file that has more keeps them: there may be calls in them that are still to be settled.
    pub(super) fn open(path: &Path, slots: usize) -> Result<Self, Error> {
        let refused = |source| Error::File {
            path: path.into(),
            source,
        };
        let file = open(path).map_err(refused)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Error::InUse { path: path.into() }),
            Err(TryLockError::Error(source)) => return Err(refused(source)),
        }
        let found = Extent::read(&file, path).map_err(refused)?;
        let found = found.ok_or_else(|| Error::Foreign { path: path.into() })?;
        // Before the file is made whole, after which nothing would tell.
        found.report(path).map_err(refused)?;
        let slots = slots.max(found.slots);
        let len = HEADER_BYTES + slots.div_ceil(GROUP_SLOTS) * GROUP_BYTES;
        reserve(&file, len as u64).map_err(refused)?;
        if found.slots < slots || !found.has_header {
            // After the room is there: a header never promises slots that don't exist.
            let [size, slots, reached] = [SLOT_BYTES, slots, found.reached].map(|one| one as u64);
            let header = [MAGIC, VERSION, size, slots, reached];
            let bytes: Vec<u8> = header.into_iter().flat_map(u64::to_le_bytes).collect();
            file.write_all_at(&bytes, 0).map_err(refused)?;
        }
        let raw = MmapOptions::new()
            .len(len)
            .map_raw(&file)
            .map_err(refused)?;
        let notes = path.with_extension("notes");
        let notes = map_notes(&notes, slots * NOTE_BYTES).map_err(|source| Error::File {
            path: notes,
            source,
        })?;
        Ok(Self {
            raw,
            notes,
            slots,
            lost: found.lost,
            file,
        })
    }

    /// How many slots there are.
    pub(super) fn slots(&self) -> usize {
        self.slots
    }

    /// How many slots may have held calls that are gone, since the file was not as it had been left.
    pub(super) fn lost(&self) -> usize {
        self.lost
    }

    /// The words of a slot's head and of its tail.
    pub(super) fn halves(&self, index: usize) -> [&[AtomicU64]; 2] {
        halves(index).map(|half| {
            let start = (HEADER_BYTES + half) / size_of::<AtomicU64>();
            &words(&self.raw)[start..start + HALF_BYTES / size_of::<AtomicU64>()]
        })
    }

    /// The words of all slots' notes.
    pub(super) fn notes(&self) -> &[AtomicU64] {
        words(&self.notes)
    }

    /// No slot from here on was ever taken, so nobody needs to look there.
    pub(super) fn reached(&self) -> &AtomicU64 {
        &words(&self.raw)[REACHED]
    }

    /// Which slots hold anything, by their first word.
    ///
    /// Read beside the mapping: a look through it would make every page of the table memory of this process.
    pub(super) fn occupied(&self) -> io::Result<Vec<bool>> {
        const GROUPS: usize = 128; // a MiB at a time
        let reached = (self.reached().load(Ordering::Relaxed) as usize).min(self.slots);
        let groups = reached.div_ceil(GROUP_SLOTS);
        let mut occupied = Vec::with_capacity(self.slots);
        let mut piece = vec![0; GROUPS.min(groups) * GROUP_BYTES];
        for from in (0..groups).step_by(GROUPS) {
            let piece = &mut piece[..GROUPS.min(groups - from) * GROUP_BYTES];
            let at = HEADER_BYTES + from * GROUP_BYTES;
            self.file.read_exact_at(piece, at as u64)?;
            for group in piece.chunks_exact(GROUP_BYTES) {
                let heads = group[..GROUP_SLOTS * HALF_BYTES].chunks_exact(HALF_BYTES);
                occupied.extend(heads.map(|head| head[..8] != [0; 8]));
            }
        }
        occupied.resize(self.slots, false);
        Ok(occupied)
    }

    /// Has everything stored so far written to the disk. Blocks.
    pub(super) fn flush(&self) -> io::Result<()> {
        self.raw.flush()?;
        self.notes.flush()
    }
}

/// Where the halves of a slot begin, in bytes from the first slot.
pub(super) fn halves(index: usize) -> [usize; 2] {
    let group = index / GROUP_SLOTS * GROUP_BYTES;
    let head = group + index % GROUP_SLOTS * HALF_BYTES;
    [head, head + GROUP_SLOTS * HALF_BYTES]
}

/// All words of a mapping.
fn words(raw: &MmapRaw) -> &[AtomicU64] {
    let words = raw.len() / size_of::<AtomicU64>();
    // SAFETY: `raw` maps `len` bytes, readable and writable, until it is dropped, and the slice borrows from it. A
    // mapping begins on a page, so it is aligned for words, and `words` of them end where it does. Any bits are an
    // `AtomicU64`. In this process the mapping is reached through this slice only, so every access is atomic; the lock
    // keeps other gateways out of the file, and what a stranger writes into it can change values, which are checked,
    // but not break a type. A file that a stranger cuts short ends the process with a signal at the next access, which
    // is a crash and nothing worse.
    #[expect(
        unsafe_code,
        reason = "memory that outlives the process has to be mapped"
    )]
    unsafe {
        std::slice::from_raw_parts(raw.as_ptr().cast::<AtomicU64>(), words)
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
}

/// Maps the file of the notes, made if missing. The lock on the table is the lock on it.
fn map_notes(path: &Path, len: usize) -> io::Result<MmapRaw> {
    let file = open(path)?;
    reserve(&file, len as u64)?;
    MmapOptions::new().len(len).map_raw(&file)
}

/// What a table's file holds, by its header and its length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) slots: usize,
    /// From here on no slot was ever taken.
    pub(super) reached: usize,
    /// Those that may have been in use and are not in the file any more.
    pub(super) lost: usize,
    has_header: bool,
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
            [MAGIC, VERSION, size, slots, reached] if size == SLOT_BYTES as u64 => {
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
    fn report(&self, table: &Path) -> io::Result<()> {
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

/// Gives the file this length if it is shorter, with blocks behind it: a page that cannot be stored would end the process.
fn reserve(file: &File, len: u64) -> io::Result<()> {
    if file.metadata()?.len() >= len {
        return Ok(());
    }
    #[cfg(target_os = "linux")]
    {
        use rustix::{fs::FallocateFlags, io::Errno};
        match rustix::fs::fallocate(file, FallocateFlags::empty(), 0, len) {
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => {}
            done => return Ok(done?),
        }
    }
    static PIECE: [u8; 64 << 10] = [0; 64 << 10];
    let mut at = file.metadata()?.len();
    while at < len {
        let piece = (len - at).min(PIECE.len() as u64);
        file.write_all_at(&PIECE[..piece as usize], at)?;
        at += piece;
    }
    Ok(())
}
