//! Reads the two long lists of a model, vocabulary and merges, an element at a time.

use foldhash::fast::RandomState;
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor},
};
use std::{collections::HashMap, fmt};

/// Four times what the largest vocabularies have.
const TOKENS_MAX: usize = 1 << 20;
const MERGES_MAX: usize = 2 << 20;

/// Its keys are the operator's words, so that a quick hash will do.
pub(super) type Map<K, V> = HashMap<K, V, RandomState>;

/// Tokens by their spelling.
pub(super) type Tokens = Map<Box<str>, u32>;

/// Reads an object of tokens and their ids.
pub(super) struct TokensReader;

impl<'de> Visitor<'de> for TokensReader {
    type Value = Tokens;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of tokens")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Tokens, A::Error> {
        let mut tokens = Tokens::default();
        while let Some((token, id)) = members.next_entry::<Box<str>, u32>()? {
            if id == u32::MAX {
                return Err(A::Error::custom(format!("{id} is no token's id")));
            }
            if tokens.len() == TOKENS_MAX {
                return Err(A::Error::custom(format!("more than {TOKENS_MAX} tokens")));
            }
            tokens.insert(token, id);
        }
        Ok(tokens)
    }
}

/// Reads an array of merges, and shows each.
pub(super) struct Merges<F>(pub(super) F);

impl<'de, F: FnMut(&str, &str) -> Result<(), String>> Visitor<'de> for Merges<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of merges")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut merges: A) -> Result<(), A::Error> {
        for _ in 0..=MERGES_MAX {
            let Some(Pair(left, right)) = merges.next_element()? else {
                return Ok(());
            };
            (self.0)(&left, &right).map_err(A::Error::custom)?;
        }
        Err(A::Error::custom(format!("more than {MERGES_MAX} merges")))
    }
}

/// What merges: `["a", "b"]`, and `"a b"` in older files.
struct Pair(String, String);

impl<'de> Deserialize<'de> for Pair {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        reader.deserialize_any(PairReader)
    }
}

struct PairReader;

impl<'de> Visitor<'de> for PairReader {
    type Value = Pair;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("two tokens")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Pair, E> {
        let mut tokens = text.split(' ').map(str::to_owned);
        pair(|| Ok(tokens.next()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut tokens: A) -> Result<Pair, A::Error> {
        pair(|| tokens.next_element())
    }
}

fn pair<E: Error>(mut next: impl FnMut() -> Result<Option<String>, E>) -> Result<Pair, E> {
    match (next()?, next()?, next()?) {
        (Some(left), Some(right), None) => Ok(Pair(left, right)),
        _ => Err(E::custom("a merge is of two tokens")),
    }
}
