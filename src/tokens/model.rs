//! Which rules hold for a model, by its name.

use super::{Encoding, cutter::Cutter, image};
use crate::tokenizer::Tokenizer;
use std::sync::Arc;

/// What is known about counting for one model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    pub(super) cutter: Cutter,
    pub(super) images: Option<image::Rule>,
    /// Its chat format is the one that OpenAI has published the rules of.
    pub(super) chat_documented: bool,
    /// So is the way in which tools are written into its prompts.
    pub(super) tools_documented: bool,
    reasons: bool,
}

impl Model {
    /// What is known about the model that its provider calls `name`.
    pub fn named(name: &str) -> Self {
        // A fine-tuned model is `ft:gpt-4o-mini-2024-07-18:acme::id`.
        let base = match name.strip_prefix("ft:") {
            Some(rest) => rest.split(':').next().unwrap_or(rest),
            None => name,
        };
        // Names with a maker before them, as gateways write them: `openai/gpt-4o`.
        let base = base.strip_prefix("openai/").unwrap_or(base);
        let encoding = encoding(base);
        let harmony = is(base, "gpt-oss");
        Self {
            cutter: encoding.map_or(Cutter::Unknown, Cutter::Encoding),
            images: encoding.and_then(|_| image::Rule::of(base)),
            chat_documented: !harmony,
            tools_documented: TOOLS.iter().any(|family| is(base, family)),
            reasons: reasons(base),
        }
    }

    /// The same, whose text is cut as a file says. What its chats and tools look like is then its maker's matter.
    pub fn counted_by(self, tokenizer: Option<Arc<Tokenizer>>) -> Self {
        match tokenizer {
            None => self,
            Some(tokenizer) => Self {
                cutter: Cutter::File(tokenizer),
                images: None,
                chat_documented: false,
                tools_documented: false,
                reasons: self.reasons,
            },
        }
    }

    /// The encoding of its text, if it is one of OpenAI's.
    pub fn encoding(&self) -> Option<Encoding> {
        match self.cutter {
            Cutter::Encoding(encoding) => Some(encoding),
            Cutter::File(_) | Cutter::Unknown => None,
        }
    }

    /// Whether it spends tokens that nobody sees.
    pub fn reasons(&self) -> bool {
        self.reasons
    }
}

/// The families whose tools OpenAI's cookbook counts.
const TOOLS: &[&str] = &["gpt-4o", "gpt-4", "gpt-3.5-turbo", "gpt-35-turbo"];

/// What the names of models begin with that reason.
const REASONING: &[&str] = &["o1", "o3", "o4", "gpt-5", "codex-mini", "computer-use"];

/// Longest first where one begins another.
const ENCODINGS: &[(&str, Encoding)] = &[
    ("gpt-4o", Encoding::O200k),
    ("gpt-4.1", Encoding::O200k),
    ("gpt-4.5", Encoding::O200k),
    ("gpt-4", Encoding::Cl100k),
    ("gpt-3.5", Encoding::Cl100k),
    ("gpt-35", Encoding::Cl100k), // as Azure writes it
    ("chatgpt-4o", Encoding::O200k),
    ("gpt-oss", Encoding::O200k),
    ("codex-mini", Encoding::O200k),
    ("computer-use-preview", Encoding::O200k),
    ("o1", Encoding::O200k),
    ("o3", Encoding::O200k),
    ("o4", Encoding::O200k),
    ("text-embedding-3", Encoding::Cl100k),
    ("text-embedding-ada-002", Encoding::Cl100k),
    ("davinci-002", Encoding::Cl100k),
    ("babbage-002", Encoding::Cl100k),
];

fn encoding(base: &str) -> Option<Encoding> {
    // `gpt-5.2`, `gpt-5-mini`: every name that begins so.
    if base.starts_with("gpt-5") {
        return Some(Encoding::O200k);
    }
    let known = ENCODINGS.iter().find(|(family, _)| is(base, family));
    known.map(|(_, encoding)| *encoding)
}

fn reasons(base: &str) -> bool {
    let name = base.rsplit('/').next().unwrap_or(base);
    REASONING.iter().any(|family| name.starts_with(family)) && !name.contains("-chat")
}

/// Whether `name` is of `family`: the same, or with a suffix. `gpt-4o` is not of `gpt-4`.
pub(super) fn is(name: &str, family: &str) -> bool {
    name.strip_prefix(family)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}
