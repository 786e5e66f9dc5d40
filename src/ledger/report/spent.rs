//! What somebody has spent in a period, for budgets and alerts.

use super::{Ask, Column, ReportError, Reports, Sum, Sums, Width, ask::DAY, statement::Statement};
use crate::domain::{Coin, Endpoint, Owner};

const SUMS: &[Sum] = &[Sum::Input, Sum::Output, Sum::Cost];
/// More projects or models than spend in a month anywhere; what is beyond is an error and no smaller sum.
const LINES_MAX: usize = 1_000_000;
/// Keys that one statement looks at: of years of days, some 100,000 looks.
const KEYS_AT_ONCE: usize = 100;

/// Who has spent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payer {
    /// All of them.
    Organization,
    /// A project; what names none is of the default one.
    Project(String),
    /// A user.
    User(String),
    /// A key, by its bare id.
    Key(String),
}

/// Some who have spent, each by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payers {
    /// Projects; what names none is of the default one.
    Projects(Vec<String>),
    /// Users.
    Users(Vec<String>),
    /// Keys, by their bare ids.
    Keys(Vec<String>),
}

/// How much was spent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// Nano-dollars; what has no price is not in it.
    pub nanos: u64,
    /// Tokens of prompts and answers.
    pub tokens: u64,
}

impl Spent {
    /// In one coin.
    pub fn of(&self, coin: Coin) -> u64 {
        match coin {
            Coin::Dollars => self.nanos,
            Coin::Tokens => self.tokens,
        }
    }

    /// Adds `more`.
    pub fn add(&mut self, more: Self) {
        self.nanos = self.nanos.saturating_add(more.nanos);
        self.tokens = self.tokens.saturating_add(more.tokens);
    }
}

impl From<Sums> for Spent {
    fn from(sums: Sums) -> Self {
        Self {
            nanos: sums.cost,
            tokens: sums.tokens(),
        }
    }
}

impl Reports {
    /// What calls have spent that began from `from` on and before `until`, in milliseconds since 1970 and whole hours.
    ///
    /// It is what is committed: [`settled`](crate::ledger::Ledger::settled) waits for what is not.
    pub async fn spent(&self, payer: &Payer, from: u64, until: u64) -> Result<Spent, ReportError> {
        let payers = match payer {
            Payer::Organization => {
                let lines = self.spent_by(Vec::new(), Vec::new(), from, until).await?;
                return Ok(total(lines.into_iter()));
            }
            Payer::Project(id) => Payers::Projects(vec![id.clone()]),
            Payer::User(id) => Payers::Users(vec![id.clone()]),
            Payer::Key(id) => Payers::Keys(vec![id.clone()]),
        };
        let lines = self.spent_each(payers, from, until).await?;
        Ok(total(lines.into_iter()))
    }

    /// What each of some has spent; who is left out has spent nothing.
    pub async fn spent_each(
        &self,
        payers: Payers,
        from: u64,
        until: u64,
    ) -> Result<Vec<(String, Spent)>, ReportError> {
        match payers {
            Payers::Projects(mut ids) => {
                if ids.iter().any(|id| id == Owner::DEFAULT_PROJECT) {
                    ids.push(String::new());
                }
                let only = vec![(Column::Project, ids)];
                let lines = self.spent_by(vec![Column::Project], only, from, until);
                Ok(of_projects(lines.await?))
            }
            Payers::Users(ids) => {
                let only = vec![(Column::User, ids)];
                self.spent_by(vec![Column::User], only, from, until).await
            }
            Payers::Keys(ids) => {
                let mut lines = Vec::new();
                for some in ids.chunks(KEYS_AT_ONCE) {
                    lines.extend(self.spent_with(some, from, until).await?);
                }
                Ok(lines)
            }
        }
    }

    /// What was spent on each model, by the name that clients gave it, with calls that Weir reads: what is only passed
    /// on shows no model when it is let in.
    pub async fn spent_on_models(
        &self,
        from: u64,
        until: u64,
    ) -> Result<Vec<(String, Spent)>, ReportError> {
        let read = Endpoint::ALL.iter().filter(|one| one.shows_model());
        let read = read.map(|one| one.as_str().to_owned()).collect();
        let only = vec![(Column::Endpoint, read)];
        self.spent_by(vec![Column::Model], only, from, until).await
    }

    /// What each project has spent.
    pub async fn spent_by_projects(
        &self,
        from: u64,
        until: u64,
    ) -> Result<Vec<(String, Spent)>, ReportError> {
        let by = vec![Column::Project];
        let lines = self.spent_by(by, Vec::new(), from, until).await?;
        Ok(of_projects(lines))
    }

    async fn spent_by(
        &self,
        by: Vec<Column>,
        only: Vec<(Column, Vec<String>)>,
        from: u64,
        until: u64,
    ) -> Result<Vec<(String, Spent)>, ReportError> {
        let ask = Ask {
            from,
            until: within(until),
            width: Width::Whole,
            by,
            only,
            sums: SUMS,
            lines_max: LINES_MAX,
        };
        let lines = self.usage(&ask).await?.lines.into_iter();
        let named = lines.map(|line| {
            let name = line.group.into_iter().next().flatten();
            (name.unwrap_or_default(), line.sums.into())
        });
        Ok(named.collect())
    }

    /// What was spent with each of some keys: by their own rows, one look for each key and hour or day, however many
    /// other keys there are.
    async fn spent_with(
        &self,
        keys: &[String],
        from: u64,
        until: u64,
    ) -> Result<Vec<(String, Spent)>, ReportError> {
        let until = within(until);
        let is_of_days = from.is_multiple_of(DAY) && until.is_multiple_of(DAY);
        let statement = Statement::spent_with_keys(keys, from, until, is_of_days);
        let rows = self.0.query(statement.sql, statement.values).await?;
        let read = |row: &crate::store::Row| {
            let spent = Spent {
                nanos: row.get(1)?,
                tokens: row.get(2)?,
            };
            Ok::<_, crate::store::Error>((row.get(0)?, spent))
        };
        Ok(rows.iter().map(read).collect::<Result<_, _>>()?)
    }
}

/// Lines of projects by their ids, with what names none under the default one.
fn of_projects(mut lines: Vec<(String, Spent)>) -> Vec<(String, Spent)> {
    for (project, _) in &mut lines {
        if project.is_empty() {
            *project = Owner::DEFAULT_PROJECT.to_owned();
        }
    }
    lines.sort_by(|(one, _), (other, _)| one.cmp(other));
    lines.dedup_by(|(later, more), (first, spent)| {
        let is_same = later == first;
        if is_same {
            spent.add(*more);
        }
        is_same
    });
    lines
}

fn total(lines: impl Iterator<Item = (String, Spent)>) -> Spent {
    lines.fold(Spent::default(), |mut sum, (_, more)| {
        sum.add(more);
        sum
    })
}

/// A time that a column holds, and whose successors it does too.
fn within(until: u64) -> u64 {
    const FAR: u64 = 4_000_000 * DAY; // beyond the year 9999
    until.min(FAR)
}
