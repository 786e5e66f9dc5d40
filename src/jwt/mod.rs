//! Signed tokens of users: the keys that sign and verify them, and what must hold for one to be believed.
//!
//! Pure. What a token says of its own algorithm or key decides nothing: a key is pinned to its algorithms, and only
//! asymmetric ones can come from outside.

mod algorithm;
mod claims;
mod crypto;
mod key;

pub use algorithm::Algorithm;
pub use claims::{Expected, Look, Refused, look, texts};
pub use key::{BadKey, SigningKey, VerifyKey};

/// The longest token that is read. Those of issuers that put every group of a user into it stay below.
pub const TOKEN_BYTES_MAX: usize = 16 << 10;

#[cfg(test)]
mod tests;
