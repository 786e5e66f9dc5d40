//! How the text of a model becomes tokens.

use super::{Count, Encoding, Running, Why, estimate};
use crate::tokenizer::Tokenizer;
use std::sync::Arc;

/// Who says how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cutter {
    /// OpenAI.
    Encoding(Encoding),
    /// A file that the configuration names.
    File(Arc<Tokenizer>),
    /// Nobody, so that all counts are estimates.
    Unknown,
}

impl Cutter {
    /// Counts a text.
    pub(super) fn count(&self, text: &str) -> Count {
        match self {
            Self::Encoding(encoding) => Count::exact(encoding.count(text)),
            Self::File(tokenizer) => by_file(tokenizer, text),
            Self::Unknown => Count::estimated(estimate(text), Why::UnknownModel),
        }
    }

    /// The tokens around a prompt that is one text.
    pub(super) fn framing(&self) -> u64 {
        match self {
            Self::File(tokenizer) => tokenizer.framing(),
            Self::Encoding(_) | Self::Unknown => 0,
        }
    }

    /// Begins to count a text that comes in pieces, if it can be counted.
    pub(super) fn begin(&self) -> Option<Growing> {
        match self {
            Self::Encoding(encoding) => Some(Growing::Words(Running::new(*encoding))),
            Self::File(tokenizer) => Some(Growing::Whole {
                tokenizer: Arc::clone(tokenizer),
                held: String::new(),
                settled: Count::default(),
            }),
            Self::Unknown => None,
        }
    }
}

/// A text that comes in pieces, on a thread that counts.
#[derive(Debug)]
pub(super) enum Growing {
    /// Counted word by word.
    Words(Running),
    /// Held, since only its end says what a file makes of it.
    Whole {
        tokenizer: Arc<Tokenizer>,
        held: String,
        settled: Count,
    },
}

impl Growing {
    pub(super) fn push(&mut self, text: &str) {
        match self {
            Self::Words(running) => running.push(text),
            Self::Whole { held, .. } => held.push_str(text),
        }
    }

    /// Bytes that are held, of which nothing but [`Growing::settle`] lets go.
    pub(super) fn held_bytes(&self) -> usize {
        match self {
            Self::Words(_) => 0,
            Self::Whole { held, .. } => held.len(),
        }
    }

    /// Counts what is held, and lets go of it: the whole may come to something else than its parts.
    pub(super) fn settle(&mut self) {
        if let Self::Whole {
            tokenizer,
            held,
            settled,
        } = self
            && !held.is_empty()
        {
            *settled += by_file(tokenizer, &std::mem::take(held));
            settled.estimated = settled.estimated.or(Some(Why::TooLong));
        }
    }

    /// The count of all that has come, as if it were the whole.
    pub(super) fn count(&mut self) -> Count {
        match self {
            Self::Words(running) => running.count(),
            Self::Whole {
                tokenizer,
                held,
                settled,
            } => {
                let mut count = *settled;
                count += by_file(tokenizer, held);
                count
            }
        }
    }
}

fn by_file(tokenizer: &Tokenizer, text: &str) -> Count {
    let length = tokenizer.count(text);
    Count {
        tokens: length.tokens,
        estimated: length.in_parts.then_some(Why::TooLong),
    }
}

#[cfg(test)]
mod tests;
