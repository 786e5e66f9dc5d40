//! What becomes of a text before anything else: one way to write each character.

use super::{Unusable, file::refuse};
use serde::Deserialize;
use std::borrow::Cow;
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

/// What is put in is a character; more could make much of little.
const CONTENT_BYTES_MAX: usize = 4;
const STEPS_MAX: usize = 8;

/// As it is written.
#[derive(Deserialize)]
#[serde(tag = "type")]
pub(super) enum Written {
    Sequence {
        normalizers: Vec<Written>,
    },
    #[serde(rename = "NFC")]
    Nfc,
    #[serde(rename = "NFD")]
    Nfd,
    #[serde(rename = "NFKC")]
    Nfkc,
    #[serde(rename = "NFKD")]
    Nfkd,
    Lowercase,
    Replace {
        pattern: Literal,
        content: String,
    },
    Prepend {
        prepend: String,
    },
}

#[derive(Deserialize)]
pub(super) enum Literal {
    String(String),
}

/// What is done to every text.
#[derive(Default)]
pub(super) struct Normalizer(Option<Written>);

impl Normalizer {
    pub(super) fn new(written: Option<Written>) -> Result<Self, Unusable> {
        match written.as_ref().map_or(0, Written::steps) {
            0..=STEPS_MAX => {}
            _ => return refuse(format!("has more than {STEPS_MAX} normalizers")),
        }
        match written.as_ref().is_some_and(Written::puts_in_too_much) {
            true => refuse("has a normalizer that puts in more than a character"),
            false => Ok(Self(written)),
        }
    }

    pub(super) fn apply<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let changed = self.0.as_ref().and_then(|written| written.apply(text));
        changed.map_or(Cow::Borrowed(text), Cow::Owned)
    }
}

impl Written {
    fn steps(&self) -> usize {
        match self {
            Self::Sequence { normalizers } => normalizers.iter().map(Self::steps).sum(),
            _ => 1,
        }
    }

    fn puts_in_too_much(&self) -> bool {
        match self {
            Self::Sequence { normalizers } => normalizers.iter().any(Self::puts_in_too_much),
            Self::Replace { content, .. } | Self::Prepend { prepend: content } => {
                content.len() > CONTENT_BYTES_MAX
            }
            _ => false,
        }
    }

    /// The text after it, if it changes any.
    fn apply(&self, text: &str) -> Option<String> {
        match self {
            Self::Sequence { normalizers } => {
                let mut changed: Option<String> = None;
                for normalizer in normalizers {
                    let after = normalizer.apply(changed.as_deref().unwrap_or(text));
                    changed = after.or(changed);
                }
                changed
            }
            Self::Nfc => {
                (is_nfc_quick(text.chars()) != IsNormalized::Yes).then(|| text.nfc().collect())
            }
            Self::Nfd => Some(text.nfd().collect()),
            Self::Nfkc => Some(text.nfkc().collect()),
            Self::Nfkd => Some(text.nfkd().collect()),
            Self::Lowercase => Some(text.chars().flat_map(char::to_lowercase).collect()),
            Self::Replace {
                pattern: Literal::String(pattern),
                content,
            } => Some(text.replace(pattern, content)),
            Self::Prepend { prepend } => (!text.is_empty()).then(|| format!("{prepend}{text}")),
        }
    }
}
