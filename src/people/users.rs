//! Adding, listing, changing and removing users, and their parts in projects.

use super::{
    Error, Member, PasswordHash, Record, UserId,
    error::MEMBERSHIPS_MAX,
    index::Index,
    records::{self, New},
    session,
};
use crate::{
    audit::{self, Entry, Event, Origin},
    domain::{Membership, Owner, ProjectRole, Role},
    store::{self, Db, Millis, Mode, Transaction},
};
use serde_json::{Value, json};
use std::{sync::Arc, time::SystemTime};

const EMAIL_BYTES_MAX: usize = 254;
const NAME_CHARS_MAX: usize = 128;

/// All accounts: in memory to check requests, in the store to last. Clones share both.
#[derive(Clone)]
pub struct Users {
    pub(super) db: Db,
    pub(super) index: Arc<Index>,
}

/// A user to be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewUser {
    /// Where they can be reached, and what they sign in with.
    pub email: String,
    /// What people call them.
    pub name: String,
    /// What they are to the organization.
    pub role: Role,
    /// None: they cannot sign in until they are given one.
    pub password: Option<PasswordHash>,
    /// Their parts in projects.
    pub memberships: Vec<Membership>,
}

impl Users {
    /// Reads every account of `db` into memory.
    pub async fn open(db: Db) -> Result<Self, Error> {
        let users = Self {
            db,
            index: Arc::default(),
        };
        users.catch_up().await?;
        Ok(users)
    }

    /// Adds a user.
    pub async fn create(&self, by: Origin, new: NewUser) -> Result<Record, Error> {
        let new = checked(new)?;
        self.write(move |tx| {
            let made = insert(tx, &new)?;
            tell(tx, &by, "user.added", None, Some(&made))?;
            Ok(made)
        })
        .await
    }

    /// A user, by their id.
    pub async fn find(&self, id: UserId) -> Result<Record, Error> {
        self.db.transact(Mode::Read, move |tx| find(tx, id)).await
    }

    /// The user with an email.
    pub async fn find_email(&self, email: &str) -> Result<Record, Error> {
        let email = normal(email).ok_or(Error::Email)?;
        let look = move |tx: &mut Transaction<'_>| {
            let found = records::find_email(tx, &email)?;
            found.ok_or(Error::NoSuchUser(email))
        };
        self.db.transact(Mode::Read, look).await
    }

    /// Up to `limit` users in the order in which they were added, from the one after `after`; of these emails only, if
    /// there are any.
    pub async fn list(
        &self,
        after: Option<UserId>,
        emails: Vec<String>,
        limit: usize,
    ) -> Result<Vec<Record>, Error> {
        let look = move |tx: &mut Transaction<'_>| {
            if let Some(id) = after {
                find(tx, id)?;
            }
            Ok(records::page(tx, after, &emails, limit)?)
        };
        self.db.transact(Mode::Read, look).await
    }

    /// Makes a user something else to the organization, or locks them out, which ends their sign-ins, or lets them in
    /// again. What is none stays as it is.
    pub async fn update(
        &self,
        by: Origin,
        id: UserId,
        role: Option<Role>,
        disabled: Option<bool>,
    ) -> Result<Record, Error> {
        let now = Millis::of(SystemTime::now());
        self.change(by, id, move |tx| {
            if let Some(role) = role {
                records::set(tx, id, "role", role)?;
            }
            if disabled == Some(true) {
                session::end_all(tx, id, now)?;
            }
            if let Some(disabled) = disabled {
                records::set(tx, id, "disabled_at", disabled.then_some(now))?;
            }
            Ok(())
        })
        .await
    }

    /// Gives a user a new password, which ends their sign-ins.
    pub async fn set_password(
        &self,
        by: Origin,
        id: UserId,
        password: PasswordHash,
    ) -> Result<Record, Error> {
        self.change(by, id, move |tx| {
            session::end_all(tx, id, Millis::of(SystemTime::now()))?;
            Ok(records::set(tx, id, "password", &password)?)
        })
        .await
    }

    /// Takes a user out of the organization and of all its projects, for good.
    pub async fn delete(&self, by: Origin, id: UserId) -> Result<Record, Error> {
        let now = Millis::of(SystemTime::now());
        self.write(move |tx| {
            let gone = find(tx, id)?;
            session::end_all(tx, id, now)?;
            records::leave_all(tx, id)?;
            records::set(tx, id, "password", None::<i64>)?;
            records::set(tx, id, "deleted_at", now)?;
            tell(tx, &by, "user.deleted", Some(&gone), None)?;
            Ok(gone)
        })
        .await
    }

    /// Up to `limit` users of a project, by their ids, from the one after `after`.
    pub async fn members(
        &self,
        project: String,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<Vec<Member>, Error> {
        let look =
            move |tx: &mut Transaction<'_>| Ok(records::members(tx, &project, after, limit)?);
        self.db.transact(Mode::Read, look).await
    }

    /// A user of a project.
    pub async fn member(&self, project: String, id: UserId) -> Result<Member, Error> {
        let look = move |tx: &mut Transaction<'_>| member(tx, &project, id);
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
            if records::member(tx, &membership.project, id)?.is_some() {
                return Err(Error::MemberAlready(id));
            }
            if records::memberships(tx, id)? >= MEMBERSHIPS_MAX {
                return Err(Error::Memberships);
            }
            records::join(tx, id, &membership, Millis::of(SystemTime::now()))?;
            let made = member(tx, &membership.project, id)?;
            let event = "project_user.added";
            tell_part(tx, &by, event, &membership.project, None, Some(&made))?;
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
            records::set_project_role(tx, id, &project, role)?;
            let after = member(tx, &project, id)?;
            let event = "project_user.updated";
            tell_part(tx, &by, event, &project, Some(&before), Some(&after))?;
            Ok(after)
        })
        .await
    }

    /// Takes a user out of a project.
    pub async fn leave(&self, by: Origin, id: UserId, project: String) -> Result<Member, Error> {
        self.write(move |tx| {
            let gone = member(tx, &project, id)?;
            records::leave(tx, id, &project)?;
            let event = "project_user.deleted";
            tell_part(tx, &by, event, &project, Some(&gone), None)?;
            Ok(gone)
        })
        .await
    }

    async fn change(
        &self,
        by: Origin,
        id: UserId,
        change: impl FnOnce(&mut Transaction<'_>) -> Result<(), Error> + Send + 'static,
    ) -> Result<Record, Error> {
        self.write(move |tx| {
            let before = find(tx, id)?;
            change(tx)?;
            let after = find(tx, id)?;
            tell(tx, &by, "user.updated", Some(&before), Some(&after))?;
            Ok(after)
        })
        .await
    }
}

/// What can be stored of a new user, or why it cannot.
pub(super) fn checked(mut new: NewUser) -> Result<NewUser, Error> {
    new.email = normal(&new.email).ok_or(Error::Email)?;
    if !is_sane(&new.name) || new.name.chars().count() > NAME_CHARS_MAX {
        return Err(Error::Name);
    }
    if new.memberships.len() as u64 > MEMBERSHIPS_MAX {
        return Err(Error::Memberships);
    }
    new.memberships.sort_by(|a, b| a.project.cmp(&b.project));
    new.memberships.dedup_by(|a, b| a.project == b.project);
    new.memberships
        .iter()
        .try_for_each(|one| check_project(&one.project))?;
    Ok(new)
}

pub(super) fn insert(tx: &mut Transaction<'_>, new: &NewUser) -> Result<Record, Error> {
    if records::find_email(tx, &new.email)?.is_some() {
        return Err(Error::EmailTaken);
    }
    let (id, now) = (UserId::new()?, Millis::of(SystemTime::now()));
    let row = New {
        id,
        email: &new.email,
        name: &new.name,
        role: new.role,
        password: new.password.as_ref(),
        added: now,
    };
    records::insert(tx, &row)?;
    for membership in &new.memberships {
        records::join(tx, id, membership, now)?;
    }
    find(tx, id)
}

/// Takes everybody out of a project, which is over; in the transaction that ends it.
pub fn close_project(tx: &mut Transaction<'_>, project: &str) -> Result<(), store::Error> {
    for id in records::members_of(tx, project)? {
        records::leave(tx, id, project)?;
    }
    Ok(())
}

/// Tells the audit log what became of a user. Of their password only that there is one.
pub(super) fn tell(
    tx: &mut Transaction<'_>,
    by: &Origin,
    event: &'static str,
    before: Option<&Record>,
    after: Option<&Record>,
) -> Result<(), store::Error> {
    let told = |record: Option<&Record>| {
        record.map_or(Value::Null, |record| {
            json!({
                "email": record.email,
                "name": record.name,
                "role": record.role.as_str(),
                "disabled": record.disabled.is_some(),
                "has_password": record.has_password,
            })
        })
    };
    let id = after.or(before).map(|record| record.id.to_string());
    let entry = Entry {
        event: Event::of(event),
        project: None,
        resource: id.as_deref(),
        before: told(before),
        after: told(after),
    };
    audit::append(tx, by, &entry)
}

/// Tells the audit log that somebody has signed in with their password.
pub(super) fn tell_sign_in(
    tx: &mut Transaction<'_>,
    by: &Origin,
    record: &Record,
) -> Result<(), store::Error> {
    let id = record.id.to_string();
    let entry = Entry {
        event: Event::of("login.succeeded"),
        project: None,
        resource: Some(&id),
        before: Value::Null,
        after: Value::Null,
    };
    audit::append(tx, by, &entry)
}

/// Tells it what became of a user's part in a project, for which OpenAI has no word.
fn tell_part(
    tx: &mut Transaction<'_>,
    by: &Origin,
    event: &'static str,
    project: &str,
    before: Option<&Member>,
    after: Option<&Member>,
) -> Result<(), store::Error> {
    let told = |member: Option<&Member>| {
        member.map_or(Value::Null, |member| json!({"role": member.role.as_str()}))
    };
    let id = after.or(before).map(|member| member.user.id.to_string());
    let entry = Entry {
        event: Event::as_a("user.updated", event),
        project: Some(project),
        resource: id.as_deref(),
        before: told(before),
        after: told(after),
    };
    audit::append(tx, by, &entry)
}

fn find(tx: &mut Transaction<'_>, id: UserId) -> Result<Record, Error> {
    records::find(tx, id)?.ok_or_else(|| Error::NoSuchUser(id.to_string()))
}

fn member(tx: &mut Transaction<'_>, project: &str, id: UserId) -> Result<Member, Error> {
    records::member(tx, project, id)?.ok_or(Error::NoMember(id))
}

/// An email as it is stored and looked for, if it can be one.
pub(super) fn normal(email: &str) -> Option<String> {
    let (name, host) = email.rsplit_once('@')?;
    let is_odd = |c: char| c.is_whitespace() || c.is_control();
    let is_email = !name.is_empty()
        && !host.is_empty()
        && email.len() <= EMAIL_BYTES_MAX
        && !email.contains(is_odd);
    is_email.then(|| email.to_lowercase())
}

fn is_sane(text: &str) -> bool {
    !text.is_empty() && !text.chars().any(char::is_control)
}

fn check_project(id: &str) -> Result<(), Error> {
    match is_sane(id) && id.len() <= Owner::NAME_MAX_BYTES {
        true => Ok(()),
        false => Err(Error::Project),
    }
}
