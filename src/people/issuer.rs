//! An outside issuer's keys: fetched in the background, kept while it is away, asked for again when a token names one
//! that is not known.
//!
//! No request waits for an issuer. One that is down or lies adds no key: what was known stays good for a day.

use crate::{
    config::{self, Timeouts, Upstream},
    domain::Endpoint,
    jwt::{Algorithm, Look, VerifyKey},
    telemetry::metrics,
    upstream::{Outgoing, Path, Pool, Request},
};
use arc_swap::ArcSwap;
use http::{Method, Uri};
use http_body_util::{BodyExt, Limited};
use serde::Deserialize;
use serde_json::Value;
use std::{
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::Notify,
    time::{Instant, timeout},
};

/// How old a set of keys becomes before it is fetched again.
const FRESH: Duration = Duration::from_secs(5 * 60);
/// How long the last one serves while no other can be had.
const STALE_MAX: Duration = Duration::from_secs(24 * 3600);
/// How long after a fetch that failed the next one begins.
const RETRY: Duration = Duration::from_secs(2);
/// How long a fetch may take, all of it.
const PATIENCE: Duration = Duration::from_secs(5);
const BODY_BYTES_MAX: usize = 256 << 10;
const KEYS_MAX: usize = 64;

/// One issuer and what is known of its keys.
pub(super) struct Issuer {
    pub(super) config: Arc<config::Issuer>,
    keys: ArcSwap<KeySet>,
    state: Mutex<State>,
    wake: Notify,
    retired: AtomicBool,
}

#[derive(Default)]
struct KeySet {
    keys: Vec<Arc<VerifyKey>>,
}

#[derive(Default)]
struct State {
    /// When a fetch last began.
    asked: Option<Instant>,
    /// When one last succeeded.
    fetched: Option<Instant>,
    /// An unknown key was named since.
    wanted: bool,
}

/// What is known of the key that a token names.
pub(super) enum Found {
    Key(Arc<VerifyKey>),
    /// The issuer has no such key.
    None,
    /// Nobody can say now: the keys could not be had yet, or are about to be fetched again.
    Unsure,
}

impl Issuer {
    pub(super) fn new(config: Arc<config::Issuer>) -> Self {
        Self {
            config,
            keys: ArcSwap::default(),
            state: Mutex::default(),
            wake: Notify::new(),
            retired: AtomicBool::new(false),
        }
    }

    /// The key for a token. If it is not known, the issuer is asked soon, and not too often.
    pub(super) fn find(&self, look: &Look) -> Found {
        let keys = self.keys.load();
        if let Some(key) = keys.find(look.key.as_deref(), look.algorithm) {
            return Found::Key(Arc::clone(key));
        }
        let mut state = self.state();
        let answers = state.fetched.is_some_and(|at| at.elapsed() < STALE_MAX);
        let was_just_asked = state
            .asked
            .is_some_and(|at| at.elapsed() < self.config.pause);
        if answers && was_just_asked && !state.wanted {
            return Found::None;
        }
        state.wanted = true;
        self.wake.notify_one();
        Found::Unsure
    }

    /// Whether a key is still one of the issuer's.
    pub(super) fn has(&self, key: &Arc<VerifyKey>) -> bool {
        self.keys
            .load()
            .keys
            .iter()
            .any(|known| Arc::ptr_eq(known, key))
    }

    /// Fetches the keys when it is time, until the issuer is retired.
    pub(super) async fn follow(self: Arc<Self>) {
        let pool = Pool::default();
        while !self.retired.load(Ordering::Relaxed) {
            let wait = self.wait();
            // Woken or not, it is the times that decide.
            if !wait.is_zero() {
                let _ = timeout(wait, self.wake.notified()).await;
                continue;
            }
            self.state().asked = Some(Instant::now());
            let fetched = timeout(PATIENCE, fetch(&pool, &self.config)).await;
            self.take(fetched.unwrap_or(Err("no answer in time")));
        }
    }

    /// Ends [`Issuer::follow`].
    pub(super) fn retire(&self) {
        self.retired.store(true, Ordering::Relaxed);
        self.wake.notify_one();
    }

    /// How long the next fetch has to wait.
    fn wait(&self) -> Duration {
        let state = self.state();
        let Some(asked) = state.asked else {
            return Duration::ZERO;
        };
        let is_good = state.fetched.is_some_and(|fetched| fetched >= asked);
        let every = match (is_good, state.wanted) {
            (true, false) => FRESH,
            (true, true) => self.config.pause,
            (false, _) => RETRY,
        };
        every.saturating_sub(asked.elapsed())
    }

    fn take(&self, fetched: Result<Vec<VerifyKey>, &'static str>) {
        let name = &self.config.name;
        metrics::issuer_asked(name, fetched.is_ok());
        let mut state = self.state();
        state.wanted = false;
        match fetched {
            Ok(keys) => {
                state.fetched = Some(Instant::now());
                let keys = self.keys.load().merged(keys);
                self.keys.store(Arc::new(KeySet { keys }));
            }
            Err(why) => {
                tracing::warn!(issuer.name = %name, why, "no keys of an issuer");
                if state.fetched.is_some_and(|at| at.elapsed() >= STALE_MAX) {
                    self.keys.store(Arc::default());
                }
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it is held")
    }
}

impl KeySet {
    /// The key of that name; without a name, the only one for the algorithm.
    fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Option<&Arc<VerifyKey>> {
        let fits = |key: &&Arc<VerifyKey>| {
            key.is_for(algorithm) && id.is_none_or(|id| key.id.as_deref() == Some(id))
        };
        let mut fitting = self.keys.iter().filter(fits);
        let first = fitting.next()?;
        (id.is_some() || fitting.next().is_none()).then_some(first)
    }

    /// `new`, with those that were known already as they were: tokens that they verified stay good.
    fn merged(&self, new: Vec<VerifyKey>) -> Vec<Arc<VerifyKey>> {
        let known = |key: VerifyKey| {
            let same = self.keys.iter().find(|known| known.is_same(&key));
            same.map_or_else(|| Arc::new(key), Arc::clone)
        };
        new.into_iter().map(known).collect()
    }
}

async fn fetch(pool: &Pool, issuer: &config::Issuer) -> Result<Vec<VerifyKey>, &'static str> {
    #[derive(Deserialize)]
    struct Discovery {
        issuer: String,
        jwks_uri: String,
    }
    #[derive(Deserialize)]
    struct Set {
        keys: Vec<Value>,
    }
    let url = match &issuer.key_set {
        Some(url) => url.clone(),
        None => {
            let base = issuer.issuer.trim_end_matches('/');
            let url = format!("{base}/.well-known/openid-configuration");
            let found: Discovery = get(pool, issuer, &url).await?;
            if found.issuer != issuer.issuer {
                return Err("its discovery document is about another issuer");
            }
            // Whoever may listen on the way could name any place, so it must not become a way without TLS.
            if !config::may_fetch(&found.jwks_uri) {
                return Err("its discovery document leads to a place without TLS");
            }
            found.jwks_uri
        }
    };
    let set: Set = get(pool, issuer, &url).await?;
    let keys = set.keys.iter().take(KEYS_MAX);
    let keys: Vec<VerifyKey> = keys
        .filter_map(|key| VerifyKey::of_jwk(key, &issuer.algorithms))
        .collect();
    match keys.is_empty() {
        true => Err("its set has no key for the algorithms that are allowed"),
        false => Ok(keys),
    }
}

/// Gets a JSON document. Redirections are not followed.
async fn get<T: serde::de::DeserializeOwned>(
    pool: &Pool,
    issuer: &config::Issuer,
    url: &str,
) -> Result<T, &'static str> {
    let uri: Uri = url.parse().map_err(|_| "its URL is none")?;
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err("its URL is none");
    };
    let name = Arc::clone(&issuer.name);
    let place = Arc::new(Upstream {
        authorities: issuer.authorities.clone(),
        ..Upstream::bare(name, format!("{scheme}://{authority}"), TIMEOUTS)
    });
    let request = Box::new(Request {
        method: Method::GET,
        path: Path::below("", &uri),
        headers: Vec::new(),
        body: Outgoing::held([]),
    });
    let answer = pool.send(&place, Endpoint::Forward, &TIMEOUTS, request);
    let answer = answer.await.map_err(|_| "no answer")?;
    if answer.status() != http::StatusCode::OK {
        return Err("refused");
    }
    let body = Limited::new(answer.into_body(), BODY_BYTES_MAX);
    let body = body.collect().await.map_err(|_| "broke off or too long")?;
    serde_json::from_slice(&body.to_bytes()).map_err(|_| "not the document that was asked for")
}

const TIMEOUTS: Timeouts = Timeouts::each(PATIENCE);
