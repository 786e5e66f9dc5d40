//! What became of accounts, row by row, for the memory that follows the store.

use super::index::Change;
use crate::{
    domain::Membership,
    store::{Error, Millis, Transaction},
};

/// Hands over, oldest change first, every user whose row or memberships changed after `version`.
pub(super) fn since(
    tx: &mut Transaction<'_>,
    version: i64,
    mut take: impl FnMut(Change),
) -> Result<(), Error> {
    let sql =
        "SELECT p.id, p.version, p.email, p.name, p.role, p.tier, p.disabled_at, p.deleted_at,
            m.project_id, m.role FROM person AS p LEFT JOIN membership AS m ON m.person_id = p.id
        WHERE p.version > $1 ORDER BY p.version, m.project_id";
    let mut open: Option<Change> = None;
    tx.for_each(sql, &[version.into()], |row| {
        let version = row.get(1)?;
        if open.as_ref().is_none_or(|open| open.version != version) {
            if let Some(done) = open.take() {
                take(done);
            }
            let gone = [row.get::<Option<Millis>>(6)?, row.get::<Option<Millis>>(7)?];
            open = Some(Change {
                id: row.get(0)?,
                version,
                email: row.get(2)?,
                name: row.get(3)?,
                role: row.get(4)?,
                tier: row.get(5)?,
                is_live: gone == [None, None],
                memberships: Vec::new(),
            });
        }
        if let (Some(open), Some(project)) = (&mut open, row.get::<Option<Box<str>>>(8)?) {
            let role = row.get(9)?;
            open.memberships.push(Membership { project, role });
        }
        Ok(())
    })?;
    if let Some(done) = open {
        take(done);
    }
    Ok(())
}
