//! Do sums add up? Those of all times that have their entries beside these, those of days beside those of hours.

use super::{Examined, hour, number};
use crate::{
    ledger::rows::{GROUP, HOUR_MILLIS, ROLLUPS, Rollup, SUMS},
    store::{Error, Transaction},
};

/// Two ways to the same sums, and what it means that one has a line that the other has not.
struct Sides {
    added_up: String,
    kept: String,
    added_up_alone: &'static str,
    kept_alone: &'static str,
}

/// Adds up what a rollup was made of, and lays the sums beside it: the entries since `kept`, from when on all are
/// there; of times before, the hours.
pub(super) fn compare(
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
    let count = number(tx, &format!("SELECT count(*) FROM {table}"))?;
    examined.facts.push(format!("{table:<14} {count}"));
    let from = kept.unsigned_abs().div_ceil(span) * span;
    let sums = SUMS.map(|(name, ..)| name).join(", ");
    let names: Vec<&str> = GROUP[..groups].iter().map(|(name, ..)| *name).collect();
    let names = names.join(", ");
    let of_rollup = |when: &str| format!("SELECT {names}, {sums} FROM {table} WHERE start {when}");
    let entries = Sides {
        added_up: added_up("entry", rollup, &format!("started_at >= {from}")),
        kept: of_rollup(&format!(">= {from}")),
        added_up_alone: "its entries add up to other sums",
        kept_alone: "it has sums that its entries do not add up to",
    };
    lay_beside(tx, rollup, &entries, examined)?;
    if span == HOUR_MILLIS {
        return Ok(());
    }
    let [hours, ..] = ROLLUPS;
    let hours = Sides {
        added_up: added_up(hours.table, rollup, &format!("start < {from}")),
        kept: of_rollup(&format!("< {from}")),
        added_up_alone: "its hours add up to other sums",
        kept_alone: "it has sums that its hours do not add up to",
    };
    lay_beside(tx, rollup, &hours, examined)
}

/// What the rows of a table, of entries or of hours, come to in the groups of a rollup.
fn added_up(table: &str, rollup: Rollup, when: &str) -> String {
    let is_entry = table == "entry";
    let span = rollup.span;
    let groups = GROUP[..rollup.groups].iter();
    let groups = groups.map(|(name, _, of_entry)| match (*name, is_entry) {
        ("start", true) => format!("{of_entry} / {span} * {span} AS start"),
        ("start", false) => format!("start / {span} * {span} AS start"),
        (name, true) => format!("{of_entry} AS {name}"),
        (name, false) => name.to_owned(),
    });
    let groups: Vec<String> = groups.collect();
    let places: Vec<String> = (1..=groups.len()).map(|place| place.to_string()).collect();
    let sums = SUMS.map(|(name, of_entries, _)| match is_entry {
        true => format!("coalesce({of_entries}, 0)"),
        // A sum of 64 bits is wider in Postgres, where two types are not compared.
        false => format!("CAST(sum({name}) AS BIGINT)"),
    });
    format!(
        "SELECT {}, {} FROM {table} WHERE {when} GROUP BY {}",
        groups.join(", "),
        sums.join(", "),
        places.join(", ")
    )
}

fn lay_beside(
    tx: &mut Transaction<'_>,
    rollup: Rollup,
    sides: &Sides,
    examined: &mut Examined,
) -> Result<(), Error> {
    let table = rollup.table;
    let group = &GROUP[..rollup.groups];
    let names: Vec<&str> = group.iter().map(|(name, ..)| *name).collect();
    let names = names.join(", ");
    let places: Vec<String> = (1..=group.len()).map(|place| place.to_string()).collect();
    let places = places.join(", ");
    for (these, others, what) in [
        (&sides.added_up, &sides.kept, sides.added_up_alone),
        (&sides.kept, &sides.added_up, sides.kept_alone),
    ] {
        let sql = format!(
            "SELECT {names} FROM (SELECT * FROM ({these}) AS these EXCEPT SELECT * FROM ({others}) AS others) AS found
            ORDER BY {places}"
        );
        let mut found = examined.of_a_kind();
        tx.for_each(&sql, &[], |row| {
            found.name(|| {
                let mut whose = String::new();
                for (at, (name, ..)) in group.iter().enumerate().skip(1) {
                    let value: String = row.get(at)?;
                    if !value.is_empty() {
                        whose += &format!(", {name} {value}");
                    }
                }
                let start = hour(row.get(0)?);
                Ok(format!("{table} of {start} UTC{whose}: {what}"))
            })
        })?;
        found.end(|more| format!("{table}: {more} more: {what}"));
    }
    Ok(())
}
