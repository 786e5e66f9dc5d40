//! `/v1/organization/projects/{project_id}/api_keys`.

use super::{
    PAGE, cursor, deleted, deletion, enter, key_id, list, list_of, members, name, paged,
    project_of, seconds, terms,
};
use crate::{
    auth::{Kind, Record},
    body::Body,
    control::{Operation, Request, json, rights::Right},
    directory::{Account, Page},
    domain::KeyId,
    error::Error,
    people::{Member, People, UserId},
    wire::{
        about::{About, Content, Parameter},
        query::Query,
        schema::{Schema, Shape},
    },
};
use http::Response;
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};

const TAG: &str = "API keys";
const OBJECT: &str = "organization.project.api_key";
const DELETED: &str = "organization.project.api_key.deleted";
const ACCESS: [(&str, bool); 3] = [("active", true), ("inactive", false), ("any", true)];

const KEY: Shape = Shape::new("ProjectApiKey", || {
    let owner = || {
        Schema::object()
            .with("id", Schema::text())
            .with("name", Schema::text())
            .with("created_at", Schema::time())
            .with("role", Schema::text())
    };
    let owners = Schema::object()
        .with("type", Schema::words(["user", "service_account"]))
        .may("user", owner().with("email", Schema::text()))
        .may("service_account", owner());
    Schema::object()
        .with("object", Schema::word(OBJECT))
        .with("id", Schema::text())
        .with("name", Schema::text())
        .with("redacted_value", Schema::text())
        .with("created_at", Schema::time())
        .with("last_used_at", Schema::time().or_null())
        .with("owner_project_access", Schema::word("active"))
        .with("owner", owners)
        .with("weir", Schema::named(&terms::TOLD))
});
const KEYS: Shape = Shape::new("ProjectApiKeys", || list_of(&KEY));
const CHANGE: Shape = Shape::new("ProjectApiKeyChange", || {
    Schema::object()
        .may("name", name().or_null())
        .may("scopes", terms::scopes())
        .may("weir", Schema::named(&terms::CHANGED).or_null())
        .open()
});
const GONE: Shape = Shape::new("ProjectApiKeyDeleted", || deletion(DELETED, true));

/// `GET …/api_keys`.
pub const LIST: Operation = Operation::new(
    |request| Box::pin(page(request)),
    About::new(TAG, "List a project's keys")
        .parameters(|| {
            let mut parameters = paged(&["limit", "after"], PAGE);
            let access = Schema::words(ACCESS.map(|(word, _)| word)).default("any");
            parameters.push(Parameter::new("owner_project_access", access));
            parameters
        })
        .gives(&[(200, Content::Json(&KEYS))])
        .refuses(&[503]),
);
/// `GET …/api_keys/{api_key_id}`.
pub const RETRIEVE: Operation = Operation::new(
    |request| Box::pin(retrieve(request)),
    About::new(TAG, "Retrieve a key")
        .gives(&[(200, Content::Json(&KEY))])
        .refuses(&[503]),
);
/// `POST …/api_keys/{api_key_id}`.
pub const UPDATE: Operation = Operation::new(
    |request| Box::pin(update(request)),
    About::new(TAG, "Change what is agreed for a key")
        .details("OpenAI's API has no such operation. What is named changes, in force at once; null takes it away. `tier`, `limits` and `budget` need the right to set limits.")
        .takes(&CHANGE)
        .gives(&[(200, Content::Json(&KEY))])
        .refuses(&[503]),
);
/// `DELETE …/api_keys/{api_key_id}`.
pub const DELETE: Operation = Operation::new(
    |request| Box::pin(delete(request)),
    About::new(TAG, "Revoke a key now and for good")
        .gives(&[(200, Content::Json(&GONE))])
        .refuses(&[503]),
);

async fn page(request: Request) -> Result<Response<Body>, Error> {
    let project = project_of(&request);
    enter(&request, Right::KeysRead, Some(&project))?;
    let query = Query::parse(request.query(), &["limit", "after", "owner_project_access"])?;
    let cursor = cursor(&query, PAGE)?;
    let access = query.word("owner_project_access", &ACCESS)?;
    let directory = &request.app.directory;
    let (mut page, owners) = directory.project_keys(project.clone(), cursor).await?;
    // A key ends with its owner's part in the project, so that there are none of the inactive.
    if access == Some(false) {
        page = Page {
            items: Vec::new(),
            has_more: false,
        };
    }
    let users = users(&request.app.people, project, &page.items).await?;
    Ok(list(&page, |key| shown(key, &owners, &users)))
}

async fn retrieve(request: Request) -> Result<Response<Body>, Error> {
    let project = project_of(&request);
    enter(&request, Right::KeysRead, Some(&project))?;
    let (key, owners) = request
        .app
        .directory
        .project_key(project.clone(), id(&request)?)
        .await?;
    let users = users(&request.app.people, project, std::slice::from_ref(&key)).await?;
    Ok(json(&shown(&key, &owners, &users)))
}

async fn update(mut request: Request) -> Result<Response<Body>, Error> {
    let project = project_of(&request);
    let by = enter(&request, Right::KeysWrite, Some(&project))?;
    let id = id(&request)?;
    let change = terms::read_change(&members(&mut request).await?)?;
    if change.moves_a_ceiling() {
        enter(&request, Right::LimitsWrite, Some(&project))?;
    }
    let directory = &request.app.directory;
    let (key, owners) = directory
        .update_project_key(by, project.clone(), id, change)
        .await?;
    let users = users(&request.app.people, project, std::slice::from_ref(&key)).await?;
    Ok(json(&shown(&key, &owners, &users)))
}

async fn delete(request: Request) -> Result<Response<Body>, Error> {
    let project = project_of(&request);
    let by = enter(&request, Right::KeysWrite, Some(&project))?;
    let id = id(&request)?;
    request
        .app
        .directory
        .delete_project_key(by, project, id)
        .await?;
    Ok(deleted(DELETED, Some(&id.public())))
}

fn id(request: &Request) -> Result<KeyId, Error> {
    key_id(request.named("api_key_id"))
}

/// The users whose keys these are, by their ids.
async fn users(
    people: &People,
    project: String,
    keys: &[Record],
) -> Result<HashMap<String, Member>, Error> {
    let users = keys.iter().filter_map(|key| key.owner.user.as_deref());
    let ids: HashSet<UserId> = users.filter_map(UserId::parse).collect();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let people = &people.users;
    let found = people.members_among(project, ids.into_iter().collect());
    let by_id = |member: Member| (member.user.id.to_string(), member);
    Ok(found.await?.into_iter().map(by_id).collect())
}

fn shown(
    key: &Record,
    owners: &HashMap<String, Account>,
    users: &HashMap<String, Member>,
) -> Value {
    json!({
        "object": OBJECT,
        "id": key.id.public(),
        "name": key.name,
        "redacted_value": Kind::Api.redacted(key.id),
        "created_at": seconds(key.created),
        "last_used_at": null,
        "owner_project_access": "active",
        "owner": owner(key, owners, users),
        "weir": terms::told(key),
    })
}

/// Whose key it is: a service account's, a user's, somebody's by the name that the key was made with, or nobody's in
/// particular.
fn owner(
    key: &Record,
    owners: &HashMap<String, Account>,
    users: &HashMap<String, Member>,
) -> Value {
    let Some(user) = key.owner.user.as_deref() else {
        return json!({"type": "user"});
    };
    if let Some(account) = owners.get(user) {
        return json!({"type": "service_account", "service_account": {
            "id": account.id, "name": account.name, "created_at": seconds(account.created),
            "role": account.role.as_str(),
        }});
    }
    let told = match users.get(user) {
        Some(member) => json!({
            "id": user, "email": member.user.email, "name": member.user.name,
            "created_at": seconds(member.added), "role": member.role.as_str(),
        }),
        None => json!({
            "id": user, "email": "", "name": user, "created_at": seconds(key.created), "role": "member",
        }),
    };
    json!({"type": "user", "user": told})
}
