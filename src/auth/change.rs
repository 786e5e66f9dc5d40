//! Making, listing, revoking and rotating keys.

use super::columns::Millis;
use super::key::{self, Kind, Minted};
use super::records::{self, New, Record};
use super::{Error, Keys, MODELS_MAX, NAME_MAX_CHARS};
use crate::domain::{KeyId, ModelRule, OnHangup, Owner};
use crate::store::{Mode, Transaction};
use std::time::{Duration, SystemTime};

/// A key to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewKey {
    /// What people call it; need not be unique.
    pub name: String,
    /// What it opens.
    pub kind: Kind,
    /// The models that it may use.
    pub models: ModelRule,
    /// What becomes of its answers if it hangs up; `None` is what the config says.
    pub on_hangup: Option<OnHangup>,
    /// Whom it is for.
    pub owner: Owner,
    /// When it ends; `None` is never.
    pub expires: Option<SystemTime>,
}

impl Keys {
    /// Makes a key. It opens its plane here at once, and in other processes as soon as they look.
    pub async fn create(&self, new: NewKey) -> Result<Minted, Error> {
        check(&new)?;
        self.write(move |tx| insert(tx, &new)).await
    }

    /// Up to `limit` keys in the order in which they were made, from the one after `after`; those that ended too.
    ///
    /// A long page holds up the changes behind it: ask for thousands, not for millions.
    pub async fn list(&self, after: Option<KeyId>, limit: usize) -> Result<Vec<Record>, Error> {
        let read = move |tx: &mut Transaction<'_>| match after {
            Some(id) if records::find(tx, id)?.is_none() => Err(Error::NoSuchKey(id)),
            _ => Ok(records::page(tx, after, limit)?),
        };
        self.db.transact(Mode::Read, read).await
    }

    /// Ends a key now and for good.
    pub async fn revoke(&self, id: KeyId) -> Result<(), Error> {
        self.write(move |tx| {
            find(tx, id)?;
            Ok(records::revoke(tx, id, Millis::of(SystemTime::now()))?)
        })
        .await
    }

    /// Makes a key with the rights of `id`, which ends after `overlap` so that its users have time to change over.
    ///
    /// The new key ends when the old one would have: a rotation changes a secret and extends nothing.
    pub async fn rotate(&self, id: KeyId, overlap: Duration) -> Result<Minted, Error> {
        self.write(move |tx| {
            let old = find(tx, id)?;
            if let Some(by) = old.replaced_by {
                return Err(Error::AlreadyReplaced { id, by });
            }
            let now = SystemTime::now();
            if old.expires.is_some_and(|end| end <= now) {
                return Err(Error::Expired(id));
            }
            let heir = NewKey {
                name: old.name,
                kind: old.kind,
                models: old.models,
                on_hangup: old.on_hangup,
                owner: old.owner,
                expires: old.expires,
            };
            let minted = insert(tx, &heir)?;
            let end = old.expires.map_or(Millis::NEVER, Millis::of);
            records::replace(tx, id, minted.id, end.min(Millis::of(now).plus(overlap)))?;
            Ok(minted)
        })
        .await
    }

    /// Whether a stored admin key opens the control plane now.
    pub async fn has_admin(&self) -> Result<bool, Error> {
        let now = Millis::of(SystemTime::now());
        let look = move |tx: &mut Transaction<'_>| Ok(records::has_admin(tx, now)?);
        self.db.transact(Mode::Read, look).await
    }
}

/// Mints a key and stores what may be kept of it.
pub(super) fn insert(tx: &mut Transaction<'_>, new: &NewKey) -> Result<Minted, Error> {
    let minted = key::mint(new.kind)?;
    let row = New {
        minted: &minted,
        kind: new.kind,
        name: &new.name,
        models: &new.models,
        on_hangup: new.on_hangup,
        owner: &new.owner,
        created: Millis::of(SystemTime::now()),
        expires: new.expires.map(Millis::of),
    };
    records::insert(tx, &row)?;
    Ok(minted)
}

/// A key that is there and not revoked.
fn find(tx: &mut Transaction<'_>, id: KeyId) -> Result<Record, Error> {
    let record = records::find(tx, id)?.ok_or(Error::NoSuchKey(id))?;
    if record.revoked.is_some() {
        Err(Error::AlreadyRevoked(id))
    } else {
        Ok(record)
    }
}

fn check(new: &NewKey) -> Result<(), Error> {
    let is_sane = |text: &str| {
        (1..=NAME_MAX_CHARS).contains(&text.chars().count()) && !text.chars().any(char::is_control)
    };
    let is_pattern = |name: &str| is_sane(name) && name.matches('*').count() <= 1;

    if !is_sane(&new.name) {
        return Err(Error::Name);
    }
    if let ModelRule::Only(names) = &new.models
        && !((1..=MODELS_MAX).contains(&names.len()) && names.iter().all(|name| is_pattern(name)))
    {
        return Err(Error::Models);
    }
    let may_own = |name: &Option<Box<str>>| {
        let is_bounded = |name: &str| is_sane(name) && name.len() <= Owner::NAME_MAX_BYTES;
        name.as_deref().is_none_or(is_bounded)
    };
    if !may_own(&new.owner.project) || !may_own(&new.owner.user) {
        return Err(Error::Owner);
    }
    if new.expires.is_some_and(|end| end <= SystemTime::now()) {
        return Err(Error::ExpiryPassed);
    }
    Ok(())
}
