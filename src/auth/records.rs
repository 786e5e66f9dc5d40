//! The keys as rows. Plain statements: the callers bring the transaction, and the rules.

use super::columns::Millis;
use super::index::{Change, Entry};
use super::key::{Kind, Minted};
use crate::domain::{KeyId, ModelRule, Owner};
use rusqlite::{Connection, OptionalExtension, Result, Row, named_params};
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
    const COLUMNS: &str = "id, kind, name, models, project_id, user_id, created_at, expires_at, revoked_at, replaced_by";

    fn read(row: &Row<'_>) -> Result<Self> {
        let time = |column| {
            Ok::<_, rusqlite::Error>(row.get::<_, Option<Millis>>(column)?.map(Millis::time))
        };
        Ok(Self {
            id: row.get("id")?,
            kind: row.get("kind")?,
            name: row.get("name")?,
            models: row.get("models")?,
            owner: Owner {
                project: row.get("project_id")?,
                user: row.get("user_id")?,
            },
            created: row.get::<_, Millis>("created_at")?.time(),
            expires: time("expires_at")?,
            revoked: time("revoked_at")?,
            replaced_by: row.get("replaced_by")?,
        })
    }
}

/// Up to `limit` keys in the order in which they were made, from the one after `after`.
pub(super) fn page(conn: &Connection, after: Option<KeyId>, limit: usize) -> Result<Vec<Record>> {
    let sql = format!(
        "SELECT {} FROM api_key WHERE number > coalesce((SELECT number FROM api_key WHERE id = :after), 0) ORDER BY number LIMIT :limit",
        Record::COLUMNS
    );
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut rows = conn.prepare_cached(&sql)?;
    rows.query_map(
        named_params! { ":after": after, ":limit": limit },
        Record::read,
    )?
    .collect()
}

pub(super) fn find(conn: &Connection, id: KeyId) -> Result<Option<Record>> {
    let sql = format!("SELECT {} FROM api_key WHERE id = ?", Record::COLUMNS);
    conn.query_row(&sql, [id], Record::read).optional()
}

/// Whether no key was ever made; rows are never deleted.
pub(super) fn is_empty(conn: &Connection) -> Result<bool> {
    conn.query_row("SELECT NOT EXISTS (SELECT 1 FROM api_key)", [], |row| {
        row.get(0)
    })
}

pub(super) fn has_admin(conn: &Connection, now: Millis) -> Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM api_key
        WHERE kind = 'admin' AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?))";
    conn.query_row(sql, [now], |row| row.get(0))
}

/// A row to be.
pub(super) struct New<'a> {
    pub(super) minted: &'a Minted,
    pub(super) kind: Kind,
    pub(super) name: &'a str,
    pub(super) models: &'a ModelRule,
    pub(super) owner: &'a Owner,
    pub(super) created: Millis,
    pub(super) expires: Option<Millis>,
}

/// Adds a row. Like every write here it takes the next version, which is safe because writers take turns.
pub(super) fn insert(conn: &Connection, new: &New<'_>) -> Result<()> {
    let sql = "INSERT INTO api_key (id, kind, name, hash, models, project_id, user_id, created_at, expires_at, version)
        SELECT :id, :kind, :name, :hash, :models, :project, :user, :created, :expires, coalesce(max(version), 0) + 1 FROM api_key";
    let values = named_params! {
        ":id": new.minted.id, ":kind": new.kind, ":name": new.name, ":hash": new.minted.hash,
        ":models": new.models, ":project": new.owner.project, ":user": new.owner.user, ":created": new.created, ":expires": new.expires,
    };
    conn.execute(sql, values).map(drop)
}

pub(super) fn revoke(conn: &Connection, id: KeyId, now: Millis) -> Result<()> {
    let sql = "UPDATE api_key SET revoked_at = :now, version = (SELECT max(version) + 1 FROM api_key) WHERE id = :id";
    conn.execute(sql, named_params! { ":id": id, ":now": now })
        .map(drop)
}

/// Notes that `by` takes over from `id`, which ends at `ends`.
pub(super) fn replace(conn: &Connection, id: KeyId, by: KeyId, ends: Millis) -> Result<()> {
    let sql = "UPDATE api_key SET replaced_by = :by, expires_at = :ends,
        version = (SELECT max(version) + 1 FROM api_key) WHERE id = :id";
    conn.execute(sql, named_params! { ":id": id, ":by": by, ":ends": ends })
        .map(drop)
}

/// Hands over, oldest change first, every row written after `version`.
pub(super) fn changes_since(
    conn: &Connection,
    version: i64,
    mut take: impl FnMut(Change),
) -> Result<()> {
    let mut statement = conn.prepare_cached(
        "SELECT id, version, hash, models, expires_at, kind, revoked_at IS NOT NULL, project_id, user_id
        FROM api_key WHERE version > ? ORDER BY version",
    )?;
    let mut rows = statement.query([version])?;
    while let Some(row) = rows.next()? {
        let id: KeyId = row.get(0)?;
        // A row that someone spoiled by hand must not keep all others from being read.
        let entry = read_entry(row)
            .inspect_err(|error| tracing::error!(key.id = %id, %error, "a stored key cannot be read and is refused"))
            .ok();
        take(Change {
            id,
            version: row.get(1)?,
            entry,
        });
    }
    Ok(())
}

fn read_entry(row: &Row<'_>) -> Result<Entry> {
    let owner = Owner {
        project: row.get(7)?,
        user: row.get(8)?,
    };
    Ok(Entry {
        hash: row.get(2)?,
        models: row.get(3)?,
        owner: (owner != Owner::default()).then(|| Arc::new(owner)),
        expires: row.get::<_, Option<Millis>>(4)?.unwrap_or(Millis::NEVER),
        kind: row.get(5)?,
        revoked: row.get(6)?,
    })
}
