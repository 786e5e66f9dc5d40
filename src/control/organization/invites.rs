//! `/v1/organization/invites`. The token that accepts an invite is shown when it is made: Weir sends no mail.

use super::{
    PAGE, after, cursor, deleted, deletion, enter, list, list_of, members, paged, project_users,
    seconds, users,
};
use crate::{
    body::Body,
    control::{Operation, Request, json, rights::Right},
    domain::Membership,
    error::Error,
    people::{Invite, InviteId, NewInvite},
    wire::{
        about::{About, Content},
        members::Members,
        query::Query,
        schema::{Schema, Shape},
    },
};
use http::Response;
use serde_json::{Value, json};
use std::time::SystemTime;

const TAG: &str = "Invites";
const DELETED: &str = "organization.invite.deleted";
/// Projects that one invite may open.
const PROJECTS_MAX: usize = 100;
const EMAIL_MAX_CHARS: usize = 254;

const INVITE: Shape = Shape::new("Invite", || {
    let own = Schema::object().with("token", Schema::text().says("For `POST /auth/accept`"));
    Schema::object()
        .with("object", Schema::word("organization.invite"))
        .with("id", Schema::text())
        .with("email", Schema::text())
        .with("role", role())
        .with("status", Schema::words(["accepted", "expired", "pending"]))
        .with("created_at", Schema::time())
        .with("expires_at", Schema::time())
        .with("accepted_at", Schema::time().or_null())
        .with("projects", Schema::list(part()))
        .may("weir", own.says("When it is made, this once"))
});
const INVITES: Shape = Shape::new("Invites", || list_of(&INVITE));
const NEW: Shape = Shape::new("NewInvite", || {
    let projects = Schema::list(part().open()).items(0, PROJECTS_MAX as u64);
    Schema::object()
        .with("email", Schema::text().length(1, EMAIL_MAX_CHARS as u64))
        .with("role", role())
        .may("projects", projects.or_null())
        .open()
});
const GONE: Shape = Shape::new("InviteDeleted", || deletion(DELETED, true));

/// `POST /v1/organization/invites`.
pub const CREATE: Operation = Operation::new(
    |request| Box::pin(create(request)),
    About::new(TAG, "Ask somebody to come in")
        .details("The answer has the token that lets them, this once: hand it over yourself.")
        .takes(&NEW)
        .gives(&[(200, Content::Json(&INVITE))])
        .refuses(&[404, 409, 503]),
);
/// `GET /v1/organization/invites`.
pub const LIST: Operation = Operation::new(
    |request| Box::pin(page(request)),
    About::new(TAG, "List invites, in the order in which they were made")
        .parameters(|| paged(&["limit", "after"], PAGE))
        .gives(&[(200, Content::Json(&INVITES))])
        .refuses(&[503]),
);
/// `GET /v1/organization/invites/{invite_id}`.
pub const RETRIEVE: Operation = Operation::new(
    |request| Box::pin(retrieve(request)),
    About::new(TAG, "Retrieve an invite")
        .gives(&[(200, Content::Json(&INVITE))])
        .refuses(&[503]),
);
/// `DELETE /v1/organization/invites/{invite_id}`.
pub const DELETE: Operation = Operation::new(
    |request| Box::pin(delete(request)),
    About::new(TAG, "Take an invite back, unless it was accepted")
        .gives(&[(200, Content::Json(&GONE))])
        .refuses(&[409, 503]),
);

async fn create(mut request: Request) -> Result<Response<Body>, Error> {
    let by = enter(&request, Right::UsersWrite, None)?;
    let members = members(&mut request).await?;
    let email = members.text("email", 1, EMAIL_MAX_CHARS)?;
    let role = members.word("role", &users::ROLES)?;
    let parts = members.objects("projects", PROJECTS_MAX)?;
    let new = NewInvite {
        email: members.required("email", email)?,
        role: members.required("role", role)?,
        memberships: parts.iter().map(membership).collect::<Result<_, _>>()?,
    };
    let (invite, token) = request.app.people.users.invite(by, new).await?;
    let mut shown = shown(&invite);
    shown["weir"] = json!({"token": token.expose()});
    Ok(json(&shown))
}

async fn page(request: Request) -> Result<Response<Body>, Error> {
    enter(&request, Right::UsersRead, None)?;
    let query = Query::parse(request.query(), &["limit", "after"])?;
    let cursor = cursor(&query, PAGE)?;
    let after = after(&cursor, InviteId::parse)?;
    let users = &request.app.people.users;
    let found = users.invites(after, cursor.limit).await?;
    Ok(list(&found, shown))
}

async fn retrieve(request: Request) -> Result<Response<Body>, Error> {
    enter(&request, Right::UsersRead, None)?;
    let id = invite_of(&request)?;
    Ok(json(&shown(
        &request.app.people.users.find_invite(id).await?,
    )))
}

async fn delete(request: Request) -> Result<Response<Body>, Error> {
    let by = enter(&request, Right::UsersWrite, None)?;
    let id = invite_of(&request)?;
    request.app.people.users.delete_invite(by, id).await?;
    Ok(deleted(DELETED, Some(&id.to_string())))
}

fn membership(members: &Members) -> Result<Membership, Error> {
    let project = members.text("id", 1, crate::domain::Owner::NAME_MAX_BYTES)?;
    let role = members.word("role", &project_users::ROLES)?;
    Ok(Membership {
        project: members.required("id", project)?.into(),
        role: members.required("role", role)?,
    })
}

/// The invite that the path names.
fn invite_of(request: &Request) -> Result<InviteId, Error> {
    let id = request.named("invite_id");
    InviteId::parse(id).ok_or_else(|| Error::NoSuch("invite", id.to_owned()))
}

fn role() -> Schema {
    Schema::words(users::ROLES.map(|(word, _)| word))
}

fn part() -> Schema {
    Schema::object()
        .with("id", Schema::text())
        .with("role", project_users::role())
}

fn shown(invite: &Invite) -> Value {
    let status = match invite.accepted {
        Some(_) => "accepted",
        None if invite.expires <= SystemTime::now() => "expired",
        None => "pending",
    };
    let part = |one: &Membership| json!({"id": one.project, "role": one.role.as_str()});
    json!({
        "object": "organization.invite",
        "id": invite.id.to_string(),
        "email": invite.email,
        "role": invite.role.as_str(),
        "status": status,
        "created_at": seconds(invite.created),
        "expires_at": seconds(invite.expires),
        "accepted_at": invite.accepted.map(seconds),
        "projects": invite.memberships.iter().map(part).collect::<Vec<_>>(),
    })
}
