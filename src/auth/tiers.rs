//! Which tiers keys carry, for whoever compares them with the configuration.

use super::Error;
use crate::domain::Terms;
use crate::store::{Connection, Millis, Mode};
use std::collections::BTreeMap;
use std::time::SystemTime;

/// Keys that are read at a time.
const BATCH: u64 = 10_000;

/// The tiers that live keys carry, and how many keys each.
pub fn tiers(conn: &mut Connection) -> Result<BTreeMap<Box<str>, u64>, Error> {
    let now = Millis::of(SystemTime::now());
    conn.transact(Mode::Read, |tx| {
        let sql = "SELECT number, terms FROM api_key WHERE number > $1 AND terms IS NOT NULL
            AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $2)
            ORDER BY number LIMIT $3";
        let mut tiers = BTreeMap::new();
        let mut number = 0i64;
        loop {
            let rows = tx.query(sql, &[number.into(), now.into(), BATCH.into()])?;
            for row in &rows {
                number = row.get(0)?;
                // A row that makes no sense opens no door, and is told of where keys are read.
                let terms: Result<Terms, _> = serde_json::from_str(&row.get::<String>(1)?);
                if let Some(tier) = terms.ok().and_then(|terms| terms.tier) {
                    *tiers.entry(tier).or_insert(0) += 1;
                }
            }
            if rows.len() < BATCH as usize {
                return Ok(tiers);
            }
        }
    })
}
