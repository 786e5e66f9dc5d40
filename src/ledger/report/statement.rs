//! A part of a question in SQL that both databases understand.

use super::{
    Sum,
    ask::{Ask, DAY, HOUR, Part, Table, Width},
};
use crate::{
    ledger::{entry::EntryId, rows::of_entries},
    store::Value,
};

/// A statement with its values.
pub(super) struct Statement {
    pub(super) sql: String,
    pub(super) values: Vec<Value>,
}

/// The least id of what began at `millis`.
pub(super) fn first_id(millis: u64) -> Value {
    EntryId::new(millis, 0).0.into()
}

impl Statement {
    /// Adds up `part` of what `ask` asks for: the bucket, the group, the sums.
    pub(super) fn new(ask: &Ask, part: &Part) -> Self {
        let mut values = Vec::new();
        let mut put = |value: Value| {
            values.push(value);
            format!("${}", values.len())
        };
        let is_entry = part.table == Table::Entry;
        let (table, time) = match part.table {
            Table::Entry => ("entry", "started_at"),
            Table::Hour => ("rollup_hour", "start"),
            Table::Day => ("rollup_day", "start"),
            Table::DayOfKey => ("rollup_day_key", "start"),
        };
        let column = |column: super::Column| match is_entry {
            true => column.of_entry(),
            false => column.of_rollup(),
        };
        let mut selected = vec![bucket(ask.width, part.table, time)];
        selected.extend(ask.by.iter().map(|by| column(*by).to_owned()));
        let places: Vec<String> = (1..=selected.len())
            .map(|place| place.to_string())
            .collect();
        let places = places.join(", ");
        selected.extend(sums(ask.sums, is_entry));

        let mut conditions = match is_entry {
            true => vec![
                format!("id >= {}", put(first_id(part.from))),
                format!("id < {}", put(first_id(part.until))),
            ],
            false => vec![
                format!("start >= {}", put(part.from.into())),
                format!("start < {}", put(part.until.into())),
            ],
        };
        for (filtered, names) in &ask.only {
            let names: Vec<String> = names.iter().map(|name| put(name.as_str().into())).collect();
            conditions.push(format!("{} IN ({})", column(*filtered), names.join(", ")));
        }
        // One more than may be, to tell whether there are more.
        let limit = put((ask.lines_max as u64 + 1).into());
        let sql = format!(
            "SELECT {} FROM {table} WHERE {} GROUP BY {places} ORDER BY {places} LIMIT {limit}",
            selected.join(", "),
            conditions.join(" AND ")
        );
        Self { sql, values }
    }

    /// What was spent with each of some keys: the key, nano-dollars and tokens. Each hour or day of the time is looked
    /// up by the keys of its table, from the first one on that the ledger knows to the last.
    pub(super) fn spent_with_keys(
        keys: &[String],
        from: u64,
        until: u64,
        is_of_days: bool,
    ) -> Self {
        let (table, span) = match is_of_days {
            true => ("rollup_day_key", DAY),
            false => ("rollup_hour", HOUR),
        };
        let mut values: Vec<Value> = vec![from.into(), until.into()];
        values.extend(keys.iter().map(|key| Value::from(key.as_str())));
        let keys: Vec<String> = (3..=values.len())
            .map(|place| format!("${place}"))
            .collect();
        let sql = format!(
            "WITH RECURSIVE
            bound (first, last) AS (SELECT
                (SELECT min(start) FROM {table} WHERE start >= $1),
                (SELECT max(start) FROM {table} WHERE start < $2)),
            span (start) AS (
                SELECT first FROM bound
                UNION ALL SELECT start + {span} FROM span WHERE start < (SELECT last FROM bound))
            SELECT spent.key_id, CAST(sum(cost) AS BIGINT), CAST(sum(input + output) AS BIGINT)
            FROM span CROSS JOIN {table} AS spent
            WHERE spent.start = span.start AND spent.key_id IN ({}) GROUP BY spent.key_id",
            keys.join(", ")
        );
        Self { sql, values }
    }

    /// What a key, the first of `values`, used on the days that follow it, by model.
    pub(super) fn days_of_key(values: Vec<Value>) -> Self {
        let days: Vec<String> = (2..=values.len())
            .map(|place| format!("${place}"))
            .collect();
        let sums: Vec<String> = sums(&Sum::ALL, false).collect();
        let sql = format!(
            "SELECT start, model, {} FROM rollup_day WHERE key_id = $1 AND start IN ({})
            GROUP BY 1, 2 ORDER BY 1, 2",
            sums.join(", "),
            days.join(", ")
        );
        Self { sql, values }
    }
}

/// The beginning of the bucket. Where it is the column itself, rows come in the order of the key and none is sorted.
fn bucket(width: Width, table: Table, time: &str) -> String {
    match (width, table) {
        (Width::Whole, _) => "CAST(0 AS BIGINT)".to_owned(),
        (Width::Day, Table::Day | Table::DayOfKey) | (Width::Hour, Table::Hour) => time.to_owned(),
        (width, _) => match width.millis() {
            Some(millis) => format!("{time} / {millis} * {millis}"),
            None => "CAST(0 AS BIGINT)".to_owned(),
        },
    }
}

/// The sums, as numbers of 64 bits: a sum of such is wider in Postgres.
fn sums(asked: &[Sum], is_entry: bool) -> impl Iterator<Item = String> {
    asked.iter().map(move |sum| match is_entry {
        true => format!("CAST(coalesce({}, 0) AS BIGINT)", of_entries(sum.column())),
        false => format!("CAST(sum({}) AS BIGINT)", sum.column()),
    })
}
