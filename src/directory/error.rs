//! How a question to the directory or a change of it fails, in this part's own words.

use crate::{auth, store};

/// Why the directory did not do what it was asked. Nothing was done in part.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such project.
    #[error("there is no project {0}")]
    NoSuchProject(String),
    /// The project has no such service account.
    #[error("there is no service account {0} in this project")]
    NoSuchAccount(String),
    /// The project has no such user, or they are locked out.
    #[error("there is no user {0} in this project who may have keys")]
    NoSuchUser(String),
    /// The project has no such key, or it was deleted.
    #[error("there is no API key {0} here")]
    NoSuchKey(String),
    /// There is no such alert.
    #[error("there is no spend alert {0} here")]
    NoSuchAlert(String),
    /// No spend limit is set.
    #[error("no spend limit is set")]
    NoSpendLimit,
    /// The cursor of a list is none of its items.
    #[error("`{0}` is no id of this list")]
    NoSuchCursor(&'static str),
    /// The project was archived, and nothing of it changes any more.
    #[error("the project {0} is archived")]
    Archived(String),
    /// The default project is always there.
    #[error("the default project cannot be archived")]
    DefaultProject,
    /// Another project has this id.
    #[error("there is already a project {0}")]
    Taken(String),
    /// A project's id is none.
    #[error("a project's id has 1 to 64 letters, digits, `-`, `_` or `.`")]
    ProjectId,
    /// A name is empty, too long, or would spoil a listing.
    #[error(
        "a name has 1 to {} characters, none of them control characters",
        super::NAME_MAX_CHARS
    )]
    Name,
    /// A list of models is too long, or one of its names is none.
    #[error(
        "at most {} models, of 1 to {} characters with at most one `*` each",
        crate::auth::MODELS_MAX,
        crate::auth::NAME_MAX_CHARS
    )]
    Models,
    /// Whom an alert tells, or how, is out of bounds.
    #[error(
        "an alert has at most {} recipients of 1 to {} characters, and a prefix of at most {}",
        super::RECIPIENTS_MAX,
        super::ADDRESS_MAX_CHARS,
        super::NAME_MAX_CHARS
    )]
    Alert,
    /// A key was not made or ended.
    #[error(transparent)]
    Key(#[from] auth::Error),
    /// The operating system gave no randomness.
    #[error("cannot make a random id")]
    Random(#[from] getrandom::Error),
    /// The store failed.
    #[error("the directory cannot be read or changed")]
    Store(#[from] store::Error),
}
