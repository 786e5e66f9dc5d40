//! How a credential or a change to the keys fails, in this part's own words.

use crate::domain::KeyId;
use crate::store;
use std::io;
use std::path::PathBuf;

/// Why a credential was refused. For metrics and logs only: the caller gets one answer for all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Rejected {
    /// None was sent.
    #[error("no credential was sent")]
    Missing,
    /// It does not look like a key, or was sent in a way that can be read as two.
    #[error("the credential is not a key")]
    Malformed,
    /// A key of the other plane.
    #[error("the key is for the other plane")]
    WrongPlane,
    /// No key has this id.
    #[error("the key is unknown")]
    Unknown,
    /// The id is real and the secret is not.
    #[error("the key's secret is wrong")]
    WrongSecret,
    /// It was revoked.
    #[error("the key was revoked")]
    Revoked,
    /// Its time has passed.
    #[error("the key has expired")]
    Expired,
}

impl Rejected {
    /// The label in metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Malformed => "malformed",
            Self::WrongPlane => "wrong_plane",
            Self::Unknown => "unknown",
            Self::WrongSecret => "wrong_secret",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
        }
    }
}

/// Why a change to the keys was not made. None was made in part.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The name is empty, too long, or would spoil a listing.
    #[error(
        "a key's name has 1 to {} characters, none of them control characters",
        super::NAME_MAX_CHARS
    )]
    Name,
    /// The list of models is empty or too long, or one of its names is.
    #[error(
        "a key's models are 1 to {} names of 1 to {} characters with at most one * each",
        super::MODELS_MAX,
        super::NAME_MAX_CHARS
    )]
    Models,
    /// The name of the project or of the user is empty, too long, or would spoil a listing.
    #[error(
        "a key's project and user have names of 1 to {} bytes, without control characters",
        crate::domain::Owner::NAME_MAX_BYTES
    )]
    Owner,
    /// A term is out of its bounds.
    #[error("a key's {0}")]
    Terms(&'static str),
    /// The key would never have worked.
    #[error("the key's expiry has already passed")]
    ExpiryPassed,
    /// There is no such key.
    #[error("there is no key {0}")]
    NoSuchKey(KeyId),
    /// It was revoked earlier.
    #[error("key {0} is already revoked")]
    AlreadyRevoked(KeyId),
    /// It was rotated earlier.
    #[error("key {id} was already replaced by {by}")]
    AlreadyReplaced {
        /// The old key.
        id: KeyId,
        /// The one to rotate instead.
        by: KeyId,
    },
    /// Its time has passed; a rotation would give it new life.
    #[error("key {0} has expired")]
    Expired(KeyId),
    /// The same of a new end.
    #[error("key {0} has expired, and no other end brings it back")]
    Over(KeyId),
    /// The operating system gave no randomness.
    #[error("cannot make a random key")]
    Random(#[from] getrandom::Error),
    /// The first keys have nowhere to go, so there are none.
    #[error("cannot write {}", path.display())]
    FirstKeysFile {
        /// The file that was to hold them.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The store failed.
    #[error("the keys cannot be read or changed")]
    Store(#[from] store::Error),
}
