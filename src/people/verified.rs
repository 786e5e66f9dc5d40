//! Tokens that were verified, by a hash of all of each, so that the next request with one costs a look-up.
//!
//! Only what was found good comes in, so strangers cannot fill it.

use super::{SessionId, UserId, outside::Outsider};
use sha2::{Digest, Sha256};
use std::{sync::Arc, time::SystemTime};

const ENTRIES_MAX: usize = 16_384;

/// What a good token says.
#[derive(Clone)]
pub(super) enum Said {
    /// One of Weir's own: whose it is is looked up at every request.
    Own(Arc<Own>),
    /// One of an outside issuer: all there is to know is in it.
    Outside(Arc<Outsider>),
}

/// A token of Weir's own.
pub(super) struct Own {
    pub(super) user: UserId,
    pub(super) session: SessionId,
    /// The project that it names.
    pub(super) project: Option<Box<str>>,
}

struct Entry {
    said: Said,
    /// From then on it is good for nothing.
    ends: SystemTime,
}

#[derive(Default)]
pub(super) struct Verified(papaya::HashMap<[u8; 32], Entry, foldhash::fast::RandomState>);

/// What stands for a token here.
pub(super) fn hash(token: &[u8]) -> [u8; 32] {
    Sha256::digest(token).into()
}

impl Verified {
    pub(super) fn get(&self, hash: &[u8; 32], now: SystemTime) -> Option<Said> {
        let entries = self.0.pin();
        let entry = entries.get(hash)?;
        (now < entry.ends).then(|| entry.said.clone())
    }

    pub(super) fn put(&self, hash: [u8; 32], said: Said, ends: SystemTime, now: SystemTime) {
        let entries = self.0.pin();
        if entries.len() >= ENTRIES_MAX {
            entries.retain(|_, entry| now < entry.ends);
        }
        // Verifying all of them once more is better than growing, and than looking for the one to drop.
        if entries.len() >= ENTRIES_MAX {
            entries.clear();
        }
        entries.insert(hash, Entry { said, ends });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn own() -> Said {
        Said::Own(Arc::new(Own {
            user: UserId::new().unwrap(),
            session: SessionId::new().unwrap(),
            project: None,
        }))
    }

    #[test]
    fn an_entry_ends_with_its_token_and_there_are_never_too_many() {
        let (verified, now) = (Verified::default(), SystemTime::now());
        let later = |seconds| now + Duration::from_secs(seconds);
        verified.put(hash(b"a"), own(), later(10), now);
        assert!(verified.get(&hash(b"a"), later(9)).is_some());
        assert!(verified.get(&hash(b"a"), later(10)).is_none());
        assert!(verified.get(&hash(b"b"), now).is_none());
        for number in 0..2 * ENTRIES_MAX as u32 {
            verified.put(hash(&number.to_be_bytes()), own(), later(10), now);
            assert!(verified.0.len() <= ENTRIES_MAX);
        }
    }
}
