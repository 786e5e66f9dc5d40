//! How a text is cut into words before anything is merged.

use super::{
    Unusable,
    file::refuse,
    pattern::{Found, Pattern},
};
use serde::Deserialize;
use std::{borrow::Cow, ops::Range};

const STEPS_MAX: usize = 16;

/// GPT-2's, which encodings of bytes have if they have no other.
const WORDS: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

/// The library's, which takes all signs of ASCII for punctuation.
const PUNCTUATION: &str = r"[\p{P}$+<=>^`|~]";

/// As it is written.
#[derive(Deserialize)]
#[serde(tag = "type")]
pub(super) enum Written {
    Sequence {
        pretokenizers: Vec<Written>,
    },
    Split {
        pattern: WrittenPattern,
        behavior: Behavior,
        invert: bool,
    },
    Digits {
        individual_digits: bool,
    },
    Punctuation {
        #[serde(default)]
        behavior: Behavior,
    },
    Metaspace {
        replacement: char,
        #[serde(default)]
        prepend_scheme: Option<Prepend>,
        #[serde(default)]
        add_prefix_space: Option<bool>,
        #[serde(default)]
        split: Option<bool>,
    },
    ByteLevel {
        add_prefix_space: bool,
        #[serde(default = "yes")]
        use_regex: bool,
    },
}

fn yes() -> bool {
    true
}

#[derive(Deserialize)]
pub(super) enum WrittenPattern {
    String(String),
    Regex(String),
}

/// What becomes of what a pattern finds.
#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub(super) enum Behavior {
    Removed,
    #[default]
    Isolated,
    MergedWithPrevious,
    MergedWithNext,
    Contiguous,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Prepend {
    First,
    Never,
    Always,
}

/// The steps, in their order.
pub(super) struct Splitter(Vec<Step>);

enum Step {
    Split(Split),
    /// Spaces are written as another character.
    Metaspace {
        replacement: char,
        prepend: Prepend,
        split: Option<Split>,
    },
    /// What comes out is taken byte by byte.
    ByteLevel {
        begins_with_space: bool,
        split: Option<Split>,
    },
}

struct Split {
    pattern: Pattern,
    behavior: Behavior,
    /// What the pattern does not find is what it is about.
    is_inverted: bool,
}

/// What a cut text is shown to; of each part it is told whether the text begins with it.
type See<'a> = &'a mut dyn FnMut(&str, bool);

impl Splitter {
    pub(super) fn new(written: Option<Written>) -> Result<Self, Unusable> {
        let mut steps = Vec::new();
        if let Some(written) = written {
            read(written, &mut steps)?;
        }
        Ok(Self(steps))
    }

    pub(super) fn is_of_bytes(&self) -> bool {
        matches!(self.0.last(), Some(Step::ByteLevel { .. }))
    }

    /// Shows the words of `text`, with which a whole text begins if `is_first`.
    pub(super) fn split(&self, text: &str, is_first: bool, see: &mut dyn FnMut(&str)) {
        split(&self.0, text, is_first, see);
    }
}

fn split(steps: &[Step], text: &str, is_first: bool, see: &mut dyn FnMut(&str)) {
    match steps.split_first() {
        _ if text.is_empty() => {}
        None => see(text),
        Some((step, rest)) => step.split(text, is_first, &mut |part, is_first| {
            split(rest, part, is_first, see);
        }),
    }
}

/// Adds what is written to the steps.
fn read(written: Written, steps: &mut Vec<Step>) -> Result<(), Unusable> {
    let isolated = |pattern| Ok(Split::new(Pattern::new(pattern)?, Behavior::Isolated));
    let step = match written {
        Written::Sequence { pretokenizers } => {
            return (pretokenizers.into_iter()).try_for_each(|written| read(written, steps));
        }
        Written::Split {
            pattern,
            behavior,
            invert,
        } => Step::Split(Split {
            pattern: match pattern {
                WrittenPattern::String(text) => Pattern::literal(&text)?,
                WrittenPattern::Regex(pattern) => Pattern::new(&pattern)?,
            },
            behavior,
            is_inverted: invert,
        }),
        Written::Digits { individual_digits } => Step::Split(isolated(match individual_digits {
            true => r"\p{N}",
            false => r"\p{N}+",
        })?),
        Written::Punctuation { behavior } => {
            Step::Split(Split::new(Pattern::new(PUNCTUATION)?, behavior))
        }
        Written::Metaspace {
            replacement,
            prepend_scheme,
            add_prefix_space,
            split,
        } => Step::Metaspace {
            replacement,
            prepend: match (prepend_scheme, add_prefix_space) {
                (Some(prepend), _) => prepend,
                (None, Some(false)) => Prepend::Never,
                (None, _) => Prepend::Always,
            },
            split: match split.unwrap_or(true) {
                true => {
                    let pattern = Pattern::literal(&replacement.to_string())?;
                    Some(Split::new(pattern, Behavior::MergedWithNext))
                }
                false => None,
            },
        },
        Written::ByteLevel {
            add_prefix_space,
            use_regex,
        } => Step::ByteLevel {
            begins_with_space: add_prefix_space,
            split: use_regex.then(|| isolated(WORDS)).transpose()?,
        },
    };
    if matches!(steps.last(), Some(Step::ByteLevel { .. })) {
        return refuse("has a pre_tokenizer behind ByteLevel");
    }
    if steps.len() == STEPS_MAX {
        return refuse(format!("has more than {STEPS_MAX} pre_tokenizers"));
    }
    steps.push(step);
    Ok(())
}

impl Step {
    fn split(&self, text: &str, is_first: bool, see: See<'_>) {
        match self {
            Self::Split(split) => split.split(text, is_first, see),
            Self::Metaspace {
                replacement,
                prepend,
                split,
            } => {
                let mut utf8 = [0; 4];
                let replacement = replacement.encode_utf8(&mut utf8);
                let mut text = text.replace(' ', replacement);
                let wants = *prepend == Prepend::Always || *prepend == Prepend::First && is_first;
                if wants && !text.starts_with(&*replacement) {
                    text.insert_str(0, replacement);
                }
                match split {
                    Some(split) => split.split(&text, is_first, see),
                    None => see(&text, is_first),
                }
            }
            Self::ByteLevel {
                begins_with_space,
                split,
            } => {
                let text = match *begins_with_space && !text.starts_with(' ') {
                    true => Cow::Owned(format!(" {text}")),
                    false => Cow::Borrowed(text),
                };
                match split {
                    Some(split) => split.split(&text, is_first, see),
                    None => see(&text, is_first),
                }
            }
        }
    }
}

impl Split {
    fn new(pattern: Pattern, behavior: Behavior) -> Self {
        Self {
            pattern,
            behavior,
            is_inverted: false,
        }
    }

    fn split(&self, text: &str, is_first: bool, see: See<'_>) {
        let mut show = |range: Range<usize>, is_found: bool| {
            if !(is_found && self.behavior == Behavior::Removed) {
                see(&text[range.clone()], is_first && range.start == 0);
            }
        };
        let mut held: Option<Found> = None;
        for mut found in self.pattern.cut(text) {
            found.is_match ^= self.is_inverted;
            held = Some(match held.take() {
                Some(before) => match self.joined(before.is_match, found.is_match) {
                    Some(is_match) => Found {
                        range: before.range.start..found.range.end,
                        is_match,
                    },
                    None => {
                        show(before.range, before.is_match);
                        found
                    }
                },
                None => found,
            });
        }
        if let Some(last) = held {
            show(last.range, last.is_match);
        }
    }

    /// Whether two neighbours stay together, and if so whether what comes of it counts as found.
    fn joined(&self, before: bool, behind: bool) -> Option<bool> {
        match self.behavior {
            Behavior::MergedWithPrevious => (!before && behind).then_some(true),
            Behavior::MergedWithNext => (before && !behind).then_some(false),
            Behavior::Contiguous => (before == behind).then_some(behind),
            Behavior::Isolated | Behavior::Removed => None,
        }
    }
}
