//! Changing what is agreed for a key that goes on.

use super::change::{check, find, tell, told};
use super::records::{self, Record};
use super::{Error, NewKey};
use crate::audit::Origin;
use crate::domain::{Budget, KeyId, KeyLimits, ModelRule, Network, OnHangup};
use crate::store::{Millis, Transaction};
use std::collections::BTreeMap;
use std::time::SystemTime;

/// What changes of a key; none: nothing. What may be taken away is none within.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyChange {
    /// What people call it.
    pub name: Option<String>,
    /// The models that it may use.
    pub models: Option<ModelRule>,
    /// What becomes of its answers if it hangs up.
    pub on_hangup: Option<Option<OnHangup>>,
    /// When it ends.
    pub expires: Option<Option<SystemTime>>,
    /// Its class of service.
    pub tier: Option<Option<Box<str>>>,
    /// How fast it may be used.
    pub limits: Option<KeyLimits>,
    /// What it may spend.
    pub budget: Option<Option<Budget>>,
    /// The addresses that it may be used from.
    pub allowed_ips: Option<Vec<Network>>,
    /// Notes.
    pub metadata: Option<BTreeMap<String, String>>,
}

/// Changes a key that was not revoked, within [`Keys::change`](super::Keys::change).
pub fn alter(
    tx: &mut Transaction<'_>,
    by: &Origin,
    id: KeyId,
    change: KeyChange,
) -> Result<Record, Error> {
    let old = find(tx, id)?;
    let mut terms = old.terms.clone();
    terms.tier = change.tier.unwrap_or(terms.tier);
    terms.limits = change.limits.unwrap_or(terms.limits);
    terms.budget = change.budget.unwrap_or(terms.budget);
    terms.allowed_ips = change.allowed_ips.unwrap_or(terms.allowed_ips);
    terms.metadata = change.metadata.unwrap_or(terms.metadata);
    let is_same_end = change.expires.is_none();
    let new = NewKey {
        name: change.name.unwrap_or_else(|| old.name.clone()),
        kind: old.kind,
        models: change.models.unwrap_or_else(|| old.models.clone()),
        on_hangup: change.on_hangup.unwrap_or(old.on_hangup),
        owner: old.owner.clone(),
        terms,
        expires: change.expires.unwrap_or(old.expires),
    };
    // An end that has passed is none to be set, but what has one may still be renamed.
    check(&NewKey {
        expires: new.expires.filter(|_| !is_same_end),
        ..new.clone()
    })?;
    let expires = new.expires.map(Millis::of);
    records::update(tx, id, &new, expires)?;
    let now = find(tx, id)?;
    tell(tx, by, &now, "updated", told(&old), told(&now))?;
    Ok(now)
}
