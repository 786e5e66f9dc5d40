//! Is it alive, is it ready, and its metrics.

use super::{Operation, json};
use crate::{
    app::App,
    body::{self, Body},
    config::Provider,
    telemetry::metrics,
    upstream,
    wire::{
        about::{About, Content, Credential},
        schema::{Schema, Shape},
    },
};
use http::{HeaderValue, Response, StatusCode, header::CONTENT_TYPE};
use serde_json::json;
use std::{sync::Arc, time::Duration};

/// How long an upstream may take to accept a connection before it counts as out of reach.
const PATIENCE: Duration = Duration::from_secs(2);

const TAG: &str = "Observability";
const fn open(summary: &'static str) -> About {
    About::new(TAG, summary).credential(Credential::None)
}

/// `GET /healthz`.
pub const HEALTHZ: Operation = Operation::new(
    |_| Box::pin(async { Ok(healthz()) }),
    open("Whether the process serves").gives(&[(200, Content::Json(&HEALTH))]),
);
const HEALTH: Shape = Shape::new("Health", || {
    Schema::object().with("status", Schema::word("ok"))
});

/// `GET /readyz`.
pub const READYZ: Operation = Operation::new(
    |request| Box::pin(async move { Ok(readyz(&request.app).await) }),
    open("Whether calls can be served")
        .details(
            "An upstream accepts a connection, the flight table has room, and Weir is not about to stop. \
             A store that is away is told, and is no reason for a 503: known keys go on working.",
        )
        .gives(&[
            (200, Content::Json(&READINESS)),
            (503, Content::Json(&READINESS)),
        ]),
);
const READINESS: Shape = Shape::new("Readiness", || {
    let checks = ["store", "ledger", "upstream", "draining"];
    let checks = checks.into_iter();
    Schema::object()
        .with("status", Schema::words(["ready", "not ready", "draining"]))
        .with(
            "checks",
            checks.fold(Schema::object(), |all, name| all.with(name, Schema::flag())),
        )
        .with(
            "upstreams",
            Schema::map(Schema::flag()).says("Which upstreams can be reached, by name"),
        )
});

/// `GET /metrics`.
pub const METRICS: Operation = Operation::new(
    |request| Box::pin(async move { Ok(metrics(&request.app)) }),
    open("All metrics, for Prometheus").gives(&[(200, Content::Text(&["text/plain"]))]),
);

/// `GET /healthz`: the process serves.
fn healthz() -> Response<Body> {
    json(&json!({"status": "ok"}))
}

/// `GET /readyz`: an upstream can be reached, calls can be metered, and the gateway is not about to stop.
///
/// A store that is away is told, and no reason to send clients elsewhere: known keys go on working, and usage waits in
/// the flight table. If it were one, every node that shares the store would be out of service at once.
async fn readyz(app: &Arc<App>) -> Response<Body> {
    let draining = app.drain.is_raised();
    let store = app.keys.is_open().await;
    let reachable = upstreams(app).await;
    let upstream = reachable.iter().any(|(_, is_up)| *is_up);
    let ledger = has_room(app);
    let ready = !draining && ledger && upstream;
    let upstreams: serde_json::Map<String, serde_json::Value> = reachable
        .into_iter()
        .map(|(name, is_up)| (name.to_string(), is_up.into()))
        .collect();
    let mut response = json(&json!({
        "status": if draining { "draining" } else if ready { "ready" } else { "not ready" },
        "checks": {"store": store, "ledger": ledger, "upstream": upstream, "draining": draining},
        "upstreams": upstreams,
    }));
    if !ready {
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    }
    response
}

/// Whether the flight table can take what comes next, with a tenth of it in reserve.
fn has_room(app: &App) -> bool {
    let slots = app.snapshot.load().config.ledger.slots;
    let (used, _) = app.ledger.slots();
    used < slots - slots / 10
}

/// Which upstreams can be reached. The simulator counts only where nothing else is configured.
async fn upstreams(app: &Arc<App>) -> Vec<(Arc<str>, bool)> {
    let snapshot = app.snapshot.load_full();
    let all = &snapshot.config.upstreams;
    let real: Vec<_> = all
        .iter()
        .filter(|upstream| upstream.provider != Provider::Simulator)
        .cloned()
        .collect();
    if real.is_empty() {
        return all
            .iter()
            .map(|upstream| (Arc::clone(&upstream.name), true))
            .collect();
    }
    let mut probes = tokio::task::JoinSet::new();
    for upstream in real {
        probes.spawn(async move {
            let probe = tokio::time::timeout(PATIENCE, upstream::reachable(&upstream)).await;
            (Arc::clone(&upstream.name), matches!(probe, Ok(Ok(()))))
        });
    }
    probes.join_all().await
}

/// `GET /metrics`, for Prometheus.
fn metrics(app: &App) -> Response<Body> {
    metrics::log_lines_dropped(app.log.dropped());
    app.metrics.body_memory.set(app.body_memory.used() as f64);
    let (used, waiting) = app.ledger.slots();
    metrics::ledger_slots(used, waiting);
    let mut response = Response::new(body::full(app.metrics.render()));
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"),
    );
    response
}
