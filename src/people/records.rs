//! Accounts as rows. Plain statements, the same for both databases: the callers bring the transaction, and the rules.

use super::{UserId, password::PasswordHash};
use crate::{
    domain::{Membership, ProjectRole, Role},
    store::{Error, Millis, Row, Transaction},
};
use std::time::SystemTime;

/// What may be told of a user: everything but the hash of their password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its id.
    pub id: UserId,
    /// In lower case.
    pub email: String,
    /// What people call them.
    pub name: String,
    /// What they are to the organization.
    pub role: Role,
    /// The named set of limits that they carry.
    pub tier: Option<Box<str>>,
    /// Whether there is a password to sign in with.
    pub has_password: bool,
    /// When they were added.
    pub added: SystemTime,
    /// Since when they are locked out.
    pub disabled: Option<SystemTime>,
}

/// A user of a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The user.
    pub user: Record,
    /// What they are to the project.
    pub role: ProjectRole,
    /// Since when.
    pub added: SystemTime,
}

const COLUMNS: &str =
    "p.id, p.email, p.name, p.role, CASE WHEN p.password IS NULL THEN 0 ELSE 1 END, p.added_at,
    p.disabled_at, p.tier";

/// The next version of a user. Safe because writers take turns.
const NEXT: &str = "(SELECT coalesce(max(version), 0) + 1 FROM person)";

impl Record {
    fn read(row: &Row) -> Result<Self, Error> {
        Ok(Self {
            id: row.get(0)?,
            email: row.get(1)?,
            name: row.get(2)?,
            role: row.get(3)?,
            has_password: row.get(4)?,
            added: row.get::<Millis>(5)?.time(),
            disabled: row.get::<Option<Millis>>(6)?.map(Millis::time),
            tier: row.get(7)?,
        })
    }
}

impl Member {
    fn read(row: &Row) -> Result<Self, Error> {
        Ok(Self {
            user: Record::read(row)?,
            role: row.get(8)?,
            added: row.get::<Millis>(9)?.time(),
        })
    }
}

/// A row to be.
pub(super) struct New<'a> {
    pub(super) id: UserId,
    pub(super) email: &'a str,
    pub(super) name: &'a str,
    pub(super) role: Role,
    pub(super) password: Option<&'a PasswordHash>,
    pub(super) added: Millis,
}

pub(super) fn insert(tx: &mut Transaction<'_>, new: &New<'_>) -> Result<(), Error> {
    let sql = format!(
        "INSERT INTO person (id, email, name, role, password, added_at, version)
        VALUES ($1, $2, $3, $4, $5, $6, {NEXT})"
    );
    let values = [
        new.id.into(),
        new.email.into(),
        new.name.into(),
        new.role.into(),
        new.password.into(),
        new.added.into(),
    ];
    tx.execute(&sql, &values).map(drop)
}

/// A user who was not taken out.
pub(super) fn find(tx: &mut Transaction<'_>, id: UserId) -> Result<Option<Record>, Error> {
    one(tx, "p.id = $1 AND p.deleted_at IS NULL", &id.to_string())
}

/// The one with this email, who was not taken out.
pub(super) fn find_email(tx: &mut Transaction<'_>, email: &str) -> Result<Option<Record>, Error> {
    one(tx, "p.email = $1 AND p.deleted_at IS NULL", email)
}

fn one(tx: &mut Transaction<'_>, which: &str, value: &str) -> Result<Option<Record>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM person AS p WHERE {which}");
    let row = tx.first(&sql, &[value.into()])?;
    row.as_ref().map(Record::read).transpose()
}

/// The hash of a user's password, if they may sign in at all.
pub(super) fn password(
    tx: &mut Transaction<'_>,
    email: &str,
) -> Result<Option<(UserId, PasswordHash)>, Error> {
    let sql = "SELECT id, password FROM person
        WHERE email = $1 AND deleted_at IS NULL AND disabled_at IS NULL AND password IS NOT NULL";
    let row = tx.first(sql, &[email.into()])?;
    row.map(|row| Ok((row.get(0)?, row.get(1)?))).transpose()
}

/// Up to `limit` users in the order in which they were added, from the one after `after`.
pub(super) fn page(
    tx: &mut Transaction<'_>,
    after: Option<UserId>,
    emails: &[String],
    limit: usize,
) -> Result<Vec<Record>, Error> {
    let mut values = vec![after.into(), (limit as u64).into()];
    let places = emails.iter().map(|email| {
        values.push(email.as_str().into());
        format!("${}", values.len())
    });
    let places: Vec<String> = places.collect();
    let only = match places.is_empty() {
        true => String::new(),
        false => format!("AND p.email IN ({})", places.join(", ")),
    };
    let sql = format!(
        "SELECT {COLUMNS} FROM person AS p WHERE p.deleted_at IS NULL {only}
            AND p.number > coalesce((SELECT number FROM person WHERE id = $1), 0)
        ORDER BY p.number LIMIT $2"
    );
    let rows = tx.query(&sql, &values)?;
    rows.iter().map(Record::read).collect()
}

/// Sets one column of a user, and so their version.
pub(super) fn set(
    tx: &mut Transaction<'_>,
    id: UserId,
    column: &'static str,
    value: impl Into<crate::store::Value>,
) -> Result<(), Error> {
    let sql = format!("UPDATE person SET {column} = $2, version = {NEXT} WHERE id = $1");
    tx.execute(&sql, &[id.into(), value.into()]).map(drop)
}

/// Gives a user the next version, since their memberships changed.
pub(super) fn touch(tx: &mut Transaction<'_>, id: UserId) -> Result<(), Error> {
    let sql = format!("UPDATE person SET version = {NEXT} WHERE id = $1");
    tx.execute(&sql, &[id.into()]).map(drop)
}

/// Up to `limit` users of a project by their ids, from the one after `after`.
pub(super) fn members(
    tx: &mut Transaction<'_>,
    project: &str,
    after: Option<UserId>,
    limit: usize,
) -> Result<Vec<Member>, Error> {
    let after = after.map_or_else(String::new, |id| id.to_string());
    let sql = format!(
        "SELECT {COLUMNS}, m.role, m.added_at FROM membership AS m JOIN person AS p ON p.id = m.person_id
        WHERE m.project_id = $1 AND m.person_id > $2 AND p.deleted_at IS NULL
        ORDER BY m.person_id LIMIT $3"
    );
    let values = [project.into(), after.into(), (limit as u64).into()];
    let rows = tx.query(&sql, &values)?;
    rows.iter().map(Member::read).collect()
}

/// Whether a project is archived; none: there is no such project.
pub(super) fn is_archived(tx: &mut Transaction<'_>, project: &str) -> Result<Option<bool>, Error> {
    let sql = "SELECT archived_at FROM project WHERE id = $1";
    let row = tx.first(sql, &[project.into()])?;
    row.map(|row| Ok(row.get::<Option<Millis>>(0)?.is_some()))
        .transpose()
}

/// Everybody who has a part in a project.
pub(super) fn members_of(tx: &mut Transaction<'_>, project: &str) -> Result<Vec<UserId>, Error> {
    let sql = "SELECT person_id FROM membership WHERE project_id = $1 ORDER BY person_id";
    let rows = tx.query(sql, &[project.into()])?;
    rows.iter().map(|row| row.get(0)).collect()
}

pub(super) fn member(
    tx: &mut Transaction<'_>,
    project: &str,
    id: UserId,
) -> Result<Option<Member>, Error> {
    let sql = format!(
        "SELECT {COLUMNS}, m.role, m.added_at FROM membership AS m JOIN person AS p ON p.id = m.person_id
        WHERE m.project_id = $1 AND m.person_id = $2 AND p.deleted_at IS NULL"
    );
    let row = tx.first(&sql, &[project.into(), id.into()])?;
    row.as_ref().map(Member::read).transpose()
}

/// How many projects a user has a part in.
pub(super) fn memberships(tx: &mut Transaction<'_>, id: UserId) -> Result<u64, Error> {
    let sql = "SELECT count(*) FROM membership WHERE person_id = $1";
    let row = tx.first(sql, &[id.into()])?;
    row.map_or(Ok(0), |row| row.get(0))
}

/// What a user is to which projects.
pub(super) fn parts(tx: &mut Transaction<'_>, id: UserId) -> Result<Vec<Membership>, Error> {
    let sql = "SELECT project_id, role FROM membership WHERE person_id = $1 ORDER BY project_id";
    let rows = tx.query(sql, &[id.into()])?;
    let part = |row: &Row| {
        Ok(Membership {
            project: row.get(0)?,
            role: row.get(1)?,
        })
    };
    rows.iter().map(part).collect()
}

pub(super) fn join(
    tx: &mut Transaction<'_>,
    id: UserId,
    membership: &Membership,
    now: Millis,
) -> Result<(), Error> {
    let sql =
        "INSERT INTO membership (person_id, project_id, role, added_at) VALUES ($1, $2, $3, $4)";
    let project = &*membership.project;
    let values = [
        id.into(),
        project.into(),
        membership.role.into(),
        now.into(),
    ];
    tx.execute(sql, &values)?;
    touch(tx, id)
}

pub(super) fn set_project_role(
    tx: &mut Transaction<'_>,
    id: UserId,
    project: &str,
    role: ProjectRole,
) -> Result<(), Error> {
    let sql = "UPDATE membership SET role = $3 WHERE person_id = $1 AND project_id = $2";
    tx.execute(sql, &[id.into(), project.into(), role.into()])?;
    touch(tx, id)
}

pub(super) fn leave(tx: &mut Transaction<'_>, id: UserId, project: &str) -> Result<(), Error> {
    let sql = "DELETE FROM membership WHERE person_id = $1 AND project_id = $2";
    tx.execute(sql, &[id.into(), project.into()])?;
    touch(tx, id)
}

/// Takes a user out of all projects; their version is for the caller to set.
pub(super) fn leave_all(tx: &mut Transaction<'_>, id: UserId) -> Result<(), Error> {
    let sql = "DELETE FROM membership WHERE person_id = $1";
    tx.execute(sql, &[id.into()]).map(drop)
}
