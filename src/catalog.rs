//! What upstreams say they offer, asked when a client wants a list and remembered for a minute.

use crate::{
    config::Upstream,
    domain::{Endpoint, RequestId},
    providers,
    upstream::{Outgoing, Path, Pool, Request},
};
use http::Method;
use http_body_util::{BodyExt, Limited};
use serde::Deserialize;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::time::Instant;

/// How long a list is good for.
const FRESH: Duration = Duration::from_secs(60);
/// How long a client who asks for models waits for an upstream's list.
const PATIENCE: Duration = Duration::from_secs(3);
const LIST_MAX_BYTES: usize = 4 << 20;

/// A model that an upstream offers.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Entry {
    /// Its name.
    pub id: String,
    /// When it was made, in seconds since 1970.
    #[serde(default)]
    pub created: u64,
    /// Whose it is.
    #[serde(default)]
    pub owned_by: String,
}

/// What is remembered of upstreams' lists.
#[derive(Default)]
pub struct Catalog {
    lists: Mutex<HashMap<Arc<str>, Remembered>>,
}

type Remembered = (Instant, Arc<[Entry]>);

#[derive(Deserialize)]
struct List {
    data: Vec<Entry>,
}

impl Catalog {
    /// The models that an upstream offers; none if it does not say.
    pub async fn of(&self, pool: &Pool, upstream: &Arc<Upstream>) -> Arc<[Entry]> {
        if let Some(list) = self.get(&upstream.name) {
            return list;
        }
        let list = match tokio::time::timeout(PATIENCE, ask(pool, upstream)).await {
            Ok(Ok(list)) => list,
            Ok(Err(why)) => {
                tracing::warn!(upstream.name = %upstream.name, why, "no list of models");
                Vec::new()
            }
            Err(_) => {
                tracing::warn!(upstream.name = %upstream.name, "no list of models in time");
                Vec::new()
            }
        };
        self.put(&upstream.name, list.into())
    }

    fn get(&self, upstream: &Arc<str>) -> Option<Arc<[Entry]>> {
        let lists = self.lists.lock().expect("nothing panics while it is held");
        lists
            .get(upstream)
            .filter(|(since, _)| since.elapsed() < FRESH)
            .map(|(_, list)| Arc::clone(list))
    }

    fn put(&self, upstream: &Arc<str>, list: Arc<[Entry]>) -> Arc<[Entry]> {
        let mut lists = self.lists.lock().expect("nothing panics while it is held");
        lists.insert(Arc::clone(upstream), (Instant::now(), Arc::clone(&list)));
        list
    }
}

async fn ask(pool: &Pool, upstream: &Arc<Upstream>) -> Result<Vec<Entry>, &'static str> {
    let id = RequestId::new(0, 0);
    let headers = providers::openai::headers(upstream, &[], &id).ok_or("bad key")?;
    let request = Box::new(Request {
        method: Method::GET,
        path: Path::known("/models"),
        headers,
        body: Outgoing::held([]),
    });
    let answer = pool.send(upstream, Endpoint::Forward, &upstream.timeouts, request);
    let answer = answer.await.map_err(|_| "no answer")?;
    if !answer.status().is_success() {
        return Err("refused");
    }
    let body = Limited::new(answer.into_body(), LIST_MAX_BYTES)
        .collect()
        .await
        .map_err(|_| "broke off or too long")?;
    let list: List =
        serde_json::from_slice(&body.to_bytes()).map_err(|_| "not a list of models")?;
    Ok(list.data)
}
