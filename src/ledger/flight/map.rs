//! The file behind the flight table, mapped into memory. The one place in Weir with `unsafe`.
//!
//! A store into the mapping is in the kernel's hands at once, so what was stored outlives the process, however that
//! ends. What outlives the machine is what has been flushed.

use super::{
    Error,
    extent::{self, Extent},
};
use memmap2::{MmapOptions, MmapRaw};
use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::Path,
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
            let label = extent::label(slots, found.reached);
            file.write_all_at(&label, 0).map_err(refused)?;
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
