//! `/v1/organization/admin_api_keys`.

use super::{
    NAME_MAX_CHARS, PAGE, cursor, deleted, deletion, enter, key_id, list, list_of, members, name,
    paged, seconds, terms,
};
use crate::{
    auth::{Kind, Record},
    body::Body,
    control::{Operation, Request, json, rights::Right},
    error::Error,
    wire::{
        about::{About, Content},
        query::Query,
        schema::{Schema, Shape},
    },
};
use http::Response;
use serde_json::{Value, json};
use std::time::{Duration, SystemTime};

const TAG: &str = "Admin API keys";
const OBJECT: &str = "organization.admin_api_key";
const DELETED: &str = "organization.admin_api_key.deleted";
const LIFE_MAX_SECONDS: u64 = 31_536_000; // a year: OpenAI's bound

fn key() -> Schema {
    let owner = Schema::object()
        .with("type", Schema::text())
        .with("object", Schema::text())
        .with("id", Schema::text())
        .with("name", Schema::text())
        .with("created_at", Schema::time())
        .with("role", Schema::text());
    Schema::object()
        .with("object", Schema::word(OBJECT))
        .with("id", Schema::text())
        .with("name", Schema::text())
        .with("redacted_value", Schema::text())
        .with("created_at", Schema::time())
        .with("expires_at", Schema::time().or_null())
        .with("last_used_at", Schema::time().or_null())
        .with("owner", owner)
}
const KEY: Shape = Shape::new("AdminApiKey", key);
const KEYS: Shape = Shape::new("AdminApiKeys", || list_of(&KEY));
const CREATED: Shape = Shape::new("NewAdminApiKeyWithValue", || {
    key().with(
        "value",
        Schema::text().says("The key itself. It is shown this once"),
    )
});
const NEW: Shape = Shape::new("NewAdminApiKey", || {
    Schema::object()
        .with("name", name())
        .may(
            "expires_in_seconds",
            Schema::integer()
                .at_least(1)
                .at_most(LIFE_MAX_SECONDS)
                .or_null(),
        )
        .may("scopes", terms::scopes())
        .open()
});
const GONE: Shape = Shape::new("AdminApiKeyDeleted", || deletion(DELETED, true));

/// `POST /v1/organization/admin_api_keys`.
pub const CREATE: Operation = Operation::new(
    |request| Box::pin(create(request)),
    About::new(TAG, "Make an admin key")
        .takes(&NEW)
        .gives(&[(200, Content::Json(&CREATED))])
        .refuses(&[503]),
);
/// `GET /v1/organization/admin_api_keys`.
pub const LIST: Operation = Operation::new(
    |request| Box::pin(page(request)),
    About::new(TAG, "List admin keys")
        .parameters(|| paged(&["limit", "after", "order"], PAGE))
        .gives(&[(200, Content::Json(&KEYS))])
        .refuses(&[503]),
);
/// `GET /v1/organization/admin_api_keys/{key_id}`.
pub const RETRIEVE: Operation = Operation::new(
    |request| Box::pin(retrieve(request)),
    About::new(TAG, "Retrieve an admin key")
        .gives(&[(200, Content::Json(&KEY))])
        .refuses(&[503]),
);
/// `DELETE /v1/organization/admin_api_keys/{key_id}`.
pub const DELETE: Operation = Operation::new(
    |request| Box::pin(delete(request)),
    About::new(TAG, "Revoke an admin key now and for good")
        .gives(&[(200, Content::Json(&GONE))])
        .refuses(&[503]),
);

async fn create(mut request: Request) -> Result<Response<Body>, Error> {
    let by = enter(&request, Right::AdminKeysWrite, None)?;
    let members = members(&mut request).await?;
    terms::refuse_scopes(&members)?;
    let name = members.text("name", 1, NAME_MAX_CHARS)?;
    let name = members.required("name", name)?;
    let life = members.number("expires_in_seconds", 1, LIFE_MAX_SECONDS)?;
    let expires = life.map(|life| SystemTime::now() + Duration::from_secs(life));
    let made = request
        .app
        .directory
        .create_admin_key(by, name, expires)
        .await?;
    let mut answer = shown(&made.record);
    answer["value"] = made.key.expose().into();
    Ok(json(&answer))
}

async fn page(request: Request) -> Result<Response<Body>, Error> {
    enter(&request, Right::AdminKeysRead, None)?;
    let query = Query::parse(request.query(), &["limit", "after", "order"])?;
    let page = request
        .app
        .directory
        .admin_keys(cursor(&query, PAGE)?)
        .await?;
    Ok(list(&page, shown))
}

async fn retrieve(request: Request) -> Result<Response<Body>, Error> {
    enter(&request, Right::AdminKeysRead, None)?;
    let found = request
        .app
        .directory
        .admin_key(key_id(request.named("key_id"))?)
        .await?;
    Ok(json(&shown(&found)))
}

async fn delete(request: Request) -> Result<Response<Body>, Error> {
    let by = enter(&request, Right::AdminKeysWrite, None)?;
    let id = key_id(request.named("key_id"))?;
    request.app.directory.delete_admin_key(by, id).await?;
    Ok(deleted(DELETED, Some(&id.public())))
}

fn shown(key: &Record) -> Value {
    let (id, created) = (key.id.public(), seconds(key.created));
    json!({
        "object": OBJECT,
        "id": id,
        "name": key.name,
        "redacted_value": Kind::Admin.redacted(key.id),
        "created_at": created,
        "expires_at": key.expires.map(seconds),
        "last_used_at": null,
        // An admin key acts for nobody but itself.
        "owner": {
            "type": "service_account", "object": "organization.service_account", "id": id, "name": key.name,
            "created_at": created, "role": "owner",
        },
    })
}
