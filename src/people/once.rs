//! Tokens that work once: a prefix that tells what they are, and 256 random bits, of which only a hash is kept.

use crate::{auth::random_text, domain::Secret};
use sha2::{Digest, Sha256};

const CHARS: usize = 43; // of 62: 256 bits, as many as the hash has

/// A new token, and what is kept of it.
pub(super) fn mint(prefix: &str) -> Result<(Secret, [u8; 32]), getrandom::Error> {
    let secret = random_text::<CHARS>()?;
    let mut text = String::with_capacity(prefix.len() + CHARS); // exact: no copy stays behind
    text.push_str(prefix);
    text.extend(secret.iter().copied().map(char::from));
    Ok((Secret::new(text), Sha256::digest(*secret).into()))
}

/// What is kept of a token, if it is one by its form.
pub(super) fn hash(prefix: &str, token: &str) -> Option<[u8; 32]> {
    let secret = token.strip_prefix(prefix)?.as_bytes();
    let is_one = secret.len() == CHARS && secret.iter().all(u8::is_ascii_alphanumeric);
    is_one.then(|| Sha256::digest(secret).into())
}
