//! The ledger entry by entry, a batch at a time: however long it is, no more than a batch is in memory.

use super::{Column, ReportError, Reports, statement::first_id};
use crate::{
    ledger::{entry::EntryId, rows},
    store::{self, Row, Transaction, Value},
};
use serde_json::value::RawValue;
use std::fmt::Write;

/// Entries that are looked at for one batch, whether or not they are wanted: what bounds a batch in time.
const LOOKED_AT: u64 = 5_000;

/// Which entries are wanted.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Those that began then or later, in milliseconds since 1970.
    pub since: u64,
    /// Those that began before.
    pub until: u64,
    /// Those behind the one with this id, as an export shows it.
    pub after: Option<String>,
    /// Those that have one of these values in each of these columns.
    pub only: Vec<(Column, Vec<String>)>,
}

/// How entries are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// An object a line.
    JsonLines,
    /// Values with commas between, below a line of names.
    Csv,
}

/// A piece of an export.
#[derive(Debug, Default)]
pub struct Batch {
    /// Whole lines; may be none though more follow.
    pub text: String,
    /// What to ask for next; none at the end.
    pub rest: Option<Wanted>,
}

impl Format {
    /// What stands before the first entry.
    pub fn head(self) -> String {
        match self {
            Self::JsonLines => String::new(),
            Self::Csv => format!("{}\n", rows::entry_columns().join(",")),
        }
    }
}

/// The id in what an export shows of it.
fn parse_id(text: &str) -> Option<EntryId> {
    let is_hex = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let id = u128::from_str_radix(text, 16).ok().filter(|_| is_hex)?;
    Some(EntryId(id.to_be_bytes()))
}

impl Wanted {
    /// Whether an export can begin behind `id`.
    pub fn is_id(id: &str) -> bool {
        parse_id(id).is_some()
    }

    /// The ids between which it looks, the first one left out.
    fn span(&self) -> (Value, Value) {
        let EntryId(first) = EntryId::new(self.since, 0);
        let before = EntryId(u128::from_be_bytes(first).saturating_sub(1).to_be_bytes());
        let after = self.after.as_deref().and_then(parse_id);
        let after = after.map_or(before, |after| after.max(before));
        (after.0.into(), first_id(self.until))
    }
}

impl Reports {
    /// The next entries that are wanted, in the order in which their calls began. They become text on the thread that
    /// reads them, so that nobody else waits for that.
    pub async fn export(&self, wanted: Wanted, format: Format) -> Result<Batch, ReportError> {
        self.0.ask(move |tx| batch(tx, wanted, format)).await
    }
}

fn batch(tx: &mut Transaction<'_>, wanted: Wanted, format: Format) -> Result<Batch, ReportError> {
    let (after, until) = wanted.span();
    let sql = "SELECT id FROM entry WHERE id > $1 AND id < $2 ORDER BY id LIMIT 1 OFFSET $3";
    let values = [after.clone(), until.clone(), LOOKED_AT.into()];
    let beyond: Option<[u8; 16]> = match tx.query(sql, &values)?.first() {
        Some(row) => Some(row.get(0)?),
        None => None,
    };
    let end = beyond.map_or(until, Value::from);
    let mut text = String::new();
    for row in &entries(tx, &wanted, after, end)? {
        match format {
            Format::JsonLines => json_line(row, &mut text)?,
            Format::Csv => csv_line(row, &mut text)?,
        }
    }
    let rest = beyond.map(|beyond| Wanted {
        // The one before it, so that it is the first of the next batch.
        after: Some(format!("{:032x}", u128::from_be_bytes(beyond) - 1)),
        ..wanted
    });
    Ok(Batch { text, rest })
}

fn entries(
    tx: &mut Transaction<'_>,
    wanted: &Wanted,
    after: Value,
    end: Value,
) -> Result<Vec<Row>, store::Error> {
    let mut values = vec![after, end];
    let mut conditions = String::new();
    for (column, names) in &wanted.only {
        let place = |name: &String| {
            values.push(name.as_str().into());
            format!("${}", values.len())
        };
        let places: Vec<String> = names.iter().map(place).collect();
        conditions += &format!(" AND {} IN ({})", column.of_entry(), places.join(", "));
    }
    let columns = rows::entry_columns().join(", ");
    let sql =
        format!("SELECT {columns} FROM entry WHERE id > $1 AND id < $2{conditions} ORDER BY id");
    tx.query(&sql, &values)
}

fn json_line(row: &Row, into: &mut String) -> Result<(), store::Error> {
    for (at, (name, value)) in row.columns().iter().zip(row.values()).enumerate() {
        into.push(if at == 0 { '{' } else { ',' });
        // Writing to a string cannot fail.
        let _ = write!(into, "\"{name}\":");
        match (name.as_str(), value) {
            (_, Value::Null) => into.push_str("null"),
            ("stream", Value::Int(truth)) => {
                into.push_str(if *truth != 0 { "true" } else { "false" })
            }
            (_, Value::Int(number)) => {
                let _ = write!(into, "{number}");
            }
            ("metadata", Value::Text(json)) => match serde_json::from_str::<&RawValue>(json) {
                Ok(object) => into.push_str(object.get()),
                Err(_) => quote(json, into),
            },
            (_, Value::Text(text)) => quote(text, into),
            (_, Value::Bytes(_)) => quote(&hex(&row.get::<[u8; 16]>(at)?), into),
        }
    }
    into.push_str("}\n");
    Ok(())
}

fn quote(text: &str, into: &mut String) {
    into.push_str(&serde_json::Value::from(text).to_string());
}

fn csv_line(row: &Row, into: &mut String) -> Result<(), store::Error> {
    for (at, value) in row.values().iter().enumerate() {
        if at > 0 {
            into.push(',');
        }
        match value {
            Value::Null => {}
            Value::Int(number) => into.push_str(&number.to_string()),
            Value::Text(text) => into.push_str(&crate::wire::csv::field(text)),
            Value::Bytes(_) => into.push_str(&hex(&row.get::<[u8; 16]>(at)?)),
        }
    }
    into.push('\n');
    Ok(())
}

fn hex(id: &[u8; 16]) -> String {
    format!("{:032x}", u128::from_be_bytes(*id))
}
