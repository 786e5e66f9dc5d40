//! Reading the log, a page at a time, the newest entries first.

use crate::store::{Error, Millis, Page, Row, Side, Transaction, Value};
use std::time::SystemTime;

/// An entry as it was written.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Its public name.
    pub id: String,
    /// When it was written.
    pub at: SystemTime,
    /// OpenAI's word for what happened.
    pub kind: String,
    /// Weir's own.
    pub event: String,
    /// In which project.
    pub project: Option<String>,
    /// To what.
    pub resource: Option<String>,
    /// What kind of actor did it.
    pub actor: String,
    /// Which one.
    pub actor_id: Option<String>,
    /// The address of a user.
    pub actor_email: Option<String>,
    /// From where.
    pub address: Option<String>,
    /// With which client.
    pub agent: Option<String>,
    /// What it was like before.
    pub before: serde_json::Value,
    /// What it is like since.
    pub after: serde_json::Value,
}

const COLUMNS: &str = "id, at, type, event, project_id, resource_id, actor, actor_id, actor_email, address, user_agent, change";

impl Record {
    fn read(row: &Row) -> Result<Self, Error> {
        let change: String = row.get(11)?;
        let mut change: serde_json::Value = serde_json::from_str(&change).unwrap_or_default();
        Ok(Self {
            id: row.get(0)?,
            at: row.get::<Millis>(1)?.time(),
            kind: row.get(2)?,
            event: row.get(3)?,
            project: row.get(4)?,
            resource: row.get(5)?,
            actor: row.get(6)?,
            actor_id: row.get(7)?,
            actor_email: row.get(8)?,
            address: row.get(9)?,
            agent: row.get(10)?,
            before: change["before"].take(),
            after: change["after"].take(),
        })
    }
}

/// Which entries.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// From this second on.
    pub from: Option<u64>,
    /// Before this second.
    pub until: Option<u64>,
    /// Of these projects; all if there are none, as in the lists below.
    pub projects: Vec<String>,
    /// Of these of OpenAI's types.
    pub kinds: Vec<String>,
    /// By these actors.
    pub actors: Vec<String>,
    /// By users with these addresses.
    pub emails: Vec<String>,
    /// To these resources.
    pub resources: Vec<String>,
    /// On which side of which entry.
    pub side: Option<Side>,
    /// How many at most.
    pub limit: usize,
}

/// Reads a page, the newest entries first; none if the entry at its side is not there.
pub fn page(tx: &mut Transaction<'_>, wanted: &Wanted) -> Result<Option<Page<Record>>, Error> {
    let mut sql = format!("SELECT {COLUMNS} FROM audit_log WHERE true");
    let mut values: Vec<Value> = Vec::new();
    let mut add = |sql: &mut String, condition: &str, value: Value| {
        values.push(value);
        sql.push_str(&format!(" AND {condition} ${}", values.len()));
    };
    let millis = |seconds: u64| seconds.saturating_mul(1000).into();
    if let Some(from) = wanted.from {
        add(&mut sql, "at >=", millis(from));
    }
    if let Some(until) = wanted.until {
        add(&mut sql, "at <", millis(until));
    }
    let is_upwards = matches!(wanted.side, Some(Side::Before(_)));
    if let Some(Side::After(id) | Side::Before(id)) = &wanted.side {
        let find = "SELECT number FROM audit_log WHERE id = $1";
        let Some(row) = tx.first(find, &[id.as_str().into()])? else {
            return Ok(None);
        };
        let condition = if is_upwards { "number >" } else { "number <" };
        add(&mut sql, condition, row.get::<i64>(0)?.into());
    }
    for (column, of) in [
        ("project_id", &wanted.projects),
        ("type", &wanted.kinds),
        ("actor_id", &wanted.actors),
        ("actor_email", &wanted.emails),
        ("resource_id", &wanted.resources),
    ] {
        if !of.is_empty() {
            let first = values.len() + 1;
            values.extend(of.iter().map(|value| value.as_str().into()));
            let places: Vec<String> = (first..=values.len())
                .map(|place| format!("${place}"))
                .collect();
            sql.push_str(&format!(" AND {column} IN ({})", places.join(", ")));
        }
    }
    let order = if is_upwards { "ASC" } else { "DESC" };
    values.push((wanted.limit as u64 + 1).into());
    sql.push_str(&format!(" ORDER BY number {order} LIMIT ${}", values.len()));
    let rows = tx.query(&sql, &values)?;
    let records = rows.iter().map(Record::read).collect::<Result<_, _>>()?;
    let mut page = Page::cut(records, wanted.limit);
    if is_upwards {
        page.items.reverse();
    }
    Ok(Some(page))
}
