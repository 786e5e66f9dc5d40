//! Keys as the directory has them: of a project and its accounts, or of admins.

use super::accounts::{self, Account};
use super::projects::{active, known};
use super::{Cursor, Directory, Error, Page, Side};
use crate::audit::Origin;
use crate::auth::{self, KeyChange, Kind, NewKey, Record, Whose};
use crate::domain::{KeyId, ModelRule, OnHangup, Owner, Secret, Terms};
use crate::people::{self, UserId};
use crate::store::Transaction;
use std::collections::{HashMap, HashSet};
use std::time::{Duration, SystemTime};

/// A key of a project to be made.
#[derive(Clone, Debug)]
pub struct NewProjectKey {
    /// What people call it.
    pub name: String,
    /// The models that it may use.
    pub models: ModelRule,
    /// What becomes of its answers if it hangs up.
    pub on_hangup: Option<OnHangup>,
    /// What else is agreed for it.
    pub terms: Terms,
    /// When it ends.
    pub expires: Option<SystemTime>,
}

impl NewProjectKey {
    /// One that may do what its project may.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            models: ModelRule::All,
            on_hangup: None,
            terms: Terms::default(),
            expires: None,
        }
    }
}

/// A key just made. This is the only time that it can be shown.
#[derive(Debug)]
pub struct Made {
    /// The key itself.
    pub key: Secret,
    /// What may be told of it.
    pub record: Record,
}

impl Directory {
    /// Makes a key of a project for a user, or for nobody in particular.
    pub async fn create_key(
        &self,
        by: Origin,
        project: String,
        user: Option<String>,
        new: NewProjectKey,
    ) -> Result<Made, Error> {
        self.keys
            .change(move |tx| {
                active(tx, &project)?;
                match user.as_deref() {
                    Some(user) if user.starts_with(accounts::PREFIX) => {
                        accounts::find(tx, &project, user)?;
                    }
                    Some(user)
                        if user.starts_with(UserId::PREFIX)
                            && !people::works_in(tx, &project, user)? =>
                    {
                        return Err(Error::NoSuchUser(user.to_owned()));
                    }
                    _ => {}
                }
                add_key(tx, &by, &project, user.as_deref(), new)
            })
            .await
    }

    /// Makes a key of a service account.
    pub async fn create_account_key(
        &self,
        by: Origin,
        project: String,
        account: String,
        new: NewProjectKey,
    ) -> Result<Made, Error> {
        self.keys
            .change(move |tx| {
                active(tx, &project)?;
                accounts::find(tx, &project, &account)?;
                add_key(tx, &by, &project, Some(&account), new)
            })
            .await
    }

    /// Makes a key of a service account in place of another, which ends after `overlap`.
    pub async fn rotate_account_key(
        &self,
        by: Origin,
        project: String,
        account: String,
        old: KeyId,
        overlap: Duration,
    ) -> Result<Made, Error> {
        self.keys
            .change(move |tx| {
                active(tx, &project)?;
                accounts::find(tx, &project, &account)?;
                let of_account = |record: &Record| record.owner.user.as_deref() == Some(&*account);
                find(tx, &project, old)
                    .ok()
                    .filter(of_account)
                    .ok_or_else(|| Error::NoSuchKey(old.public()))?;
                let minted = auth::replace(tx, &by, old, overlap)?;
                made(tx, minted)
            })
            .await
    }

    /// A page of a project's keys, and the service accounts among their owners.
    pub async fn project_keys(
        &self,
        project: String,
        cursor: Cursor,
    ) -> Result<(Page<Record>, HashMap<String, Account>), Error> {
        self.read(move |tx| {
            known(tx, &project)?;
            let is_of_project =
                |record: &Record| record.owner.project.as_deref() == Some(&*project);
            let page = page(tx, Whose::Project(&project), &cursor, is_of_project)?;
            let owners = owners(tx, &page.items)?;
            Ok((page, owners))
        })
        .await
    }

    /// A key of a project, and its service account if it has one.
    pub async fn project_key(
        &self,
        project: String,
        id: KeyId,
    ) -> Result<(Record, HashMap<String, Account>), Error> {
        self.read(move |tx| {
            known(tx, &project)?;
            let record = find(tx, &project, id)?;
            let owners = owners(tx, std::slice::from_ref(&record))?;
            Ok((record, owners))
        })
        .await
    }

    /// Changes what is agreed for a key of a project.
    pub async fn update_project_key(
        &self,
        by: Origin,
        project: String,
        id: KeyId,
        change: KeyChange,
    ) -> Result<(Record, HashMap<String, Account>), Error> {
        self.keys
            .change(move |tx| {
                active(tx, &project)?;
                find(tx, &project, id)?;
                let record = auth::alter(tx, &by, id, change)?;
                let owners = owners(tx, std::slice::from_ref(&record))?;
                Ok((record, owners))
            })
            .await
    }

    /// Ends a key of a project now and for good.
    pub async fn delete_project_key(
        &self,
        by: Origin,
        project: String,
        id: KeyId,
    ) -> Result<(), Error> {
        self.keys
            .change(move |tx| {
                known(tx, &project)?;
                find(tx, &project, id)?;
                Ok(auth::end(tx, &by, id)?)
            })
            .await
    }
}

/// Makes a key in a project that may have new ones.
pub(super) fn add_key(
    tx: &mut Transaction<'_>,
    by: &Origin,
    project: &str,
    user: Option<&str>,
    new: NewProjectKey,
) -> Result<Made, Error> {
    let new = NewKey {
        name: new.name,
        kind: Kind::Api,
        models: new.models,
        on_hangup: new.on_hangup,
        owner: Owner {
            project: Some(project.into()),
            user: user.map(Box::from),
        },
        terms: new.terms,
        expires: new.expires,
    };
    let minted = auth::add(tx, by, &new)?;
    made(tx, minted)
}

pub(super) fn made(tx: &mut Transaction<'_>, minted: auth::Minted) -> Result<Made, Error> {
    let record = auth::find(tx, minted.id)?;
    Ok(Made {
        record: record.ok_or_else(|| Error::NoSuchKey(minted.id.public()))?,
        key: minted.key,
    })
}

/// A key of this project that was not revoked.
fn find(tx: &mut Transaction<'_>, project: &str, id: KeyId) -> Result<Record, Error> {
    let is_here = |record: &Record| {
        record.kind == Kind::Api && record.owner.project.as_deref() == Some(project)
    };
    let record = auth::find_live(tx, id)?.filter(is_here);
    record.ok_or_else(|| Error::NoSuchKey(id.public()))
}

pub(super) fn page(
    tx: &mut Transaction<'_>,
    whose: Whose<'_>,
    cursor: &Cursor,
    is_one: impl Fn(&Record) -> bool,
) -> Result<Page<Record>, Error> {
    let after = match &cursor.side {
        None => None,
        Some(Side::Before(_)) => return Err(Error::NoSuchCursor("before")),
        Some(Side::After(id)) => {
            let id = KeyId::of_public(id).ok_or(Error::NoSuchCursor("after"))?;
            // Also one that was revoked meanwhile: who pages through keys may be ending them.
            let known = auth::find(tx, id)?.filter(is_one);
            Some(known.ok_or(Error::NoSuchCursor("after"))?.id)
        }
    };
    let records = auth::page(tx, whose, after, cursor.is_newest_first, cursor.limit + 1)?;
    Ok(Page::cut(records, cursor.limit))
}

/// The service accounts that these keys belong to, by their ids.
fn owners(tx: &mut Transaction<'_>, keys: &[Record]) -> Result<HashMap<String, Account>, Error> {
    let users = keys.iter().filter_map(|key| key.owner.user.as_deref());
    let accounts: HashSet<&str> = users
        .filter(|id| id.starts_with(accounts::PREFIX))
        .collect();
    let accounts = accounts::named(tx, accounts.into_iter())?;
    Ok(accounts
        .into_iter()
        .map(|account| (account.id.clone(), account))
        .collect())
}
