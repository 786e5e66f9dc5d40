//! Which of the limits that were written for names and patterns cover a name.

use crate::domain::{Rules, matches};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// Limits by the names and patterns that they were written for, of which there may be thousands.
#[derive(Default)]
pub(super) struct Sets {
    exact: BTreeMap<Box<str>, Rules>,
    /// Patterns, by what comes before their star.
    by_head: BTreeMap<Box<str>, BTreeMap<Box<str>, Rules>>,
    /// In how many bytes that comes, each number once.
    heads: BTreeSet<usize>,
}

impl Sets {
    pub(super) fn new<'a>(sets: impl Iterator<Item = (&'a str, &'a Rules)>) -> Self {
        let mut all = Self::default();
        for (name, rules) in sets {
            let alike = match name.split_once('*') {
                None => &mut all.exact,
                Some((head, _)) => {
                    all.heads.insert(head.len());
                    all.by_head.entry(head.into()).or_default()
                }
            };
            alike.entry(name.into()).or_default().add_all(rules);
        }
        all
    }

    /// All names and patterns.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let patterns = self.by_head.values().flatten();
        self.exact.iter().chain(patterns).map(|(name, _)| &**name)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.exact.is_empty() && self.by_head.is_empty()
    }

    pub(super) fn cover(&self, name: &str) -> bool {
        self.exact.contains_key(name) || self.patterns(name).next().is_some()
    }

    /// The tightest of each kind, of all that cover a name: what holders have each for itself.
    pub(super) fn tightest(&self, name: &str) -> Rules {
        let mut rules = self.exact.get(name).cloned().unwrap_or_default();
        self.patterns(name)
            .for_each(|(_, more)| rules.add_all(more));
        rules
    }

    /// Of all that cover a name, the one that says most: what holders under it have together.
    pub(super) fn closest(&self, name: &str) -> Option<&str> {
        let exact = self.exact.get_key_value(name).map(|(name, _)| &**name);
        let patterns = || self.patterns(name).map(|(pattern, _)| pattern);
        exact.or_else(|| patterns().min_by_key(|pattern| Reverse(pattern.len())))
    }

    /// What was written for a name or a pattern itself.
    pub(super) fn written(&self, name: &str) -> Rules {
        let alike = match name.split_once('*') {
            None => Some(&self.exact),
            Some((head, _)) => self.by_head.get(head),
        };
        let rules = alike.and_then(|alike| alike.get(name));
        rules.cloned().unwrap_or_default()
    }

    /// The patterns that cover a name. However many there are, it looks only at those that begin as the name does.
    fn patterns(&self, name: &str) -> impl Iterator<Item = (&str, &Rules)> {
        let heads = self.heads.iter().filter_map(|length| name.get(..*length));
        let alike = heads.filter_map(|head| self.by_head.get(head)).flatten();
        let covering = alike.filter(|(pattern, _)| matches(pattern, name));
        covering.map(|(pattern, rules)| (&**pattern, rules))
    }
}

/// Of the patterns that cover a name, the one that says most; of two that say as much, the first.
pub(super) fn covering<'a, T>(
    all: &'a BTreeMap<Box<str>, T>,
    name: &str,
) -> Option<(&'a str, &'a T)> {
    let all = all.iter().map(|(pattern, of)| (&**pattern, of));
    let covering = all.filter(|(pattern, _)| matches(pattern, name));
    covering.min_by_key(|(pattern, _)| Reverse(pattern.len()))
}

/// Names shorter than this are put together without allocating.
const ROOM: usize = 256;

/// Calls `with` with two names as one.
pub(super) fn joined(halves: [&str; 2], joint: char, with: impl FnOnce(&str)) {
    let mut room = [0; ROOM];
    let [first, second] = halves.map(str::as_bytes);
    let (middle, end) = (first.len(), first.len() + 1 + second.len());
    if joint.is_ascii() && end <= ROOM {
        room[..middle].copy_from_slice(first);
        room[middle] = joint as u8;
        room[middle + 1..end].copy_from_slice(second);
        if let Ok(name) = std::str::from_utf8(&room[..end]) {
            return with(name);
        }
    }
    with(&format!("{}{joint}{}", halves[0], halves[1]));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Kind, Rule};
    use proptest::{collection::vec, prelude::*};

    proptest! {
        #[test]
        fn what_is_looked_up_is_what_looking_at_each_finds(
            sets in vec(("[ab]{0,3}\\*?[ab]{0,2}", 1..9_u64), 0..12),
            name in "[abé]{0,5}",
        ) {
            let sets: Vec<(String, Rules)> = (sets.into_iter())
                .map(|(name, amount)| (name, rules(amount)))
                .collect();
            let found = Sets::new(sets.iter().map(|(name, rules)| (&**name, rules)));
            let covering = || sets.iter().filter(|(written, _)| matches(written, &name));
            let mut tightest = Rules::default();
            covering().for_each(|(_, rules)| tightest.add_all(rules));
            prop_assert_eq!(found.cover(&name), covering().next().is_some());
            prop_assert_eq!(found.tightest(&name), tightest);
            let longest = covering().map(|(written, _)| written.len()).max();
            let closest = found.closest(&name);
            let is_exact = covering().any(|(written, _)| *written == name);
            match is_exact {
                true => prop_assert_eq!(closest, Some(&*name)),
                false => prop_assert_eq!(closest.map(str::len), longest),
            }
            prop_assert!(sets.iter().all(|(written, _)| !found.written(written).is_empty()));
        }
    }

    fn rules(amount: u64) -> Rules {
        let mut rules = Rules::default();
        rules.add(Rule::new(Kind::InFlight, amount));
        rules
    }
}
