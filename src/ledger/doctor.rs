//! Compares what must agree: entries, rollups, and the flight table. Changes nothing.

use super::{
    flight,
    rows::{GROUP, HOUR_MILLIS, ROLLUPS, Rollup, SUMS},
};
use crate::{
    domain::Day,
    store::{Connection, Error, Mode, Transaction},
};
use std::path::Path;

/// Differences that are named in full; of more, only the number is told.
const NAMED_MAX: usize = 20;

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Examined {
    /// What is there, a line each.
    pub facts: Vec<String>,
    /// What does not agree, a line each. None: all is well.
    pub differences: Vec<String>,
}

/// Examines the ledger in `conn` and the flight table at `table`, whether or not a gateway runs on them.
pub fn examine(conn: &mut Connection, table: &Path) -> anyhow::Result<Examined> {
    let mut examined = Examined::default();
    // Before the store: what is committed in between is then in the store as well, and no false alarm.
    let view = flight::view(table)?;
    // All at one moment, though a gateway goes on writing.
    conn.transact(Mode::Read, |tx| {
        let kept = number(tx, "SELECT since FROM entries_kept")?;
        entries(tx, kept, &mut examined)?;
        unpriced(tx, &mut examined)?;
        for rollup in ROLLUPS {
            compare(tx, rollup, kept, &mut examined)?;
        }
        match &view {
            None => examined
                .facts
                .push("flight table   not made yet".to_owned()),
            Some(view) => slots(tx, view, &mut examined)?,
        }
        Ok::<_, Error>(())
    })?;
    Ok(examined)
}

/// The one number that a statement finds.
fn number(tx: &mut Transaction<'_>, sql: &str) -> Result<i64, Error> {
    let row = tx.first(sql, &[])?;
    row.map_or(Ok(0), |row| row.get(0))
}

fn entries(tx: &mut Transaction<'_>, kept: i64, examined: &mut Examined) -> Result<(), Error> {
    let [_, _, (_, unpriced, _), ..] = SUMS;
    let sql = format!(
        "SELECT count(*), count(*) FILTER (WHERE source = 'estimated'), count(*) FILTER (WHERE source IS NULL),
            {unpriced}
        FROM entry WHERE started_at >= $1"
    );
    if let Some(row) = tx.first(&sql, &[kept.into()])? {
        let count = |column| row.get::<i64>(column);
        examined.facts.push(format!(
            "entries        {}: {} with estimated tokens, {} without any, {} without a cost",
            count(0)?,
            count(1)?,
            count(2)?,
            count(3)?
        ));
    }
    Ok(())
}

/// Names the models that were used and have no cost, the most wanted first; from the sums, which last.
fn unpriced(tx: &mut Transaction<'_>, examined: &mut Examined) -> Result<(), Error> {
    let [_, days, _] = ROLLUPS;
    let sql = format!(
        "SELECT model, sum(unpriced) FROM {} WHERE unpriced > 0 GROUP BY model ORDER BY 2 DESC, 1 LIMIT {}",
        days.table,
        NAMED_MAX + 1
    );
    for (found, row) in tx.query(&sql, &[])?.iter().enumerate() {
        let fact = match found == NAMED_MAX {
            true => "no cost        and more models".to_owned(),
            false => {
                let (model, requests): (String, i64) = (row.get(0)?, row.get(1)?);
                format!(
                    "no cost        {model}: {requests} requests, of no known price or beyond any cost"
                )
            }
        };
        examined.facts.push(fact);
    }
    Ok(())
}

/// Adds the entries up again and lays the sums beside those of a rollup, where all entries are still there.
fn compare(
    tx: &mut Transaction<'_>,
    rollup: Rollup,
    kept: i64,
    examined: &mut Examined,
) -> Result<(), Error> {
    let Rollup {
        table,
        span,
        groups,
    } = rollup;
    let from = (kept as u64).div_ceil(span) * span;
    let group = &GROUP[..groups];
    let names: Vec<&str> = group.iter().map(|(name, ..)| *name).collect();
    let names = names.join(", ");
    let of_entry = group.iter().map(|(name, _, of_entry)| match *name {
        "start" => format!("{of_entry} / {span} * {span} AS start"),
        name => format!("{of_entry} AS {name}"),
    });
    let of_entry: Vec<String> = of_entry.collect();
    let places: Vec<String> = (1..=groups).map(|place| place.to_string()).collect();
    let added = SUMS.map(|(_, of_entries, _)| format!("coalesce({of_entries}, 0)"));
    let entries = format!(
        "SELECT {}, {} FROM entry WHERE started_at >= {from} GROUP BY {}",
        of_entry.join(", "),
        added.join(", "),
        places.join(", ")
    );
    let sums = format!(
        "SELECT {names}, {} FROM {table} WHERE start >= {from}",
        SUMS.map(|(name, ..)| name).join(", ")
    );
    let count = number(tx, &format!("SELECT count(*) FROM {table}"))?;
    examined.facts.push(format!("{table:<14} {count}"));
    let sides = [
        (&entries, &sums, "its entries add up to other sums"),
        (
            &sums,
            &entries,
            "it has sums that its entries do not add up to",
        ),
    ];
    for (these, others, what) in sides {
        let sql = format!(
            "SELECT {names} FROM (SELECT * FROM ({these}) AS these EXCEPT SELECT * FROM ({others}) AS others) AS found
            ORDER BY {}",
            places.join(", ")
        );
        let mut found = 0;
        tx.for_each(&sql, &[], |row| {
            found += 1;
            if found <= NAMED_MAX {
                let mut whose = String::new();
                for (at, (name, ..)) in group.iter().enumerate().skip(1) {
                    let value: String = row.get(at)?;
                    if !value.is_empty() {
                        whose += &format!(", {name} {value}");
                    }
                }
                let start = hour(row.get(0)?);
                examined
                    .differences
                    .push(format!("{table} of {start} UTC{whose}: {what}"));
            }
            Ok(())
        })?;
        if found > NAMED_MAX {
            let more = found - NAMED_MAX;
            examined
                .differences
                .push(format!("{table}: {more} more: {what}"));
        }
    }
    Ok(())
}

/// The day and the hour of a moment in milliseconds since 1970.
fn hour(millis: u64) -> String {
    let day = Day::of_millis(millis);
    format!("{day} {:02}:00", millis / HOUR_MILLIS % 24)
}

fn slots(
    tx: &mut Transaction<'_>,
    view: &flight::View,
    examined: &mut Examined,
) -> Result<(), Error> {
    let mut waiting = 0;
    for id in &view.settled {
        let found = tx.first("SELECT started_at FROM entry WHERE id = $1", &[id.0.into()])?;
        waiting += usize::from(found.is_none());
    }
    let whose = match view.in_use {
        true => "a gateway has it open",
        false => "no gateway has it open",
    };
    examined.facts.push(format!(
        "flight table   {} slots, {} in flight, {waiting} settled and not committed; {whose}",
        view.slots, view.in_flight
    ));
    let left = view.in_flight + waiting;
    if !view.in_use && left > 0 {
        examined.differences.push(format!(
            "flight table: {left} calls of a gateway that ended are not on the ledger; the next start settles them"
        ));
    }
    if view.torn > 0 && !view.in_use {
        examined.differences.push(format!(
            "flight table: {} slots are torn; the next start sets them aside",
            view.torn
        ));
    }
    if view.lost > 0 && !view.in_use {
        examined.differences.push(format!(
            "flight table: its file was cut short: {} slots that may have held calls are gone",
            view.lost
        ));
    }
    if view.has_lost {
        examined.differences.push(
            "flight table: its file was cut short, and calls in it may be lost: flight.lost says how many"
                .to_owned(),
        );
    }
    if view.aside > 0 {
        examined.differences.push(format!(
            "flight table: {} torn slots were set aside in flight.torn and are not on the ledger",
            view.aside
        ));
    }
    Ok(())
}
