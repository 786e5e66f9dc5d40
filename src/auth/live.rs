//! Keys that are in force, a stretch of the store at a time.

use super::records::Record;
use super::{Error, Keys};
use crate::domain::KeyId;
use crate::store::{Millis, Transaction};
use std::time::SystemTime;

/// Which keys are looked for, and how far.
#[derive(Clone, Copy, Debug)]
pub struct Search {
    /// Only those that something was agreed for.
    pub with_terms: bool,
    /// How many are found at most.
    pub limit: usize,
    /// How many are looked at at most: there may be a million, and none of them one of these.
    pub looks: usize,
}

/// What a stretch of the store has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// Keys in the order in which they were made.
    pub found: Vec<Record>,
    /// The key after which the next stretch begins; none: there is no more.
    pub last: Option<KeyId>,
}

impl Keys {
    /// API keys that are in force, of those that were made after `after`.
    pub async fn live(&self, after: Option<KeyId>, search: Search) -> Result<Stretch, Error> {
        let now = Millis::of(SystemTime::now());
        let look = move |tx: &mut Transaction<'_>| stretch(tx, after, search, now);
        self.db.ask(look).await
    }
}

fn stretch(
    tx: &mut Transaction<'_>,
    after: Option<KeyId>,
    search: Search,
    now: Millis,
) -> Result<Stretch, Error> {
    let from: i64 = match after {
        None => 0,
        Some(id) => {
            let row = tx.first("SELECT number FROM api_key WHERE id = $1", &[id.into()])?;
            row.ok_or(Error::NoSuchKey(id))?.get(0)?
        }
    };
    let sql = "SELECT number, id FROM api_key WHERE number > $1 ORDER BY number LIMIT 1 OFFSET $2";
    let skipped = search.looks.saturating_sub(1) as u64;
    let end = tx.first(sql, &[from.into(), skipped.into()])?;
    let end: Option<(i64, KeyId)> = match end {
        Some(row) => Some((row.get(0)?, row.get(1)?)),
        None => None,
    };
    let until = end.map_or(i64::MAX, |(number, _)| number);
    let terms = match search.with_terms {
        true => "AND terms IS NOT NULL",
        false => "",
    };
    let sql = format!(
        "SELECT {} FROM api_key WHERE number > $1 AND number <= $2
        AND kind = 'api' AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $3) {terms}
        ORDER BY number LIMIT $4",
        Record::COLUMNS
    );
    let limit = search.limit as u64;
    let rows = tx.query(&sql, &[from.into(), until.into(), now.into(), limit.into()])?;
    let found = rows.iter().map(Record::read);
    let found: Vec<Record> = found.collect::<Result<_, _>>()?;
    let last = match found.last() {
        Some(last) if found.len() == search.limit => Some(last.id),
        _ => end.map(|(_, id)| id),
    };
    Ok(Stretch { found, last })
}
