//! Counts text by a `tokenizer.json`: the file in which the makers of open models say how those cut text into tokens.
//!
//! It does what the `tokenizers` library does with such a file, for models that are byte-pair encodings, of bytes or
//! of characters. A file that asks for anything else is refused with the name of that, so no count is ever nearly
//! right. It knows nothing of models, chats and configurations.

mod added;
mod file;
mod lists;
mod normal;
mod pattern;
mod split;
mod vocabulary;
mod word;

#[cfg(test)]
mod tests;

pub use file::FILE_BYTES_MAX;

use added::{Added, Piece};
use normal::Normalizer;
use sha2::{Digest, Sha256};
use split::Splitter;
use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError, Weak},
};
use vocabulary::Vocabulary;
use word::Word;

/// Why a file is of no use: the end of a sentence that begins with its name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unusable(String);

/// What a text comes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Length {
    /// How many tokens.
    pub tokens: u64,
    /// Not quite: a run of text without a boundary was so long that it was counted in parts.
    pub in_parts: bool,
}

/// One `tokenizer.json`, ready to count with.
pub struct Tokenizer {
    digest: [u8; 32],
    added: Added,
    normalizer: Normalizer,
    splitter: Splitter,
    vocabulary: Vocabulary,
    framing: u64,
}

/// All that are in use, so that no file is in memory twice, whoever names it, and a configuration that is taken up
/// again does not read it again.
static IN_USE: Mutex<Vec<Weak<Tokenizer>>> = Mutex::new(Vec::new());

impl Tokenizer {
    /// The one that the file's text describes. Blocks for up to a second, unless it is in use already.
    pub fn read(json: &[u8]) -> Result<Arc<Self>, Unusable> {
        let digest = Sha256::digest(json).into();
        // Held while one is made, so that it is not made twice.
        let mut in_use = IN_USE.lock().unwrap_or_else(PoisonError::into_inner);
        in_use.retain(|one| one.strong_count() > 0);
        let known = in_use.iter().filter_map(Weak::upgrade);
        if let Some(known) = known.into_iter().find(|one| one.digest == digest) {
            return Ok(known);
        }
        let made = Arc::new(file::read(json, digest)?);
        in_use.push(Arc::downgrade(&made));
        Ok(made)
    }

    /// Counts the tokens of a text, without those that a model wants around it. What reads like one of the file's added
    /// tokens is one.
    ///
    /// The time is that of sorting the text at most, whatever the text: many MiB belong on a thread that has time.
    pub fn count(&self, text: &str) -> Length {
        let mut word = Word::default();
        let mut added = 0;
        self.added
            .split(text, &self.normalizer, |piece| match piece {
                Piece::Token => added += 1,
                Piece::Text { text, is_first } => {
                    self.splitter.split(text, is_first, &mut |part| {
                        self.vocabulary.count(part, &mut word);
                    })
                }
            });
        let mut length = word.length();
        length.tokens += added;
        length
    }

    /// The special tokens that are put around a prompt that is one text, such as one that begins it.
    pub fn framing(&self) -> u64 {
        self.framing
    }
}

impl PartialEq for Tokenizer {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

impl Eq for Tokenizer {}

impl fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tokenizer(..)")
    }
}
