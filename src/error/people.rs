//! What users and sign-ins fail with, in the caller's words.

use super::{Error, parts::NAME};
use crate::people::{self, Project, SignInError, Unproven};

impl From<people::Error> for Error {
    fn from(error: people::Error) -> Self {
        use people::Error as Of;
        let why = error.to_string();
        match error {
            Of::Email => Self::wrong("email", "an email address of at most 254 bytes"),
            Of::Name => Self::wrong("name", NAME),
            Of::Tier => Self::wrong("weir.tier", NAME),
            Of::Password => Self::wrong(
                "password",
                "a text of 12 to 256 characters without control characters",
            ),
            Of::Project | Of::Memberships => {
                Self::wrong("projects", "at most 1000 ids of 1 to 64 bytes")
            }
            Of::EmailTaken => Self::Conflict("a user with this email"),
            Of::MemberAlready(_) => Self::Conflict("this user in the project"),
            Of::Accepted(_) => Self::Conflict("a user by this invite"),
            Of::NoSuchUser(id) => Self::NoSuch("user", id),
            Of::NoSuchInvite(id) => Self::NoSuch("invite", id),
            Of::NoSuchProject(id) => Self::NoSuch("project", id),
            Of::Archived(_) => Self::Refused("project_archived", why),
            Of::NoMember(id) => Self::NoSuch("user", id.to_string()),
            Of::Random(_) | Of::KeyFile { .. } | Of::Unsigned | Of::Threads(_) => {
                Self::inside(&error)
            }
            Of::Store(_) => Self::store(&error),
        }
    }
}

impl From<SignInError> for Error {
    fn from(error: SignInError) -> Self {
        match error {
            SignInError::Refused => Self::BadCredentials,
            SignInError::NoSuchProject(id) => Self::NoSuch("project", id),
            SignInError::Slowed(wait) => Self::SlowDown(wait),
            SignInError::Busy => Self::Overloaded("too many sign-ins at once"),
            SignInError::Failed(error) => error.into(),
        }
    }
}

impl From<Unproven> for Error {
    fn from(unproven: Unproven) -> Self {
        match unproven {
            Unproven::NoToken | Unproven::Refused(_) => Self::Unauthenticated,
            Unproven::Unsure => Self::IssuerUnavailable,
        }
    }
}

impl From<Project> for Error {
    fn from(project: Project) -> Self {
        match project {
            Project::Needed => Self::ProjectNeeded,
            Project::Unknown(id) => Self::NoSuch("project", id),
        }
    }
}
