//! Tokens that are no words: looked for in a text before it is cut, and never cut themselves.

use super::{Unusable, file::refuse, normal::Normalizer};
use aho_corasick::{AhoCorasick, MatchKind};
use serde::Deserialize;

/// As it is written.
#[derive(Deserialize)]
pub(super) struct Written {
    content: String,
    #[serde(default)]
    single_word: bool,
    #[serde(default)]
    lstrip: bool,
    #[serde(default)]
    rstrip: bool,
    #[serde(default)]
    normalized: bool,
}

/// The tokens that are looked for.
pub(super) struct Added {
    /// In the text as it came.
    plain: Option<Finder>,
    /// In the text that has been normalized.
    normalized: Option<Finder>,
}

/// A part of a text.
pub(super) enum Piece<'a> {
    Token,
    /// Text between tokens, normalized.
    Text {
        text: &'a str,
        /// The text begins with it.
        is_first: bool,
    },
}

impl Added {
    pub(super) fn new(written: Vec<Written>, normalizer: &Normalizer) -> Result<Self, Unusable> {
        if let Some(token) = written.iter().find(|token| token.single_word) {
            return refuse(format!(
                "has an added token that is a word by itself (`single_word`), {:?}",
                token.content
            ));
        }
        let (mut normalized, plain): (Vec<_>, Vec<_>) =
            written.into_iter().partition(|token| token.normalized);
        for token in &mut normalized {
            token.content = normalizer.apply(&token.content).into_owned();
        }
        Ok(Self {
            plain: Finder::new(plain)?,
            normalized: Finder::new(normalized)?,
        })
    }

    /// Shows the parts of `text` in their order.
    pub(super) fn split(
        &self,
        text: &str,
        normalizer: &Normalizer,
        mut see: impl FnMut(Piece<'_>),
    ) {
        split(self.plain.as_ref(), text, true, &mut |piece| match piece {
            Piece::Token => see(Piece::Token),
            Piece::Text { text, is_first } => {
                let text = normalizer.apply(text);
                split(self.normalized.as_ref(), &text, is_first, &mut see);
            }
        });
    }
}

/// Looks for some of the tokens.
struct Finder {
    automaton: AhoCorasick,
    /// Whether each takes the spaces before it, and those behind it.
    strips: Vec<(bool, bool)>,
}

impl Finder {
    fn new(mut tokens: Vec<Written>) -> Result<Option<Self>, Unusable> {
        tokens.retain(|token| !token.content.is_empty());
        if tokens.is_empty() {
            return Ok(None);
        }
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(tokens.iter().map(|token| &token.content));
        Ok(Some(Self {
            automaton: automaton
                .map_err(|error| Unusable(format!("has too many added tokens: {error}")))?,
            strips: (tokens.iter().map(|token| (token.lstrip, token.rstrip))).collect(),
        }))
    }
}

fn split(finder: Option<&Finder>, text: &str, is_first: bool, see: &mut dyn FnMut(Piece<'_>)) {
    let mut done = 0;
    let show = |from: usize, to: usize, see: &mut dyn FnMut(Piece<'_>)| {
        if from < to {
            see(Piece::Text {
                text: &text[from..to],
                is_first: is_first && from == 0,
            });
        }
    };
    if let Some(finder) = finder {
        for found in finder.automaton.find_iter(text) {
            let (mut start, mut end) = (found.start(), found.end());
            let (before, behind) = finder.strips[found.pattern().as_usize()];
            if before {
                start = text[..start].trim_end().len().max(done);
            }
            if behind {
                end = text.len() - text[end..].trim_start().len();
            }
            show(done, start, see);
            see(Piece::Token);
            done = end;
        }
    }
    show(done, text.len(), see);
}
