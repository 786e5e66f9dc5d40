//! What projects may do, as rows. The organization's project has an empty id.

use super::alerts::Alert;
use super::allowance::{Allowance, ModelPermissions, RateLimit, Retention};
use crate::store::{Error, FromValue, Millis, Row, Transaction, Value};
use std::collections::BTreeMap;

/// The organization's id among those of projects.
pub(super) const ORGANIZATION: &str = "";

const COLUMNS: &str =
    "project_id, spend_limit, models_mode, models, retention, version, archived_at, on_hangup";

/// A project, what it may do, and the version of that.
pub(super) type Changed = (Box<str>, Allowance, i64);

/// What a project may do now.
pub(super) fn of(tx: &mut Transaction<'_>, project: &str) -> Result<Allowance, Error> {
    let found = read(tx, "project_id = $1", &project.into())?;
    Ok(found
        .into_iter()
        .next()
        .map(|(_, allowance, _)| allowance)
        .unwrap_or_default())
}

/// What changed after `version`, in the order of versions.
pub(super) fn since(tx: &mut Transaction<'_>, version: i64) -> Result<Vec<Changed>, Error> {
    read(tx, "version > $1", &version.into())
}

fn read(tx: &mut Transaction<'_>, condition: &str, value: &Value) -> Result<Vec<Changed>, Error> {
    let sql = format!(
        "SELECT {COLUMNS} FROM allowance LEFT JOIN project ON project.id = project_id
        WHERE {condition} ORDER BY version"
    );
    let values = std::slice::from_ref(value);
    let mut found: Vec<Changed> = Vec::new();
    let mut places = BTreeMap::new();
    for row in tx.query(&sql, values)? {
        let project: Box<str> = row.get(0)?;
        places.insert(project.clone(), found.len());
        let allowance = Allowance {
            is_archived: row.get::<Option<Millis>>(6)?.is_some(),
            spend_limit: row.get(1)?,
            models: permissions(&row)?,
            retention: row.get(4)?,
            on_hangup: row.get(7)?,
            ..Allowance::default()
        };
        found.push((project, allowance, row.get(5)?));
    }
    if found.is_empty() {
        return Ok(found);
    }
    let among = format!("project_id IN (SELECT project_id FROM allowance WHERE {condition})");
    let figures = RateLimit::NAMES.join(", ");
    let sql = format!("SELECT project_id, model, {figures} FROM rate_limit WHERE {among}");
    for row in tx.query(&sql, values)? {
        if let Some(place) = places.get(&row.get::<Box<str>>(0)?) {
            let mut limits = [None; RateLimit::NAMES.len()];
            for (at, limit) in limits.iter_mut().enumerate() {
                *limit = row.get(at + 2)?;
            }
            found[*place]
                .1
                .rate_limits
                .insert(row.get(1)?, limits.into());
        }
    }
    let sql = format!(
        "SELECT project_id, {} FROM spend_alert WHERE {among} ORDER BY number",
        Alert::COLUMNS
    );
    for row in tx.query(&sql, values)? {
        if let Some(place) = places.get(&row.get::<Box<str>>(0)?) {
            found[*place].1.alerts.push(Alert::read(&row, 1)?);
        }
    }
    Ok(found)
}

fn permissions(row: &Row) -> Result<Option<ModelPermissions>, Error> {
    let mode: Option<String> = row.get(2)?;
    let names: Option<Names> = row.get(3)?;
    Ok(mode.map(|mode| ModelPermissions {
        is_allow_list: mode == "allow_list",
        models: names.map_or_else(Vec::new, |Names(names)| names),
    }))
}

/// A JSON array of texts.
pub(super) struct Names(pub(super) Vec<Box<str>>);

impl FromValue for Names {
    fn read(value: &Value) -> Option<Self> {
        serde_json::from_str(&String::read(value)?).ok().map(Self)
    }
}

impl From<Names> for Value {
    fn from(Names(names): Names) -> Self {
        serde_json::Value::from(names.iter().map(|name| &**name).collect::<Vec<_>>())
            .to_string()
            .into()
    }
}

impl FromValue for Retention {
    fn read(value: &Value) -> Option<Self> {
        let text = String::read(value)?;
        let found = Self::WORDS.into_iter().find(|(word, _)| *word == text);
        found.map(|(_, retention)| retention)
    }
}

/// Gives what a project may do the next version, so that all nodes read it again. Needed after every change.
pub(super) fn touch(tx: &mut Transaction<'_>, project: &str) -> Result<(), Error> {
    let sql = "INSERT INTO allowance (project_id, version)
        SELECT $1, coalesce(max(version), 0) + 1 FROM allowance WHERE true
        ON CONFLICT (project_id) DO UPDATE SET version = excluded.version";
    tx.execute(sql, &[project.into()]).map(drop)
}

/// Sets columns of a project's row, which [`touch`] has made.
pub(super) fn set(
    tx: &mut Transaction<'_>,
    project: &str,
    columns: &[(&str, Value)],
) -> Result<(), Error> {
    touch(tx, project)?;
    let places = columns
        .iter()
        .enumerate()
        .map(|(at, (column, _))| format!("{column} = ${}", at + 2));
    let sql = format!(
        "UPDATE allowance SET {} WHERE project_id = $1",
        places.collect::<Vec<_>>().join(", ")
    );
    let mut values = vec![project.into()];
    values.extend(columns.iter().map(|(_, value)| value.clone()));
    tx.execute(&sql, &values).map(drop)
}

/// Sets how fast a project may use a model; a limit without a figure is none, and leaves no row.
pub(super) fn set_rate_limit(
    tx: &mut Transaction<'_>,
    project: &str,
    model: &str,
    limit: &RateLimit,
) -> Result<(), Error> {
    touch(tx, project)?;
    if *limit == RateLimit::default() {
        let sql = "DELETE FROM rate_limit WHERE project_id = $1 AND model = $2";
        return tx.execute(sql, &[project.into(), model.into()]).map(drop);
    }
    let updates = RateLimit::NAMES.map(|name| format!("{name} = excluded.{name}"));
    let sql = format!(
        "INSERT INTO rate_limit (project_id, model, {}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        ON CONFLICT (project_id, model) DO UPDATE SET {}",
        RateLimit::NAMES.join(", "),
        updates.join(", ")
    );
    let mut values = vec![project.into(), model.into()];
    values.extend(limit.figures().map(Value::from));
    tx.execute(&sql, &values).map(drop)
}
