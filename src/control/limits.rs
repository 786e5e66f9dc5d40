//! `GET /admin/limits`: how limits stand in this process.

use super::{
    Operation, Request, json_text,
    organization::{cursor, paged},
    rights::{self, Actor, Right},
};
use crate::{
    app::App,
    auth::{self, Kind, Record},
    body::Body,
    directory::Side,
    domain::{KeyId, Owner},
    error::Error,
    limits::{LINE, Limited, Line, Part, Policy, Roster},
    wire::{
        about::{About, Content, Parameter},
        query::{Mistake, Query},
        schema::{Schema, Shape},
    },
};
use http::Response;
use serde::Serialize;
use std::sync::Arc;

const HOLDERS: [&str; 3] = ["project", "key", "user"];
const ORGANIZATION: &str = "organization";
const PAGE_NAMES: [&str; 2] = ["limit", "after"];
/// Holders on a page: without `limit`, and at most.
const PAGE: (usize, usize) = (100, 1000);
// Of an id, in characters.
const SHORTEST: usize = 1;
const LONGEST: usize = 256;

/// `GET /admin/limits`.
pub const SHOW: Operation = Operation::new(
    |request| Box::pin(show(request)),
    About::new("Limits", "How limits stand: used, left, and when they are whole again")
        .details(
            "Those of everyone, a page at a time: the organization, models, projects with their models, users, service \
             accounts and keys that are in force. A page may have more than `limit` holders, or none and not be the \
             last: `has_more` and `next` say where it goes on. With `organization=true` those of the organization and \
             of models whoever pays, with `project` those of a project and of its models, with `key` of a key, with \
             `user` of a user. Rates are those of the process that is asked.",
        )
        .parameters(|| {
            let text = || Schema::text().length(SHORTEST as u64, LONGEST as u64);
            let mut parameters = HOLDERS.map(|name| Parameter::new(name, text())).to_vec();
            parameters.push(Parameter::new(ORGANIZATION, Schema::flag().default(false)));
            parameters.extend(paged(&["limit"], PAGE));
            let after = Schema::text().says("`next` of the page before");
            parameters.push(Parameter::new("after", after));
            parameters
        })
        .gives(&[(200, Content::Json(&LIMITS))])
        .refuses(&[400, 404, 503]),
);
const LIMITS: Shape = Shape::new("Limits", || {
    Schema::object()
        .with("object", Schema::word("list"))
        .with("data", Schema::list(Schema::named(&LINE)))
        .with("has_more", Schema::flag())
        .with(
            "next",
            Schema::text().or_null().says("`after` of the next page"),
        )
});
#[derive(Serialize)]
struct Limits {
    object: &'static str,
    data: Vec<Line>,
    has_more: bool,
    next: Option<String>,
}

/// Whose limits are asked for.
enum Whose {
    /// A page of everyone's: where it begins, and for how many.
    Everyones(Option<String>, usize),
    /// The organization's.
    Organizations,
    /// Those of one of the [`HOLDERS`]: its name there, and its id.
    Ones(&'static str, String),
}

async fn show(request: Request) -> Result<Response<Body>, Error> {
    let app = &request.app;
    // Before the query: who may not ask is told nothing of how.
    let actor = rights::who(app, request.headers())?;
    let whose = whose(request.query())?;
    let snapshot = app.snapshot.load_full();
    let policy = &snapshot.policy;
    let found = match whose {
        Whose::Everyones(after, limit) => {
            actor.require(Right::UsageRead, None)?;
            let roster = Roster {
                policy,
                directory: &app.directory,
                users: &app.people.users,
                keys: &app.keys,
            };
            roster.part(after.as_deref(), limit).await?
        }
        Whose::Organizations => {
            actor.require(Right::UsageRead, None)?;
            let allowance = app.directory.allowances().organization();
            Part::whole(Limited::organization(policy, &allowance))
        }
        Whose::Ones(kind, id) => Part::whole(one(app, policy, &actor, kind, id).await?),
    };
    json_text(&Limits {
        object: "list",
        data: app.lookout(policy).lines(&found.all).await?,
        has_more: found.next.is_some(),
        next: found.next,
    })
}

fn whose(query: Option<&str>) -> Result<Whose, Mistake> {
    let names = [&HOLDERS[..], &[ORGANIZATION], &PAGE_NAMES].concat();
    let query = Query::parse(query, &names)?;
    let mut asked = Vec::new();
    for name in HOLDERS {
        let Some(id) = query.one(name)? else { continue };
        if !(SHORTEST..=LONGEST).contains(&id.chars().count()) {
            let expected = format!("a text of {SHORTEST} to {LONGEST} characters");
            return Err(Mistake::Wrong(name, expected));
        }
        asked.push((name, Whose::Ones(name, id.to_owned())));
    }
    if query.word(ORGANIZATION, &[("true", true), ("false", false)])? == Some(true) {
        asked.push((ORGANIZATION, Whose::Organizations));
    }
    if let [_, (second, _), ..] = &*asked {
        return Err(Mistake::Wrong(
            second,
            "alone: one holder at a time".to_owned(),
        ));
    }
    let Some((_, whose)) = asked.pop() else {
        let cursor = cursor(&query, PAGE)?;
        let after = match cursor.side {
            Some(Side::After(place)) => Some(place),
            _ => None,
        };
        return Ok(Whose::Everyones(after, cursor.limit));
    };
    for name in PAGE_NAMES {
        if query.one(name)?.is_some() {
            let expected = "left out: the limits of one holder come whole".to_owned();
            return Err(Mistake::Wrong(name, expected));
        }
    }
    Ok(whose)
}

/// The limits of one holder, if whoever asks may see them.
async fn one(
    app: &App,
    policy: &Policy,
    actor: &Actor,
    kind: &str,
    id: String,
) -> Result<Vec<Limited>, Error> {
    let limited = match kind {
        "project" => {
            actor.require(Right::UsageRead, Some(&id))?;
            let allowance = app.directory.allowances().of(&id);
            let allowance = allowance.ok_or_else(|| Error::NoSuch("project", id.clone()))?;
            return Ok(Limited::project(policy, &id, &allowance));
        }
        "key" => {
            let record = key(app, &id).await?;
            // Whose one that is not there would be cannot be told: only who sees all is told that it is not.
            let project = record.as_ref().map(|record| project_of(&record.owner));
            actor.require(Right::UsageRead, project)?;
            let record = record.ok_or_else(|| Error::NoSuch("API key", id.clone()))?;
            Limited::key(policy, record.id, Some(&Arc::new(record.terms)))
        }
        _ => {
            actor.require(Right::UsageRead, None)?;
            let terms = app.people.users.terms(&id);
            Limited::user(policy, &id, terms.as_ref())
        }
    };
    Ok(limited.into_iter().collect())
}

/// The API key with this public id.
async fn key(app: &App, id: &str) -> Result<Option<Record>, Error> {
    let Some(id) = KeyId::of_public(id) else {
        return Ok(None);
    };
    match app.keys.record(id).await {
        Ok(record) => Ok(Some(record).filter(|record| record.kind == Kind::Api)),
        Err(auth::Error::NoSuchKey(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn project_of(owner: &Owner) -> &str {
    owner.project.as_deref().unwrap_or(Owner::DEFAULT_PROJECT)
}
