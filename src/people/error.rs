//! How an account or a sign-in fails, in this part's own words.

use super::{InviteId, UserId, password};
use crate::store;
use std::{io, path::PathBuf, time::Duration};

/// The most projects that a user may have a part in.
pub(super) const MEMBERSHIPS_MAX: u64 = 1000;

/// Why a change to an account was not made. None was made in part.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The email does not look like one.
    #[error("an email has a name, an @ and a host, at most 254 characters and no spaces")]
    Email,
    /// The name would spoil a listing.
    #[error("a user's name has 1 to 128 characters, none of them control characters")]
    Name,
    /// The tier's name would spoil a listing.
    #[error("a tier's name has 1 to 128 characters, none of them control characters")]
    Tier,
    /// The password can be guessed, or is a book.
    #[error(
        "a password has {} to {} characters, none of them control characters",
        password::PASSWORD_CHARS_MIN,
        password::PASSWORD_CHARS_MAX
    )]
    Password,
    /// The project's id would spoil a listing.
    #[error("a project's id has 1 to 64 bytes, without control characters")]
    Project,
    /// Somebody has this email.
    #[error("there is a user with this email already")]
    EmailTaken,
    /// There is no such user.
    #[error("there is no user {0}")]
    NoSuchUser(String),
    /// There is no such invite.
    #[error("there is no invite {0}")]
    NoSuchInvite(String),
    /// There is no such project.
    #[error("there is no project {0}")]
    NoSuchProject(String),
    /// The project was archived, and nobody can be given a part in it.
    #[error("the project {0} is archived")]
    Archived(String),
    /// It was accepted, and stays.
    #[error("the invite {0} was accepted already")]
    Accepted(InviteId),
    /// The user has no part in the project.
    #[error("the user {0} has no part in this project")]
    NoMember(UserId),
    /// The user has a part in it.
    #[error("the user {0} has a part in this project already")]
    MemberAlready(UserId),
    /// The user has a part in too many projects.
    #[error("a user may have a part in {MEMBERSHIPS_MAX} projects")]
    Memberships,
    /// The operating system gave no randomness.
    #[error("there is no randomness")]
    Random(#[from] getrandom::Error),
    /// The key of access tokens cannot be read or made.
    #[error("cannot use {}", path.display())]
    KeyFile {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Every key that could sign tokens is gone.
    #[error("no key signs access tokens")]
    Unsigned,
    /// No thread to hash passwords on.
    #[error("cannot start the threads that check passwords")]
    Threads(#[source] io::Error),
    /// The store failed.
    #[error("the users cannot be read or changed")]
    Store(#[from] store::Error),
}

/// Why nobody was signed in.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// The password is wrong, the token is not good any more, or there is nobody to sign in: which of them is not said.
    #[error("the credentials are not right")]
    Refused,
    /// The user has no part in the project that the token is to name.
    #[error("the user has no part in this project")]
    NoSuchProject(String),
    /// Too many have failed, from this address or for this account.
    #[error("too many attempts")]
    Slowed(Duration),
    /// Too many passwords wait to be checked.
    #[error("too many sign-ins at once")]
    Busy,
    /// Something failed.
    #[error("the sign-in failed")]
    Failed(#[from] Error),
}

impl From<store::Error> for SignInError {
    fn from(error: store::Error) -> Self {
        Self::Failed(error.into())
    }
}
