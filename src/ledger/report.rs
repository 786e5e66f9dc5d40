//! What was used, from the rollups.

use super::rows::ROLLUPS;
use crate::domain::Day;
use crate::store::{Connection, Error, Row};

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
pub fn usage(conn: &mut Connection, by: By, since: u64) -> Result<Vec<Line>, Error> {
    let [(hours, hour), (days, day)] = ROLLUPS;
    let (name, order) = match by {
        By::Key => ("key_id".to_owned(), "2 DESC, 1"),
        By::Model => ("model".to_owned(), "2 DESC, 1"),
        By::Day => (format!("start / {day}"), "1"),
    };
    // Whole days from the days' sums, which are few, and what is before the first of them from the hours'.
    let columns = "start, key_id, model, requests, unreported, input, cached, output, reasoning";
    let sql = format!(
        "SELECT {name}, sum(requests), sum(unreported), sum(input), sum(cached), sum(output), sum(reasoning)
        FROM (
            SELECT {columns} FROM {hours} WHERE start >= $1 AND start < $2
            UNION ALL
            SELECT {columns} FROM {days} WHERE start >= $2
        ) AS spans GROUP BY 1 ORDER BY {order}"
    );
    let values = [
        (since / hour * hour).into(),
        (since.div_ceil(day) * day).into(),
    ];
    let line = |row: &Row| {
        let count = |column| Ok::<_, Error>(row.get::<i64>(column)?.max(0) as u64);
        Ok(Line {
            name: match by {
                By::Key | By::Model => row.get(0)?,
                By::Day => Day::of_millis(count(0)? * day).to_string(),
            },
            requests: count(1)?,
            unreported: count(2)?,
            input: count(3)?,
            cached: count(4)?,
            output: count(5)?,
            reasoning: count(6)?,
        })
    };
    conn.query(&sql, &values)?.iter().map(line).collect()
}
