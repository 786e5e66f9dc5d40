//! OpenAI's Administration API, one file a resource: projects and what belongs to them, limits, and the audit log.
//!
//! What OpenAI has no words for is a member `weir` on the same objects, which may always be left out.

pub mod admin_api_keys;
pub mod api_keys;
pub mod audit_logs;
pub mod data_retention;
pub mod invites;
pub mod model_permissions;
pub mod project_users;
pub mod projects;
pub mod rate_limits;
pub mod service_accounts;
pub mod spend_alerts;
pub mod spend_limit;
mod terms;
pub mod users;

use super::{
    Request, json,
    rights::{Actor, Right},
};
use crate::{
    audit::{self, Origin},
    body::Body,
    directory::{self, Cursor, Page, Side},
    domain::KeyId,
    error::Error,
    store::Millis,
    wire::{
        about::Parameter,
        members::Members,
        query::{Mistake, Query},
        schema::{Schema, Shape},
    },
};
use http::Response;
use serde_json::{Value, json};
use std::time::SystemTime;

/// The longest name of anything here.
const NAME_MAX_CHARS: usize = crate::directory::NAME_MAX_CHARS;
/// Items on a page: without `limit`, and at most.
const PAGE: (usize, usize) = (20, 100);

/// Asks whether somebody may do this, and notes who they are for the audit log.
fn enter(request: &Request, right: Right, project: Option<&str>) -> Result<Origin, Error> {
    let actor = request.require(right, project)?;
    Ok(Origin::request(
        noted(&actor),
        request.arrival.client,
        request.agent(),
    ))
}

fn noted(actor: &Actor) -> audit::Actor {
    match actor {
        Actor::Configured => audit::Actor::ConfiguredKey,
        Actor::AdminKey(id) => audit::Actor::AdminKey(*id),
        Actor::User(user) => audit::Actor::User {
            id: user.id.to_string(),
            email: user.email.as_deref().unwrap_or_default().to_owned(),
        },
    }
}

/// The project in a path.
fn project_of(request: &Request) -> String {
    request.named("project_id").to_owned()
}

/// What follows `after`, of a list that is only read forward.
fn after<T>(cursor: &Cursor, parse: impl FnOnce(&str) -> Option<T>) -> Result<Option<T>, Error> {
    match &cursor.side {
        Some(Side::After(id)) => match parse(id) {
            Some(id) => Ok(Some(id)),
            None => Err(directory::Error::NoSuchCursor("after").into()),
        },
        _ => Ok(None),
    }
}

/// The members of a body; one that is left out has none.
async fn members(request: &mut Request) -> Result<Members, Error> {
    Ok(request.object().await?.into())
}

/// The key with this public id.
fn key_id(id: &str) -> Result<KeyId, Error> {
    KeyId::of_public(id).ok_or_else(|| Error::NoSuch("API key", id.to_owned()))
}

/// Reads `limit`, `after`, and `before` and `order` where a list has them.
pub(super) fn cursor(query: &Query, (usual, most): (usize, usize)) -> Result<Cursor, Mistake> {
    let limit = match query.number("limit")? {
        None => usual,
        Some(limit) => usize::try_from(limit)
            .ok()
            .filter(|limit| (1..=most).contains(limit))
            .ok_or_else(|| Mistake::Wrong("limit", format!("from 1 to {most}")))?,
    };
    let side = match (query.one("after")?, query.one("before")?) {
        (None, None) => None,
        (Some(id), None) => Some(Side::After(id.to_owned())),
        (None, Some(id)) => Some(Side::Before(id.to_owned())),
        (Some(_), Some(_)) => {
            let expected = "left out where `after` is given".to_owned();
            return Err(Mistake::Wrong("before", expected));
        }
    };
    let order = query.word("order", &[("asc", false), ("desc", true)])?;
    Ok(Cursor {
        side,
        is_newest_first: order.unwrap_or(false),
        limit,
    })
}

/// The parameters that [`cursor`] reads, for the document.
pub(super) fn paged(names: &[&'static str], (usual, most): (usize, usize)) -> Vec<Parameter> {
    let of = |name: &&'static str| {
        let schema = match *name {
            "limit" => Schema::integer()
                .at_least(1)
                .at_most(most as u64)
                .default(usual as u64),
            "order" => Schema::words(["asc", "desc"])
                .default("asc")
                .says("By when they were made"),
            "before" => Schema::text().says("The id of an item: those right before it"),
            _ => Schema::text().says("The id of an item: those that follow it"),
        };
        Parameter::new(name, schema)
    };
    names.iter().map(of).collect()
}

/// A page as OpenAI writes it.
fn list<T>(page: &Page<T>, item: impl Fn(&T) -> Value) -> Response<Body> {
    let data: Vec<Value> = page.items.iter().map(item).collect();
    let id = |item: Option<&Value>| item.map_or(Value::Null, |item| item["id"].clone());
    json(&json!({
        "object": "list",
        "first_id": id(data.first()),
        "last_id": id(data.last()),
        "has_more": page.has_more,
        "data": data,
    }))
}

/// What a page looks like.
fn list_of(shape: &'static Shape) -> Schema {
    Schema::object()
        .with("object", Schema::word("list"))
        .with("data", Schema::list(Schema::named(shape)))
        .with("first_id", Schema::text().or_null())
        .with("last_id", Schema::text().or_null())
        .with("has_more", Schema::flag())
}

/// That something is gone.
fn deleted(object: &str, id: Option<&str>) -> Response<Body> {
    let mut answer = json!({"object": object, "deleted": true});
    if let Some(id) = id {
        answer["id"] = id.into();
    }
    json(&answer)
}

/// What [`deleted`] looks like.
fn deletion(object: &str, has_id: bool) -> Schema {
    let schema = Schema::object()
        .with("object", Schema::word(object))
        .with("deleted", Schema::flag());
    match has_id {
        true => schema.with("id", Schema::text()),
        false => schema,
    }
}

/// A name, as requests have it.
fn name() -> Schema {
    Schema::text().length(1, NAME_MAX_CHARS as u64)
}

fn seconds(time: SystemTime) -> u64 {
    Millis::of(time).seconds()
}
