//! What is written in a `tokenizer.json`, and whether all of it is understood.

use super::{
    Tokenizer, Unusable,
    added::Added,
    lists::{Merges, Tokens, TokensReader},
    normal::Normalizer,
    split::Splitter,
    vocabulary::Vocabulary,
};
use serde::{Deserialize, Deserializer as _, de::DeserializeOwned};
use serde_json::{Deserializer, value::RawValue};
use std::collections::{BTreeMap, HashSet};

/// Twice the largest that makers of models publish.
pub const FILE_BYTES_MAX: u64 = 64 << 20;

/// All but the model is short, and is built as it is read.
const PART_BYTES_MAX: usize = 4 << 20;

/// Refuses a file that `why` is said of.
pub(super) fn refuse<T>(why: impl Into<String>) -> Result<T, Unusable> {
    Err(Unusable(why.into()))
}

#[derive(Deserialize)]
struct File<'a> {
    #[serde(borrow, default)]
    added_tokens: Option<&'a RawValue>,
    #[serde(borrow, default)]
    normalizer: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pre_tokenizer: Option<&'a RawValue>,
    #[serde(borrow, default)]
    post_processor: Option<&'a RawValue>,
    #[serde(borrow)]
    model: Model<'a>,
}

/// The member `model`.
#[derive(Deserialize)]
pub(super) struct Model<'a> {
    /// Old files do not say.
    #[serde(rename = "type", default)]
    kind: Option<String>,
    #[serde(default)]
    pub(super) unk_token: Option<String>,
    #[serde(default)]
    continuing_subword_prefix: Option<String>,
    #[serde(default)]
    end_of_word_suffix: Option<String>,
    #[serde(default)]
    dropout: Option<f32>,
    #[serde(default)]
    pub(super) fuse_unk: bool,
    #[serde(default)]
    pub(super) byte_fallback: bool,
    #[serde(default)]
    pub(super) ignore_merges: bool,
    #[serde(borrow, default)]
    vocab: Option<&'a RawValue>,
    #[serde(borrow, default)]
    merges: Option<&'a RawValue>,
}

/// What is put around a text.
#[derive(Deserialize)]
#[serde(tag = "type")]
enum PostProcessor {
    ByteLevel,
    BertProcessing,
    RobertaProcessing,
    TemplateProcessing {
        single: Vec<TemplatePiece>,
        special_tokens: BTreeMap<String, Special>,
    },
    Sequence {
        processors: Vec<PostProcessor>,
    },
}

#[derive(Deserialize)]
enum TemplatePiece {
    Sequence {},
    SpecialToken { id: String },
}

#[derive(Deserialize)]
struct Special {
    ids: Vec<u32>,
}

pub(super) fn read(json: &[u8], digest: [u8; 32]) -> Result<Tokenizer, Unusable> {
    let file: File<'_> = serde_json::from_slice(json)
        .map_err(|error| Unusable(format!("is not a tokenizer's JSON: {error}")))?;
    file.model.check()?;
    let normalizer = Normalizer::new(part("normalizer", file.normalizer)?)?;
    let splitter = Splitter::new(part("pre_tokenizer", file.pre_tokenizer)?)?;
    let added = part("added_tokens", file.added_tokens)?.unwrap_or_default();
    let framing = part("post_processor", file.post_processor)?;
    Ok(Tokenizer {
        digest,
        added: Added::new(added, &normalizer)?,
        vocabulary: Vocabulary::new(&file.model, splitter.is_of_bytes())?,
        framing: framing.map_or(Ok(0), PostProcessor::framing)?,
        normalizer,
        splitter,
    })
}

/// Reads a part that is short; `null` and nothing are none.
fn part<T: DeserializeOwned>(name: &str, raw: Option<&RawValue>) -> Result<Option<T>, Unusable> {
    let Some(raw) = raw else {
        return Ok(None);
    };
    if raw.get().len() > PART_BYTES_MAX {
        return refuse(format!("has a {name} of more than {PART_BYTES_MAX} bytes"));
    }
    serde_json::from_str(raw.get())
        .map_err(|error| Unusable(format!("has a {name} that is not understood: {error}")))
}

impl Model<'_> {
    fn check(&self) -> Result<(), Unusable> {
        match self.kind.as_deref() {
            None if self.merges.is_some() => {}
            Some("BPE") => {}
            kind => {
                let kind = kind.unwrap_or("unknown");
                return refuse(format!(
                    "has a model of type {kind}; only BPE is understood"
                ));
            }
        }
        let affixes = [&self.continuing_subword_prefix, &self.end_of_word_suffix];
        if affixes.into_iter().flatten().any(|affix| !affix.is_empty()) {
            return refuse("marks the beginnings or ends of words, which is not understood");
        }
        match self.dropout {
            None | Some(0.0) => Ok(()),
            Some(_) => refuse("merges at random (`dropout`)"),
        }
    }

    /// The vocabulary.
    pub(super) fn tokens(&self) -> Result<Tokens, Unusable> {
        let raw = self.vocab.map_or("{}", RawValue::get);
        let tokens = Deserializer::from_str(raw).deserialize_map(TokensReader);
        let tokens = tokens
            .map_err(|error| Unusable(format!("has a vocab that is not understood: {error}")))?;
        let ids: HashSet<u32> = tokens.values().copied().collect();
        match ids.len() == tokens.len() {
            true => Ok(tokens),
            false => refuse("has two tokens with one id"),
        }
    }

    /// Shows each merge, in their order, until one is refused.
    pub(super) fn merges(
        &self,
        see: impl FnMut(&str, &str) -> Result<(), String>,
    ) -> Result<(), Unusable> {
        let raw = self.merges.map_or("[]", RawValue::get);
        (Deserializer::from_str(raw).deserialize_seq(Merges(see)))
            .map_err(|error| Unusable(format!("has merges that are not understood: {error}")))
    }
}

impl PostProcessor {
    /// How many tokens it puts around one text.
    fn framing(self) -> Result<u64, Unusable> {
        match self {
            Self::ByteLevel => Ok(0),
            Self::BertProcessing | Self::RobertaProcessing => Ok(2),
            Self::TemplateProcessing {
                single,
                special_tokens,
            } => {
                let (mut texts, mut tokens) = (0, 0);
                for piece in single {
                    match piece {
                        TemplatePiece::Sequence {} => texts += 1,
                        TemplatePiece::SpecialToken { id } => match special_tokens.get(&id) {
                            Some(special) => tokens += special.ids.len() as u64,
                            None => {
                                return refuse(format!("has a template with no token for {id:?}"));
                            }
                        },
                    }
                }
                match texts {
                    1 => Ok(tokens),
                    _ => refuse("has a template that is not of one text"),
                }
            }
            Self::Sequence { processors } => processors
                .into_iter()
                .try_fold(0, |sum, processor| Ok(sum + processor.framing()?)),
        }
    }
}
