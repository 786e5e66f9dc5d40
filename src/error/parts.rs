//! How the failures of parts are told.

use super::Error;
use crate::{
    auth, directory,
    ledger::{Full, ReportError},
    limits::roster,
    queue::Saturated,
    upstream::{Broken, Failure},
    wire::{members, query, request::Mistake},
};

/// What a name is.
pub(super) const NAME: &str = "a text of 1 to 128 characters without control characters";

impl From<directory::Error> for Error {
    fn from(error: directory::Error) -> Self {
        use directory::Error as Of;
        let why = error.to_string();
        match error {
            Of::NoSuchProject(id) => Self::NoSuch("project", id),
            Of::NoSuchAccount(id) => Self::NoSuch("service account", id),
            Of::NoSuchUser(id) => Self::NoSuch("user", id),
            Of::NoSuchKey(id) => Self::NoSuch("API key", id),
            Of::NoSuchAlert(id) => Self::NoSuch("spend alert", id),
            Of::NoSpendLimit => Self::NotSet("spend limit"),
            Of::NoSuchCursor(name) => Self::Query(query::Mistake::Wrong(
                name,
                "the id of an item of this list".to_owned(),
            )),
            Of::Archived(_) => Self::Refused("project_archived", why),
            Of::DefaultProject => Self::Refused("default_project", why),
            Of::Taken(_) => Self::Refused("project_exists", why),
            Of::ProjectId => Self::Refused("invalid_value", why),
            Of::Name => Self::wrong("name", NAME),
            Of::Models => Self::wrong("model_ids", &why),
            Of::Alert => Self::wrong("notification_channel", &format!("such that {why}")),
            Of::Key(error) => error.into(),
            Of::Random(_) => Self::inside(&error),
            Of::Store(_) => Self::store(&error),
        }
    }
}

impl From<auth::Error> for Error {
    fn from(error: auth::Error) -> Self {
        use auth::Error as Of;
        match error {
            Of::Name => Self::wrong("name", NAME),
            Of::Models => Self::wrong(
                "weir.models",
                "names of 1 to 128 characters with at most one * each",
            ),
            Of::Owner => Self::wrong("user", "a text of 1 to 64 bytes without control characters"),
            Of::Terms(_) => Self::wrong("weir", &format!("such that {error}")),
            Of::ExpiryPassed => Self::wrong("weir.expires_at", "in the future"),
            Of::Over(_) => Self::wrong(
                "weir.expires_at",
                "left out: the key has ended, and for good",
            ),
            Of::AlreadyReplaced { .. } | Of::Expired(_) | Of::AlreadyRevoked(_) => Self::wrong(
                "weir.replaces",
                "a key that is in force and was not replaced",
            ),
            Of::NoSuchKey(id) => Self::NoSuch("API key", id.public()),
            Of::Random(_) | Of::FirstKeysFile { .. } => Self::inside(&error),
            Of::Store(_) => Self::store(&error),
        }
    }
}

impl From<roster::Error> for Error {
    fn from(error: roster::Error) -> Self {
        use roster::Error as Of;
        match error {
            Of::NoSuchPlace => Self::Query(query::Mistake::Wrong(
                "after",
                "`next` of a page of this list".to_owned(),
            )),
            Of::Directory(error) => error.into(),
            Of::Keys(error) => error.into(),
            Of::Users(error) => error.into(),
        }
    }
}

impl From<Mistake> for Error {
    fn from(mistake: Mistake) -> Self {
        Self::Invalid(mistake)
    }
}

impl From<Full> for Error {
    fn from(_: Full) -> Self {
        Self::LedgerFull
    }
}

impl From<Saturated> for Error {
    fn from(saturated: Saturated) -> Self {
        Self::Saturated(saturated.retry_after)
    }
}

impl From<query::Mistake> for Error {
    fn from(mistake: query::Mistake) -> Self {
        Self::Query(mistake)
    }
}

impl From<members::Mistake> for Error {
    fn from(mistake: members::Mistake) -> Self {
        Self::Member(mistake)
    }
}

impl From<ReportError> for Error {
    fn from(error: ReportError) -> Self {
        match error {
            ReportError::TooMany(max) => Self::Query(query::Mistake::Wrong(
                "group_by",
                format!("coarser, or the filters narrower: one bucket has more than {max} results"),
            )),
            ReportError::Store(error) => {
                let error: &dyn std::error::Error = &error;
                tracing::warn!(error, "usage cannot be read");
                Self::StoreUnavailable
            }
        }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Unreachable(_) | Failure::Broken(_) => Self::UpstreamUnreachable,
            Failure::TooSlow => Self::UpstreamTimeout,
        }
    }
}

impl Error {
    /// An upload that broke off, where `max` bytes were allowed.
    pub fn upload(broken: Broken, max: u64) -> Self {
        match broken {
            Broken::TooLarge => Self::TooLarge(max),
            Broken::TooSlow => Self::TooSlow,
            Broken::Cut => Self::BadRequest("The request body broke off."),
        }
    }

    pub(super) fn wrong(name: &str, expected: &str) -> Self {
        Self::Member(members::Mistake {
            name: name.to_owned(),
            why: members::Why::Wrong(expected.to_owned()),
        })
    }

    pub(super) fn inside(error: &(dyn std::error::Error + 'static)) -> Self {
        tracing::error!(error, "a change could not be made");
        Self::Internal
    }

    pub(super) fn store(error: &(dyn std::error::Error + 'static)) -> Self {
        tracing::warn!(error, "the store cannot be read or changed");
        Self::StoreUnavailable
    }
}
