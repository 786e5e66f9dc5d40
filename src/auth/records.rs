//! The keys as rows. Plain statements, the same for both databases: the callers bring the transaction, and the rules.

use super::NewKey;
use super::index::{Change, Entry, Rules};
use super::key::{Kind, Minted};
use crate::domain::{KeyId, ModelRule, OnHangup, Owner, Terms};
use crate::store::Millis;
use crate::store::{Error, Row, Transaction, Value};
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
    /// What else was agreed for it.
    pub terms: Terms,
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
    pub(super) const COLUMNS: &str = "id, kind, name, models, on_hangup, project_id, user_id, created_at, expires_at, revoked_at, replaced_by, terms";

    pub(super) fn read(row: &Row) -> Result<Self, Error> {
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
            terms: row.get(11)?,
        })
    }
}

/// Some of the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose<'a> {
    /// All that were ever made.
    Everyones,
    /// API keys of a project that were ever made.
    EverOf(&'a str),
    /// Admin keys that were not revoked.
    Admins,
    /// Keys of a project that were not revoked.
    Project(&'a str),
    /// Keys of a user or a service account that were not revoked.
    User(&'a str),
}

impl Whose<'_> {
    /// The condition, in which `$1` is the value. Words of the partial indexes, for which it must be said again.
    fn condition(self) -> &'static str {
        match self {
            Self::Everyones => "$1 IS NOT NULL",
            Self::EverOf(_) => "project_id = $1 AND kind = 'api'",
            Self::Admins => "kind = 'admin' AND revoked_at IS NULL AND $1 IS NOT NULL",
            Self::Project(_) => "project_id = $1 AND kind = 'api' AND revoked_at IS NULL",
            Self::User(_) => "user_id = $1 AND user_id IS NOT NULL AND revoked_at IS NULL",
        }
    }

    fn value(self) -> Value {
        match self {
            Self::Everyones | Self::Admins => "".into(),
            Self::EverOf(id) | Self::Project(id) | Self::User(id) => id.into(),
        }
    }
}

/// Up to `limit` keys in the order in which they were made, or the other way round, from the one after `after`.
pub fn page(
    tx: &mut Transaction<'_>,
    whose: Whose<'_>,
    after: Option<KeyId>,
    is_newest_first: bool,
    limit: usize,
) -> Result<Vec<Record>, Error> {
    let (side, order) = match is_newest_first {
        true => ("<", "DESC"),
        false => (">", "ASC"),
    };
    let beyond = match after {
        None => "$2 = ''".to_owned(),
        Some(_) => format!("number {side} (SELECT number FROM api_key WHERE id = $2)"),
    };
    let sql = format!(
        "SELECT {} FROM api_key WHERE {} AND {beyond} ORDER BY number {order} LIMIT $3",
        Record::COLUMNS,
        whose.condition(),
    );
    let after = after.map_or(String::new(), |id| id.to_string());
    let rows = tx.query(&sql, &[whose.value(), after.into(), (limit as u64).into()])?;
    rows.iter().map(Record::read).collect()
}

/// A key, also one that has ended.
pub fn find(tx: &mut Transaction<'_>, id: KeyId) -> Result<Option<Record>, Error> {
    let sql = format!("SELECT {} FROM api_key WHERE id = $1", Record::COLUMNS);
    let row = tx.first(&sql, &[id.into()])?;
    row.as_ref().map(Record::read).transpose()
}

/// A key that was not revoked.
pub fn find_live(tx: &mut Transaction<'_>, id: KeyId) -> Result<Option<Record>, Error> {
    Ok(find(tx, id)?.filter(|record| record.revoked.is_none()))
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
    pub(super) terms: &'a Terms,
    pub(super) created: Millis,
    pub(super) expires: Option<Millis>,
}

/// Adds a row. Like every write here it takes the next version, which is safe because writers take turns.
pub(super) fn insert(tx: &mut Transaction<'_>, new: &New<'_>) -> Result<(), Error> {
    let sql = "INSERT INTO api_key (id, kind, name, hash, models, on_hangup, project_id, user_id, created_at, expires_at, terms, version)
        SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, coalesce(max(version), 0) + 1 FROM api_key";
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
        new.terms.into(),
    ];
    tx.execute(sql, &values).map(drop)
}

/// Writes what may change of a key.
pub(super) fn update(
    tx: &mut Transaction<'_>,
    id: KeyId,
    new: &NewKey,
    expires: Option<Millis>,
) -> Result<(), Error> {
    let sql =
        "UPDATE api_key SET name = $2, models = $3, on_hangup = $4, terms = $5, expires_at = $6,
        version = (SELECT max(version) + 1 FROM api_key) WHERE id = $1";
    let values = [
        id.into(),
        new.name.as_str().into(),
        (&new.models).into(),
        new.on_hangup.into(),
        (&new.terms).into(),
        expires.into(),
    ];
    tx.execute(sql, &values).map(drop)
}

pub(super) fn revoke(tx: &mut Transaction<'_>, id: KeyId, now: Millis) -> Result<(), Error> {
    let sql = "UPDATE api_key SET revoked_at = $2, version = (SELECT max(version) + 1 FROM api_key) WHERE id = $1";
    tx.execute(sql, &[id.into(), now.into()]).map(drop)
}

/// Revokes all keys of a project or a user, and says how many those were.
pub(super) fn revoke_all(
    tx: &mut Transaction<'_>,
    whose: Whose<'_>,
    now: Millis,
) -> Result<u64, Error> {
    revoke_where(tx, whose.condition(), &[whose.value(), now.into()])
}

/// The same for the keys that a user has in one project.
pub(super) fn revoke_part(
    tx: &mut Transaction<'_>,
    user: &str,
    project: &str,
    now: Millis,
) -> Result<u64, Error> {
    let condition = format!("{} AND project_id = $3", Whose::User(user).condition());
    revoke_where(tx, &condition, &[user.into(), now.into(), project.into()])
}

/// Revokes what meets a condition, at the time in `$2`.
fn revoke_where(tx: &mut Transaction<'_>, condition: &str, values: &[Value]) -> Result<u64, Error> {
    // Each takes a version of its own, as if they were revoked one after the other.
    let sql = format!(
        "UPDATE api_key SET revoked_at = $2, version = last.version + ended.place
        FROM (SELECT id, row_number() OVER (ORDER BY number) AS place FROM api_key WHERE {condition}) AS ended,
            (SELECT max(version) AS version FROM api_key) AS last
        WHERE api_key.id = ended.id"
    );
    tx.execute(&sql, values)
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
    let sql = "SELECT id, version, hash, models, expires_at, kind, revoked_at, project_id, user_id, on_hangup, terms
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
    let terms: Terms = row.get(10)?;
    let rules = Rules {
        models: row.get(3)?,
        on_hangup: row.get(9)?,
        terms: (!terms.is_empty()).then(|| Arc::new(terms)),
    };
    let is_plain =
        rules.models == ModelRule::All && rules.on_hangup.is_none() && rules.terms.is_none();
    Ok(Entry {
        hash: row.get(2)?,
        owner: (owner != Owner::default()).then(|| Arc::new(owner)),
        rules: (!is_plain).then(|| Box::new(rules)),
        expires: row.get::<Option<Millis>>(4)?.unwrap_or(Millis::NEVER),
        kind: row.get(5)?,
        revoked: row.get::<Option<Millis>>(6)?.is_some(),
    })
}
