//! Counts tokens: of a prompt before or after it is sent, and of an answer that arrives in pieces.
//!
//! A [`Model`] says which rules hold for a model's name. A [`Counter`] applies them on threads of its own, so that
//! nothing here is computed on a thread that serves: [`Counter::prompt`] takes a request's body, and
//! [`Counter::answer`] gives an [`Answer`] to push text into. Both hand the [`Count`] to a callback, which runs
//! exactly once.
//!
//! A count is exact (OpenAI's encodings, a `tokenizer.json`, the documented rules) or carries the reason for which it is an estimate.
//! It is never nothing: a full queue, a body that cannot be read and an unknown model are estimates too.

mod answer;
mod ascii;
mod bound;
mod counter;
mod cutter;
mod encoding;
mod estimate;
mod image;
mod json;
mod letters;
mod model;
mod prompt;
mod sound;
mod text;
mod tools;
mod words;

pub use answer::{Answer, Answered, Slot};
pub use bound::Bound;
pub use counter::Counter;
pub use encoding::Encoding;
pub use estimate::{estimate, estimate_stream};
pub use model::Model;
pub use sound::{PACKED_BYTES_PER_SECOND, RAW_BYTES_PER_SECOND};
pub use text::Running;

use std::ops::AddAssign;

/// A number of tokens, and why it is not exact if it is not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// How many.
    pub tokens: u64,
    /// `None` for an exact count by documented rules.
    pub estimated: Option<Why>,
}

/// Why a count is an estimate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Why {
    /// Nothing is known of how the model cuts text.
    UnknownModel,
    /// Something in it is counted by no published rule: an image by URL, a file, the call of a tool.
    Undocumented,
    /// It is not what OpenAI's API takes.
    Unreadable,
    /// One run of text without a boundary was longer than is held.
    TooLong,
    /// The counting threads had no room for it, or failed.
    Overloaded,
    /// The answer was cut, and what had passed by then was estimated.
    Cut,
}

impl Why {
    /// The label in metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UnknownModel => "unknown_model",
            Self::Undocumented => "undocumented",
            Self::Unreadable => "unreadable",
            Self::TooLong => "too_long",
            Self::Overloaded => "overloaded",
            Self::Cut => "cut",
        }
    }
}

impl Count {
    fn exact(tokens: u64) -> Self {
        Self {
            tokens,
            estimated: None,
        }
    }

    fn estimated(tokens: u64, why: Why) -> Self {
        Self {
            tokens,
            estimated: Some(why),
        }
    }
}

impl AddAssign for Count {
    /// A sum is as exact as the least exact of its parts; the first reason is kept.
    fn add_assign(&mut self, other: Self) {
        self.tokens += other.tokens;
        self.estimated = self.estimated.or(other.estimated);
    }
}

#[cfg(test)]
mod tests;
