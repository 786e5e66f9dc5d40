//! A question about usage, and which tables know the answer.

use super::Sum;

const MINUTE: u64 = 60_000;
pub(super) const HOUR: u64 = 60 * MINUTE;
pub(super) const DAY: u64 = 24 * HOUR;

/// What is asked of the ledger.
#[derive(Clone, Debug)]
pub struct Ask {
    /// From when on, in milliseconds since 1970. Where its hour has only sums left, that hour counts whole, for whoever
    /// asks about its beginning.
    pub from: u64,
    /// Until when, by the same rule; not included.
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
    /// Whether the upstream answered with an error, `yes` or `no`; only entries know.
    Refused,
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
            Self::Refused => "refused",
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
            Self::Refused => {
                "CASE WHEN outcome = 'completed' AND status >= 400 THEN 'yes' ELSE 'no' END"
            }
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
    /// Whether it begins or ends within an hour, of which sums tell nothing.
    pub(super) fn cuts_hours(&self) -> bool {
        let is_of_hours = is_hour(self.from) && is_hour(self.until);
        !self.is_about_entries() && !is_of_hours
    }

    /// The parts of the answer up to `until`, in order: whole hours from sums, what is left at both ends from entries.
    ///
    /// Of hours that begin before `kept` some entries may be gone. Such an hour is in the answer with all that it has
    /// if its beginning is, so that it is in one of two answers that adjoin, and in no other.
    pub(super) fn parts(&self, until: u64, kept: u64) -> Vec<Part> {
        let from = self.from;
        if self.is_about_entries() {
            return parts([(Table::Entry, from, until)]);
        }
        let (first, last) = (ceil(from, HOUR), until / HOUR * HOUR);
        if first > last {
            // Both are within one hour.
            return match last >= kept {
                true => parts([(Table::Entry, from, until)]),
                false => Vec::new(),
            };
        }
        let mut all = Vec::new();
        if from / HOUR * HOUR >= kept {
            all.extend(parts([(Table::Entry, from, first)]));
        }
        match last >= kept {
            true => {
                all.extend(self.sums(first, last));
                all.extend(parts([(Table::Entry, last, until)]));
            }
            false => all.extend(self.sums(first, ceil(until, HOUR))),
        }
        all
    }

    /// The parts of a time of whole hours: days from sums over days, which are few, the rest from those over hours.
    fn sums(&self, from: u64, until: u64) -> Vec<Part> {
        let (first, last) = (ceil(from, DAY), until / DAY * DAY);
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
        use Column::{ImageSize, Provider, Refused, Served};
        self.width == Width::Minute
            || self
                .columns()
                .any(|column| matches!(column, Served | Provider | ImageSize | Refused))
    }

    fn is_about_payers(&self) -> bool {
        use Column::{Endpoint, Key, Project, User};
        self.columns()
            .all(|column| matches!(column, Project | User | Key | Endpoint))
    }
}

fn is_hour(millis: u64) -> bool {
    millis.is_multiple_of(HOUR)
}

/// The first moment from `millis` on at which a span of this length begins.
fn ceil(millis: u64, span: u64) -> u64 {
    millis.div_ceil(span).saturating_mul(span)
}

fn parts<const N: usize>(all: [(Table, u64, u64); N]) -> Vec<Part> {
    let parts = all
        .into_iter()
        .map(|(table, from, until)| Part { table, from, until });
    parts.filter(|part| part.from < part.until).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: u64 = 20_000 * DAY;

    fn ask(from: u64, until: u64) -> Ask {
        Ask {
            from: START + from,
            until: START + until,
            width: Width::Day,
            by: Vec::new(),
            only: Vec::new(),
            sums: &Sum::ALL,
            lines_max: 1,
        }
    }

    fn found(ask: &Ask, kept: u64) -> Vec<(Table, u64, u64)> {
        let parts = ask.parts(ask.until, START + kept);
        let told = parts.iter();
        told.map(|part| (part.table, part.from - START, part.until - START))
            .collect()
    }

    #[test]
    fn the_parts_of_hours_at_both_ends_are_added_up_from_entries() {
        assert_eq!(
            found(&ask(HOUR / 2, 3 * HOUR + 1), 0),
            [
                (Table::Entry, HOUR / 2, HOUR),
                (Table::Hour, HOUR, 3 * HOUR),
                (Table::Entry, 3 * HOUR, 3 * HOUR + 1),
            ]
        );
        assert_eq!(found(&ask(1, 2), 0), [(Table::Entry, 1, 2)]);
        assert!(!ask(HOUR, 5 * HOUR).cuts_hours());
        assert!(ask(HOUR, 5 * HOUR + 1).cuts_hours());
    }

    #[test]
    fn an_hour_without_its_entries_is_in_the_answer_about_its_beginning_alone() {
        let times = [
            0,
            HOUR / 2,
            HOUR,
            HOUR + 1,
            HOUR + 2,
            3 * HOUR - 1,
            4 * HOUR,
        ];
        for kept in [HOUR, 2 * HOUR, 9 * HOUR] {
            let pairs = times.windows(2).map(|pair| (pair[0], pair[1]));
            let mut parts: Vec<_> = pairs
                .flat_map(|(from, until)| found(&ask(from, until), kept))
                .collect();
            parts.sort_by_key(|part| part.1);
            // Together they are all of the time, without a gap and nothing twice.
            let mut at = 0;
            for (table, from, until) in parts {
                assert_eq!(from, at, "kept from {kept} on");
                assert!(table != Table::Entry || from >= kept);
                at = until;
            }
            assert_eq!(at, 4 * HOUR);
        }
    }
}
