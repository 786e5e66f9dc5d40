//! Whose call it is.

use super::{KeyId, OnHangup, Terms};
use std::sync::Arc;

/// The holder of a valid credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The key that was shown.
    pub key: KeyId,
    /// The models that it may use.
    pub models: ModelRule,
    /// What becomes of its answers if it hangs up, as its key says or else its project; none: as the config says.
    pub on_hangup: Option<OnHangup>,
    /// Whom it is for, where that was said.
    pub owner: Option<Arc<Owner>>,
    /// What else was agreed for it; none: nothing.
    pub terms: Option<Arc<Terms>>,
}

impl Caller {
    /// The project that pays.
    pub fn project(&self) -> &str {
        let project = self
            .owner
            .as_ref()
            .and_then(|owner| owner.project.as_deref());
        project.unwrap_or(Owner::DEFAULT_PROJECT)
    }

    /// The user whom it is for, or whose token it is.
    pub fn user(&self) -> Option<&str> {
        let owner = self.owner.as_ref();
        owner.and_then(|owner| owner.user.as_deref())
    }
}

/// Whom a key is for: what it uses is added up by this too.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Owner {
    /// A project.
    pub project: Option<Box<str>>,
    /// A user.
    pub user: Option<Box<str>>,
}

impl Owner {
    /// The longest name of a project or a user.
    pub const NAME_MAX_BYTES: usize = 64;
    /// What the id of a service account begins with, which is a user too.
    pub const ACCOUNT_PREFIX: &str = "svc_acct_";
    /// The project of whatever names none. It is always there and cannot be archived.
    pub const DEFAULT_PROJECT: &str = "proj_default";

    /// A project with no user.
    pub fn of_project(project: Option<&str>) -> Self {
        Self {
            project: project.map(Box::from),
            user: None,
        }
    }
}

/// Which models a key may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelRule {
    /// Whatever the config serves.
    All,
    /// These names; a name may hold one `*`.
    Only(Arc<[Box<str>]>),
}

impl ModelRule {
    /// Whether `model` may be used.
    pub fn allows(&self, model: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(names) => names.iter().any(|name| matches(name, model)),
        }
    }
}

/// Whether `pattern`, in which one `*` stands for any text, covers `name`.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((head, tail)) => {
            name.len() >= head.len() + tail.len() && name.starts_with(head) && name.ends_with(tail)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text_but_never_overlaps() {
        assert!(matches("gpt-*", "gpt-"));
        assert!(matches("gpt-*-mini", "gpt-5-mini"));
        assert!(!matches("gpt-*-mini", "gpt-mini"));
        assert!(matches("*", "anything"));
        assert!(!matches("gpt", "gpt-5"));
    }
}
