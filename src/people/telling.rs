//! What the audit log is told of people. Of a password only that there is one.

use super::{Member, Record, UserId, records};
use crate::{
    audit::{self, Entry, Event, Origin},
    domain::Membership,
    store::{Error, Transaction},
};
use serde_json::{Value, json};

/// Tells what became of a user or what they did, or of somebody who is none.
pub(super) fn tell(
    tx: &mut Transaction<'_>,
    by: &Origin,
    event: Event,
    id: impl Into<Option<UserId>>,
    before: Value,
    after: Value,
) -> Result<(), Error> {
    let id = id.into().map(|id| id.to_string());
    let entry = Entry {
        event,
        project: None,
        resource: id.as_deref(),
        before,
        after,
    };
    audit::append(tx, by, &entry)
}

/// A user as the log has them.
pub(super) fn told(record: &Record) -> Value {
    json!({
        "email": record.email,
        "name": record.name,
        "role": record.role.as_str(),
        "tier": record.tier,
        "disabled": record.disabled.is_some(),
        "has_password": record.has_password,
    })
}

/// A user and their parts in projects.
pub(super) fn told_whole(tx: &mut Transaction<'_>, record: &Record) -> Result<Value, Error> {
    let mut whole = told(record);
    whole["projects"] = told_parts(&records::parts(tx, record.id)?);
    Ok(whole)
}

/// Parts in projects.
pub(super) fn told_parts(memberships: &[Membership]) -> Value {
    let part = |one: &Membership| json!({"id": one.project, "role": one.role.as_str()});
    memberships.iter().map(part).collect()
}

/// Tells what became of a user's part in a project, for which OpenAI has no word.
pub(super) fn tell_part(
    tx: &mut Transaction<'_>,
    by: &Origin,
    event: &'static str,
    (project, id): (&str, UserId),
    before: Value,
    after: Value,
) -> Result<(), Error> {
    let entry = Entry {
        event: Event::as_a("user.updated", event),
        project: Some(project),
        resource: Some(&id.to_string()),
        before,
        after,
    };
    audit::append(tx, by, &entry)
}

/// A part in a project as the log has it.
pub(super) fn told_part(member: &Member) -> Value {
    json!({"role": member.role.as_str()})
}
