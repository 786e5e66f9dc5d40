//! Making, listing, revoking and rotating keys.

use super::key::{self, Kind, Minted};
use super::records::{self, New, Record, Whose};
use super::{Error, Keys, METADATA_MAX, MODELS_MAX, NAME_MAX_CHARS, NETWORKS_MAX, NUMBER_MAX};
use crate::audit::{self, Entry, Event, Origin};
use crate::domain::{KeyId, ModelRule, OnHangup, Owner, Terms, is_visible};
use crate::store::{self, Millis, Mode, Transaction};
use serde_json::{Value, json};
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
    /// What else is agreed for it.
    pub terms: Terms,
    /// When it ends; `None` is never.
    pub expires: Option<SystemTime>,
}

impl Keys {
    /// Up to `limit` keys in the order in which they were made, from the one after `after`; those that ended too.
    ///
    /// A long page holds up the changes behind it: ask for thousands, not for millions.
    pub async fn list(&self, after: Option<KeyId>, limit: usize) -> Result<Vec<Record>, Error> {
        self.list_of(None, after, limit).await
    }

    /// The same of the API keys of one project.
    pub async fn list_of(
        &self,
        project: Option<String>,
        after: Option<KeyId>,
        limit: usize,
    ) -> Result<Vec<Record>, Error> {
        let read = move |tx: &mut Transaction<'_>| {
            if let Some(id) = after
                && records::find(tx, id)?.is_none()
            {
                return Err(Error::NoSuchKey(id));
            }
            let whose = project.as_deref().map_or(Whose::Everyones, Whose::EverOf);
            Ok(records::page(tx, whose, after, false, limit)?)
        };
        self.db.transact(Mode::Read, read).await
    }

    /// One key, also one that ended.
    pub async fn record(&self, id: KeyId) -> Result<Record, Error> {
        let read = move |tx: &mut Transaction<'_>| {
            let found = records::find(tx, id)?;
            found.ok_or(Error::NoSuchKey(id))
        };
        self.db.transact(Mode::Read, read).await
    }

    /// Ends a key now and for good.
    pub async fn revoke(&self, by: Origin, id: KeyId) -> Result<(), Error> {
        self.change(move |tx| end(tx, &by, id)).await
    }

    /// Makes a key with the rights of `id`, which ends after `overlap` so that its users have time to change over.
    ///
    /// The new key ends when the old one would have: a rotation changes a secret and extends nothing.
    pub async fn rotate(&self, by: Origin, id: KeyId, overlap: Duration) -> Result<Minted, Error> {
        self.change(move |tx| replace(tx, &by, id, overlap)).await
    }

    /// Whether a stored admin key opens the control plane now.
    pub async fn has_admin(&self) -> Result<bool, Error> {
        let now = Millis::of(SystemTime::now());
        let look = move |tx: &mut Transaction<'_>| Ok(records::has_admin(tx, now)?);
        self.db.transact(Mode::Read, look).await
    }
}

/// Makes a key, within [`Keys::change`]. It opens its plane here at once, and in other processes as soon as they look.
pub fn add(tx: &mut Transaction<'_>, by: &Origin, new: &NewKey) -> Result<Minted, Error> {
    check(new)?;
    let minted = key::mint(new.kind)?;
    let row = New {
        minted: &minted,
        kind: new.kind,
        name: &new.name,
        models: &new.models,
        on_hangup: new.on_hangup,
        owner: &new.owner,
        terms: &new.terms,
        created: Millis::of(SystemTime::now()),
        expires: new.expires.map(Millis::of),
    };
    records::insert(tx, &row)?;
    if let Some(made) = records::find(tx, minted.id)? {
        tell(tx, by, &made, "created", Value::Null, told(&made))?;
    }
    Ok(minted)
}

/// [`Keys::revoke`] as a part of a larger change.
pub fn end(tx: &mut Transaction<'_>, by: &Origin, id: KeyId) -> Result<(), Error> {
    let record = find(tx, id)?;
    records::revoke(tx, id, Millis::of(SystemTime::now()))?;
    tell(tx, by, &record, "deleted", told(&record), Value::Null)
}

/// Ends all keys of a project or a user, and says how many those were. Whoever calls tells of it in one entry.
pub fn end_all(tx: &mut Transaction<'_>, whose: Whose<'_>) -> Result<u64, store::Error> {
    records::revoke_all(tx, whose, Millis::of(SystemTime::now()))
}

/// [`end_all`] for the keys that a user has in one project.
pub fn end_part(tx: &mut Transaction<'_>, user: &str, project: &str) -> Result<u64, store::Error> {
    records::revoke_part(tx, user, project, Millis::of(SystemTime::now()))
}

/// [`Keys::rotate`] as a part of a larger change.
pub fn replace(
    tx: &mut Transaction<'_>,
    by: &Origin,
    id: KeyId,
    overlap: Duration,
) -> Result<Minted, Error> {
    let old = find(tx, id)?;
    if let Some(by) = old.replaced_by {
        return Err(Error::AlreadyReplaced { id, by });
    }
    let now = SystemTime::now();
    if old.expires.is_some_and(|end| end <= now) {
        return Err(Error::Expired(id));
    }
    let before = told(&old);
    let ends = old.expires.map_or(Millis::NEVER, Millis::of);
    let heir = NewKey {
        name: old.name,
        kind: old.kind,
        models: old.models,
        on_hangup: old.on_hangup,
        owner: old.owner,
        terms: old.terms,
        expires: old.expires,
    };
    let minted = add(tx, by, &heir)?;
    records::replace(tx, id, minted.id, ends.min(Millis::of(now).plus(overlap)))?;
    if let Some(now) = records::find(tx, id)? {
        tell(tx, by, &now, "updated", before, told(&now))?;
    }
    Ok(minted)
}

/// Notes in the audit log what became of a key.
pub(super) fn tell(
    tx: &mut Transaction<'_>,
    by: &Origin,
    key: &Record,
    what: &str,
    before: Value,
    after: Value,
) -> Result<(), Error> {
    let event = match (key.kind, what) {
        (Kind::Api, "created") => Event::of("api_key.created"),
        (Kind::Api, "deleted") => Event::of("api_key.deleted"),
        (Kind::Api, _) => Event::of("api_key.updated"),
        (Kind::Admin, "created") => {
            Event::as_a("tenant.admin_api_key.created", "admin_api_key.created")
        }
        (Kind::Admin, "deleted") => {
            Event::as_a("tenant.admin_api_key.deleted", "admin_api_key.deleted")
        }
        (Kind::Admin, _) => Event::as_a("tenant.admin_api_key.updated", "admin_api_key.updated"),
    };
    let entry = Entry {
        event,
        project: key.owner.project.as_deref(),
        resource: Some(&key.id.public()),
        before,
        after,
    };
    Ok(audit::append(tx, by, &entry)?)
}

/// A key as the audit log tells of it.
pub(super) fn told(key: &Record) -> Value {
    let seconds = |time: SystemTime| Millis::of(time).seconds();
    let models = match &key.models {
        ModelRule::All => None,
        ModelRule::Only(names) => Some(names.to_vec()),
    };
    json!({
        "name": key.name,
        "project": key.owner.project,
        "user": key.owner.user,
        "models": models,
        "on_hangup": key.on_hangup.map(|policy| policy.to_string()),
        "expires_at": key.expires.map(seconds),
        "replaced_by": key.replaced_by.map(|id| id.public()),
        "terms": key.terms,
    })
}

/// A key that is there and not revoked.
pub(super) fn find(tx: &mut Transaction<'_>, id: KeyId) -> Result<Record, Error> {
    let record = records::find(tx, id)?.ok_or(Error::NoSuchKey(id))?;
    if record.revoked.is_some() {
        Err(Error::AlreadyRevoked(id))
    } else {
        Ok(record)
    }
}

/// Whether a name is one that people can read and no listing suffers from.
fn is_sane(text: &str) -> bool {
    (1..=NAME_MAX_CHARS).contains(&text.chars().count()) && text.chars().all(is_visible)
}

pub(super) fn check(new: &NewKey) -> Result<(), Error> {
    let is_pattern = |name: &str| is_sane(name) && name.matches('*').count() <= 1;
    if !is_sane(&new.name) {
        return Err(Error::Name);
    }
    if let ModelRule::Only(names) = &new.models
        && (!(1..=MODELS_MAX).contains(&names.len()) || !names.iter().all(|name| is_pattern(name)))
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
    check_terms(&new.terms)
}

fn check_terms(terms: &Terms) -> Result<(), Error> {
    if !terms.tier.as_deref().is_none_or(is_sane) {
        return Err(Error::Terms("tier has a name of 1 to 128 characters"));
    }
    if terms.allowed_ips.len() > NETWORKS_MAX {
        return Err(Error::Terms("list of addresses has at most 64 ranges"));
    }
    let (pairs, name, value) = METADATA_MAX;
    let fits = |(key, text): (&String, &String)| {
        (1..=name).contains(&key.chars().count()) && text.chars().count() <= value
    };
    if terms.metadata.len() > pairs || !terms.metadata.iter().all(fits) {
        return Err(Error::Terms(
            "metadata has at most 16 pairs, with names of up to 64 and values of up to 512 characters",
        ));
    }
    let limits = terms.limits;
    let numbers = [
        limits.requests_per_minute,
        limits.tokens_per_minute,
        limits.requests_per_day,
        limits.tokens_per_day,
        limits.concurrent_requests,
        terms.budget.map(|budget| budget.threshold_amount),
    ];
    match numbers.iter().flatten().all(|number| *number <= NUMBER_MAX) {
        true => Ok(()),
        false => Err(Error::Terms("limits are below 2^53")),
    }
}
