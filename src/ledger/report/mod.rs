//! What was used: adds up rollups, and entries where a question is finer than those.
//!
//! Reads only, over the store's connection for reading, so that neither calls nor changes to keys wait for it.

mod ask;
mod export;
mod spent;
mod statement;
mod sums;

pub use ask::{Ask, Column, Width};
pub use export::{Batch, Format, Wanted};
pub use spent::{Payer, Payers, Spent};
pub use sums::{Sum, Sums};

use crate::{
    domain::{Day, KeyId},
    store::{self, Db, Row, Value},
};
use statement::Statement;

/// Entries that are looked at for one answer. More would hold up whoever asks next.
const ENTRIES_MAX: u64 = 250_000;

/// Answers questions about usage. Clones share their connection.
#[derive(Clone, Debug)]
pub struct Reports(Db);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// One bucket alone has more lines than were asked for at most.
    #[error("more than {0} lines in one bucket")]
    TooMany(usize),
    /// The store does not answer.
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// An answer, by bucket and then by group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// What was used, for each bucket and group that used anything.
    pub lines: Vec<Line>,
    /// Up to when that is all; earlier than what was asked if there was too much for one answer.
    pub until: u64,
}

/// What one group used in one bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// When the bucket would begin if none were cut short, in milliseconds since 1970; 0 if there is one for all.
    pub start: u64,
    /// Whose, in the order of [`Ask::by`]; none where nobody is named.
    pub group: Vec<Option<String>>,
    /// How much.
    pub sums: Sums,
}

impl Reports {
    /// Reports on the ledger in `store`.
    pub fn new(store: Db) -> Self {
        Self(store)
    }

    /// Whether the store answers, and soon.
    pub async fn is_open(&self) -> bool {
        self.0.is_open().await
    }

    /// Adds up what `ask` asks for.
    pub async fn usage(&self, ask: &Ask) -> Result<Usage, ReportError> {
        let mut usage = Usage {
            lines: Vec::new(),
            until: self.reach(ask).await?,
        };
        let kept = match ask.cuts_hours() {
            true => self.kept().await?,
            false => 0,
        };
        for part in ask.parts(usage.until, kept) {
            let statement = Statement::new(ask, &part);
            let is_first = usage.lines.is_empty();
            for row in self.0.query(statement.sql, statement.values).await? {
                usage.lines.push(line(ask.by.len(), ask.sums, &row)?);
            }
            if !is_first {
                fold(&mut usage.lines);
            }
            if usage.lines.len() > ask.lines_max {
                cut(&mut usage, ask.lines_max)?;
                break;
            }
        }
        Ok(usage)
    }

    /// What one key used on each of some days, by model. Looks at none but its rows, however many keys there are.
    pub async fn days_of_key(
        &self,
        key: KeyId,
        first: Day,
        last: Day,
    ) -> Result<Vec<Line>, ReportError> {
        let days = std::iter::successors(Some(first), |day| Some(day.next()));
        let days = days.take_while(|day| *day <= last);
        let mut values: Vec<Value> = vec![key.as_str().into()];
        values.extend(days.map(|day| Value::from(day.millis())));
        let statement = Statement::days_of_key(values);
        let rows = self.0.query(statement.sql, statement.values).await?;
        let lines = rows.iter().map(|row| line(1, &Sum::ALL, row));
        Ok(lines.collect::<Result<_, _>>()?)
    }

    /// From when on all entries are still there.
    async fn kept(&self) -> Result<u64, ReportError> {
        let sql = "SELECT since FROM entries_kept";
        let rows = self.0.query(sql, Vec::new()).await?;
        let since = rows.first().map(|row| row.get(0)).transpose()?;
        Ok(since.unwrap_or(0))
    }

    /// How far one answer may reach that looks at entries one by one: to the end of a bucket, the first one at least.
    async fn reach(&self, ask: &Ask) -> Result<u64, ReportError> {
        let (from, until) = (ask.from, ask.until);
        let Some(bucket) = ask.width.millis().filter(|_| ask.is_about_entries()) else {
            return Ok(until);
        };
        let sql =
            "SELECT started_at FROM entry WHERE id >= $1 AND id < $2 ORDER BY id LIMIT 1 OFFSET $3";
        let values: Vec<Value> = vec![
            statement::first_id(from),
            statement::first_id(until),
            ENTRIES_MAX.into(),
        ];
        let rows = self.0.query(sql, values).await?;
        let beyond: Option<u64> = rows.first().map(|row| row.get(0)).transpose()?;
        Ok(beyond.map_or(until, |beyond| {
            let first = (from / bucket + 1) * bucket;
            (beyond / bucket * bucket).max(first).min(until)
        }))
    }
}

fn line(groups: usize, asked: &[Sum], row: &Row) -> Result<Line, store::Error> {
    let name = |at: usize| {
        let name: String = row.get(1 + at)?;
        Ok::<_, store::Error>(Some(name).filter(|name| !name.is_empty()))
    };
    let mut sums = Sums::default();
    let first = 1 + groups;
    for (at, sum) in asked.iter().enumerate() {
        *sums.of(*sum) = row.get(first + at)?;
    }
    Ok(Line {
        start: row.get(0)?,
        group: (0..groups).map(name).collect::<Result<_, _>>()?,
        sums,
    })
}

/// Takes off the last bucket, of which some lines are missing.
fn cut(usage: &mut Usage, lines_max: usize) -> Result<(), ReportError> {
    let last = usage.lines.last().map_or(0, |line| line.start);
    usage.lines.retain(|line| line.start < last);
    usage.until = usage.until.min(last);
    match usage.lines.is_empty() {
        true => Err(ReportError::TooMany(lines_max)),
        false => Ok(()),
    }
}

/// Makes one line of each bucket and group: the parts of the time came one by one.
fn fold(lines: &mut Vec<Line>) {
    lines.sort_by(|one, other| (one.start, &one.group).cmp(&(other.start, &other.group)));
    lines.dedup_by(|later, first| {
        let is_same = (later.start, &later.group) == (first.start, &first.group);
        if is_same {
            first.sums.add(later.sums);
        }
        is_same
    });
}

#[cfg(test)]
mod tests;
// The same tests for each database.
#[cfg(test)]
#[path = "spent_tests.rs"]
#[expect(clippy::duplicate_mod, reason = "it finds its database by its name")]
mod spent_on_postgres;
#[cfg(test)]
#[path = "spent_tests.rs"]
mod spent_on_sqlite;
