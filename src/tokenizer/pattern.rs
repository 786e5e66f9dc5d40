//! Patterns that cut text, in time linear in the text for those that makers of models publish.
//!
//! They are written for an engine that looks around and tries again. The one used here never does; the one look ahead
//! that all of them have, at the end of a run of spaces, is put in other words.

use super::{Unusable, file::refuse};
use regex_automata::{
    Input,
    meta::{Config, Regex},
    util::syntax,
};
use std::{iter, ops::Range};

/// More than any pattern needs.
const REGEX_BYTES_MAX: usize = 10 << 20;

/// What a pattern remembers of how it goes on, at most and for each thread that counts. With the usual quarter of it,
/// text of all scripts at once takes three times as long.
const CACHE_BYTES: usize = 8 << 20;

/// Spaces up to the last one before a word.
const SPACES: &str = r"\s+(?!\S)";

/// A pattern, of one or more that are tried in their order.
pub(super) struct Pattern {
    regex: Regex,
    /// Which of them ends with a character that is not its own.
    looks_ahead: Option<usize>,
}

/// A part of a text, in which the pattern was found or not.
pub(super) struct Found {
    pub(super) range: Range<usize>,
    pub(super) is_match: bool,
}

impl Pattern {
    pub(super) fn literal(text: &str) -> Result<Self, Unusable> {
        let escaped = text.chars().map(|c| format!(r"\x{{{:x}}}", c as u32));
        Self::new(&escaped.collect::<String>())
    }

    pub(super) fn new(written: &str) -> Result<Self, Unusable> {
        let branches = branches(written)?;
        let at = branches.iter().position(|branch| *branch == SPACES);
        let Some(at) = at else {
            return Self::of(&[written.to_owned()], None, written);
        };
        // Of spaces that end the text all are taken, and else all but the last.
        let mut first = branches[..at].to_vec();
        first.push(r"\s+\z");
        let mut patterns = vec![first.join("|"), r"\s+\s".to_owned()];
        if at + 1 < branches.len() {
            patterns.push(branches[at + 1..].join("|"));
        }
        Self::of(&patterns, Some(1), written)
    }

    fn of(
        patterns: &[String],
        looks_ahead: Option<usize>,
        written: &str,
    ) -> Result<Self, Unusable> {
        // Lines begin and end wherever they do, as in the engine that the patterns are written for.
        let syntax = syntax::Config::new().multi_line(true);
        for pattern in patterns {
            let parsed = syntax::parse_with(pattern, &syntax);
            let parsed = parsed.map_err(|_| unsupported(written))?;
            if parsed.properties().minimum_len().unwrap_or(0) == 0 {
                return refuse(format!(
                    "has a pattern that finds nothing at all: {written:?}"
                ));
            }
        }
        let config = Config::new()
            .nfa_size_limit(Some(REGEX_BYTES_MAX))
            .hybrid_cache_capacity(CACHE_BYTES);
        let regex = Regex::builder()
            .configure(config)
            .syntax(syntax)
            .build_many(patterns);
        Ok(Self {
            regex: regex.map_err(|_| unsupported(written))?,
            looks_ahead,
        })
    }

    /// All parts of `text`, in their order.
    pub(super) fn cut<'a>(&'a self, text: &'a str) -> impl Iterator<Item = Found> + 'a {
        let mut at = 0;
        let mut next = None;
        iter::from_fn(move || {
            let found = match next.take() {
                Some(found) => Some(found),
                None if at == text.len() => return None,
                None => self.find(text, at),
            };
            let start = found.as_ref().map_or(text.len(), |found| found.start);
            let is_match = start == at;
            let range = match found {
                Some(found) if is_match => found,
                found => {
                    next = found;
                    at..start
                }
            };
            at = range.end;
            Some(Found { range, is_match })
        })
    }

    /// The first that is found from `at` on.
    fn find(&self, text: &str, at: usize) -> Option<Range<usize>> {
        let found = self.regex.find(Input::new(text).span(at..text.len()))?;
        let mut range = found.range();
        if self.looks_ahead == Some(found.pattern().as_usize()) {
            let last = text[range.clone()].chars().next_back();
            range.end -= last.map_or(0, char::len_utf8);
        }
        Some(range)
    }
}

/// The branches of a pattern, if it holds nothing that means something else, or nothing, to the engine used here.
fn branches(written: &str) -> Result<Vec<&str>, Unusable> {
    let (mut branches, mut from) = (Vec::new(), 0);
    let (mut groups, mut classes) = (0, 0);
    let mut before = ' ';
    let mut chars = written.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some((_, 'w' | 'W' | 'b' | 'B')) | None => return Err(unsupported(written)),
                Some(_) => {}
            },
            '[' => classes += 1,
            ']' => classes -= 1,
            _ if classes > 0 => {}
            '(' => {
                let rest = &written[at + 1..];
                let means_the_same = ["?:", "?i:", "?!"]
                    .iter()
                    .any(|kind| rest.starts_with(kind));
                if rest.starts_with('?') && !means_the_same {
                    return Err(unsupported(written));
                }
                groups += 1;
            }
            ')' => groups -= 1,
            '|' if groups == 0 => {
                branches.push(&written[from..at]);
                from = at + 1;
            }
            '+' if matches!(before, '+' | '*' | '?') => return Err(unsupported(written)),
            _ => {}
        }
        before = if c == '\\' { ' ' } else { c };
    }
    branches.push(&written[from..]);
    Ok(branches)
}

fn unsupported(written: &str) -> Unusable {
    Unusable(format!("has a pattern that is not understood: {written:?}"))
}
