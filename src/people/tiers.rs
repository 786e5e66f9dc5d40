//! The tiers that users carry: in memory for requests, in the store for whoever compares them with the configuration.

use super::{Error, UserId, Users, records};
use crate::{
    domain::Terms,
    store::{self, Connection, Db, Mode, Transaction},
};
use std::{collections::BTreeMap, sync::Arc};

impl Users {
    /// What is agreed for a user, if they are one of Weir's own and anything is. Takes no lock, and never waits.
    pub fn terms(&self, user: &str) -> Option<Arc<Terms>> {
        self.index.terms(UserId::parse(user)?)
    }
}

/// The same by the store alone, for who has no accounts in memory.
pub async fn terms_of(db: &Db, user: &str) -> Result<Option<Arc<Terms>>, Error> {
    let Some(id) = UserId::parse(user) else {
        return Ok(None);
    };
    let look = move |tx: &mut Transaction<'_>| records::find(tx, id);
    let found: Option<_> = db.transact(Mode::Read, look).await?;
    let tier = found.and_then(|record| record.tier);
    Ok(tier.as_deref().map(Terms::of_tier).map(Arc::new))
}

/// The tiers that users carry, and how many users each.
pub fn tiers(conn: &mut Connection) -> Result<BTreeMap<Box<str>, u64>, store::Error> {
    conn.transact(Mode::Read, |tx| {
        let sql = "SELECT tier, count(*) FROM person
            WHERE tier IS NOT NULL AND deleted_at IS NULL GROUP BY tier";
        let rows = tx.query(sql, &[])?;
        rows.iter()
            .map(|row| Ok((row.get(0)?, row.get(1)?)))
            .collect()
    })
}
