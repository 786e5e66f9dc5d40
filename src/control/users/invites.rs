//! Invites: the token that accepts one is shown when it is made, and never again. Weir sends no mail.

use super::{Deleted, OWNER_OR_READER, after, limit, page, project_role, seconds};
use crate::{
    app::App,
    body::Body,
    control::{
        fields::Fields,
        json_text,
        rights::{self, Right},
    },
    domain::{Membership, Role, Secret},
    error::Error,
    people::{self, InviteId, NewInvite},
    wire::{query::Query, request::Mistake},
};
use http::{HeaderMap, Response};
use serde::Serialize;
use std::time::SystemTime;

#[derive(Serialize)]
struct Invite<'a> {
    object: &'static str,
    id: String,
    email: String,
    role: &'static str,
    status: &'static str,
    created_at: u64,
    expires_at: u64,
    accepted_at: Option<u64>,
    projects: Vec<Part>,
    #[serde(skip_serializing_if = "Option::is_none")]
    weir: Option<Own<'a>>,
}

#[derive(Serialize)]
struct Part {
    id: String,
    role: &'static str,
}

/// What OpenAI sends by mail.
#[derive(Serialize)]
struct Own<'a> {
    token: &'a str,
}

impl<'a> Invite<'a> {
    fn of(invite: people::Invite, token: Option<&'a Secret>) -> Self {
        let status = match invite.accepted {
            Some(_) => "accepted",
            None if invite.expires <= SystemTime::now() => "expired",
            None => "pending",
        };
        let part = |one: Membership| Part {
            id: one.project.into(),
            role: one.role.as_str(),
        };
        Self {
            object: "organization.invite",
            id: invite.id.to_string(),
            email: invite.email,
            role: invite.role.as_str(),
            status,
            created_at: seconds(invite.created),
            expires_at: seconds(invite.expires),
            accepted_at: invite.accepted.map(seconds),
            projects: invite.memberships.into_iter().map(part).collect(),
            weir: token.map(|token| Own {
                token: token.expose(),
            }),
        }
    }
}

/// `GET /v1/organization/invites`.
pub async fn list(
    app: &App,
    headers: &HeaderMap,
    query: Option<&str>,
) -> Result<Response<Body>, Error> {
    rights::require(app, headers, Right::UsersRead, None)?;
    let query = Query::parse(query, &["limit", "after"])?;
    let (limit, after) = (limit(&query)?, after(&query, InviteId::parse)?);
    let found = app.people.users.invites(after, limit + 1).await?;
    page(
        found,
        limit,
        |invite| invite.id.to_string(),
        |invite| Invite::of(invite, None),
    )
}

/// `POST /v1/organization/invites`.
pub async fn invite(
    app: &App,
    headers: &HeaderMap,
    fields: &Fields,
) -> Result<Response<Body>, Error> {
    rights::require(app, headers, Right::UsersWrite, None)?;
    let membership = |fields: &Fields| {
        Ok::<_, Error>(Membership {
            project: fields.must("id")?.into(),
            role: project_role(fields)?.ok_or(Mistake::Missing("role"))?,
        })
    };
    let role = fields.word("role", OWNER_OR_READER, Role::named)?;
    let projects = fields.objects("projects")?;
    let new = NewInvite {
        email: fields.must("email")?.to_owned(),
        role: role.ok_or(Mistake::Missing("role"))?,
        memberships: projects.iter().map(membership).collect::<Result<_, _>>()?,
    };
    let (invite, token) = app.people.users.invite(new).await?;
    json_text(&Invite::of(invite, Some(&token)))
}

/// `GET /v1/organization/invites/{id}`.
pub async fn retrieve(app: &App, headers: &HeaderMap, id: &str) -> Result<Response<Body>, Error> {
    rights::require(app, headers, Right::UsersRead, None)?;
    let invite = app.people.users.find_invite(invite_id(id)?).await?;
    json_text(&Invite::of(invite, None))
}

/// `DELETE /v1/organization/invites/{id}`.
pub async fn delete(app: &App, headers: &HeaderMap, id: &str) -> Result<Response<Body>, Error> {
    rights::require(app, headers, Right::UsersWrite, None)?;
    let id = invite_id(id)?;
    app.people.users.delete_invite(id).await?;
    json_text(&Deleted {
        object: "organization.invite.deleted",
        id: id.to_string(),
        deleted: true,
    })
}

fn invite_id(text: &str) -> Result<InviteId, Error> {
    InviteId::parse(text).ok_or_else(|| Error::NoSuch("invite", text.to_owned()))
}
