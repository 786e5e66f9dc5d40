//! What a key looks like: `sk-weir-` or `sk-weir-admin-`, then a public id, `_`, and a secret.
//!
//! Pure. Reading costs nothing to speak of and takes any bytes: it is the first thing that a stranger's text meets.

use crate::domain::{KeyId, Secret};
use sha2::{Digest, Sha256};
use std::fmt;
use subtle::{Choice, ConstantTimeEq};
use zeroize::Zeroizing;

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const SECRET_LEN: usize = 43; // of 62 characters: 256 bits, as many as its hash has

/// What a key opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The data plane.
    Api,
    /// The control plane.
    Admin,
}

impl Kind {
    /// The name in the store, in listings and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Admin => "admin",
        }
    }

    /// What may be shown of a key with this id.
    pub fn redacted(self, id: KeyId) -> String {
        format!("{}{id}_****", self.prefix())
    }

    /// Tells people and secret scanners what they have found. An id holds no `-`, so neither is taken for the other.
    fn prefix(self) -> &'static str {
        match self {
            Self::Api => "sk-weir-",
            Self::Admin => "sk-weir-admin-",
        }
    }
}

/// A key just made. This is the only time that it can be shown.
#[derive(Debug)]
pub struct Minted {
    /// Its public name.
    pub id: KeyId,
    /// The key itself, for its holder.
    pub key: Secret,
    /// What Weir keeps of it.
    pub(super) hash: Hash,
}

/// The parts of a key as someone showed it. Well formed, not yet known to be real.
pub(super) struct Shown<'a> {
    pub(super) kind: Kind,
    pub(super) id: KeyId,
    secret: &'a [u8],
}

impl Shown<'_> {
    pub(super) fn hash(&self) -> Hash {
        Hash::of(self.secret)
    }
}

/// Makes a key from the operating system's randomness.
pub(super) fn mint(kind: Kind) -> Result<Minted, getrandom::Error> {
    let id = random_text::<{ KeyId::LEN }>()?;
    let secret = random_text::<SECRET_LEN>()?;

    let mut key = String::with_capacity(kind.prefix().len() + KeyId::LEN + 1 + SECRET_LEN); // exact: no copy stays behind
    key.push_str(kind.prefix());
    key.extend(id.iter().copied().map(char::from));
    key.push('_');
    key.extend(secret.iter().copied().map(char::from));

    let id = KeyId::parse(&*id).expect("the alphabet is letters and digits");
    Ok(Minted {
        id,
        key: Secret::new(key),
        hash: Hash::of(&*secret),
    })
}

/// Characters behind the prefix of an id of a project or the like: more than anyone could guess or meet by chance.
const NAME_LEN: usize = 24;

/// A new id that begins with `prefix`.
pub fn new_id(prefix: &str) -> Result<String, getrandom::Error> {
    let text = random_text::<NAME_LEN>()?;
    let text = text.iter().copied().map(char::from);
    Ok(prefix.chars().chain(text).collect())
}

/// Reads a key out of whatever a client sent.
pub(super) fn parse(text: &[u8]) -> Option<Shown<'_>> {
    let read = |kind: Kind| Some((kind, text.strip_prefix(kind.prefix().as_bytes())?));
    let (kind, rest) = read(Kind::Admin).or_else(|| read(Kind::Api))?;
    let (id, rest) = rest.split_at_checked(KeyId::LEN)?;
    let secret = rest.strip_prefix(b"_")?;
    if secret.len() != SECRET_LEN || !secret.iter().all(u8::is_ascii_alphanumeric) {
        return None;
    }
    Some(Shown {
        kind,
        id: KeyId::parse(id)?,
        secret,
    })
}

/// SHA-256 of a secret; equality takes the same time wherever two differ.
///
/// A password needs a slow, salted hash because it can be guessed. 256 random bits cannot, at any speed, and no two
/// keys share them: a plain hash is as one-way as the slowest, and answers within a microsecond.
#[derive(Clone, Copy)]
pub(super) struct Hash(pub(super) [u8; 32]);

impl Hash {
    pub(super) fn of(secret: &[u8]) -> Self {
        Self(Sha256::digest(secret).into())
    }
}

impl ConstantTimeEq for Hash {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.0.ct_eq(&other.0)
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hash(..)")
    }
}

/// `N` characters, each of the 62 equally likely.
pub(crate) fn random_text<const N: usize>() -> Result<Zeroizing<[u8; N]>, getrandom::Error> {
    let mut text = Zeroizing::new([0; N]);
    let mut filled = 0;
    while filled < N {
        let mut bytes = Zeroizing::new([0; 64]);
        getrandom::fill(&mut *bytes)?;
        // Six bits make 64 values; the two that have no character are dropped, since folding them in would favour some.
        let drawn = bytes
            .iter()
            .filter_map(|byte| ALPHABET.get(usize::from(byte & 63)));
        for (place, &character) in text[filled..].iter_mut().zip(drawn) {
            *place = character;
            filled += 1;
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_minted_key_reads_back_as_itself() {
        for kind in [Kind::Api, Kind::Admin] {
            let minted = mint(kind).unwrap();
            let shown = parse(minted.key.expose().as_bytes()).unwrap();
            assert_eq!((shown.kind, shown.id), (kind, minted.id));
            assert!(bool::from(shown.hash().ct_eq(&minted.hash)));
        }
    }

    #[test]
    fn every_character_is_drawn_and_no_two_keys_are_alike() {
        let many: Vec<_> = (0..200).map(|_| mint(Kind::Api).unwrap()).collect();
        let text: String = many
            .iter()
            .map(|minted| &minted.key.expose()[8..])
            .collect();
        assert!(ALPHABET.iter().all(|&c| text.contains(char::from(c))));
        let ids: std::collections::HashSet<_> = many.iter().map(|minted| minted.id).collect();
        assert_eq!(ids.len(), many.len());
    }

    #[test]
    fn debug_output_shows_neither_key_nor_hash() {
        let minted = mint(Kind::Api).unwrap();
        let expected = format!(
            "Minted {{ id: {}, key: Secret(..), hash: Hash(..) }}",
            minted.id
        );
        assert_eq!(format!("{minted:?}"), expected);
    }

    #[test]
    fn a_key_that_is_cut_or_extended_is_no_key() {
        let minted = mint(Kind::Admin).unwrap();
        let text = minted.key.expose().as_bytes();
        for end in 0..text.len() {
            assert!(parse(&text[..end]).is_none());
        }
        assert!(parse(&[text, b"0"].concat()).is_none());
        assert!(parse(&[b" ", text].concat()).is_none());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            parse(&bytes);
        }

        #[test]
        fn anything_close_to_a_key_is_read_without_panic(text in "sk-weir-(admin-)?[0-9a-zA-Z_-]{10,20}[_-]?\\PC{30,50}") {
            parse(text.as_bytes());
        }

        #[test]
        fn a_key_with_one_byte_changed_is_another_key_or_none(at in 0usize..68, byte in any::<u8>()) {
            let minted = mint(Kind::Api).unwrap();
            let mut text = minted.key.expose().as_bytes().to_vec();
            prop_assume!(text[at] != byte);
            text[at] = byte;
            if let Some(shown) = parse(&text) {
                prop_assert!(shown.id != minted.id || !bool::from(shown.hash().ct_eq(&minted.hash)));
            }
        }
    }
}
