//! Service accounts: who in a project is no person.

use super::keys::{Made, NewProjectKey, add_key};
use super::page::List;
use super::projects::{active, known};
use super::{Cursor, Directory, Error, Page, check_name};
use crate::audit::{self, Entry, Event, Origin};
use crate::auth::{self, Whose};
use crate::store::{self, FromValue, Millis, Row, Transaction, Value};
use serde_json::json;
use std::time::SystemTime;

/// A service account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its public name, which the ledger has for the user of its keys.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// What it may do in its project.
    pub role: Role,
    /// When it was made.
    pub created: SystemTime,
}

/// What a service account may do in its project.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// Use it.
    #[default]
    Member,
    /// Look after it.
    Owner,
}

impl Role {
    /// OpenAI's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Owner => "owner",
        }
    }
}

impl FromValue for Role {
    fn read(value: &Value) -> Option<Self> {
        let text = String::read(value)?;
        [Self::Member, Self::Owner]
            .into_iter()
            .find(|role| role.as_str() == text)
    }
}

/// A service account to be made.
#[derive(Clone, Debug)]
pub struct NewAccount {
    /// What people call it.
    pub name: String,
    /// A first key for it.
    pub key: Option<NewProjectKey>,
}

/// What ids of service accounts begin with; a key whose user has such an id is one of theirs.
pub(super) const PREFIX: &str = crate::domain::Owner::ACCOUNT_PREFIX;
const COLUMNS: &str = "id, name, role, created_at";

impl Account {
    fn read(row: &Row) -> Result<Self, store::Error> {
        Ok(Self {
            id: row.get(0)?,
            name: row.get(1)?,
            role: row.get(2)?,
            created: row.get::<Millis>(3)?.time(),
        })
    }

    fn told(&self) -> serde_json::Value {
        json!({"name": self.name, "role": self.role.as_str()})
    }
}

impl Directory {
    /// Makes a service account, and a key for it if that is wanted.
    pub async fn create_account(
        &self,
        by: Origin,
        project: String,
        new: NewAccount,
    ) -> Result<(Account, Option<Made>), Error> {
        check_name(&new.name)?;
        let id = auth::new_id(PREFIX)?;
        self.keys
            .change(move |tx| {
                active(tx, &project)?;
                let sql = "INSERT INTO service_account (id, project_id, name, role, created_at) VALUES ($1, $2, $3, $4, $5)";
                let values = [
                    id.as_str().into(),
                    project.as_str().into(),
                    new.name.into(),
                    Role::default().as_str().into(),
                    Millis::of(SystemTime::now()).into(),
                ];
                tx.execute(sql, &values)?;
                let account = find(tx, &project, &id)?;
                let event = Event::of("service_account.created");
                tell(tx, &by, event, &project, &id, serde_json::Value::Null, account.told())?;
                let key = new.key.map(|key| add_key(tx, &by, &project, Some(&id), key));
                Ok((account, key.transpose()?))
            })
            .await
    }

    /// A page of a project's service accounts.
    pub async fn accounts(&self, project: String, cursor: Cursor) -> Result<Page<Account>, Error> {
        self.read(move |tx| {
            known(tx, &project)?;
            let list = List {
                table: "service_account",
                columns: COLUMNS,
                of: "project_id = $1",
                owner: project.into(),
                shown: "deleted_at IS NULL",
            };
            list.page(tx, &cursor, Account::read)
        })
        .await
    }

    /// A page of the service accounts of all projects.
    pub async fn all_accounts(&self, cursor: Cursor) -> Result<Page<Account>, Error> {
        self.read(move |tx| {
            let list = List {
                table: "service_account",
                columns: COLUMNS,
                of: "$1 = ''",
                owner: "".into(),
                shown: "deleted_at IS NULL",
            };
            list.page(tx, &cursor, Account::read)
        })
        .await
    }

    /// A service account.
    pub async fn account(&self, project: String, id: String) -> Result<Account, Error> {
        self.read(move |tx| {
            known(tx, &project)?;
            find(tx, &project, &id)
        })
        .await
    }

    /// Changes a service account.
    pub async fn update_account(
        &self,
        by: Origin,
        project: String,
        id: String,
        name: Option<String>,
        role: Option<Role>,
    ) -> Result<Account, Error> {
        name.as_deref().map_or(Ok(()), check_name)?;
        self.keys
            .change(move |tx| {
                active(tx, &project)?;
                let old = find(tx, &project, &id)?;
                let sql = "UPDATE service_account SET name = $2, role = $3 WHERE id = $1";
                let name = name.unwrap_or_else(|| old.name.clone());
                let role = role.unwrap_or(old.role);
                tx.execute(
                    sql,
                    &[id.as_str().into(), name.into(), role.as_str().into()],
                )?;
                let new = find(tx, &project, &id)?;
                if new != old {
                    let event = Event::of("service_account.updated");
                    tell(tx, &by, event, &project, &id, old.told(), new.told())?;
                }
                Ok(new)
            })
            .await
    }

    /// Deletes a service account, and ends all of its keys with it.
    pub async fn delete_account(
        &self,
        by: Origin,
        project: String,
        id: String,
    ) -> Result<(), Error> {
        self.keys
            .change(move |tx| {
                active(tx, &project)?;
                let old = find(tx, &project, &id)?;
                let sql = "UPDATE service_account SET deleted_at = $2 WHERE id = $1";
                tx.execute(
                    sql,
                    &[id.as_str().into(), Millis::of(SystemTime::now()).into()],
                )?;
                let revoked = auth::end_all(tx, Whose::User(&id))?;
                let event = Event::of("service_account.deleted");
                let after = json!({"revoked_api_keys": revoked});
                tell(tx, &by, event, &project, &id, old.told(), after)
            })
            .await
    }
}

/// A service account of this project that was not deleted.
pub(super) fn find(tx: &mut Transaction<'_>, project: &str, id: &str) -> Result<Account, Error> {
    let sql = format!(
        "SELECT {COLUMNS} FROM service_account WHERE id = $1 AND project_id = $2 AND deleted_at IS NULL"
    );
    let row = tx.first(&sql, &[id.into(), project.into()])?;
    let row = row.ok_or_else(|| Error::NoSuchAccount(id.to_owned()))?;
    Ok(Account::read(&row)?)
}

/// Those of these service accounts that are there, in no order.
pub(super) fn named<'a>(
    tx: &mut Transaction<'_>,
    ids: impl Iterator<Item = &'a str>,
) -> Result<Vec<Account>, Error> {
    let ids: Vec<Value> = ids.map(Value::from).collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let places: Vec<String> = (1..=ids.len()).map(|place| format!("${place}")).collect();
    let sql = format!(
        "SELECT {COLUMNS} FROM service_account WHERE id IN ({})",
        places.join(", ")
    );
    let rows = tx.query(&sql, &ids)?;
    Ok(rows.iter().map(Account::read).collect::<Result<_, _>>()?)
}

fn tell(
    tx: &mut Transaction<'_>,
    by: &Origin,
    event: Event,
    project: &str,
    id: &str,
    before: serde_json::Value,
    after: serde_json::Value,
) -> Result<(), Error> {
    let entry = Entry {
        event,
        project: Some(project),
        resource: Some(id),
        before,
        after,
    };
    Ok(audit::append(tx, by, &entry)?)
}
