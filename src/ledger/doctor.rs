//! Compares what must agree: entries, rollups, and the flight table. Changes nothing.

use super::{
    flight,
    sqlite::{GROUP, ROLLUPS, SUMS, UNPRICED},
};
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};
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
    let tx = conn.transaction_with_behavior(TransactionBehavior::Deferred)?;
    let kept: i64 = tx.query_row("SELECT since FROM entries_kept", [], |row| row.get(0))?;
    entries(&tx, kept, &mut examined)?;
    unpriced(&tx, &mut examined)?;
    for (name, span) in ROLLUPS {
        rollup(&tx, name, span, kept, &mut examined)?;
    }
    match view {
        None => examined
            .facts
            .push("flight table   not made yet".to_owned()),
        Some(view) => slots(&tx, &view, &mut examined)?,
    }
    Ok(examined)
}

fn entries(tx: &Transaction<'_>, kept: i64, examined: &mut Examined) -> rusqlite::Result<()> {
    let (rows, estimated, unknown, unpriced): (i64, i64, i64, i64) = tx.query_row(
        &format!(
            "SELECT count(*), count(*) FILTER (WHERE source = 'estimated'), count(*) FILTER (WHERE source IS NULL),
            count(*) FILTER (WHERE {UNPRICED})
        FROM entry WHERE started_at >= ?"
        ),
        [kept],
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
    )?;
    examined.facts.push(format!(
        "entries        {rows}: {estimated} with estimated tokens, {unknown} without any, {unpriced} without a price"
    ));
    Ok(())
}

/// Names the models whose price is missing, the most wanted first; from the sums, which last.
fn unpriced(tx: &Transaction<'_>, examined: &mut Examined) -> rusqlite::Result<()> {
    let [_, (days, _)] = ROLLUPS;
    let mut statement = tx.prepare(&format!(
        "SELECT model, sum(unpriced) FROM {days} WHERE unpriced > 0 GROUP BY model ORDER BY 2 DESC, 1 LIMIT {}",
        NAMED_MAX + 1
    ))?;
    let mut rows = statement.query([])?;
    let mut found = 0;
    while let Some(row) = rows.next()? {
        found += 1;
        let fact = match found > NAMED_MAX {
            true => "no price       and more models".to_owned(),
            false => {
                let (model, requests): (String, i64) = (row.get(0)?, row.get(1)?);
                format!("no price       {model}: {requests} requests")
            }
        };
        examined.facts.push(fact);
    }
    Ok(())
}

/// Adds the entries up again and lays the sums beside those of a rollup, where all entries are still there.
fn rollup(
    tx: &Transaction<'_>,
    table: &str,
    span: u64,
    kept: i64,
    examined: &mut Examined,
) -> rusqlite::Result<()> {
    let span = span as i64;
    let from = (kept + span - 1) / span * span;
    // The first three count requests, all others add up a column.
    let counts = SUMS
        .split(", ")
        .skip(3)
        .map(|count| format!(", coalesce(sum({count}), 0)"));
    let added = format!(
        "count(*), count(*) FILTER (WHERE source IS NOT 'provider'), count(*) FILTER (WHERE {UNPRICED}){}",
        counts.collect::<String>()
    );
    let entries = format!(
        "SELECT started_at / {span} * {span} AS start, key_id, coalesce(project_id, ''), coalesce(user_id, ''), model,
            coalesce(upstream, ''), endpoint, outcome, {added}
        FROM entry WHERE started_at >= {from} GROUP BY 1, 2, 3, 4, 5, 6, 7, 8"
    );
    let sums = format!("SELECT {GROUP}, {SUMS} FROM {table} WHERE start >= {from}");
    let count: i64 = tx.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| {
        row.get(0)
    })?;
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
            "SELECT datetime(start / 1000, 'unixepoch'), key_id, model, endpoint, outcome
            FROM (SELECT * FROM ({these}) EXCEPT SELECT * FROM ({others}))"
        );
        let mut statement = tx.prepare(&sql)?;
        let mut rows = statement.query([])?;
        let mut found = 0;
        while let Some(row) = rows.next()? {
            found += 1;
            if found <= NAMED_MAX {
                let text = |column| row.get::<_, String>(column);
                examined.differences.push(format!(
                    "{table} of {} UTC, key {}, model {}, {}, {}: {what}",
                    text(0)?,
                    text(1)?,
                    text(2)?,
                    text(3)?,
                    text(4)?
                ));
            }
        }
        if found > NAMED_MAX {
            let more = found - NAMED_MAX;
            examined
                .differences
                .push(format!("{table}: {more} more: {what}"));
        }
    }
    Ok(())
}

fn slots(
    tx: &Transaction<'_>,
    view: &flight::View,
    examined: &mut Examined,
) -> rusqlite::Result<()> {
    let mut waiting = 0;
    let mut is_there = tx.prepare("SELECT 1 FROM entry WHERE id = ?")?;
    for id in &view.settled {
        let found = is_there.query_row([id.0], |_| Ok(())).optional()?;
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
    if view.aside > 0 {
        examined.differences.push(format!(
            "flight table: {} torn slots were set aside in flight.torn and are not on the ledger",
            view.aside
        ));
    }
    Ok(())
}
