//! Projects: what keys, limits and costs belong to.

use super::page::List;
use super::rows;
use super::{Cursor, Directory, Error, Page, Side, check_name};
use crate::audit::{self, Entry, Event, Origin};
use crate::auth::{self, Whose};
use crate::domain::{OnHangup, Owner};
use crate::people;
use crate::store::{self, Millis, Row, Transaction};
use serde_json::{Value, json};
use std::time::SystemTime;

/// A project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    /// Its public name, which the ledger has too.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Where its data should be; noted, and left to the upstreams.
    pub residency: Option<String>,
    /// The id of a key outside; noted.
    pub external_key_id: Option<String>,
    /// What becomes of an answer whose client hangs up, where the key says nothing; none: as the config says.
    pub on_hangup: Option<OnHangup>,
    /// When it was made.
    pub created: SystemTime,
    /// When it was archived.
    pub archived: Option<SystemTime>,
}

/// A project to be made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewProject {
    /// Its id, for who wants to choose it.
    pub id: Option<String>,
    /// What people call it.
    pub name: String,
    /// Where its data should be.
    pub residency: Option<String>,
    /// The id of a key outside.
    pub external_key_id: Option<String>,
    /// What becomes of an answer whose client hangs up.
    pub on_hangup: Option<OnHangup>,
}

/// What changes of a project; none: nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProjectChange {
    /// A new name.
    pub name: Option<String>,
    /// Another key outside, or none any more.
    pub external_key_id: Option<Option<String>>,
    /// What becomes of an answer whose client hangs up, or that only the config says so.
    pub on_hangup: Option<Option<OnHangup>>,
}

const COLUMNS: &str = "id, name, residency, external_key_id, created_at, archived_at, on_hangup";

impl Project {
    fn read(row: &Row) -> Result<Self, store::Error> {
        Ok(Self {
            id: row.get(0)?,
            name: row.get(1)?,
            residency: row.get(2)?,
            external_key_id: row.get(3)?,
            created: row.get::<Millis>(4)?.time(),
            archived: row.get::<Option<Millis>>(5)?.map(Millis::time),
            on_hangup: row.get(6)?,
        })
    }

    fn told(&self) -> Value {
        let Self {
            name,
            residency,
            external_key_id,
            on_hangup,
            ..
        } = self;
        let on_hangup = on_hangup.map(|policy| policy.to_string());
        json!({"name": name, "residency": residency, "external_key_id": external_key_id, "on_hangup": on_hangup})
    }
}

impl Directory {
    /// Makes a project.
    pub async fn create_project(&self, by: Origin, new: NewProject) -> Result<Project, Error> {
        check_name(&new.name)?;
        let id = match &new.id {
            None => auth::new_id("proj_")?,
            Some(id) => chosen(id)?,
        };
        self.change(move |tx| {
            if find(tx, &id)?.is_some() {
                return Err(Error::Taken(id));
            }
            let sql =
                "INSERT INTO project (id, name, residency, external_key_id, created_at, on_hangup)
                VALUES ($1, $2, $3, $4, $5, $6)";
            let values = [
                id.as_str().into(),
                new.name.into(),
                new.residency.into(),
                new.external_key_id.into(),
                Millis::of(SystemTime::now()).into(),
                new.on_hangup.into(),
            ];
            tx.execute(sql, &values)?;
            // What names it without being a key is let in by what is in memory.
            rows::touch(tx, &id)?;
            let made = known(tx, &id)?;
            tell(
                tx,
                &by,
                Event::of("project.created"),
                &made.id,
                Value::Null,
                made.told(),
            )?;
            Ok(made)
        })
        .await
    }

    /// A page of the projects; archived ones only if asked for.
    pub async fn projects(
        &self,
        cursor: Cursor,
        with_archived: bool,
    ) -> Result<Page<Project>, Error> {
        self.read(move |tx| {
            let list = List {
                table: "project",
                columns: COLUMNS,
                of: "$1 = ''",
                owner: "".into(),
                shown: if with_archived {
                    "true"
                } else {
                    "archived_at IS NULL"
                },
            };
            list.page(tx, &cursor, Project::read)
        })
        .await
    }

    /// The same of projects with these ids only.
    pub async fn projects_among(
        &self,
        ids: Vec<String>,
        cursor: Cursor,
        with_archived: bool,
    ) -> Result<Page<Project>, Error> {
        self.read(move |tx| {
            let mut found = Vec::new();
            for id in &ids {
                found.extend(find(tx, id)?);
            }
            found.sort_unstable_by(|a, b| (a.created, &a.id).cmp(&(b.created, &b.id)));
            let from = match &cursor.side {
                None => 0,
                Some(Side::Before(_)) => return Err(Error::NoSuchCursor("before")),
                Some(Side::After(id)) => {
                    let place = found.iter().position(|project| project.id == *id);
                    place.ok_or(Error::NoSuchCursor("after"))? + 1
                }
            };
            let shown = |project: &Project| with_archived || project.archived.is_none();
            let rest = found.into_iter().skip(from).filter(shown);
            Ok(Page::cut(
                rest.take(cursor.limit + 1).collect(),
                cursor.limit,
            ))
        })
        .await
    }

    /// A project, also an archived one.
    pub async fn project(&self, id: String) -> Result<Project, Error> {
        self.read(move |tx| known(tx, &id)).await
    }

    /// Changes a project.
    pub async fn update_project(
        &self,
        by: Origin,
        id: String,
        change: ProjectChange,
    ) -> Result<Project, Error> {
        if let Some(name) = &change.name {
            check_name(name)?;
        }
        self.change(move |tx| {
            let old = active(tx, &id)?;
            let name = change.name.unwrap_or_else(|| old.name.clone());
            let external = change
                .external_key_id
                .unwrap_or_else(|| old.external_key_id.clone());
            let on_hangup = change.on_hangup.unwrap_or(old.on_hangup);
            let sql =
                "UPDATE project SET name = $2, external_key_id = $3, on_hangup = $4 WHERE id = $1";
            let values = [
                id.as_str().into(),
                name.into(),
                external.into(),
                on_hangup.into(),
            ];
            tx.execute(sql, &values)?;
            if on_hangup != old.on_hangup {
                // Calls read it from memory.
                rows::touch(tx, &id)?;
            }
            let new = known(tx, &id)?;
            if new != old {
                let event = Event::of("project.updated");
                tell(tx, &by, event, &id, old.told(), new.told())?;
            }
            Ok(new)
        })
        .await
    }

    /// Archives a project for good, and ends all of its keys with it.
    pub async fn archive_project(&self, by: Origin, id: String) -> Result<Project, Error> {
        self.keys
            .change(move |tx| {
                let old = active(tx, &id)?;
                if id == Owner::DEFAULT_PROJECT {
                    return Err(Error::DefaultProject);
                }
                let sql = "UPDATE project SET archived_at = $2 WHERE id = $1";
                tx.execute(
                    sql,
                    &[id.as_str().into(), Millis::of(SystemTime::now()).into()],
                )?;
                let revoked = auth::end_all(tx, Whose::Project(&id))?;
                people::close_project(tx, &by, &id)?;
                // For whoever needs no key to use it.
                rows::touch(tx, &id)?;
                let after = json!({"revoked_api_keys": revoked});
                tell(
                    tx,
                    &by,
                    Event::of("project.archived"),
                    &id,
                    old.told(),
                    after,
                )?;
                known(tx, &id)
            })
            .await
    }
}

/// An id that somebody chose.
fn chosen(id: &str) -> Result<String, Error> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let fits = (1..=Owner::NAME_MAX_BYTES).contains(&id.len()) && id.bytes().all(is_plain);
    // A segment of a path that is dots alone leads elsewhere.
    let is_name = fits && id.bytes().any(|byte| byte != b'.');
    is_name.then(|| id.to_owned()).ok_or(Error::ProjectId)
}

fn find(tx: &mut Transaction<'_>, id: &str) -> Result<Option<Project>, store::Error> {
    let sql = format!("SELECT {COLUMNS} FROM project WHERE id = $1");
    let row = tx.first(&sql, &[id.into()])?;
    row.as_ref().map(Project::read).transpose()
}

/// A project that is there.
pub(super) fn known(tx: &mut Transaction<'_>, id: &str) -> Result<Project, Error> {
    find(tx, id)?.ok_or_else(|| Error::NoSuchProject(id.to_owned()))
}

/// A project that may be changed.
pub(super) fn active(tx: &mut Transaction<'_>, id: &str) -> Result<Project, Error> {
    let project = known(tx, id)?;
    match project.archived {
        None => Ok(project),
        Some(_) => Err(Error::Archived(project.id)),
    }
}

fn tell(
    tx: &mut Transaction<'_>,
    by: &Origin,
    event: Event,
    id: &str,
    before: Value,
    after: Value,
) -> Result<(), Error> {
    let entry = Entry {
        event,
        project: Some(id),
        resource: Some(id),
        before,
        after,
    };
    Ok(audit::append(tx, by, &entry)?)
}
