//! A person who is signed in, and what they are to the organization and to its projects.

/// What a user is to the organization.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// May do everything.
    Owner,
    /// May do what their roles in projects let them.
    #[default]
    Reader,
}

/// What a user is to a project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProjectRole {
    /// Looks after it.
    Owner,
    /// Works in it.
    Member,
}

/// A part that a user has in a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    /// The project's id.
    pub project: Box<str>,
    /// What they are to it.
    pub role: ProjectRole,
}

/// Somebody who has shown who they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// `user-…` for a user of Weir's own; for one of an outside issuer, what it calls them.
    pub id: Box<str>,
    /// Where they can be reached.
    pub email: Option<Box<str>>,
    /// What people call them.
    pub name: Option<Box<str>>,
    /// What they are to the organization.
    pub role: Role,
    /// What they are to its projects.
    pub memberships: Vec<Membership>,
    /// The one project that their token is for; none: it is for all of theirs.
    pub project: Option<Box<str>>,
    /// The named set of limits that they carry, by Weir's own account or by what an outside issuer says.
    pub tier: Option<Box<str>>,
    /// The sign-in that their token comes from; none if an outside issuer made it.
    pub session: Option<Box<str>>,
}

impl Role {
    /// The name in the store and in OpenAI's API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Reader => "reader",
        }
    }

    /// The role of that name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Owner, Self::Reader]
            .into_iter()
            .find(|role| role.as_str() == name)
    }
}

impl ProjectRole {
    /// The name in the store and in OpenAI's API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Member => "member",
        }
    }

    /// The role of that name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Owner, Self::Member]
            .into_iter()
            .find(|role| role.as_str() == name)
    }
}

impl User {
    /// What they are to a project; none if they have no part in it.
    pub fn role_in(&self, project: &str) -> Option<ProjectRole> {
        let membership = self.memberships.iter().find(|one| &*one.project == project);
        membership.map(|one| one.role)
    }
}
