//! `GET /admin/limits`: how limits stand in this process.

use super::{
    Operation, Request, json_text,
    rights::{self, Right},
};
use crate::{
    app::App,
    auth::{self, Kind, Record},
    body::Body,
    domain::{KeyId, Owner},
    error::Error,
    limits::{LINE, Limited, Line, Lookout},
    wire::{
        about::{About, Content, Parameter},
        query::{Mistake, Query},
        schema::{Schema, Shape},
    },
};
use http::Response;
use serde::Serialize;
use std::sync::Arc;

const NAMES: [&str; 3] = ["project", "key", "user"];
// Of an id, in characters.
const SHORTEST: usize = 1;
const LONGEST: usize = 256;

/// `GET /admin/limits`.
pub const SHOW: Operation = Operation::new(
    |request| Box::pin(show(request)),
    About::new("Limits", "How limits stand: used, left, and when they are whole again")
        .details(
            "Those of the organization and of models whoever pays; with `project` those of a project and of its \
             models, with `key` of a key, with `user` of a user. Rates are those of the process that is asked.",
        )
        .parameters(|| {
            let text = || Schema::text().length(SHORTEST as u64, LONGEST as u64);
            NAMES.map(|name| Parameter::new(name, text())).into()
        })
        .gives(&[(200, Content::Json(&LIMITS))])
        .refuses(&[400, 404, 503]),
);
const LIMITS: Shape = Shape::new("Limits", || {
    Schema::object()
        .with("object", Schema::word("list"))
        .with("data", Schema::list(Schema::named(&LINE)))
});
#[derive(Serialize)]
struct Limits {
    object: &'static str,
    data: Vec<Line>,
}

async fn show(request: Request) -> Result<Response<Body>, Error> {
    let app = &request.app;
    // Before the query: who may not ask is told nothing of how.
    let actor = rights::who(app, request.headers())?;
    let query = Query::parse(request.query(), &NAMES)?;
    let mut named = Vec::new();
    for name in NAMES {
        let Some(id) = query.one(name)? else { continue };
        if !(SHORTEST..=LONGEST).contains(&id.chars().count()) {
            let expected = format!("a text of {SHORTEST} to {LONGEST} characters");
            return Err(Mistake::Wrong(name, expected).into());
        }
        named.push((name, id.to_owned()));
    }
    if let [_, (second, _), ..] = &*named {
        return Err(Mistake::Wrong(second, "alone: one holder at a time".to_owned()).into());
    }
    let (name, id) = named.pop().unwrap_or_default();
    let snapshot = app.snapshot.load_full();
    let (policy, allowances) = (&snapshot.policy, app.directory.allowances());
    let mut all: Vec<Limited> = Vec::new();
    match name {
        "project" => {
            actor.require(Right::UsageRead, Some(&id))?;
            let allowance = allowances.of(&id);
            let allowance = allowance.ok_or_else(|| Error::NoSuch("project", id.clone()))?;
            all.extend(
                policy
                    .project(&id, Some(&allowance))
                    .as_ref()
                    .map(Into::into),
            );
            policy.rates(&id, &allowance, |claim| all.push(claim.into()));
        }
        "key" => {
            let record = key(app, &id).await?;
            // Whose one that is not there would be cannot be told: only who sees all is told that it is not.
            let project = record.as_ref().map(|record| project_of(&record.owner));
            actor.require(Right::UsageRead, project)?;
            let record = record.ok_or_else(|| Error::NoSuch("API key", id.clone()))?;
            let terms = Arc::new(record.terms);
            let claim = policy.key(record.id.as_str(), Some(&terms));
            all.extend(claim.as_ref().map(Into::into));
        }
        "user" => {
            actor.require(Right::UsageRead, None)?;
            let terms = app.people.users.terms(&id);
            all.extend(policy.user(&id, terms.as_ref()).as_ref().map(Into::into));
        }
        _ => {
            actor.require(Right::UsageRead, None)?;
            let organization = allowances.organization();
            all.extend(policy.organization(&organization).as_ref().map(Into::into));
            all.extend(policy.models().map(|claim| Limited::from(&claim)));
        }
    }
    let lookout = Lookout {
        policy,
        reports: &app.reports,
        engine: Some(app.gate.engine()),
        now: app.gate.now(),
    };
    let data = lookout.lines(&all).await?;
    json_text(&Limits {
        object: "list",
        data,
    })
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
