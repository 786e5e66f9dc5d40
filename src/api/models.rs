//! `GET /v1/models`: the names that a key may use.

use super::{Request, authenticate, may_use};
use crate::{
    app::{Snapshot, Worker},
    body::{self, Body},
    catalog::Entry,
    config::Provider,
    domain::{Arrival, Caller, matches},
    error::Error,
    providers::simulator,
    wire::{
        about::{About, Content, Credential},
        percent,
        schema::{Schema, Shape},
    },
};
use http::{HeaderValue, Response, header::CONTENT_TYPE};
use serde::Serialize;
use std::{collections::BTreeMap, sync::Arc, time::UNIX_EPOCH};

/// What the document says of `GET /v1/models`.
pub const LIST: About = About::new("Data plane", "The models that a key may use")
    .credential(Credential::Key)
    .gives(&[(200, Content::Json(&MODELS))]);
/// What the document says of `GET /v1/models/{model}`.
pub const RETRIEVE: About = About::new("Data plane", "One of the models that a key may use")
    .credential(Credential::Key)
    .gives(&[(200, Content::Json(&MODEL))]);
const MODELS: Shape = Shape::new("ModelList", || {
    Schema::object()
        .with("object", Schema::word("list"))
        .with("data", Schema::list(Schema::named(&MODEL)))
});
const MODEL: Shape = Shape::new("Model", || {
    Schema::object()
        .with("id", Schema::text())
        .with("object", Schema::word("model"))
        .with("created", Schema::time())
        .with(
            "owned_by",
            Schema::text().says("The upstream, or whom it names"),
        )
});

#[derive(Serialize)]
struct List {
    object: &'static str,
    data: Vec<Model>,
}

#[derive(Serialize)]
struct Model {
    id: String,
    object: &'static str,
    created: u64,
    owned_by: String,
}

/// All models that the caller may use.
pub async fn list(
    worker: &Arc<Worker>,
    request: Request,
    arrival: &mut Arrival,
) -> Result<Response<Body>, Error> {
    let caller = authenticate(worker, request.headers(), arrival)?;
    let snapshot = worker.app.snapshot.load_full();
    let data = known(worker, &snapshot, &caller)
        .await
        .into_values()
        .collect();
    Ok(json(&List {
        object: "list",
        data,
    }))
}

/// One model.
pub async fn retrieve(
    worker: &Arc<Worker>,
    name: &str,
    request: Request,
    arrival: &mut Arrival,
) -> Result<Response<Body>, Error> {
    let caller = authenticate(worker, request.headers(), arrival)?;
    let snapshot = worker.app.snapshot.load_full();
    let name = percent::decode(name).ok_or(Error::NoSuchPath)?;
    if let Some(model) = known(worker, &snapshot, &caller).await.remove(&name) {
        return Ok(json(&model));
    }
    // Under a pattern it is the upstream that knows its models. Where it does not say, a name that it would be asked
    // for stands for itself.
    let entry = snapshot.routes.model(&name);
    let entry = entry.filter(|_| may_use(worker, &caller, &name));
    let silent = match entry.map(|entry| &entry.to[0].upstream) {
        Some(upstream) if upstream.provider == Provider::OpenAi => {
            let offered = worker.app.catalog.of(&worker.pool, upstream).await;
            offered.is_none().then_some(upstream)
        }
        _ => None,
    };
    let upstream = silent.ok_or_else(|| Error::NoSuchModel(name.clone()))?;
    Ok(json(&Model {
        id: name,
        object: "model",
        created: started(worker),
        owned_by: upstream.name.to_string(),
    }))
}

/// When the models of the config came into being, as far as anybody knows.
fn started(worker: &Worker) -> u64 {
    let since = worker.app.started.duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}

/// The models by name: those that the config names, and what upstreams offer under its patterns.
async fn known(
    worker: &Arc<Worker>,
    snapshot: &Snapshot,
    caller: &Caller,
) -> BTreeMap<String, Model> {
    let started = started(worker);
    let mut models = BTreeMap::new();
    for entry in snapshot.routes.models() {
        let first = &entry.to[0];
        let owner = &first.upstream.name;
        if !entry.name.contains('*') {
            let model = Entry {
                id: entry.name.to_string(),
                created: started,
                owned_by: owner.to_string(),
            };
            models.insert(model.id.clone(), model);
            continue;
        }
        let offered = match first.upstream.provider {
            Provider::Simulator => simulated(started),
            Provider::OpenAi => {
                let offered = worker.app.catalog.of(&worker.pool, &first.upstream).await;
                offered.unwrap_or_default()
            }
        };
        for model in offered
            .iter()
            .filter(|model| matches(&entry.name, &model.id))
        {
            models
                .entry(model.id.clone())
                .or_insert_with(|| model.clone());
        }
    }
    let allowed = models
        .into_iter()
        .filter(|(name, _)| may_use(worker, caller, name));
    allowed
        .map(|(name, entry)| {
            let Entry {
                id,
                created,
                owned_by,
            } = entry;
            (
                name,
                Model {
                    id,
                    object: "model",
                    created,
                    owned_by,
                },
            )
        })
        .collect()
}

fn simulated(created: u64) -> Arc<[Entry]> {
    let name = |(suffix, _): &(&str, &str)| format!("simulator/{suffix}");
    let entry = |id| Entry {
        id,
        created,
        owned_by: "simulator".to_owned(),
    };
    simulator::MODELS.iter().map(name).map(entry).collect()
}

fn json(value: &impl Serialize) -> Response<Body> {
    let text = serde_json::to_string(value).expect("strings and numbers always serialise");
    let mut response = Response::new(body::full(text));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
