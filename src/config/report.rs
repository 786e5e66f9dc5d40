//! What is wrong with a configuration: every mistake at once, each with the place to mend it.
//!
//! A problem never quotes a value that could be a secret: it is printed, logged and pasted into tickets.

use super::tree::Place;
use crate::domain::nearest;
use std::{cell::RefCell, collections::BTreeSet, fmt};

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// A file and line, an environment variable, or a flag.
    pub place: String,
    /// The key, with the tables around it; empty if the mistake is not about one key.
    pub key: String,
    /// What is wrong, and what would be right.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.place)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.message)
    }
}

/// Every mistake in a configuration, by place; never empty.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.0.iter().enumerate() {
            let end = if i == 0 { "" } else { "\n" };
            write!(f, "{end}{problem}")?;
        }
        Ok(())
    }
}

/// Collects problems while a configuration is read.
///
/// Readers share it and go on after a mistake, so that one pass finds them all.
#[derive(Default)]
pub(super) struct Report {
    problems: RefCell<Vec<(Place, String, String)>>,
    strays: RefCell<Vec<Stray>>,
    known: RefCell<BTreeSet<String>>,
}

/// A key that nobody asked for. Judged at the end, when all keys that exist have been asked for.
pub(super) struct Stray {
    pub(super) place: Place,
    /// The key with the tables around it.
    pub(super) key: String,
    /// The key alone.
    pub(super) name: String,
    /// What the table around it does have.
    pub(super) siblings: Vec<&'static str>,
}

impl Report {
    /// Notes a mistake.
    pub(super) fn refuse(&self, place: &Place, key: &str, message: impl Into<String>) {
        let problem = (place.clone(), key.to_owned(), message.into());
        self.problems.borrow_mut().push(problem);
    }

    /// Notes that a key exists, by its tables without the names of their items: `upstream.base_url`.
    pub(super) fn knows(&self, schema: String) {
        self.known.borrow_mut().insert(schema);
    }

    /// Notes a key that nobody asked for.
    pub(super) fn stray(&self, stray: Stray) {
        self.strays.borrow_mut().push(stray);
    }

    /// Every key that was asked for.
    #[cfg(test)]
    pub(super) fn known(&self) -> BTreeSet<String> {
        self.known.borrow().clone()
    }

    /// The verdict.
    pub(super) fn finish(self) -> Result<(), Problems> {
        for stray in self.strays.take() {
            let message = match self.meant_by(&stray) {
                Some(meant) => format!("unknown key; did you mean `{meant}`?"),
                None => "unknown key".to_owned(),
            };
            self.refuse(&stray.place, &stray.key, message);
        }
        let mut problems = self.problems.into_inner();
        problems.sort();
        if problems.is_empty() {
            return Ok(());
        }
        let problem = |(place, key, message): (Place, String, String)| Problem {
            place: place.to_string(),
            key,
            message,
        };
        Err(Problems(problems.into_iter().map(problem).collect()))
    }

    /// The key that a stray most likely stands for: its like in the same table, or itself in another one.
    fn meant_by(&self, stray: &Stray) -> Option<String> {
        if let Some(near) = nearest(&stray.name, &stray.siblings) {
            return Some(stray.place.spell(&stray.name, near));
        }
        let known = self.known.borrow();
        let same = |key: &&String| key.rsplit('.').next() == Some(&stray.name);
        known
            .iter()
            .filter(same)
            .min_by_key(|key| key.len())
            .cloned()
    }
}
