//! Sign-ins and their refresh tokens as rows. Plain statements, the same for both databases.

use super::{SessionId, UserId};
use crate::store::{Error, Millis, Transaction};

/// As in `records`: safe because writers take turns.
const NEXT: &str = "(SELECT coalesce(max(version), 0) + 1 FROM session)";

/// A sign-in that a refresh token belongs to.
pub(super) struct Found {
    pub(super) session: SessionId,
    pub(super) user: UserId,
    pub(super) project: Option<String>,
    pub(super) expires: Millis,
    /// It can still be refreshed, and its user may use it.
    pub(super) is_live: bool,
    /// The token was exchanged already.
    pub(super) is_used: bool,
}

pub(super) fn insert(
    tx: &mut Transaction<'_>,
    id: SessionId,
    user: UserId,
    project: Option<&str>,
    (now, expires): (Millis, Millis),
) -> Result<(), Error> {
    let sql = format!(
        "INSERT INTO session (id, person_id, project_id, created_at, expires_at, version)
        VALUES ($1, $2, $3, $4, $5, {NEXT})"
    );
    let values = [
        id.into(),
        user.into(),
        project.into(),
        now.into(),
        expires.into(),
    ];
    tx.execute(&sql, &values).map(drop)
}

pub(super) fn add_token(
    tx: &mut Transaction<'_>,
    session: SessionId,
    hash: [u8; 32],
) -> Result<(), Error> {
    let sql = "INSERT INTO refresh_token (hash, session_id) VALUES ($1, $2)";
    tx.execute(sql, &[hash.into(), session.into()]).map(drop)
}

/// The sign-in of a refresh token, by its hash.
pub(super) fn find(
    tx: &mut Transaction<'_>,
    hash: [u8; 32],
    now: Millis,
) -> Result<Option<Found>, Error> {
    let sql = "SELECT s.id, s.person_id, s.project_id, s.expires_at, s.ended_at, t.used_at, p.disabled_at, p.deleted_at
        FROM refresh_token AS t JOIN session AS s ON s.id = t.session_id JOIN person AS p ON p.id = s.person_id
        WHERE t.hash = $1";
    let Some(row) = tx.first(sql, &[hash.into()])? else {
        return Ok(None);
    };
    let is_null = |column| Ok::<_, Error>(row.get::<Option<Millis>>(column)?.is_none());
    let expires: Millis = row.get(3)?;
    Ok(Some(Found {
        session: row.get(0)?,
        user: row.get(1)?,
        project: row.get(2)?,
        expires,
        is_live: expires > now && is_null(4)? && is_null(6)? && is_null(7)?,
        is_used: !is_null(5)?,
    }))
}

pub(super) fn use_token(
    tx: &mut Transaction<'_>,
    hash: [u8; 32],
    now: Millis,
) -> Result<(), Error> {
    let sql = "UPDATE refresh_token SET used_at = $2 WHERE hash = $1";
    tx.execute(sql, &[hash.into(), now.into()]).map(drop)
}

/// Whose sign-in it is, if it has not ended.
pub(super) fn user_of_open(
    tx: &mut Transaction<'_>,
    id: SessionId,
) -> Result<Option<UserId>, Error> {
    let sql = "SELECT person_id FROM session WHERE id = $1 AND ended_at IS NULL";
    let row = tx.first(sql, &[id.into()])?;
    row.map(|row| row.get(0)).transpose()
}

/// Ends a sign-in, if it has not ended.
pub(super) fn end(tx: &mut Transaction<'_>, id: SessionId, now: Millis) -> Result<(), Error> {
    let sql = format!(
        "UPDATE session SET ended_at = $2, version = {NEXT} WHERE id = $1 AND ended_at IS NULL"
    );
    tx.execute(&sql, &[id.into(), now.into()]).map(drop)
}

/// Ends all sign-ins of a user.
pub(super) fn end_all(tx: &mut Transaction<'_>, user: UserId, now: Millis) -> Result<(), Error> {
    let sql = "SELECT id FROM session WHERE person_id = $1 AND ended_at IS NULL";
    // One by one, since each takes a version of its own.
    for row in tx.query(sql, &[user.into()])? {
        end(tx, row.get(0)?, now)?;
    }
    Ok(())
}

/// Forgets sign-ins that were over before `limit`. The last one stays, since its version must not be given again.
pub(super) fn forget(tx: &mut Transaction<'_>, limit: Millis) -> Result<(), Error> {
    let over = "expires_at < $1 AND version < (SELECT max(version) FROM session)";
    let tokens = format!(
        "DELETE FROM refresh_token WHERE session_id IN (SELECT id FROM session WHERE {over})"
    );
    tx.execute(&tokens, &[limit.into()])?;
    let sessions = format!("DELETE FROM session WHERE {over}");
    tx.execute(&sessions, &[limit.into()]).map(drop)
}

/// Hands over, in the order in which it was written, what became of sign-ins after `version`: when each ended, if it did.
pub(super) fn changes_since(
    tx: &mut Transaction<'_>,
    version: i64,
    mut take: impl FnMut(SessionId, i64, Option<Millis>),
) -> Result<(), Error> {
    let sql = "SELECT id, version, ended_at FROM session WHERE version > $1 ORDER BY version";
    tx.for_each(sql, &[version.into()], |row| {
        take(row.get(0)?, row.get(1)?, row.get(2)?);
        Ok(())
    })
}
