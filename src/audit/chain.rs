//! The chain: what an entry's hash covers, and how one is added.

use super::{Entry, Origin};
use crate::store::{Error, Millis, Transaction, Value};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::time::SystemTime;

/// The columns that a hash covers, in its order; the hash of the entry before is the first.
pub(super) const COVERED: &str = "previous, number, at, type, event, project_id, resource_id, actor, actor_id, actor_email, address, user_agent, change";
/// What the first entry has for the hash of the one before.
pub(super) const START: [u8; 32] = [0; 32];

/// Adds an entry to the log. The transaction is of [`Mode::Alone`](crate::store::Mode::Alone): entries take turns.
pub fn append(tx: &mut Transaction<'_>, by: &Origin, entry: &Entry<'_>) -> Result<(), Error> {
    let last = tx.first(
        "SELECT number, hash FROM audit_log ORDER BY number DESC LIMIT 1",
        &[],
    )?;
    let (number, previous) = match last {
        None => (0, START),
        Some(row) => (row.get::<i64>(0)?, row.get(1)?),
    };
    let change = json!({"before": entry.before, "after": entry.after});
    let mut values = vec![
        previous.into(),
        (number + 1).into(),
        Millis::of(SystemTime::now()).into(),
        entry.event.kind.into(),
        entry.event.name.into(),
        entry.project.into(),
        entry.resource.into(),
        by.actor.kind().into(),
        by.actor.id().into(),
        by.actor.email().into(),
        by.address.map(|address| address.to_string()).into(),
        by.agent.as_deref().into(),
        change.to_string().into(),
    ];
    let hash = hash(&values);
    values.push(hash.into());
    values.push(id(&hash).into());
    let sql = format!(
        "INSERT INTO audit_log ({COVERED}, hash, id)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)"
    );
    tx.execute(&sql, &values).map(drop)
}

/// The hash of an entry with these values in the columns that it covers.
///
/// Each value is written with its kind and its length, so that no two lists of values are written alike.
pub(super) fn hash(covered: &[Value]) -> [u8; 32] {
    let mut digest = Sha256::new();
    let mut add = |kind: u8, bytes: &[u8]| {
        digest.update([kind]);
        digest.update((bytes.len() as u64).to_be_bytes());
        digest.update(bytes);
    };
    for value in covered {
        match value {
            Value::Null => add(0, &[]),
            Value::Int(number) => add(1, &number.to_be_bytes()),
            Value::Text(text) => add(2, text.as_bytes()),
            Value::Bytes(bytes) => add(3, bytes),
        }
    }
    digest.finalize().into()
}

/// The public name of the entry with this hash.
pub(super) fn id(hash: &[u8; 32]) -> String {
    let digits: String = hash
        .iter()
        .take(12)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("audit_log-{digits}")
}
