//! OpenAI's encodings: compiled in, loaded at the first need.

use super::{ascii, words};
use bpe_openai::Tokenizer;
use std::sync::atomic::{AtomicBool, Ordering};

/// How a model cuts text into tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// `cl100k_base`: GPT-4, GPT-3.5, embeddings.
    Cl100k,
    /// `o200k_base`: GPT-4o and all later ones. `o200k_harmony` differs in its special tokens only, which no text
    /// is encoded to.
    O200k,
}

/// Which of them have been loaded, so that it can be asked without loading one.
static LOADED: [AtomicBool; 2] = [AtomicBool::new(false), AtomicBool::new(false)];

impl Encoding {
    /// Counts the tokens of `text`, in time linear in its length. Special tokens in it are text like any other.
    ///
    /// The first call loads the encoding, which takes up to a tenth of a second and tens of MiB: never on a thread
    /// that serves, unless [`Encoding::is_loaded`].
    pub fn count(self, text: &str) -> u64 {
        let mut all = 0;
        self.each_word(text, |_, tokens| all += tokens);
        all
    }

    /// Cuts `text` into words before it becomes tokens, and tells the length and the tokens of each.
    pub(super) fn each_word(self, text: &str, tell: impl FnMut(usize, u64)) {
        match ascii::Words::of(self, text) {
            Some(ascii) => words::each(self, ascii, tell),
            None => words::each(self, self.load().split(text), tell),
        }
    }

    /// Loads it, unless it is loaded. Blocks for a tenth of a second.
    pub fn make_ready(self) {
        self.load();
    }

    /// Whether counting starts at once.
    pub fn is_loaded(self) -> bool {
        LOADED[self as usize].load(Ordering::Relaxed)
    }

    /// The name that OpenAI gives it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cl100k => "cl100k_base",
            Self::O200k => "o200k_base",
        }
    }

    pub(super) fn load(self) -> &'static Tokenizer {
        let tokenizer = match self {
            Self::Cl100k => bpe_openai::cl100k_base(),
            Self::O200k => bpe_openai::o200k_base(),
        };
        // Only once: a store would take the line from all other threads.
        if !self.is_loaded() {
            LOADED[self as usize].store(true, Ordering::Relaxed);
        }
        tokenizer
    }
}
