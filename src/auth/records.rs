//! The keys as rows. Plain statements, the same for both databases: the callers bring the transaction, and the rules.

use super::columns::Millis;
use super::index::{Change, Entry};
use super::key::{Kind, Minted};
use crate::domain::{KeyId, ModelRule, OnHangup, Owner};
use crate::store::{Error, Row, Transaction};
use std::sync::Arc;
use std::time::SystemTime;

/// What may be told of a key: everything but its secret and its hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its public name.
    pub id: KeyId,
    /// What it opens.
    pub kind: Kind,
    /// What people call it.
    pub name: String,
    /// The models that it may use.
    pub models: ModelRule,
    /// What becomes of its answers if it hangs up; none: as the config says.
    pub on_hangup: Option<OnHangup>,
    /// Whom it is for.
    pub owner: Owner,
    /// When it was made.
    pub created: SystemTime,
    /// When it ends, or ended.
    pub expires: Option<SystemTime>,
    /// When it was revoked.
    pub revoked: Option<SystemTime>,
    /// The key that took its place in a rotation.
    pub replaced_by: Option<KeyId>,
}

impl Record {
    const COLUMNS: &str = "id, kind, name, models, on_hangup, project_id, user_id, created_at, expires_at, revoked_at, replaced_by";

    fn read(row: &Row) -> Result<Self, Error> {
        let time = |column| Ok::<_, Error>(row.get::<Option<Millis>>(column)?.map(Millis::time));
        Ok(Self {
            id: row.get(0)?,
            kind: row.get(1)?,
            name: row.get(2)?,
            models: row.get(3)?,
            on_hangup: row.get(4)?,
            owner: Owner {
                project: row.get(5)?,
                user: row.get(6)?,
            },
            created: row.get::<Millis>(7)?.time(),
            expires: time(8)?,
            revoked: time(9)?,
            replaced_by: row.get(10)?,
        })
    }
}

/// Up to `limit` keys in the order in which they were made, from the one after `after`.
pub(super) fn page(
    tx: &mut Transaction<'_>,
    after: Option<KeyId>,
    limit: usize,
) -> Result<Vec<Record>, Error> {
    let sql = format!(
        "SELECT {} FROM api_key WHERE number > coalesce((SELECT number FROM api_key WHERE id = $1), 0)
        ORDER BY number LIMIT $2",
        Record::COLUMNS
    );
    let rows = tx.query(&sql, &[after.into(), (limit as u64).into()])?;
    rows.iter().map(Record::read).collect()
}

pub(super) fn find(tx: &mut Transaction<'_>, id: KeyId) -> Result<Option<Record>, Error> {
    let sql = format!("SELECT {} FROM api_key WHERE id = $1", Record::COLUMNS);
    let row = tx.first(&sql, &[id.into()])?;
    row.as_ref().map(Record::read).transpose()
}

/// Whether no key was ever made; rows are never deleted.
pub(super) fn is_empty(tx: &mut Transaction<'_>) -> Result<bool, Error> {
    Ok(tx.first("SELECT id FROM api_key LIMIT 1", &[])?.is_none())
}

pub(super) fn has_admin(tx: &mut Transaction<'_>, now: Millis) -> Result<bool, Error> {
    let sql = "SELECT id FROM api_key WHERE kind = 'admin' AND revoked_at IS NULL
        AND (expires_at IS NULL OR expires_at > $1) LIMIT 1";
    Ok(tx.first(sql, &[now.into()])?.is_some())
}

/// A row to be.
pub(super) struct New<'a> {
    pub(super) minted: &'a Minted,
    pub(super) kind: Kind,
    pub(super) name: &'a str,
    pub(super) models: &'a ModelRule,
    pub(super) on_hangup: Option<OnHangup>,
    pub(super) owner: &'a Owner,
    pub(super) created: Millis,
    pub(super) expires: Option<Millis>,
}

/// Adds a row. Like every write here it takes the next version, which is safe because writers take turns.
pub(super) fn insert(tx: &mut Transaction<'_>, new: &New<'_>) -> Result<(), Error> {
    let sql = "INSERT INTO api_key (id, kind, name, hash, models, on_hangup, project_id, user_id, created_at, expires_at, version)
        SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, coalesce(max(version), 0) + 1 FROM api_key";
    let values = [
        new.minted.id.into(),
        new.kind.into(),
        new.name.into(),
        new.minted.hash.into(),
        new.models.into(),
        new.on_hangup.into(),
        new.owner.project.as_deref().into(),
        new.owner.user.as_deref().into(),
        new.created.into(),
        new.expires.into(),
    ];
    tx.execute(sql, &values).map(drop)
}

pub(super) fn revoke(tx: &mut Transaction<'_>, id: KeyId, now: Millis) -> Result<(), Error> {
    let sql = "UPDATE api_key SET revoked_at = $2, version = (SELECT max(version) + 1 FROM api_key) WHERE id = $1";
    tx.execute(sql, &[id.into(), now.into()]).map(drop)
}

/// Notes that `by` takes over from `id`, which ends at `ends`.
pub(super) fn replace(
    tx: &mut Transaction<'_>,
    id: KeyId,
    by: KeyId,
    ends: Millis,
) -> Result<(), Error> {
    let sql = "UPDATE api_key SET replaced_by = $2, expires_at = $3,
        version = (SELECT max(version) + 1 FROM api_key) WHERE id = $1";
    tx.execute(sql, &[id.into(), by.into(), ends.into()])
        .map(drop)
}

/// Hands over, oldest change first, every row written after `version`.
pub(super) fn changes_since(
    tx: &mut Transaction<'_>,
    version: i64,
    mut take: impl FnMut(Change),
) -> Result<(), Error> {
    let sql = "SELECT id, version, hash, models, expires_at, kind, revoked_at, project_id, user_id, on_hangup
        FROM api_key WHERE version > $1 ORDER BY version";
    tx.for_each(sql, &[version.into()], |row| {
        let id: KeyId = row.get(0)?;
        // A row that someone spoiled by hand must not keep all others from being read.
        let entry = read_entry(&row)
            .inspect_err(|error| tracing::error!(key.id = %id, %error, "a stored key cannot be read and is refused"))
            .ok();
        take(Change {
            id,
            version: row.get(1)?,
            entry,
        });
        Ok(())
    })
}

fn read_entry(row: &Row) -> Result<Entry, Error> {
    let owner = Owner {
        project: row.get(7)?,
        user: row.get(8)?,
    };
    Ok(Entry {
        hash: row.get(2)?,
        models: row.get(3)?,
        owner: (owner != Owner::default()).then(|| Arc::new(owner)),
        expires: row.get::<Option<Millis>>(4)?.unwrap_or(Millis::NEVER),
        kind: row.get(5)?,
        revoked: row.get::<Option<Millis>>(6)?.is_some(),
        on_hangup: row.get(9)?,
    })
}
