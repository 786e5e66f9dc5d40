//! Which of the limits that were written for names and patterns cover a name.

use crate::config::LimitSet;
use crate::domain::{Rules, matches};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Limits that every holder under their names has for itself: all that cover it, the tightest of each kind.
pub(super) struct Sets(Vec<(Box<str>, Rules)>);

/// Limits that all holders under a name have together: one covers each, the one that says most.
pub(super) struct Exclusive {
    exact: BTreeMap<Box<str>, Rules>,
    /// Those that say most first.
    patterns: Vec<(Box<str>, Rules)>,
}

impl Sets {
    pub(super) fn new<'a>(sets: impl Iterator<Item = &'a LimitSet>) -> Self {
        Self(
            sets.map(|set| (set.name.clone(), set.rules.clone()))
                .collect(),
        )
    }

    /// Has names that begin with `prefix` begin with what follows it.
    pub(super) fn without_prefix(&mut self, prefix: &str) {
        for (name, _) in &mut self.0 {
            if let Some(rest) = name.strip_prefix(prefix) {
                *name = rest.into();
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| &**name)
    }

    pub(super) fn cover(&self, name: &str) -> bool {
        self.0.iter().any(|(pattern, _)| matches(pattern, name))
    }

    pub(super) fn rules(&self, name: &str) -> Rules {
        let mut rules = Rules::default();
        let covering = self.0.iter().filter(|(pattern, _)| matches(pattern, name));
        covering.for_each(|(_, more)| rules.add_all(more));
        rules
    }
}

impl Exclusive {
    pub(super) fn new<'a>(sets: impl Iterator<Item = &'a LimitSet>) -> Self {
        let mut exact: BTreeMap<Box<str>, Rules> = BTreeMap::new();
        for set in sets {
            exact
                .entry(set.name.clone())
                .or_default()
                .add_all(&set.rules);
        }
        let mut patterns: Vec<_> = exact
            .iter()
            .filter(|(name, _)| name.contains('*'))
            .map(|(name, rules)| (name.clone(), rules.clone()))
            .collect();
        exact.retain(|name, _| !name.contains('*'));
        patterns.sort_by_key(|(name, _)| Reverse(name.len()));
        Self { exact, patterns }
    }

    /// The name and the limits that cover a model.
    pub(super) fn of(&self, model: &str) -> Option<(&str, &Rules)> {
        let exact = self.exact.get_key_value(model);
        let found = exact.map(|(name, rules)| (&**name, rules));
        found.or_else(|| {
            let mut patterns = self.patterns.iter();
            let found = patterns.find(|(pattern, _)| matches(pattern, model));
            found.map(|(name, rules)| (&**name, rules))
        })
    }

    /// All names that have limits.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let patterns = self.patterns.iter().map(|(name, _)| &**name);
        self.exact.keys().map(|name| &**name).chain(patterns)
    }

    /// The limits under a name, as written.
    pub(super) fn rules(&self, name: &str) -> Rules {
        let exact = self.exact.get(name);
        let written = exact.or_else(|| {
            let found = self.patterns.iter().find(|(pattern, _)| **pattern == *name);
            found.map(|(_, rules)| rules)
        });
        written.cloned().unwrap_or_default()
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
