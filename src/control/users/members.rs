//! The users of a project.

use super::{Deleted, after, limit, page, project_role, seconds, user_id};
use crate::{
    app::App,
    body::Body,
    control::{
        fields::Fields,
        json_text,
        rights::{self, Right},
    },
    domain::Membership,
    error::Error,
    people::{Member, UserId},
    wire::{query::Query, request::Mistake},
};
use http::{HeaderMap, Response};
use serde::Serialize;

#[derive(Serialize)]
struct ProjectUser {
    object: &'static str,
    id: String,
    name: String,
    email: String,
    role: &'static str,
    added_at: u64,
}

impl ProjectUser {
    fn of(member: Member) -> Self {
        Self {
            object: "organization.project.user",
            id: member.user.id.to_string(),
            name: member.user.name,
            email: member.user.email,
            role: member.role.as_str(),
            added_at: seconds(member.added),
        }
    }
}

/// `GET /v1/organization/projects/{id}/users`.
pub async fn list(
    app: &App,
    headers: &HeaderMap,
    project: &str,
    query: Option<&str>,
) -> Result<Response<Body>, Error> {
    rights::require(app, headers, Right::ProjectUsersRead, Some(project))?;
    let query = Query::parse(query, &["limit", "after"])?;
    let (limit, after) = (limit(&query)?, after(&query, UserId::parse)?);
    let users = &app.people.users;
    let found = users.members(project.to_owned(), after, limit + 1).await?;
    page(
        found,
        limit,
        |member| member.user.id.to_string(),
        ProjectUser::of,
    )
}

/// `POST /v1/organization/projects/{id}/users`: a user of the organization, by id or by email.
pub async fn add(
    app: &App,
    headers: &HeaderMap,
    project: &str,
    fields: &Fields,
) -> Result<Response<Body>, Error> {
    rights::require(app, headers, Right::ProjectUsersWrite, Some(project))?;
    let role = project_role(fields)?.ok_or(Mistake::Missing("role"))?;
    let users = &app.people.users;
    let id = match (fields.text("user_id")?, fields.text("email")?) {
        (Some(id), _) => user_id(id)?,
        (None, Some(email)) => users.find_email(email).await?.id,
        (None, None) => return Err(Mistake::Missing("user_id").into()),
    };
    let project = project.into();
    let member = users.join(id, Membership { project, role }).await?;
    json_text(&ProjectUser::of(member))
}

/// `GET /v1/organization/projects/{id}/users/{user}`.
pub async fn retrieve(
    app: &App,
    headers: &HeaderMap,
    (project, id): (&str, &str),
) -> Result<Response<Body>, Error> {
    rights::require(app, headers, Right::ProjectUsersRead, Some(project))?;
    let member = app.people.users.member(project.to_owned(), user_id(id)?);
    json_text(&ProjectUser::of(member.await?))
}

/// `POST /v1/organization/projects/{id}/users/{user}`: another role.
pub async fn modify(
    app: &App,
    headers: &HeaderMap,
    (project, id): (&str, &str),
    fields: &Fields,
) -> Result<Response<Body>, Error> {
    rights::require(app, headers, Right::ProjectUsersWrite, Some(project))?;
    let (id, project, users) = (user_id(id)?, project.to_owned(), &app.people.users);
    let member = match project_role(fields)? {
        Some(role) => users.set_project_role(id, project, role).await?,
        None => users.member(project, id).await?,
    };
    json_text(&ProjectUser::of(member))
}

/// `DELETE /v1/organization/projects/{id}/users/{user}`.
pub async fn delete(
    app: &App,
    headers: &HeaderMap,
    (project, id): (&str, &str),
) -> Result<Response<Body>, Error> {
    rights::require(app, headers, Right::ProjectUsersWrite, Some(project))?;
    let gone = app
        .people
        .users
        .leave(user_id(id)?, project.to_owned())
        .await?;
    json_text(&Deleted {
        object: "organization.project.user.deleted",
        id: gone.user.id.to_string(),
        deleted: true,
    })
}
