//! The parts that users have in projects.

use super::{
    Error, Member, UserId, Users,
    error::MEMBERSHIPS_MAX,
    records,
    telling::{tell_part, told_part},
    users::{find, is_sane},
};
use crate::{
    audit::Origin,
    auth,
    domain::{Membership, Owner, ProjectRole},
    store::{self, Millis, Mode, Page, Transaction},
};
use serde_json::{Value, json};
use std::time::SystemTime;

impl Users {
    /// Up to `limit` users of a project, by their ids, from the one after `after`.
    pub async fn members(
        &self,
        project: String,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<Page<Member>, Error> {
        let look = move |tx: &mut Transaction<'_>| {
            let found = records::members(tx, &project, after, limit + 1)?;
            Ok(Page::cut(found, limit))
        };
        self.db.transact(Mode::Read, look).await
    }

    /// A user of a project.
    pub async fn member(&self, project: String, id: UserId) -> Result<Member, Error> {
        let look = move |tx: &mut Transaction<'_>| member(tx, &project, id);
        self.db.transact(Mode::Read, look).await
    }

    /// What these users are to which projects, in the order of the ids.
    pub async fn parts(&self, ids: Vec<UserId>) -> Result<Vec<Vec<Membership>>, Error> {
        let look = move |tx: &mut Transaction<'_>| {
            let parts = ids.into_iter().map(|id| records::parts(tx, id));
            Ok(parts.collect::<Result<_, _>>()?)
        };
        self.db.transact(Mode::Read, look).await
    }

    /// Those of these users who have a part in a project.
    pub async fn members_among(
        &self,
        project: String,
        ids: Vec<UserId>,
    ) -> Result<Vec<Member>, Error> {
        let look = move |tx: &mut Transaction<'_>| {
            let mut found = Vec::new();
            for id in ids {
                found.extend(records::member(tx, &project, id)?);
            }
            Ok(found)
        };
        self.db.transact(Mode::Read, look).await
    }

    /// Gives a user a part in a project.
    pub async fn join(
        &self,
        by: Origin,
        id: UserId,
        membership: Membership,
    ) -> Result<Member, Error> {
        check_project(&membership.project)?;
        self.write(move |tx| {
            find(tx, id)?;
            check_open(tx, &membership.project)?;
            if records::member(tx, &membership.project, id)?.is_some() {
                return Err(Error::MemberAlready(id));
            }
            if records::memberships(tx, id)? >= MEMBERSHIPS_MAX {
                return Err(Error::Memberships);
            }
            records::join(tx, id, &membership, Millis::of(SystemTime::now()))?;
            let made = member(tx, &membership.project, id)?;
            let what = (&*membership.project, id);
            let event = "project_user.added";
            tell_part(tx, &by, event, what, Value::Null, told_part(&made))?;
            Ok(made)
        })
        .await
    }

    /// Gives a user another part in a project.
    pub async fn set_project_role(
        &self,
        by: Origin,
        id: UserId,
        project: String,
        role: ProjectRole,
    ) -> Result<Member, Error> {
        self.write(move |tx| {
            let before = member(tx, &project, id)?;
            if before.role == role {
                return Ok(before);
            }
            records::set_project_role(tx, id, &project, role)?;
            let after = member(tx, &project, id)?;
            let (event, what) = ("project_user.updated", (&*project, id));
            tell_part(tx, &by, event, what, told_part(&before), told_part(&after))?;
            Ok(after)
        })
        .await
    }

    /// Takes a user out of a project. The keys that they have in it end.
    pub async fn leave(&self, by: Origin, id: UserId, project: String) -> Result<Member, Error> {
        self.write(move |tx| {
            let gone = member(tx, &project, id)?;
            records::leave(tx, id, &project)?;
            let revoked = auth::end_part(tx, &id.to_string(), &project)?;
            let after = json!({"revoked_api_keys": revoked});
            let (event, what) = ("project_user.deleted", (&*project, id));
            tell_part(tx, &by, event, what, told_part(&gone), after)?;
            Ok(gone)
        })
        .await
    }
}

/// Whether somebody with this id is a user who works in a project and is not locked out.
pub fn works_in(tx: &mut Transaction<'_>, project: &str, id: &str) -> Result<bool, store::Error> {
    let Some(id) = UserId::parse(id) else {
        return Ok(false);
    };
    let found = records::member(tx, project, id)?;
    Ok(found.is_some_and(|member| member.user.disabled.is_none()))
}

/// Takes everybody out of a project, which is over, and tells of each; in the transaction that ends it.
pub fn close_project(
    tx: &mut Transaction<'_>,
    by: &Origin,
    project: &str,
) -> Result<(), store::Error> {
    for id in records::members_of(tx, project)? {
        let gone = records::member(tx, project, id)?;
        records::leave(tx, id, project)?;
        if let Some(gone) = gone {
            let (event, what) = ("project_user.deleted", (project, id));
            tell_part(tx, by, event, what, told_part(&gone), Value::Null)?;
        }
    }
    Ok(())
}

fn member(tx: &mut Transaction<'_>, project: &str, id: UserId) -> Result<Member, Error> {
    records::member(tx, project, id)?.ok_or(Error::NoMember(id))
}

/// Whether somebody can be given a part in a project: it is there, and not archived.
pub(super) fn check_open(tx: &mut Transaction<'_>, project: &str) -> Result<(), Error> {
    match records::is_archived(tx, project)? {
        Some(false) => Ok(()),
        Some(true) => Err(Error::Archived(project.to_owned())),
        None => Err(Error::NoSuchProject(project.to_owned())),
    }
}

/// Whether an id can be one of a project.
pub(super) fn check_project(id: &str) -> Result<(), Error> {
    match is_sane(id) && id.len() <= Owner::NAME_MAX_BYTES {
        true => Ok(()),
        false => Err(Error::Project),
    }
}
