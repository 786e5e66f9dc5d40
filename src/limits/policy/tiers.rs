//! The tiers of a config, and those that it should have had.

use crate::domain::{Rules, Terms};
use std::collections::BTreeMap;

/// Tiers that a warning is given for, of those that the config does not know: outside issuers may claim what they like.
const STRAYS_MAX: usize = 64;

pub(super) struct Tiers {
    known: BTreeMap<Box<str>, Rules>,
    pub(super) strays: papaya::HashMap<Box<str>, ()>,
}

impl Tiers {
    pub(super) fn new(known: &BTreeMap<Box<str>, Rules>) -> Self {
        Self {
            known: known.clone(),
            strays: papaya::HashMap::new(),
        }
    }

    /// The limits of the tier that terms name. One that the config does not know limits nothing, and says so once.
    pub(super) fn of(&self, terms: &Terms) -> Option<&Rules> {
        let name = terms.tier.as_deref()?;
        let found = self.known.get(name);
        if found.is_none() {
            self.note_stray(name);
        }
        found
    }

    #[cold]
    fn note_stray(&self, tier: &str) {
        let strays = self.strays.pin();
        let is_new = strays.get(tier).is_none() && strays.len() < STRAYS_MAX;
        if is_new && strays.insert(tier.into(), ()).is_none() {
            tracing::warn!(
                tier,
                "the configuration has no [[tier]] of this name: it limits nothing"
            );
        }
    }
}
