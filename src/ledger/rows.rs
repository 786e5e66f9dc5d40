//! Entries and rollups as rows, the same in both databases. A transaction holds both, so neither is ever without the
//! other.

use super::entry::{Entry, EntryId, Source};
use crate::domain::{KeyId, NanoDollars, Outcome};
use crate::store::{
    Column, Connection, Datum, Error,
    Kind::{self, Bytes, Int, Text},
    Mode, Table,
};
use std::collections::HashMap;

/// A table of sums.
#[derive(Clone, Copy)]
pub(super) struct Rollup {
    /// Its name.
    pub(super) table: &'static str,
    /// Milliseconds that a row is about.
    pub(super) span: u64,
    /// How many columns of [`GROUP`] it sums up by, from the first one on.
    pub(super) groups: usize,
}

pub(super) const HOUR_MILLIS: u64 = 3_600_000;
const DAY_MILLIS: u64 = 24 * HOUR_MILLIS;
pub(super) const ROLLUPS: [Rollup; 3] = [
    rollup("rollup_hour", HOUR_MILLIS, GROUP.len()),
    rollup("rollup_day", DAY_MILLIS, GROUP.len()),
    rollup("rollup_day_key", DAY_MILLIS, 5),
];

const fn rollup(table: &'static str, span: u64, groups: usize) -> Rollup {
    Rollup {
        table,
        span,
        groups,
    }
}

/// Takes a figure from an entry.
type Of<T> = fn(&Entry) -> T;
/// Takes what goes into a column.
type Shown = for<'a> fn(&'a Entry) -> Datum<'a>;

/// The columns of an entry, and what of it goes there. Its key first.
const ENTRY: [(&str, Kind, Shown); 32] = [
    ("id", Bytes, |entry| Datum::bytes(&entry.id.0)),
    ("started_at", Int, |entry| entry.started.into()),
    ("request_id", Text, |entry| Datum::text(&entry.request)),
    ("key_id", Text, |entry| Datum::text(entry.key.as_str())),
    ("project_id", Text, |entry| maybe(entry.project.as_deref())),
    ("user_id", Text, |entry| maybe(entry.user.as_deref())),
    ("endpoint", Text, |entry| {
        Datum::text(entry.endpoint.as_str())
    }),
    ("model", Text, |entry| Datum::text(&entry.model)),
    ("served_model", Text, |entry| {
        maybe(entry.served_model.as_deref())
    }),
    ("provider", Text, |entry| maybe(entry.provider.as_deref())),
    ("upstream", Text, |entry| maybe(entry.upstream.as_deref())),
    ("stream", Int, |entry| entry.stream.into()),
    ("input", Int, |entry| entry.usage.input.into()),
    ("cached", Int, |entry| entry.usage.cached.into()),
    ("cache_write", Int, |entry| entry.usage.cache_write.into()),
    ("output", Int, |entry| entry.usage.output.into()),
    ("reasoning", Int, |entry| entry.usage.reasoning.into()),
    ("audio_input", Int, |entry| entry.usage.audio_input.into()),
    ("audio_output", Int, |entry| entry.usage.audio_output.into()),
    ("source", Text, |entry| {
        maybe(entry.source.map(Source::as_str))
    }),
    ("quantity", Int, |entry| entry.quantity.into()),
    ("image_size", Text, |entry| {
        maybe(entry.image_size.as_deref())
    }),
    ("cost", Int, |entry| {
        entry.cost.map(NanoDollars::nanos).into()
    }),
    ("price", Text, |entry| maybe(entry.price.as_deref())),
    ("first_us", Int, |entry| entry.first_us.into()),
    ("duration_us", Int, |entry| entry.duration_us.into()),
    ("attempts", Int, |entry| entry.attempts.into()),
    ("outcome", Text, |entry| Datum::text(entry.outcome.as_str())),
    ("status", Int, |entry| entry.status.into()),
    ("finish_reason", Text, |entry| {
        maybe(entry.finish_reason.as_deref())
    }),
    ("upstream_request_id", Text, |entry| {
        maybe(entry.upstream_request.as_deref())
    }),
    ("metadata", Text, |entry| maybe(entry.metadata.as_deref())),
];

/// What is summed up by: the key of a rollup, and the same of an entry in SQL. Who pays and what was asked come first.
pub(super) const GROUP: [(&str, Kind, &str); 8] = [
    ("start", Int, "started_at"), // of the span in which it began
    ("key_id", Text, "key_id"),
    ("project_id", Text, "coalesce(project_id, '')"),
    ("user_id", Text, "coalesce(user_id, '')"),
    ("endpoint", Text, "endpoint"),
    ("model", Text, "model"),
    ("upstream", Text, "coalesce(upstream, '')"),
    ("outcome", Text, "outcome"),
];

/// What is summed up: the column, the same sum of entries as SQL, and what an entry adds to it.
pub(super) const SUMS: [(&str, &str, Of<i64>); 12] = [
    ("requests", "count(*)", |_| 1),
    (
        "unreported",
        "count(*) FILTER (WHERE source IS DISTINCT FROM 'provider')",
        |entry| (entry.source != Some(Source::Provider)).into(),
    ),
    (
        "unpriced",
        "count(*) FILTER (WHERE cost IS NULL AND (source IS NOT NULL OR quantity IS NOT NULL))",
        |entry| entry.is_unpriced().into(),
    ),
    ("input", "sum(input)", |entry| count(entry.usage.input)),
    ("cached", "sum(cached)", |entry| count(entry.usage.cached)),
    ("cache_write", "sum(cache_write)", |entry| {
        count(entry.usage.cache_write)
    }),
    ("output", "sum(output)", |entry| count(entry.usage.output)),
    ("reasoning", "sum(reasoning)", |entry| {
        count(entry.usage.reasoning)
    }),
    ("audio_input", "sum(audio_input)", |entry| {
        count(entry.usage.audio_input)
    }),
    ("audio_output", "sum(audio_output)", |entry| {
        count(entry.usage.audio_output)
    }),
    ("cost", "sum(cost)", |entry| {
        entry.cost.map_or(0, NanoDollars::nanos)
    }),
    ("quantity", "sum(quantity)", |entry| count(entry.quantity)),
];

/// Entries that are rows in memory at one time: a round trip is shared by many, and they stay in the processor's cache.
const ROWS_AT_ONCE: usize = 256;
/// Entries deleted in one transaction: the writer waits behind it.
const PRUNED_AT_ONCE: u64 = 500;

/// What entries have in common that are summed up together.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Group<'a> {
    start: u64,
    key: KeyId,
    project: &'a str,
    user: &'a str,
    endpoint: &'static str,
    /// None in a rollup that is coarser.
    detail: Option<Detail<'a>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Detail<'a> {
    model: &'a str,
    upstream: &'a str,
    outcome: Outcome,
}

type Sums = [i64; SUMS.len()];

/// The columns of an entry, in their order.
pub(super) fn entry_columns() -> [&'static str; ENTRY.len()] {
    ENTRY.map(|(name, ..)| name)
}

/// What is in a column of sums, added up from entries. Null without any.
pub(super) fn of_entries(sum: &str) -> &'static str {
    let column = SUMS.iter().find(|(name, ..)| *name == sum);
    column.expect("every sum that is asked for is a column").1
}

/// Writes entries and adds them to the rollups. An entry that is there already is left alone and added to nothing.
pub(super) fn write(conn: &mut Connection, entries: &[Entry]) -> Result<usize, Error> {
    let columns = ENTRY.map(|(name, kind, _)| (name, kind));
    let table = Table {
        name: "entry",
        columns: &columns,
        key: 1,
    };
    conn.transact(Mode::Write, |tx| {
        let mut is_new = Vec::with_capacity(entries.len());
        for some in entries.chunks(ROWS_AT_ONCE) {
            let rows: Vec<Vec<Datum<'_>>> = some.iter().map(entry_row).collect();
            is_new.append(&mut tx.add_new(&table, &rows)?);
        }
        let new = || {
            let marked = entries.iter().zip(&is_new);
            marked
                .filter(|(_, is_new)| **is_new)
                .map(|(entry, _)| entry)
        };
        let finest = added(new());
        for rollup in ROLLUPS {
            let columns = rollup.columns();
            let table = Table {
                name: rollup.table,
                columns: &columns,
                key: rollup.groups,
            };
            tx.add_up(&table, rollup.rows(&finest))?;
        }
        Ok(new().count())
    })
}

/// In the order of [`ENTRY`].
fn entry_row(entry: &Entry) -> Vec<Datum<'_>> {
    ENTRY.iter().map(|(_, _, value)| value(entry)).collect()
}

impl Rollup {
    fn columns(self) -> Vec<Column<'static>> {
        let key = GROUP[..self.groups].iter();
        let key = key.map(|(name, kind, _)| (*name, *kind));
        let sums = SUMS.iter().map(|(name, ..)| (*name, Int));
        key.chain(sums).collect()
    }
}

type Groups<'a> = HashMap<Group<'a>, Sums, foldhash::fast::RandomState>;

/// What `entries` add up to by the hour and all else that tells them apart. Added up here, so that a sum is written
/// once a transaction.
fn added<'a>(entries: impl Iterator<Item = &'a Entry>) -> Groups<'a> {
    let mut groups = Groups::default();
    for entry in entries {
        let sums = groups.entry(group(entry)).or_default();
        for (sum, (_, _, more)) in sums.iter_mut().zip(SUMS) {
            *sum += more(entry);
        }
    }
    groups
}

fn group(entry: &Entry) -> Group<'_> {
    Group {
        start: entry.started / HOUR_MILLIS * HOUR_MILLIS,
        key: entry.key,
        project: entry.project.as_deref().unwrap_or_default(),
        user: entry.user.as_deref().unwrap_or_default(),
        endpoint: entry.endpoint.as_str(),
        detail: Some(Detail {
            model: &entry.model,
            upstream: entry.upstream.as_deref().unwrap_or_default(),
            outcome: entry.outcome,
        }),
    }
}

impl Rollup {
    /// The sums of this rollup, which is no finer than those that are there.
    fn rows<'a>(self, finest: &Groups<'a>) -> Vec<Vec<Datum<'a>>> {
        let mut groups = Groups::default();
        for (group, more) in finest {
            let group = Group {
                start: group.start / self.span * self.span,
                detail: group.detail.filter(|_| self.groups == GROUP.len()),
                ..*group
            };
            let sums = groups.entry(group).or_default();
            for (sum, more) in sums.iter_mut().zip(more) {
                *sum += more;
            }
        }
        groups.into_iter().map(sums_row).collect()
    }
}

/// In the order of [`GROUP`] and [`SUMS`].
fn sums_row((group, sums): (Group<'_>, Sums)) -> Vec<Datum<'_>> {
    let mut row = vec![group.start.into(), group.key.as_str().to_owned().into()];
    row.extend([group.project, group.user, group.endpoint].map(Datum::text));
    if let Some(detail) = group.detail {
        row.extend([detail.model, detail.upstream, detail.outcome.as_str()].map(Datum::text));
    }
    row.extend(sums.map(Datum::Int));
    row
}

/// The ledger bounds them far below what does not fit.
fn count(tokens: Option<u64>) -> i64 {
    tokens.unwrap_or(0) as i64
}

fn maybe(text: Option<&str>) -> Datum<'_> {
    text.map_or(Datum::Null, Datum::text)
}

/// Deletes some entries that began before `oldest`, and says how many.
pub(super) fn prune(conn: &mut Connection, oldest: u64) -> Result<u64, Error> {
    conn.transact(Mode::Write, |tx| {
        // First of all, so that whoever compares entries with rollups leaves these out from the first deletion on.
        tx.execute(
            "UPDATE entries_kept SET since = $1 WHERE since < $1",
            &[oldest.into()],
        )?;
        tx.execute(
            "DELETE FROM entry WHERE id IN (SELECT id FROM entry WHERE id < $1 ORDER BY id LIMIT $2)",
            &[EntryId::new(oldest, 0).0.into(), PRUNED_AT_ONCE.into()],
        )
    })
}
