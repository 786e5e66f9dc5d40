//! `/v1/organization/users`, `/v1/organization/invites` and `/v1/organization/projects/{id}/users`, in OpenAI's shapes.

mod invites;
mod members;

pub use invites::{delete as delete_invite, invite, list as invites, retrieve as retrieve_invite};
pub use members::{
    add as add_member, delete as delete_member, list as members, modify as modify_member,
    retrieve as retrieve_member,
};

use super::{
    fields::Fields,
    json_text,
    rights::{self, Right},
};
use crate::{
    app::App,
    body::Body,
    domain::{ProjectRole, Role},
    error::Error,
    people::{Record, UserId},
    wire::query::{self, Query},
};
use http::{HeaderMap, Response};
use serde::Serialize;
use std::time::{SystemTime, UNIX_EPOCH};

const LIMIT: usize = 20;
const LIMIT_MAX: u64 = 100;
const EMAILS_MAX: usize = 100;
const OWNER_OR_READER: &str = "`owner` or `reader`";
const OWNER_OR_MEMBER: &str = "`owner` or `member`";

#[derive(Serialize)]
struct User {
    object: &'static str,
    id: String,
    name: String,
    email: String,
    role: &'static str,
    added_at: u64,
    weir: Own,
}

/// What OpenAI has no member for.
#[derive(Serialize)]
struct Own {
    disabled: bool,
    has_password: bool,
}

#[derive(Serialize)]
struct Deleted {
    object: &'static str,
    id: String,
    deleted: bool,
}

#[derive(Serialize)]
struct List<T> {
    object: &'static str,
    data: Vec<T>,
    first_id: Option<String>,
    last_id: Option<String>,
    has_more: bool,
}

impl User {
    fn of(record: Record) -> Self {
        Self {
            object: "organization.user",
            id: record.id.to_string(),
            name: record.name,
            email: record.email,
            role: record.role.as_str(),
            added_at: seconds(record.added),
            weir: Own {
                disabled: record.disabled.is_some(),
                has_password: record.has_password,
            },
        }
    }
}

/// `GET /v1/organization/users`.
pub async fn list(
    app: &App,
    headers: &HeaderMap,
    query: Option<&str>,
) -> Result<Response<Body>, Error> {
    rights::require(app, headers, Right::UsersRead, None)?;
    let query = Query::parse(query, &["limit", "after", "emails"])?;
    let limit = limit(&query)?;
    let after = after(&query, UserId::parse)?;
    let emails: Vec<String> = query.all("emails").map(str::to_lowercase).collect();
    if emails.len() > EMAILS_MAX {
        return Err(query::Mistake::Wrong("emails", format!("{EMAILS_MAX} at most")).into());
    }
    let found = app.people.users.list(after, emails, limit + 1).await?;
    page(found, limit, |record| record.id.to_string(), User::of)
}

/// `GET /v1/organization/users/{id}`.
pub async fn retrieve(app: &App, headers: &HeaderMap, id: &str) -> Result<Response<Body>, Error> {
    rights::require(app, headers, Right::UsersRead, None)?;
    json_text(&User::of(app.people.users.find(user_id(id)?).await?))
}

/// `POST /v1/organization/users/{id}`: another role; under `weir`, whether they are locked out.
pub async fn modify(
    app: &App,
    headers: &HeaderMap,
    id: &str,
    fields: &Fields,
) -> Result<Response<Body>, Error> {
    rights::require(app, headers, Right::UsersWrite, None)?;
    let (id, users) = (user_id(id)?, &app.people.users);
    let role = fields.word("role", OWNER_OR_READER, Role::named)?;
    let own = fields.object("weir")?;
    let disabled = own.map(|own| own.switch("disabled")).transpose()?.flatten();
    let record = users.update(id, role, disabled).await?;
    json_text(&User::of(record))
}

/// `DELETE /v1/organization/users/{id}`.
pub async fn delete(app: &App, headers: &HeaderMap, id: &str) -> Result<Response<Body>, Error> {
    rights::require(app, headers, Right::UsersWrite, None)?;
    let gone = app.people.users.delete(user_id(id)?).await?;
    json_text(&Deleted {
        object: "organization.user.deleted",
        id: gone.id.to_string(),
        deleted: true,
    })
}

/// The page that `found` begins, which was asked for one more than fits.
fn page<T, U: Serialize>(
    mut found: Vec<T>,
    limit: usize,
    id: impl Fn(&T) -> String,
    shape: impl Fn(T) -> U,
) -> Result<Response<Body>, Error> {
    let has_more = found.len() > limit;
    found.truncate(limit);
    json_text(&List {
        object: "list",
        first_id: found.first().map(&id),
        last_id: found.last().map(&id),
        data: found.into_iter().map(shape).collect(),
        has_more,
    })
}

fn limit(query: &Query) -> Result<usize, Error> {
    match query.number("limit")? {
        None => Ok(LIMIT),
        Some(limit @ 1..=LIMIT_MAX) => Ok(limit as usize),
        Some(_) => Err(query::Mistake::Wrong("limit", format!("from 1 to {LIMIT_MAX}")).into()),
    }
}

fn after<T>(query: &Query, parse: impl FnOnce(&str) -> Option<T>) -> Result<Option<T>, Error> {
    let wrong = || query::Mistake::Wrong("after", "the id of something in this list".to_owned());
    let after = query.one("after")?;
    let after = after.map(|id| parse(id).ok_or_else(wrong)).transpose();
    Ok(after?)
}

/// An id that is none belongs to nobody.
fn user_id(text: &str) -> Result<UserId, Error> {
    UserId::parse(text).ok_or_else(|| Error::NoSuch("user", text.to_owned()))
}

fn project_role(fields: &Fields) -> Result<Option<ProjectRole>, Error> {
    fields.word("role", OWNER_OR_MEMBER, ProjectRole::named)
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}
