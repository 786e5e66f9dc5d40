//! Adding, listing, changing and removing users.

use super::{
    Error, PasswordHash, Record, UserId,
    error::MEMBERSHIPS_MAX,
    index::Index,
    memberships::{check_open, check_project},
    records::{self, New},
    session,
    telling::{tell, told, told_whole},
};
use crate::{
    audit::{Event, Origin},
    auth::{self, Whose},
    domain::{Membership, Role, is_visible},
    store::{Db, Millis, Mode, Page, Transaction},
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

/// What changes of a user; none: nothing. A tier may be taken away, which is none within.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserChange {
    /// What they are to the organization.
    pub role: Option<Role>,
    /// The named set of limits that they carry.
    pub tier: Option<Option<Box<str>>>,
    /// Whether they are locked out.
    pub disabled: Option<bool>,
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
            let after = told_whole(tx, &made)?;
            let event = Event::of("user.added");
            tell(tx, &by, event, made.id, Value::Null, after)?;
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
    ) -> Result<Page<Record>, Error> {
        let look = move |tx: &mut Transaction<'_>| {
            if let Some(id) = after {
                find(tx, id)?;
            }
            let found = records::page(tx, after, &emails, limit + 1)?;
            Ok(Page::cut(found, limit))
        };
        self.db.transact(Mode::Read, look).await
    }

    /// Makes a user something else to the organization, gives them another tier, or locks them out, which ends their
    /// sign-ins and their keys, or lets them in again, which brings neither back.
    pub async fn update(
        &self,
        by: Origin,
        id: UserId,
        change: UserChange,
    ) -> Result<Record, Error> {
        if let Some(Some(tier)) = &change.tier
            && !is_name(tier)
        {
            return Err(Error::Tier);
        }
        let now = Millis::of(SystemTime::now());
        self.write(move |tx| {
            let before = find(tx, id)?;
            let disabled = change.disabled;
            let disabled = disabled.filter(|is| *is != before.disabled.is_some());
            let role = change.role.filter(|role| *role != before.role);
            let tier = change.tier.filter(|tier| *tier != before.tier);
            // What changes nothing is not told.
            if (role, &tier, disabled) == (None, &None, None) {
                return Ok(before);
            }
            if let Some(role) = role {
                records::set(tx, id, "role", role)?;
            }
            if let Some(tier) = tier {
                records::set(tx, id, "tier", tier.as_deref())?;
            }
            let mut revoked = None;
            if disabled == Some(true) {
                session::end_all(tx, id, now)?;
                revoked = Some(auth::end_all(tx, Whose::User(&id.to_string()))?);
            }
            if let Some(disabled) = disabled {
                records::set(tx, id, "disabled_at", disabled.then_some(now))?;
            }
            let after = find(tx, id)?;
            let mut now_told = told(&after);
            if let Some(revoked) = revoked {
                now_told["revoked_api_keys"] = revoked.into();
            }
            let event = Event::of("user.updated");
            tell(tx, &by, event, id, told(&before), now_told)?;
            Ok(after)
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
        self.write(move |tx| {
            let before = find(tx, id)?;
            session::end_all(tx, id, Millis::of(SystemTime::now()))?;
            records::set(tx, id, "password", &password)?;
            let after = find(tx, id)?;
            let event = Event::as_a("user.updated", "user.password_changed");
            tell(tx, &by, event, id, told(&before), told(&after))?;
            Ok(after)
        })
        .await
    }

    /// Takes a user out of the organization and of all its projects, for good. Their keys end with them.
    pub async fn delete(&self, by: Origin, id: UserId) -> Result<Record, Error> {
        let now = Millis::of(SystemTime::now());
        self.write(move |tx| {
            let gone = find(tx, id)?;
            let before = told_whole(tx, &gone)?;
            session::end_all(tx, id, now)?;
            let revoked = auth::end_all(tx, Whose::User(&id.to_string()))?;
            records::leave_all(tx, id)?;
            records::set(tx, id, "password", None::<i64>)?;
            records::set(tx, id, "deleted_at", now)?;
            let after = json!({"revoked_api_keys": revoked});
            tell(tx, &by, Event::of("user.deleted"), id, before, after)?;
            Ok(gone)
        })
        .await
    }
}

/// What can be stored of a new user, or why it cannot.
pub(super) fn checked(mut new: NewUser) -> Result<NewUser, Error> {
    new.email = normal(&new.email).ok_or(Error::Email)?;
    if !is_name(&new.name) {
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
        check_open(tx, &membership.project)?;
        records::join(tx, id, membership, now)?;
    }
    find(tx, id)
}

pub(super) fn find(tx: &mut Transaction<'_>, id: UserId) -> Result<Record, Error> {
    records::find(tx, id)?.ok_or_else(|| Error::NoSuchUser(id.to_string()))
}

/// An email as it is stored and looked for, if it can be one.
pub(super) fn normal(email: &str) -> Option<String> {
    let (name, host) = email.rsplit_once('@')?;
    let is_odd = |c: char| c.is_whitespace() || !is_visible(c);
    let is_email = !name.is_empty()
        && !host.is_empty()
        && email.len() <= EMAIL_BYTES_MAX
        && !email.contains(is_odd);
    is_email.then(|| email.to_lowercase())
}

fn is_name(text: &str) -> bool {
    is_sane(text) && text.chars().count() <= NAME_CHARS_MAX
}

pub(super) fn is_sane(text: &str) -> bool {
    !text.is_empty() && text.chars().all(is_visible)
}
