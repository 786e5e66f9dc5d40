//! Statements: values in, rows out.

use super::super::{Datum, Error, Row, Table, Value};
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, Statement, params_from_iter};
use std::sync::Arc;

/// Hands over the rows that a statement finds, one by one.
pub(in crate::store) fn for_each(
    conn: &Connection,
    sql: &str,
    values: &[Value],
    mut take: impl FnMut(Row) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut statement = conn.prepare_cached(sql)?;
    let columns: Arc<[String]> = statement.column_names().map(String::from).collect();
    bind(&mut statement, values)?;
    let mut rows = statement.raw_query();
    while let Some(row) = rows.next()? {
        let values = (0..columns.len()).map(|column| read(row.get_ref(column)?, &columns[column]));
        let values = values.collect::<Result<_, Error>>()?;
        take(Row::new(Arc::clone(&columns), values))?;
    }
    Ok(())
}

/// Runs a statement and says how many rows it changed.
pub(in crate::store) fn execute(
    conn: &Connection,
    sql: &str,
    values: &[Value],
) -> Result<u64, Error> {
    let mut statement = conn.prepare_cached(sql)?;
    bind(&mut statement, values)?;
    Ok(statement.raw_execute()? as u64)
}

/// One row at a time: inside a process there is no round trip to save.
pub(in crate::store) fn add_new(
    conn: &Connection,
    table: &Table<'_>,
    rows: &[Vec<Datum<'_>>],
) -> Result<Vec<bool>, Error> {
    fill(conn, &table.insert(&places(table), "DO NOTHING"), rows)
}

pub(in crate::store) fn add_up(
    conn: &Connection,
    table: &Table<'_>,
    rows: &[Vec<Datum<'_>>],
) -> Result<(), Error> {
    fill(conn, &table.insert(&places(table), &table.sum()), rows).map(drop)
}

fn places(table: &Table<'_>) -> String {
    format!(
        "VALUES (?{})",
        ", ?".repeat(table.columns.len().saturating_sub(1))
    )
}

fn fill(conn: &Connection, sql: &str, rows: &[Vec<Datum<'_>>]) -> Result<Vec<bool>, Error> {
    let mut statement = conn.prepare_cached(sql)?;
    let put = |row: &Vec<Datum<'_>>| Ok(statement.execute(params_from_iter(row))? == 1);
    rows.iter().map(put).collect()
}

/// Gives each `$n` its value, in whatever order a statement names them: to SQLite that is a name like any other.
fn bind(statement: &mut Statement<'_>, values: &[Value]) -> Result<(), Error> {
    for place in 1..=statement.parameter_count() {
        let name = statement.parameter_name(place).unwrap_or_default();
        let number = name
            .strip_prefix('$')
            .and_then(|digits| digits.parse().ok());
        let value = number.and_then(|number: usize| values.get(number.wrapping_sub(1)));
        let value = value.ok_or_else(|| Error::Placeholder { name: name.into() })?;
        statement.raw_bind_parameter(place, value)?;
    }
    Ok(())
}

fn read(value: ValueRef<'_>, column: &str) -> Result<Value, Error> {
    Ok(match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Int(number),
        ValueRef::Text(text) => Value::Text(String::from_utf8_lossy(text).into_owned().into()),
        ValueRef::Blob(bytes) => bytes.to_vec().into(),
        ValueRef::Real(_) => {
            return Err(Error::Column {
                name: column.to_owned(),
            });
        }
    })
}

impl ToSql for Datum<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let value = match self {
            Self::Null => ValueRef::Null,
            Self::Int(number) => ValueRef::Integer(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Bytes(bytes) => ValueRef::Blob(bytes),
        };
        Ok(ToSqlOutput::Borrowed(value))
    }
}
