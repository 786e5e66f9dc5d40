//! What is stored to with each piece of an answer: the first words of a slot, one line of memory.
//!
//! Each figure is one word, so it needs no checksum against a process that dies; that of tokens, which is charged for,
//! carries some bits of one all the same.

use super::section::Torn;
use crate::ledger::entry::{Counts, Tokens};
use std::sync::atomic::{AtomicU64, Ordering};

/// How many words they are.
pub(super) const WORDS: usize = 8;

pub(super) const STATE: usize = 0;
/// Which call this is: the seed of its checksums, so that no section of another call passes for one of this.
pub(super) const SEQUENCE: usize = 1;
const CHUNKS: usize = 2;
const BYTES: usize = 3;
const FIRST_US: usize = 4;
const LAST_US: usize = 5;
/// Means nothing; stored to for the sake of its page.
pub(super) const TOUCHED: usize = 6;
/// Tokens of the answer so far and whether they are exact, one bit, both one up, below the bits that check them; zero
/// for nothing counted.
const TOKENS: usize = 7;
/// Where those bits begin.
const TOKENS_CHECK: u32 = 44;
/// More than any answer has.
const TOKENS_MAX: u64 = 1 << 42;

/// These words of one slot.
#[derive(Clone, Copy)]
pub(in crate::ledger) struct Passing<'a>(&'a [AtomicU64; WORDS]);

impl<'a> Passing<'a> {
    /// That of the slot which begins with these.
    pub(super) fn of(words: &'a [AtomicU64]) -> Self {
        Self(words.first_chunk().expect("a slot has more"))
    }

    /// Nothing has passed yet.
    pub(super) fn clear(self) {
        for word in [CHUNKS, BYTES, FIRST_US, LAST_US, TOKENS] {
            self.store(word, 0);
        }
    }

    /// Counts what has passed: three or four stores to memory.
    pub(in crate::ledger) fn count(self, chunks: u64, bytes: u64, at_us: u64) {
        if chunks == 1 {
            // Never zero, which stands for none.
            self.store(FIRST_US, at_us.max(1));
        }
        self.store(CHUNKS, chunks);
        self.store(BYTES, bytes);
        self.store(LAST_US, at_us);
    }

    /// Notes what the answer's text came to so far: one store to memory.
    pub(in crate::ledger) fn tokens(self, tokens: Tokens) {
        let word = ((tokens.count.min(TOKENS_MAX) << 1) | u64::from(tokens.exact)) + 1;
        self.store(TOKENS, word | check(self.load(SEQUENCE), word));
    }

    pub(super) fn counts(self) -> Result<Counts, Torn> {
        let word = self.load(TOKENS);
        let figure = word & ((1 << TOKENS_CHECK) - 1);
        if word != 0 && word != figure | check(self.load(SEQUENCE), figure) {
            return Err(Torn);
        }
        let tokens = figure.checked_sub(1).map(|figure| Tokens {
            count: figure >> 1,
            exact: figure & 1 == 1,
        });
        Ok(Counts {
            tokens,
            ..self.passed()
        })
    }

    /// What has passed; its tokens left out.
    pub(super) fn passed(self) -> Counts {
        Counts {
            chunks: self.load(CHUNKS),
            bytes: self.load(BYTES),
            first_us: Some(self.load(FIRST_US)).filter(|first| *first > 0),
            last_us: self.load(LAST_US),
            tokens: None,
        }
    }

    fn load(self, word: usize) -> u64 {
        self.0[word].load(Ordering::Relaxed)
    }

    fn store(self, word: usize, value: u64) {
        self.0[word].store(value, Ordering::Relaxed);
    }
}

/// The bits that check a count of tokens, in their place: of a product, to which every bit below gives its share.
fn check(sequence: u64, figure: u64) -> u64 {
    let product = (figure ^ sequence.rotate_left(20)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    product >> TOKENS_CHECK << TOKENS_CHECK
}
