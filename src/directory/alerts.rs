//! Spend alerts: whom to tell when a project, or the organization, has spent so much in a month.

use super::limits::{begin, tell};
use super::page::List;
use super::projects::known;
use super::rows::{self, Names, ORGANIZATION};
use super::{Cursor, Directory, Error, NAME_MAX_CHARS, Page, is_sane};
use crate::audit::Origin;
use crate::auth;
use crate::store::{self, Millis, Row, Transaction};
use serde_json::{Value, json};
use std::time::SystemTime;

/// The most recipients that an alert may have.
pub const RECIPIENTS_MAX: usize = 32;
/// The longest address that mail can have.
pub const ADDRESS_MAX_CHARS: usize = 254;

/// An alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// Its public name.
    pub id: String,
    /// When it goes off, in cents a month.
    pub threshold: u64,
    /// Whom it tells.
    pub recipients: Vec<Box<str>>,
    /// What its messages begin with.
    pub subject_prefix: Option<String>,
    /// When it last went off.
    pub last_fired: Option<Millis>,
}

/// An alert to be made, or what another becomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAlert {
    /// When it goes off, in cents a month.
    pub threshold: u64,
    /// Whom it tells.
    pub recipients: Vec<Box<str>>,
    /// What its messages begin with.
    pub subject_prefix: Option<String>,
}

impl NewAlert {
    fn check(&self) -> Result<(), Error> {
        let has_prefix = |text: &str| text.is_empty() || is_sane(text, NAME_MAX_CHARS);
        let fits = self.recipients.len() <= RECIPIENTS_MAX
            && self
                .recipients
                .iter()
                .all(|to| is_sane(to, ADDRESS_MAX_CHARS))
            && self.subject_prefix.as_deref().is_none_or(has_prefix);
        fits.then_some(()).ok_or(Error::Alert)
    }
}

impl Alert {
    pub(super) const COLUMNS: &str = "id, threshold, recipients, subject_prefix,
        (SELECT max(fired_at) FROM alert_firing WHERE alert_id = spend_alert.id)";

    /// Reads the columns from the one at `first` on.
    pub(super) fn read(row: &Row, first: usize) -> Result<Self, store::Error> {
        let Names(recipients) = row.get(first + 2)?;
        Ok(Self {
            id: row.get(first)?,
            threshold: row.get(first + 1)?,
            recipients,
            subject_prefix: row.get(first + 3)?,
            last_fired: row.get(first + 4)?,
        })
    }

    fn told(&self) -> Value {
        json!({"spend_alert": {
            "id": self.id, "threshold_amount": self.threshold, "recipients": self.recipients,
            "subject_prefix": self.subject_prefix,
        }})
    }
}

impl Directory {
    /// Makes an alert of a project, or of the organization if that is none.
    pub async fn create_alert(
        &self,
        by: Origin,
        scope: Option<String>,
        new: NewAlert,
    ) -> Result<Alert, Error> {
        new.check()?;
        let id = auth::new_id("alert_")?;
        self.change(move |tx| {
            begin(tx, &scope)?;
            let sql = "INSERT INTO spend_alert (id, project_id, threshold, recipients, subject_prefix, created_at)
                VALUES ($1, $2, $3, $4, $5, $6)";
            let values = [
                id.as_str().into(),
                owner(&scope).into(),
                new.threshold.into(),
                Names(new.recipients).into(),
                new.subject_prefix.into(),
                Millis::of(SystemTime::now()).into(),
            ];
            tx.execute(sql, &values)?;
            rows::touch(tx, owner(&scope))?;
            let made = find(tx, &scope, &id)?;
            tell(tx, &by, &scope, "spend_alert.created", Value::Null, made.told())?;
            Ok(made)
        })
        .await
    }

    /// A page of the alerts.
    pub async fn alerts(
        &self,
        scope: Option<String>,
        cursor: Cursor,
    ) -> Result<Page<Alert>, Error> {
        self.read(move |tx| {
            if let Some(project) = &scope {
                known(tx, project)?;
            }
            let list = List {
                table: "spend_alert",
                columns: Alert::COLUMNS,
                of: "project_id = $1",
                owner: owner(&scope).into(),
                shown: "true",
            };
            list.page(tx, &cursor, |row| Alert::read(row, 0))
        })
        .await
    }

    /// An alert.
    pub async fn alert(&self, scope: Option<String>, id: String) -> Result<Alert, Error> {
        self.read(move |tx| {
            if let Some(project) = &scope {
                known(tx, project)?;
            }
            find(tx, &scope, &id)
        })
        .await
    }

    /// Makes another alert of one.
    pub async fn update_alert(
        &self,
        by: Origin,
        scope: Option<String>,
        id: String,
        new: NewAlert,
    ) -> Result<Alert, Error> {
        new.check()?;
        self.change(move |tx| {
            begin(tx, &scope)?;
            let old = find(tx, &scope, &id)?;
            let sql = "UPDATE spend_alert SET threshold = $2, recipients = $3, subject_prefix = $4 WHERE id = $1";
            let values = [
                id.as_str().into(),
                new.threshold.into(),
                Names(new.recipients).into(),
                new.subject_prefix.into(),
            ];
            tx.execute(sql, &values)?;
            rows::touch(tx, owner(&scope))?;
            let new = find(tx, &scope, &id)?;
            tell(tx, &by, &scope, "spend_alert.updated", old.told(), new.told())?;
            Ok(new)
        })
        .await
    }

    /// Deletes an alert.
    pub async fn delete_alert(
        &self,
        by: Origin,
        scope: Option<String>,
        id: String,
    ) -> Result<(), Error> {
        self.change(move |tx| {
            begin(tx, &scope)?;
            let old = find(tx, &scope, &id)?;
            for table in ["spend_alert WHERE id", "alert_firing WHERE alert_id"] {
                tx.execute(&format!("DELETE FROM {table} = $1"), &[id.as_str().into()])?;
            }
            rows::touch(tx, owner(&scope))?;
            tell(
                tx,
                &by,
                &scope,
                "spend_alert.deleted",
                old.told(),
                Value::Null,
            )
        })
        .await
    }
}

fn owner(scope: &Option<String>) -> &str {
    scope.as_deref().unwrap_or(ORGANIZATION)
}

fn find(tx: &mut Transaction<'_>, scope: &Option<String>, id: &str) -> Result<Alert, Error> {
    let sql = format!(
        "SELECT {} FROM spend_alert WHERE id = $1 AND project_id = $2",
        Alert::COLUMNS
    );
    let row = tx.first(&sql, &[id.into(), owner(scope).into()])?;
    let row = row.ok_or_else(|| Error::NoSuchAlert(id.to_owned()))?;
    Ok(Alert::read(&row, 0)?)
}
