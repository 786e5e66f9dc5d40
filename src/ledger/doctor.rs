//! Compares what must agree: entries, rollups, and the flight table. Changes nothing.

mod entries;
mod sums;

use super::{
    flight,
    rows::{HOUR_MILLIS, ROLLUPS, SUMS},
};
use crate::{
    domain::Day,
    store::{Connection, Error, Mode, Transaction},
};
use std::{
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

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

/// Differences of one kind, while they are looked for.
struct Kind<'a> {
    differences: &'a mut Vec<String>,
    found: usize,
}

impl Examined {
    /// Begins to look for differences of one kind.
    fn of_a_kind(&mut self) -> Kind<'_> {
        Kind {
            differences: &mut self.differences,
            found: 0,
        }
    }
}

impl Kind<'_> {
    /// One was found.
    fn name(&mut self, as_what: impl FnOnce() -> Result<String, Error>) -> Result<(), Error> {
        self.found += 1;
        if self.found <= NAMED_MAX {
            self.differences.push(as_what()?);
        }
        Ok(())
    }

    /// All were found: those that had no name are told by their number.
    fn end(self, as_what: impl FnOnce(usize) -> String) {
        if self.found > NAMED_MAX {
            self.differences.push(as_what(self.found - NAMED_MAX));
        }
    }
}

/// Examines the ledger in `conn` and the flight table at `table`, whether or not a gateway runs on them.
pub fn examine(conn: &mut Connection, table: &Path) -> anyhow::Result<Examined> {
    let mut examined = Examined::default();
    // Before the store: what is committed in between is then in the store as well, and no false alarm.
    let view = flight::view(table)?;
    // All at one moment, though a gateway goes on writing.
    conn.transact(Mode::Read, |tx| {
        let kept = number(tx, "SELECT since FROM entries_kept")?;
        count(tx, kept, &mut examined)?;
        unpriced(tx, &mut examined)?;
        entries::compare(tx, kept, &mut examined)?;
        for rollup in ROLLUPS {
            sums::compare(tx, rollup, kept, &mut examined)?;
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

fn count(tx: &mut Transaction<'_>, kept: i64, examined: &mut Examined) -> Result<(), Error> {
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
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    if u128::from(kept.unsigned_abs()) > now.unwrap_or_default().as_millis() {
        examined.differences.push(format!(
            "entry: all that began before {} UTC count as deleted, which is not over yet: a clock was ahead, and they are not compared",
            hour(kept)
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

/// The day and the hour of a moment in milliseconds since 1970.
fn hour(millis: i64) -> String {
    let millis = millis.unsigned_abs();
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
