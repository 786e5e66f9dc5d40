//! Changing what is agreed for a key that goes on.

use super::change::{check, find, tell, told};
use super::records::{self, Record};
use super::{Error, NewKey};
use crate::audit::Origin;
use crate::domain::{Budget, KeyId, KeyLimits, ModelRule, Network, OnHangup, Priority};
use crate::store::{Millis, Transaction};
use std::collections::BTreeMap;
use std::time::SystemTime;

/// Notes that change, by their names; none is taken away.
pub type NotesChange = BTreeMap<String, Option<String>>;

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
    /// How urgent it is among the keys of its project.
    pub priority: Option<Option<Priority>>,
    /// How fast it may be used, figure by figure.
    pub limits: [Option<Option<u64>>; KeyLimits::NAMES.len()],
    /// What it may spend.
    pub budget: Option<Option<Budget>>,
    /// The addresses that it may be used from.
    pub allowed_ips: Option<Vec<Network>>,
    /// Notes: none of them any more, or those that change.
    pub metadata: Option<Option<NotesChange>>,
}

impl KeyChange {
    /// Whether it moves what is set from above: [`Terms::set_a_ceiling`](crate::domain::Terms::set_a_ceiling).
    pub fn moves_a_ceiling(&self) -> bool {
        self.tier.is_some() || self.budget.is_some() || self.limits.iter().any(Option::is_some)
    }
}

/// Changes a key that was not revoked, within [`Keys::change`](super::Keys::change).
pub fn alter(
    tx: &mut Transaction<'_>,
    by: &Origin,
    id: KeyId,
    change: KeyChange,
) -> Result<Record, Error> {
    let old = find(tx, id)?;
    let has_ended = old.expires.is_some_and(|end| end <= SystemTime::now());
    if has_ended && change.expires.is_some() {
        return Err(Error::Over(id));
    }
    let mut terms = old.terms.clone();
    terms.tier = change.tier.unwrap_or(terms.tier);
    terms.priority = change.priority.unwrap_or(terms.priority);
    let mut figures = terms.limits.figures();
    for (figure, change) in figures.iter_mut().zip(change.limits) {
        *figure = change.unwrap_or(*figure);
    }
    terms.limits = figures.into();
    terms.budget = change.budget.unwrap_or(terms.budget);
    terms.allowed_ips = change.allowed_ips.unwrap_or(terms.allowed_ips);
    match change.metadata {
        None => {}
        Some(None) => terms.metadata.clear(),
        Some(Some(notes)) => {
            for (name, text) in notes {
                match text {
                    Some(text) => terms.metadata.insert(name, text),
                    None => terms.metadata.remove(&name),
                };
            }
        }
    }
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
    let (before, after) = (told(&old), told(&now));
    if before != after {
        tell(tx, by, &now, "updated", before, after)?;
    }
    Ok(now)
}
