//! One word while its symbols are merged: of all neighbours that may, those merge first that the file lists first, and
//! of equals the leftmost.

use super::{Length, vocabulary::Vocabulary};
use std::{cmp::Reverse, collections::BinaryHeap};

/// More symbols without a boundary than that are merged in parts. They take some 10 MiB while they are.
const SYMBOLS_MAX: usize = 1 << 18;

/// No symbol: before the first and behind the last.
const NONE: u32 = u32::MAX;

/// Symbols that wait to be merged, and what those that were merged came to. Used for all words of a text.
#[derive(Default)]
pub(super) struct Word {
    symbols: Vec<Symbol>,
    queue: BinaryHeap<Reverse<Candidate>>,
    length: Length,
}

#[derive(Clone, Copy)]
struct Symbol {
    /// [`NONE`] once it has been merged into the one before.
    id: u32,
    before: u32,
    behind: u32,
}

/// A symbol that may be merged with the one behind it. The order is that of merging.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    rank: u32,
    at: u32,
    id: u32,
}

impl Word {
    /// Adds a symbol. Symbols that no token joins end a part, since nothing can merge across them.
    pub(super) fn push(&mut self, id: u32, vocabulary: &Vocabulary) {
        if let Some(last) = self.symbols.last() {
            if !vocabulary.joins(last.id, id) {
                self.end(vocabulary);
            } else if self.symbols.len() == SYMBOLS_MAX {
                self.length.in_parts = true;
                self.end(vocabulary);
            }
        }
        let at = self.symbols.len() as u32;
        self.symbols.push(Symbol {
            id,
            before: at.wrapping_sub(1),
            behind: at + 1,
        });
    }

    /// Adds a token that is none of the symbols.
    pub(super) fn add(&mut self, tokens: u64) {
        self.length.tokens += tokens;
    }

    /// Merges what was pushed since the last end.
    pub(super) fn end(&mut self, vocabulary: &Vocabulary) {
        if let Some(last) = self.symbols.last_mut() {
            last.behind = NONE;
        }
        let merged = match self.symbols.len() {
            0 | 1 => 0,
            _ => self.merge(vocabulary),
        };
        self.length.tokens += self.symbols.len() as u64 - merged;
        self.symbols.clear();
    }

    pub(super) fn length(&self) -> Length {
        self.length
    }

    /// Merges until nothing may. Returns how often.
    fn merge(&mut self, vocabulary: &Vocabulary) -> u64 {
        let mut merged = 0;
        for at in 0..self.symbols.len() as u32 - 1 {
            self.consider(at, vocabulary);
        }
        while let Some(Reverse(Candidate { at, id, .. })) = self.queue.pop() {
            let left = self.symbols[at as usize];
            if left.id == NONE || left.behind == NONE {
                continue;
            }
            let right = self.symbols[left.behind as usize];
            // They may have been merged with others since.
            if vocabulary.merge(left.id, right.id).map(|merge| merge.id) != Some(id) {
                continue;
            }
            merged += 1;
            self.symbols[left.behind as usize].id = NONE;
            self.symbols[at as usize].id = id;
            self.symbols[at as usize].behind = right.behind;
            if right.behind != NONE {
                self.symbols[right.behind as usize].before = at;
                self.consider(at, vocabulary);
            }
            if left.before != NONE {
                self.consider(left.before, vocabulary);
            }
        }
        merged
    }

    fn consider(&mut self, at: u32, vocabulary: &Vocabulary) {
        let left = self.symbols[at as usize];
        let right = self.symbols[left.behind as usize];
        if let Some(merge) = vocabulary.merge(left.id, right.id) {
            let (rank, id) = (merge.rank, merge.id);
            self.queue.push(Reverse(Candidate { rank, at, id }));
        }
    }
}
