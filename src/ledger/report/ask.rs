//! A question about usage, and which tables know the answer.

use super::Sum;

const MINUTE: u64 = 60_000;
pub(super) const HOUR: u64 = 60 * MINUTE;
pub(super) const DAY: u64 = 24 * HOUR;

/// What is asked of the ledger.
#[derive(Clone, Debug)]
pub struct Ask {
    /// From when on, in milliseconds since 1970. The hour in which it lies counts whole; by the minute, the minute.
    pub from: u64,
    /// Until when, by the same rule.
    pub until: u64,
    /// How time is cut.
    pub width: Width,
    /// What is told apart.
    pub by: Vec<Column>,
    /// What counts: each of these columns has one of these values.
    pub only: Vec<(Column, Vec<String>)>,
    /// What is added up. Each sum costs its share of the time.
    pub sums: &'static [Sum],
    /// Lines in an answer at most. What is more waits for another question.
    pub lines_max: usize,
}

/// How time is cut into buckets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// Minutes.
    Minute,
    /// Hours.
    Hour,
    /// Days, in UTC.
    Day,
    /// One bucket for all.
    Whole,
}

impl Width {
    /// Milliseconds in a bucket; none if there is one for all.
    pub fn millis(self) -> Option<u64> {
        match self {
            Self::Minute => Some(MINUTE),
            Self::Hour => Some(HOUR),
            Self::Day => Some(DAY),
            Self::Whole => None,
        }
    }

    /// The finest part of time that a question can begin and end with.
    pub fn grain(self) -> u64 {
        match self {
            Self::Minute => MINUTE,
            Self::Hour | Self::Day | Self::Whole => HOUR,
        }
    }
}

/// What usage is told apart by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    /// The project that pays.
    Project,
    /// The user that pays.
    User,
    /// The key that pays.
    Key,
    /// The model, as clients named it.
    Model,
    /// The model, as answers named it; only entries know.
    Served,
    /// Who answered.
    Upstream,
    /// Its dialect; only entries know.
    Provider,
    /// What was asked.
    Endpoint,
    /// How it ended.
    Outcome,
    /// The size of images, as clients asked for it; only entries know.
    ImageSize,
}

impl Column {
    /// The column of a rollup.
    pub(super) fn of_rollup(self) -> &'static str {
        match self {
            Self::Project => "project_id",
            Self::User => "user_id",
            Self::Key => "key_id",
            Self::Model => "model",
            Self::Served => "served_model",
            Self::Upstream => "upstream",
            Self::Provider => "provider",
            Self::Endpoint => "endpoint",
            Self::Outcome => "outcome",
            Self::ImageSize => "image_size",
        }
    }

    /// The same of an entry, where nobody is null.
    pub(super) fn of_entry(self) -> &'static str {
        match self {
            Self::Project => "coalesce(project_id, '')",
            Self::User => "coalesce(user_id, '')",
            Self::Upstream => "coalesce(upstream, '')",
            Self::Provider => "coalesce(provider, '')",
            Self::ImageSize => "coalesce(image_size, '')",
            // What did not say another name served under the one that it was asked for.
            Self::Served => "coalesce(served_model, model)",
            plain => plain.of_rollup(),
        }
    }
}

/// Where a part of an answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Table {
    Entry,
    Hour,
    Day,
    /// Days again, told apart by who pays and what was asked only, which is a tenth of the rows.
    DayOfKey,
}

/// A table and a span of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) table: Table,
    pub(super) from: u64,
    pub(super) until: u64,
}

impl Ask {
    /// The time that is asked for, widened to what can be told.
    pub(super) fn whole(&self) -> (u64, u64) {
        let grain = match self.width {
            // An entry tells to the millisecond.
            Width::Day | Width::Whole if self.is_about_entries() => return (self.from, self.until),
            width => width.grain(),
        };
        let until = self.until.div_ceil(grain).saturating_mul(grain);
        (self.from / grain * grain, until)
    }

    /// The parts of the answer, in order: whole days from sums over days, which are few, the rest from those over hours.
    pub(super) fn parts(&self, until: u64) -> Vec<Part> {
        let (from, _) = self.whole();
        if self.is_about_entries() {
            return parts([(Table::Entry, from, until)]);
        }
        let (first, last) = (from.div_ceil(DAY) * DAY, until / DAY * DAY);
        if self.width == Width::Hour || first >= last {
            return parts([(Table::Hour, from, until)]);
        }
        let days = match self.is_about_payers() {
            true => Table::DayOfKey,
            false => Table::Day,
        };
        parts([
            (Table::Hour, from, first),
            (days, first, last),
            (Table::Hour, last, until),
        ])
    }

    fn columns(&self) -> impl Iterator<Item = Column> {
        let only = self.only.iter().map(|(column, _)| *column);
        self.by.iter().copied().chain(only)
    }

    /// Whether no sum tells enough, and entries have to be looked at one by one.
    pub(super) fn is_about_entries(&self) -> bool {
        use Column::{ImageSize, Provider, Served};
        self.width == Width::Minute
            || self
                .columns()
                .any(|column| matches!(column, Served | Provider | ImageSize))
    }

    fn is_about_payers(&self) -> bool {
        use Column::{Endpoint, Key, Project, User};
        self.columns()
            .all(|column| matches!(column, Project | User | Key | Endpoint))
    }
}

fn parts<const N: usize>(all: [(Table, u64, u64); N]) -> Vec<Part> {
    let parts = all
        .into_iter()
        .map(|(table, from, until)| Part { table, from, until });
    parts.filter(|part| part.from < part.until).collect()
}
