//! Many rows at a time into one table.

use super::{Datum, Error};

/// What of a table is filled.
#[derive(Clone, Copy, Debug)]
pub struct Table<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its columns, those of its key first.
    pub columns: &'a [Column<'a>],
    /// How many of them are its key.
    pub key: usize,
}

/// A column and what is in it.
pub type Column<'a> = (&'a str, Kind);

/// What a column holds, unless it is null.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Numbers.
    Int,
    /// Text.
    Text,
    /// Bytes.
    Bytes,
}

impl Table<'_> {
    /// The statement that adds what `source` brings.
    pub(super) fn insert(&self, source: &str, conflict: &str) -> String {
        let columns = names(self.columns);
        format!(
            "INSERT INTO {} ({columns}) {source} ON CONFLICT {conflict}",
            self.name
        )
    }

    /// What becomes of a row of sums whose key is there already.
    pub(super) fn sum(&self) -> String {
        let (key, sums) = self.columns.split_at(self.key);
        let more = |(sum, _): &Column<'_>| format!("{sum} = {}.{sum} + excluded.{sum}", self.name);
        let more: Vec<_> = sums.iter().map(more).collect();
        format!("({}) DO UPDATE SET {}", names(key), more.join(", "))
    }

    /// The columns of the key.
    pub(super) fn key(&self) -> String {
        names(&self.columns[..self.key])
    }

    /// Rows in the same order on every node, so that no two wait for each other, and no key twice, which Postgres
    /// would refuse.
    pub(super) fn merged<'a>(
        &self,
        mut rows: Vec<Vec<Datum<'a>>>,
    ) -> Result<Vec<Vec<Datum<'a>>>, Error> {
        rows.sort_unstable();
        let mut merged: Vec<Vec<Datum<'a>>> = Vec::with_capacity(rows.len());
        for row in rows {
            match merged.last_mut() {
                Some(last) if last[..self.key] == row[..self.key] => {
                    for (sum, more) in last.iter_mut().zip(row).skip(self.key) {
                        *sum = add(sum, &more)?;
                    }
                }
                _ => merged.push(row),
            }
        }
        Ok(merged)
    }
}

fn names(columns: &[Column<'_>]) -> String {
    let names: Vec<_> = columns.iter().map(|(name, _)| *name).collect();
    names.join(", ")
}

fn add<'a>(sum: &Datum<'_>, more: &Datum<'_>) -> Result<Datum<'a>, Error> {
    match (sum, more) {
        (Datum::Int(sum), Datum::Int(more)) => sum.checked_add(*more).map(Datum::Int),
        _ => None,
    }
    .ok_or_else(|| Error::Column {
        name: "a sum".into(),
    })
}
