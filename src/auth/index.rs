//! Every key in memory, so that a request is answered without the store.
//!
//! Readers take no lock and wait for nobody. Only the store's thread writes, in the order of commits.

use super::Rejected;
use super::key::{Hash, Kind, Shown};
use crate::domain::{Caller, KeyId, ModelRule, OnHangup, Owner, Terms};
use crate::store::Millis;
use std::collections::HashSet;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use subtle::ConstantTimeEq;

/// Stands in for the hash of a key that does not exist: a value that no one knows a secret for.
const NOBODY: Hash = Hash([0; 32]);

/// What a request needs to know of a key. Kept small: there may be a million, and few have rules of their own.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) hash: Hash,
    pub(super) owner: Option<Arc<Owner>>,
    pub(super) rules: Option<Box<Rules>>,
    pub(super) expires: Millis,
    pub(super) kind: Kind,
    pub(super) revoked: bool,
}

/// What sets a key apart from one that may use everything as the config says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Rules {
    pub(super) models: ModelRule,
    pub(super) on_hangup: Option<OnHangup>,
    pub(super) terms: Option<Arc<Terms>>,
}

/// One row of the store, as it is now.
pub(super) struct Change {
    pub(super) id: KeyId,
    pub(super) version: i64,
    /// `None` if the row makes no sense, which must close the door rather than leave it as it was.
    pub(super) entry: Option<Entry>,
}

#[derive(Default)]
pub(super) struct Index {
    /// Nobody chooses the id of a key, so that a quick hash will do.
    entries: papaya::HashMap<KeyId, Entry, foldhash::fast::RandomState>,
    owners: Mutex<Owners>,
    seen: AtomicI64,
}

/// Each owner once, however many keys are for it.
#[derive(Default)]
struct Owners {
    known: HashSet<Arc<Owner>, foldhash::fast::RandomState>,
    /// At how many those are dropped that no key has any more.
    sweep_at: usize,
}

/// Below this many owners it is not worth looking for those that nobody needs.
const SWEEP_MIN: usize = 1024;

impl Owners {
    fn one(&mut self, owner: Arc<Owner>) -> Arc<Owner> {
        if let Some(known) = self.known.get(&owner) {
            return Arc::clone(known);
        }
        if self.known.len() >= self.sweep_at.max(SWEEP_MIN) {
            self.known.retain(|owner| Arc::strong_count(owner) > 1);
            self.sweep_at = self.known.len() * 2;
        }
        self.known.insert(Arc::clone(&owner));
        owner
    }
}

impl Index {
    /// The holder of a key that opens the plane of `kind` at `now`.
    pub(super) fn find(
        &self,
        shown: &Shown<'_>,
        kind: Kind,
        now: Millis,
    ) -> Result<Caller, Rejected> {
        let hash = shown.hash();
        let entries = self.entries.pin();
        let entry = entries
            .get(&shown.id)
            .filter(|entry| entry.kind == shown.kind);

        // An unknown id takes the same steps as a wrong secret, and what became of a key is told to its holder only.
        let stored = entry.map_or(&NOBODY, |entry| &entry.hash);
        let proven = bool::from(hash.ct_eq(stored));
        let entry = entry.ok_or(Rejected::Unknown)?;
        if !proven {
            return Err(Rejected::WrongSecret);
        }
        if entry.kind != kind {
            return Err(Rejected::WrongPlane);
        }
        if entry.revoked {
            return Err(Rejected::Revoked);
        }
        if entry.expires <= now {
            return Err(Rejected::Expired);
        }
        let rules = entry.rules.as_deref();
        Ok(Caller {
            key: shown.id,
            models: rules.map_or(ModelRule::All, |rules| rules.models.clone()),
            on_hangup: rules.and_then(|rules| rules.on_hangup),
            owner: entry.owner.clone(),
            terms: rules.and_then(|rules| rules.terms.clone()),
        })
    }

    /// Takes over what a row says. Called on the store's thread only, in the order of versions.
    pub(super) fn apply(&self, change: Change) {
        let entries = self.entries.pin();
        match change.entry {
            Some(mut entry) => {
                let mut owners = self.owners.lock().expect("nothing panics while it is held");
                entry.owner = entry.owner.map(|owner| owners.one(owner));
                entries.insert(change.id, entry)
            }
            None => entries.remove(&change.id),
        };
        self.seen.store(change.version, Ordering::Relaxed); // for the same thread's next look
    }

    /// The version of the last row that was applied.
    pub(super) fn seen(&self) -> i64 {
        self.seen.load(Ordering::Relaxed)
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }
}
