//! Who may do what on the control plane: one table, and the one question that every handler asks of it first.
//!
//! API keys have no column: they belong to the data plane and get 401 here, as nonsense does.

use crate::{
    app::App,
    auth::{Admin, Rejected},
    domain::{KeyId, ProjectRole, Role, Secret, User},
    error::Error,
    telemetry::metrics,
};
use http::HeaderMap;
use std::{sync::Arc, time::SystemTime};

/// Something that can be done on the control plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Right {
    ProjectsCreate,
    ProjectsRead,
    ProjectsWrite,
    ServiceAccountsRead,
    ServiceAccountsWrite,
    KeysRead,
    KeysWrite,
    ProjectUsersRead,
    ProjectUsersWrite,
    LimitsRead,
    LimitsWrite,
    UsageRead,
    AdminKeysRead,
    AdminKeysWrite,
    UsersRead,
    UsersWrite,
    AuditRead,
    Observe,
}

/// As what somebody acts. A reader has no more than the roles in their projects give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The holder of an admin key.
    Admin,
    /// A user who owns the organization.
    Owner,
    /// Any other user, outside their projects.
    Reader,
    /// A user in a project that they own.
    ProjectOwner,
    /// A user in a project that they work in.
    ProjectMember,
}

impl Standing {
    /// All of them, in the order of the table's columns.
    pub const ALL: [Self; 5] = [
        Self::Admin,
        Self::Owner,
        Self::Reader,
        Self::ProjectOwner,
        Self::ProjectMember,
    ];
}

/// Admin, owner, reader, owner of the project, member of the project.
///
/// Limits are set from above: who spends does not raise the ceiling.
pub const TABLE: &[(Right, [bool; 5])] = &{
    const Y: bool = true;
    const N: bool = false;
    [
        (Right::ProjectsCreate, [Y, Y, N, N, N]),
        (Right::ProjectsRead, [Y, Y, N, Y, Y]),
        (Right::ProjectsWrite, [Y, Y, N, Y, N]),
        (Right::ServiceAccountsRead, [Y, Y, N, Y, Y]),
        (Right::ServiceAccountsWrite, [Y, Y, N, Y, N]),
        (Right::KeysRead, [Y, Y, N, Y, Y]),
        (Right::KeysWrite, [Y, Y, N, Y, N]),
        (Right::ProjectUsersRead, [Y, Y, N, Y, Y]),
        (Right::ProjectUsersWrite, [Y, Y, N, Y, N]),
        (Right::LimitsRead, [Y, Y, N, Y, Y]),
        (Right::LimitsWrite, [Y, Y, N, N, N]),
        (Right::UsageRead, [Y, Y, N, Y, N]),
        (Right::AdminKeysRead, [Y, Y, N, N, N]),
        (Right::AdminKeysWrite, [Y, Y, N, N, N]),
        (Right::UsersRead, [Y, Y, N, N, N]),
        (Right::UsersWrite, [Y, Y, N, N, N]),
        (Right::AuditRead, [Y, Y, N, N, N]),
        (Right::Observe, [Y, Y, N, N, N]),
    ]
};

/// What the table says. A right that has no row is nobody's.
pub fn allows(right: Right, standing: Standing) -> bool {
    let row = TABLE.iter().find(|(known, _)| *known == right);
    row.is_some_and(|(_, cells)| cells[standing as usize])
}

/// Who does something on the control plane, for the one who acts for them and for the audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// The holder of the admin key in the config.
    Configured,
    /// The holder of a stored admin key.
    AdminKey(KeyId),
    /// A user, by their token.
    User(Arc<User>),
}

impl Actor {
    /// As what they act outside of any project.
    pub fn standing(&self) -> Standing {
        match self {
            Self::Configured | Self::AdminKey(_) => Standing::Admin,
            Self::User(user) => match user.role {
                Role::Owner => Standing::Owner,
                Role::Reader => Standing::Reader,
            },
        }
    }

    /// As what they act in a project; none if they have no part in it.
    fn standing_in(&self, project: &str) -> Option<Standing> {
        match self {
            Self::Configured | Self::AdminKey(_) => None,
            Self::User(user) => user.role_in(project).map(|role| match role {
                ProjectRole::Owner => Standing::ProjectOwner,
                ProjectRole::Member => Standing::ProjectMember,
            }),
        }
    }

    /// Whether they may use a right in `project`, or outside of all projects.
    ///
    /// What is in a project that they have no part in is not there for them: they get 404 and not 403.
    pub fn require(&self, right: Right, project: Option<&str>) -> Result<(), Error> {
        if allows(right, self.standing()) {
            return Ok(());
        }
        let Some(project) = project else {
            return Err(Error::Forbidden);
        };
        match self.standing_in(project) {
            None => Err(Error::NoSuch("project", project.to_owned())),
            Some(standing) if allows(right, standing) => Ok(()),
            Some(_) => Err(Error::Forbidden),
        }
    }
}

/// Who asks, if they may: what a handler begins with.
///
/// `project` is the one whose things are asked for; none: it is about the organization.
pub fn require(
    app: &App,
    headers: &HeaderMap,
    right: Right,
    project: Option<&str>,
) -> Result<Actor, Error> {
    let actor = who(app, headers)?;
    actor.require(right, project)?;
    Ok(actor)
}

/// Who asks, whatever they may do: for what each sees a part of their own of, such as the list of projects.
pub fn who(app: &App, headers: &HeaderMap) -> Result<Actor, Error> {
    let snapshot = app.snapshot.load();
    let configured: Option<&Secret> = snapshot.config.admin_key.as_ref();
    match app.keys.authenticate_admin(headers, configured) {
        Ok(Admin::Configured) => Ok(Actor::Configured),
        Ok(Admin::Key(id)) => Ok(Actor::AdminKey(id)),
        // Only what is no key can be a token.
        Err(Rejected::Malformed) => {
            let found = app.people.user(headers, SystemTime::now());
            let found = found.inspect_err(|why| metrics::unauthenticated(why.as_str()))?;
            Ok(Actor::User(found))
        }
        Err(rejected) => {
            metrics::unauthenticated(rejected.as_str());
            Err(Error::Unauthenticated)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Membership;

    #[test]
    fn every_right_has_one_row_and_every_standing_its_column() {
        for (at, (right, _)) in TABLE.iter().enumerate() {
            assert_eq!(*right as usize, at, "{right:?}");
        }
        assert_eq!(TABLE.len(), Right::Observe as usize + 1);
        for (at, standing) in Standing::ALL.into_iter().enumerate() {
            assert_eq!(standing as usize, at);
        }
    }

    #[test]
    fn an_admin_may_do_everything_and_a_reader_nothing_by_themselves() {
        for (right, _) in TABLE {
            assert!(allows(*right, Standing::Admin), "{right:?}");
            assert!(allows(*right, Standing::Owner), "{right:?}");
            assert!(!allows(*right, Standing::Reader), "{right:?}");
        }
    }

    #[test]
    fn a_project_that_one_has_no_part_in_is_not_there() {
        let user = |role, project_role: Option<ProjectRole>| {
            let membership = |role| Membership {
                project: "proj_own".into(),
                role,
            };
            Actor::User(Arc::new(User {
                id: "user-1".into(),
                email: None,
                name: None,
                role,
                memberships: project_role.map(membership).into_iter().collect(),
                project: None,
                tier: None,
                session: None,
            }))
        };
        let member = user(Role::Reader, Some(ProjectRole::Member));
        assert!(
            member
                .require(Right::ProjectsRead, Some("proj_own"))
                .is_ok()
        );
        let refused = |right, project| member.require(right, project).unwrap_err().status();
        assert_eq!(refused(Right::ProjectsWrite, Some("proj_own")), 403);
        assert_eq!(refused(Right::ProjectsRead, Some("proj_other")), 404);
        assert_eq!(refused(Right::ProjectsWrite, Some("proj_other")), 404);
        assert_eq!(refused(Right::ProjectsRead, None), 403);

        let owner = user(Role::Reader, Some(ProjectRole::Owner));
        assert!(
            owner
                .require(Right::ProjectsWrite, Some("proj_own"))
                .is_ok()
        );
        assert!(owner.require(Right::LimitsWrite, Some("proj_own")).is_err());
        let above = user(Role::Owner, None);
        assert!(
            above
                .require(Right::LimitsWrite, Some("proj_other"))
                .is_ok()
        );
    }

    #[test]
    fn nobody_has_more_in_a_project_than_those_above_them() {
        for (right, _) in TABLE {
            let has = |standing| allows(*right, standing);
            assert!(has(Standing::Owner) || !has(Standing::ProjectOwner));
            assert!(has(Standing::ProjectOwner) || !has(Standing::ProjectMember));
        }
    }
}
