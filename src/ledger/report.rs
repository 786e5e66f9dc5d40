//! What was used, from the rollups.

use super::sqlite::{ROLLUPS, SUMS};
use rusqlite::{Connection, Result, named_params};

/// What usage is added up by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// The key that pays.
    Key,
    /// The model, as clients named it.
    Model,
    /// The day, in UTC.
    Day,
}

/// Usage of one key, model or day.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// Whose.
    pub name: String,
    /// Calls.
    pub requests: u64,
    /// Those among them whose provider did not say what was used.
    pub unreported: u64,
    /// Tokens of prompts, cached ones included.
    pub input: u64,
    /// Tokens of prompts that a provider read from its cache.
    pub cached: u64,
    /// Tokens of answers, reasoning included.
    pub output: u64,
    /// Tokens of answers that were spent on reasoning.
    pub reasoning: u64,
}

/// Adds up what calls used that began at `since` (milliseconds since 1970) or in the same hour, or later.
pub fn usage(conn: &Connection, by: By, since: u64) -> Result<Vec<Line>> {
    let [(hours, hour), (days, day)] = ROLLUPS;
    let (name, order) = match by {
        By::Key => ("key_id", "sum(requests) DESC, name"),
        By::Model => ("model", "sum(requests) DESC, name"),
        By::Day => ("date(start / 1000, 'unixepoch')", "name"),
    };
    // Whole days from the days' sums, which are few, and what is before the first of them from the hours'.
    let sql = format!(
        "SELECT {name} AS name, sum(requests), sum(unreported), sum(input), sum(cached), sum(output), sum(reasoning)
        FROM (
            SELECT start, key_id, model, {SUMS} FROM {hours} WHERE start >= :since AND start < :day
            UNION ALL
            SELECT start, key_id, model, {SUMS} FROM {days} WHERE start >= :day
        ) GROUP BY name ORDER BY {order}"
    );
    let mut statement = conn.prepare(&sql)?;
    let values = named_params! {
        ":since": (since / hour * hour) as i64,
        ":day": (since.div_ceil(day) * day) as i64,
    };
    let lines = statement.query_map(values, |row| {
        let count = |column| Ok::<_, rusqlite::Error>(row.get::<_, i64>(column)?.max(0) as u64);
        Ok(Line {
            name: row.get(0)?,
            requests: count(1)?,
            unreported: count(2)?,
            input: count(3)?,
            cached: count(4)?,
            output: count(5)?,
            reasoning: count(6)?,
        })
    })?;
    lines.collect()
}

/// When a day begins that is written as 2026-11-21, in milliseconds since 1970; none if it is no day.
pub fn instant(conn: &Connection, date: &str) -> Result<Option<u64>> {
    let seconds: Option<i64> = conn.query_row(
        "SELECT unixepoch(?1) WHERE date(?1) = ?1 UNION ALL SELECT NULL",
        [date],
        |row| row.get(0),
    )?;
    Ok(seconds.and_then(|seconds| u64::try_from(seconds).ok()?.checked_mul(1000)))
}
