//! `/v1/organization/users`.

use super::{
    PAGE, after, cursor, deleted, deletion, enter, list, list_of, members, paged, seconds, terms,
};
use crate::{
    body::Body,
    control::{Operation, Request, json, rights::Right},
    domain::Role,
    error::Error,
    people::{Record, UserChange, UserId},
    wire::{
        about::{About, Content, Parameter},
        query::{Mistake, Query},
        schema::{Schema, Shape},
    },
};
use http::Response;
use serde_json::{Value, json};

const TAG: &str = "Users";
const DELETED: &str = "organization.user.deleted";
/// Emails that one question may name.
const EMAILS_MAX: usize = 100;
/// What a change may have under `weir`.
const OWN: [&str; 2] = ["tier", "disabled"];
pub(super) const ROLES: [(&str, Role); 2] = [("owner", Role::Owner), ("reader", Role::Reader)];

const USER: Shape = Shape::new("User", || {
    let own = Schema::object()
        .with("tier", terms::named_tier())
        .with("disabled", Schema::flag())
        .with("has_password", Schema::flag());
    Schema::object()
        .with("object", Schema::word("organization.user"))
        .with("id", Schema::text())
        .with("name", Schema::text())
        .with("email", Schema::text())
        .with("role", role())
        .with("added_at", Schema::time())
        .with("weir", own)
});
const USERS: Shape = Shape::new("Users", || list_of(&USER));
const CHANGE: Shape = Shape::new("UserChange", || {
    let tier = terms::named_tier().says("Null takes it away");
    let own = Schema::object()
        .may("tier", tier)
        .may("disabled", Schema::flag().or_null());
    Schema::object()
        .may("role", role().or_null())
        .may("weir", own.or_null())
        .open()
});
const GONE: Shape = Shape::new("UserDeleted", || deletion(DELETED, true));

/// `GET /v1/organization/users`.
pub const LIST: Operation = Operation::new(
    |request| Box::pin(page(request)),
    About::new(TAG, "List users, in the order in which they were added")
        .parameters(|| {
            let emails = Schema::list(Schema::text()).items(1, EMAILS_MAX as u64);
            let mut parameters = paged(&["limit", "after"], PAGE);
            parameters.push(Parameter::new("emails", emails.says("Of these only")));
            parameters
        })
        .gives(&[(200, Content::Json(&USERS))])
        .refuses(&[503]),
);
/// `GET /v1/organization/users/{user_id}`.
pub const RETRIEVE: Operation = Operation::new(
    |request| Box::pin(retrieve(request)),
    About::new(TAG, "Retrieve a user")
        .gives(&[(200, Content::Json(&USER))])
        .refuses(&[503]),
);
/// `POST /v1/organization/users/{user_id}`.
pub const UPDATE: Operation = Operation::new(
    |request| Box::pin(update(request)),
    About::new(
        TAG,
        "Give a user another role or another tier, lock them out, or let them in again",
    )
    .takes(&CHANGE)
    .gives(&[(200, Content::Json(&USER))])
    .refuses(&[503]),
);
/// `DELETE /v1/organization/users/{user_id}`.
pub const DELETE: Operation = Operation::new(
    |request| Box::pin(delete(request)),
    About::new(
        TAG,
        "Take a user out of the organization and of all its projects",
    )
    .gives(&[(200, Content::Json(&GONE))])
    .refuses(&[503]),
);

async fn page(request: Request) -> Result<Response<Body>, Error> {
    enter(&request, Right::UsersRead, None)?;
    let query = Query::parse(request.query(), &["limit", "after", "emails"])?;
    let cursor = cursor(&query, PAGE)?;
    let after = after(&cursor, UserId::parse)?;
    let emails: Vec<String> = query.all("emails").map(str::to_lowercase).collect();
    if emails.len() > EMAILS_MAX {
        return Err(Mistake::Wrong("emails", format!("a list of at most {EMAILS_MAX}")).into());
    }
    let users = &request.app.people.users;
    let found = users.list(after, emails, cursor.limit).await?;
    Ok(list(&found, shown))
}

async fn retrieve(request: Request) -> Result<Response<Body>, Error> {
    enter(&request, Right::UsersRead, None)?;
    let found = request.app.people.users.find(user_of(&request)?).await?;
    Ok(json(&shown(&found)))
}

async fn update(mut request: Request) -> Result<Response<Body>, Error> {
    let by = enter(&request, Right::UsersWrite, None)?;
    let members = members(&mut request).await?;
    let role = members.word("role", &ROLES)?;
    let own = members.object("weir")?.unwrap_or_default();
    own.only(&OWN)?;
    let change = UserChange {
        role,
        tier: own.has("tier").then_some(terms::tier(&own)?),
        disabled: own.flag("disabled")?,
    };
    let users = &request.app.people.users;
    let changed = users.update(by, user_of(&request)?, change).await?;
    Ok(json(&shown(&changed)))
}

async fn delete(request: Request) -> Result<Response<Body>, Error> {
    let by = enter(&request, Right::UsersWrite, None)?;
    let id = user_of(&request)?;
    request.app.people.users.delete(by, id).await?;
    Ok(deleted(DELETED, Some(&id.to_string())))
}

fn role() -> Schema {
    Schema::words(ROLES.map(|(word, _)| word))
}

/// The user that the path names.
pub(super) fn user_of(request: &Request) -> Result<UserId, Error> {
    user_id(request.named("user_id"))
}

/// The user with this id. One that is none is nobody's.
pub(super) fn user_id(id: &str) -> Result<UserId, Error> {
    UserId::parse(id).ok_or_else(|| Error::NoSuch("user", id.to_owned()))
}

fn shown(user: &Record) -> Value {
    json!({
        "object": "organization.user",
        "id": user.id.to_string(),
        "name": user.name,
        "email": user.email,
        "role": user.role.as_str(),
        "added_at": seconds(user.added),
        "weir": {
            "tier": user.tier,
            "disabled": user.disabled.is_some(),
            "has_password": user.has_password,
        },
    })
}
