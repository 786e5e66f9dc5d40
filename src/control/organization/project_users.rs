//! `/v1/organization/projects/{project_id}/users`.

use super::{
    PAGE, after, cursor, deleted, deletion, enter, list, list_of, members, paged, project_of,
    seconds,
    users::{user_id, user_of},
};
use crate::{
    body::Body,
    control::{Operation, Request, json, rights::Right},
    domain::{Membership, ProjectRole},
    error::Error,
    people::{Member, UserId},
    wire::{
        about::{About, Content},
        query::Query,
        schema::{Schema, Shape},
    },
};
use http::Response;
use serde_json::{Value, json};

const TAG: &str = "Users";
const DELETED: &str = "organization.project.user.deleted";
const TEXT_MAX_CHARS: usize = 254;
pub(super) const ROLES: [(&str, ProjectRole); 2] = [
    ("owner", ProjectRole::Owner),
    ("member", ProjectRole::Member),
];

const USER: Shape = Shape::new("ProjectUser", || {
    Schema::object()
        .with("object", Schema::word("organization.project.user"))
        .with("id", Schema::text())
        .with("name", Schema::text())
        .with("email", Schema::text())
        .with("role", role())
        .with("added_at", Schema::time())
});
const USERS: Shape = Shape::new("ProjectUsers", || list_of(&USER));
const NEW: Shape = Shape::new("NewProjectUser", || {
    let email = Schema::text().or_null();
    Schema::object()
        .may("user_id", Schema::text().or_null())
        .may("email", email.says("In place of `user_id`"))
        .with("role", role())
        .open()
});
const CHANGE: Shape = Shape::new("ProjectUserChange", || {
    Schema::object().may("role", role().or_null()).open()
});
const GONE: Shape = Shape::new("ProjectUserDeleted", || deletion(DELETED, true));

/// `POST …/users`.
pub const CREATE: Operation = Operation::new(
    |request| Box::pin(create(request)),
    About::new(TAG, "Give a user of the organization a part in a project")
        .takes(&NEW)
        .gives(&[(200, Content::Json(&USER))])
        .refuses(&[409, 503]),
);
/// `GET …/users`.
pub const LIST: Operation = Operation::new(
    |request| Box::pin(page(request)),
    About::new(TAG, "List the users of a project")
        .parameters(|| paged(&["limit", "after"], PAGE))
        .gives(&[(200, Content::Json(&USERS))])
        .refuses(&[503]),
);
/// `GET …/users/{user_id}`.
pub const RETRIEVE: Operation = Operation::new(
    |request| Box::pin(retrieve(request)),
    About::new(TAG, "Retrieve a user of a project")
        .gives(&[(200, Content::Json(&USER))])
        .refuses(&[503]),
);
/// `POST …/users/{user_id}`.
pub const UPDATE: Operation = Operation::new(
    |request| Box::pin(update(request)),
    About::new(TAG, "Give a user another role in a project")
        .takes(&CHANGE)
        .gives(&[(200, Content::Json(&USER))])
        .refuses(&[503]),
);
/// `DELETE …/users/{user_id}`.
pub const DELETE: Operation = Operation::new(
    |request| Box::pin(delete(request)),
    About::new(TAG, "Take a user out of a project")
        .gives(&[(200, Content::Json(&GONE))])
        .refuses(&[503]),
);

async fn create(mut request: Request) -> Result<Response<Body>, Error> {
    let project = project_of(&request);
    let by = enter(&request, Right::ProjectUsersWrite, Some(&project))?;
    let members = members(&mut request).await?;
    let role = members.word("role", &ROLES)?;
    let role = members.required("role", role)?;
    let id = members.text("user_id", 1, TEXT_MAX_CHARS)?;
    let email = members.text("email", 1, TEXT_MAX_CHARS)?;
    let users = &request.app.people.users;
    let id = match (id, email) {
        (Some(id), _) => user_id(&id)?,
        (None, Some(email)) => users.find_email(&email).await?.id,
        (None, None) => return Err(members.missing("user_id").into()),
    };
    let project = project.into();
    let made = users.join(by, id, Membership { project, role }).await?;
    Ok(json(&shown(&made)))
}

async fn page(request: Request) -> Result<Response<Body>, Error> {
    let project = project_of(&request);
    enter(&request, Right::ProjectUsersRead, Some(&project))?;
    let query = Query::parse(request.query(), &["limit", "after"])?;
    let cursor = cursor(&query, PAGE)?;
    let after = after(&cursor, UserId::parse)?;
    request.app.directory.project(project.clone()).await?;
    let users = &request.app.people.users;
    let found = users.members(project, after, cursor.limit).await?;
    Ok(list(&found, shown))
}

async fn retrieve(request: Request) -> Result<Response<Body>, Error> {
    let project = project_of(&request);
    enter(&request, Right::ProjectUsersRead, Some(&project))?;
    let users = &request.app.people.users;
    let found = users.member(project, user_of(&request)?).await?;
    Ok(json(&shown(&found)))
}

async fn update(mut request: Request) -> Result<Response<Body>, Error> {
    let project = project_of(&request);
    let by = enter(&request, Right::ProjectUsersWrite, Some(&project))?;
    let members = members(&mut request).await?;
    let (id, users) = (user_of(&request)?, &request.app.people.users);
    let changed = match members.word("role", &ROLES)? {
        Some(role) => users.set_project_role(by, id, project, role).await?,
        None => users.member(project, id).await?,
    };
    Ok(json(&shown(&changed)))
}

async fn delete(request: Request) -> Result<Response<Body>, Error> {
    let project = project_of(&request);
    let by = enter(&request, Right::ProjectUsersWrite, Some(&project))?;
    let id = user_of(&request)?;
    request.app.people.users.leave(by, id, project).await?;
    Ok(deleted(DELETED, Some(&id.to_string())))
}

pub(super) fn role() -> Schema {
    Schema::words(ROLES.map(|(word, _)| word))
}

fn shown(member: &Member) -> Value {
    json!({
        "object": "organization.project.user",
        "id": member.user.id.to_string(),
        "name": member.user.name,
        "email": member.user.email,
        "role": member.role.as_str(),
        "added_at": seconds(member.added),
    })
}
