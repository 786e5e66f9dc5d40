//! Reading what changes of a key: what is named changes, and null takes it away.

use super::{MEMBERS, budget, expiry, models, networks, on_hangup, priority, refuse_scopes, tier};
use crate::{
    auth::{KeyChange, METADATA_MAX, NAME_MAX_CHARS, NUMBER_MAX, NotesChange},
    domain::KeyLimits,
    error::Error,
    wire::members::{Members, Mistake},
};

/// Reads a request that changes a key.
pub(in crate::control::organization) fn read_change(members: &Members) -> Result<KeyChange, Error> {
    refuse_scopes(members)?;
    let name = members.text("name", 1, NAME_MAX_CHARS)?;
    let weir = members.object("weir")?.unwrap_or_default();
    weir.only(&MEMBERS)?;
    let ends = weir.has("expires_at") || weir.has("expires_in_seconds");
    Ok(KeyChange {
        name,
        models: weir.has("models").then_some(models(&weir)?),
        on_hangup: weir.has("on_hangup").then_some(on_hangup(&weir)?),
        expires: ends.then_some(expiry(&weir)?),
        tier: weir.has("tier").then_some(tier(&weir)?),
        priority: weir.has("priority").then_some(priority(&weir)?),
        limits: limits(&weir)?,
        budget: weir.has("budget").then_some(budget(&weir)?),
        allowed_ips: weir.has("allowed_ips").then_some(networks(&weir)?),
        metadata: metadata(&weir)?,
    })
}

/// Those that are named. Where all are taken away, each one is.
fn limits(weir: &Members) -> Result<[Option<Option<u64>>; KeyLimits::NAMES.len()], Mistake> {
    let mut figures = [weir.has("limits").then_some(None); KeyLimits::NAMES.len()];
    if let Some(limits) = weir.object("limits")? {
        limits.only(&KeyLimits::NAMES)?;
        for (figure, name) in figures.iter_mut().zip(KeyLimits::NAMES) {
            let number = limits.number(name, 0, NUMBER_MAX)?;
            *figure = limits.has(name).then_some(number);
        }
    }
    Ok(figures)
}

fn metadata(weir: &Members) -> Result<Option<Option<NotesChange>>, Mistake> {
    let notes = weir.changes("metadata", METADATA_MAX)?;
    let notes = notes.map(|notes| notes.into_iter().collect());
    Ok(weir.has("metadata").then_some(notes))
}
