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
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};
use tokio::time::Instant;

/// How long a list is good for.
const FRESH: Duration = Duration::from_secs(60);
/// How long an upstream that gave none is not asked again.
const PAUSE: Duration = Duration::from_secs(5);
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

struct Remembered {
    /// None if the upstream never gave one.
    list: Option<Arc<[Entry]>>,
    until: Instant,
}

#[derive(Deserialize)]
struct List {
    data: Vec<serde_json::Value>,
}

impl Catalog {
    /// The models that an upstream offers, or last offered; `None` if it never said.
    pub async fn of(&self, pool: &Pool, upstream: &Arc<Upstream>) -> Option<Arc<[Entry]>> {
        let known = {
            let lists = self.lists();
            let known = lists.get(&upstream.name);
            if let Some(known) = known.filter(|known| Instant::now() < known.until) {
                return known.list.clone();
            }
            known.and_then(|known| known.list.clone())
        };
        let asked = tokio::time::timeout(PATIENCE, ask(pool, upstream)).await;
        let asked = asked.unwrap_or(Err("no answer in time"));
        let pause = if asked.is_ok() { FRESH } else { PAUSE };
        let list = match asked {
            Ok(list) => Some(list.into()),
            Err(why) => {
                tracing::warn!(upstream.name = %upstream.name, why, "no list of models");
                known
            }
        };
        let remembered = Remembered {
            list: list.clone(),
            until: Instant::now() + pause,
        };
        self.lists().insert(Arc::clone(&upstream.name), remembered);
        list
    }

    fn lists(&self) -> MutexGuard<'_, HashMap<Arc<str>, Remembered>> {
        self.lists.lock().expect("nothing panics while it is held")
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
    // One that cannot be read is no reason to leave out the others.
    let read = |entry| serde_json::from_value(entry).ok();
    Ok(list.data.into_iter().filter_map(read).collect())
}
