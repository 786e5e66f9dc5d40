//! The symbols that words are made of, and how these merge into tokens.

use super::{
    Unusable,
    file::{Model, refuse},
    lists::{Map, Tokens},
    word::Word,
};
use foldhash::fast::RandomState;
use std::collections::HashSet;

/// A byte-pair encoding.
pub(super) struct Vocabulary {
    alphabet: Alphabet,
    merges: Map<(u32, u32), Merge>,
    /// The symbols that are neighbours in some token.
    joined: HashSet<(u32, u32), RandomState>,
    /// Words that are tokens whatever merges would make of them.
    whole: HashSet<Box<str>, RandomState>,
    unknown: Option<Unknown>,
}

/// What two neighbours become, and when: the lower the rank, the sooner.
#[derive(Clone, Copy)]
pub(super) struct Merge {
    pub(super) rank: u32,
    pub(super) id: u32,
}

/// What text is cut into before anything is merged.
enum Alphabet {
    Bytes(Box<[Option<u32>; 256]>),
    Chars {
        ids: Map<char, u32>,
        /// Those of bytes, for characters that have none.
        bytes: Option<Box<[u32; 256]>>,
    },
}

/// What stands for characters that have no symbol.
#[derive(Clone, Copy)]
struct Unknown {
    id: u32,
    /// One stands for a run of them.
    is_fused: bool,
}

impl Vocabulary {
    pub(super) fn new(model: &Model<'_>, is_of_bytes: bool) -> Result<Self, Unusable> {
        let tokens = model.tokens()?;
        let id = |token: &str| tokens.get(token).copied();
        let letters = letters();
        let alphabet = match is_of_bytes {
            true if model.byte_fallback => return refuse("cuts text into bytes twice"),
            true => Alphabet::Bytes(Box::new(letters.map(|letter| id(&letter.to_string())))),
            false => Alphabet::Chars {
                ids: (tokens.iter())
                    .filter_map(|(token, id)| Some((only_char(token)?, *id)))
                    .collect(),
                bytes: model.byte_fallback.then(|| fallback(id)).transpose()?,
            },
        };
        let unknown = match model.unk_token.as_deref() {
            None => None,
            Some(token) => Some(Unknown {
                id: id(token)
                    .ok_or_else(|| Unusable("has no such token as its unk_token".into()))?,
                is_fused: model.fuse_unk,
            }),
        };
        // Symbols that are not spelled as they are written: no boundary can be told from the spelling of what they make.
        let mut opaque: HashSet<u32> = unknown.iter().map(|unknown| unknown.id).collect();
        if let Alphabet::Chars {
            bytes: Some(bytes), ..
        } = &alphabet
        {
            opaque.extend(bytes.iter());
        }
        let mut merges = Map::default();
        let mut joined = HashSet::default();
        let mut rank = 0;
        model.merges(|left, right| {
            let made = format!("{left}{right}");
            let (Some(l), Some(r), Some(made)) = (id(left), id(right), id(&made)) else {
                return Err(format!("{left:?} and {right:?} are or make no token"));
            };
            if opaque.contains(&l) || opaque.contains(&r) {
                return Err(format!("{left:?} and {right:?} are no text"));
            }
            merges.insert((l, r), Merge { rank, id: made });
            rank += 1;
            let ends = [left.chars().next_back(), right.chars().next()];
            // A character without a symbol is in no word, so neither is the token.
            if let [Some(l), Some(r)] =
                ends.map(|end| end.and_then(|end| id(end.encode_utf8(&mut [0; 4]))))
            {
                joined.insert((l, r));
            }
            Ok(())
        })?;
        merges.shrink_to_fit();
        joined.shrink_to_fit();
        Ok(Self {
            alphabet,
            merges,
            joined,
            whole: match (model.ignore_merges, is_of_bytes) {
                (false, _) => HashSet::default(),
                (true, false) => tokens.into_keys().collect(),
                (true, true) => texts(&tokens, letters).collect(),
            },
            unknown,
        })
    }

    /// Counts one word into `word`.
    pub(super) fn count(&self, text: &str, word: &mut Word) {
        if self.whole.contains(text) {
            return word.add(1);
        }
        let mut unknown = false;
        let mut push = |id: Option<u32>| match (id, self.unknown) {
            (Some(id), of) => {
                if let Some(of) = of.filter(|_| std::mem::take(&mut unknown)) {
                    word.push(of.id, self);
                }
                word.push(id, self);
            }
            (None, Some(of)) => {
                if unknown && !of.is_fused {
                    word.push(of.id, self);
                }
                unknown = true;
            }
            // What nothing stands for is left out.
            (None, None) => {}
        };
        match &self.alphabet {
            Alphabet::Bytes(ids) => text.bytes().for_each(|byte| push(ids[usize::from(byte)])),
            Alphabet::Chars { ids, bytes } => {
                for c in text.chars() {
                    match (ids.get(&c), bytes) {
                        (None, Some(bytes)) => (c.encode_utf8(&mut [0; 4]).bytes())
                            .for_each(|byte| push(Some(bytes[usize::from(byte)]))),
                        (id, _) => push(id.copied()),
                    }
                }
            }
        }
        if let Some(of) = self.unknown.filter(|_| unknown) {
            word.push(of.id, self);
        }
        word.end(self);
    }

    /// What two neighbours merge into.
    pub(super) fn merge(&self, left: u32, right: u32) -> Option<Merge> {
        self.merges.get(&(left, right)).copied()
    }

    /// Whether two symbols are neighbours in some token. If they are not, no merge ever crosses the boundary between.
    pub(super) fn joins(&self, left: u32, right: u32) -> bool {
        self.joined.contains(&(left, right))
    }
}

/// The character that a token is, if it is one.
fn only_char(token: &str) -> Option<char> {
    let mut chars = token.chars();
    let first = chars.next()?;
    chars.next().is_none().then_some(first)
}

/// The symbols of all bytes.
fn fallback(id: impl Fn(&str) -> Option<u32>) -> Result<Box<[u32; 256]>, Unusable> {
    let mut bytes = Box::new([0; 256]);
    for (byte, place) in bytes.iter_mut().enumerate() {
        let token = format!("<0x{byte:02X}>");
        *place =
            id(&token).ok_or_else(|| Unusable(format!("has no token {token} to fall back on")))?;
    }
    Ok(bytes)
}

/// The letters that stand for bytes in the files of encodings of bytes: a byte itself where it can be seen, and those
/// from `Ā` on for the others.
fn letters() -> [char; 256] {
    let mut others = 'Ā'..;
    std::array::from_fn(|byte| match byte as u8 {
        byte @ (b'!'..=b'~' | 0xa1..=0xac | 0xae..) => char::from(byte),
        _ => others.next().expect("there are more letters than bytes"),
    })
}

/// The texts that tokens of bytes stand for, of those that stand for text.
fn texts(tokens: &Tokens, letters: [char; 256]) -> impl Iterator<Item = Box<str>> {
    let bytes: Map<char, u8> = (letters.into_iter()).zip(0..=u8::MAX).collect();
    tokens.keys().filter_map(move |token| {
        let text: Option<Vec<u8>> = token.chars().map(|c| bytes.get(&c).copied()).collect();
        String::from_utf8(text?).ok().map(Into::into)
    })
}
