//! Verifies the chain: that each entry follows the one before, and says what it said when it was written.

use super::chain::{COVERED, START, hash, id};
use crate::store::{Connection, Error, Mode};

/// Entries that are read at a time: a log of years does not fit into the memory.
const BATCH: u64 = 10_000;
/// Differences that are named in full.
const NAMED_MAX: usize = 20;

/// What is there, a line each, and what does not agree, a line each.
pub fn examine(conn: &mut Connection) -> Result<(Vec<String>, Vec<String>), Error> {
    conn.transact(Mode::Read, |tx| {
        let sql = format!(
            "SELECT {COVERED}, hash, id FROM audit_log WHERE number > $1 ORDER BY number LIMIT $2"
        );
        let (mut number, mut last, mut differences) = (0i64, START, Vec::new());
        let mut count = 0u64;
        let forged = "SELECT number FROM audit_log WHERE number < 1 ORDER BY number LIMIT $1";
        for row in tx.query(forged, &[BATCH.into()])? {
            let number: i64 = row.get(0)?;
            differences.push(format!("audit log: number {number} is not one of Weir's"));
        }
        loop {
            let rows = tx.query(&sql, &[number.into(), BATCH.into()])?;
            if rows.is_empty() {
                break;
            }
            for row in &rows {
                let (covered, rest) = row.values().split_at(row.values().len() - 2);
                let (previous, found): ([u8; 32], i64) = (row.get(0)?, row.get(1)?);
                let (stored, name): ([u8; 32], String) = (
                    row.get(covered.len())?,
                    row.get(covered.len() + rest.len() - 1)?,
                );
                if found != number + 1 {
                    differences.push(format!(
                        "audit log: {} entries before number {found} are gone",
                        found - number - 1
                    ));
                } else if previous != last {
                    differences.push(format!(
                        "audit log: number {found} does not follow the one before"
                    ));
                }
                if hash(covered) != stored || id(&stored) != name {
                    differences.push(format!("audit log: number {found} was rewritten"));
                }
                (number, last) = (found, stored);
                count += 1;
            }
        }
        let hidden = differences.len().saturating_sub(NAMED_MAX);
        differences.truncate(NAMED_MAX);
        if hidden > 0 {
            differences.push(format!("audit log: {hidden} more"));
        }
        // With the last entry's name at hand, an operator who wrote it down finds out if the end was cut off.
        let end = match count {
            0 => String::new(),
            _ => format!(", the last is {}", id(&last)),
        };
        Ok((
            vec![format!("audit log      {count} entries{end}")],
            differences,
        ))
    })
}
