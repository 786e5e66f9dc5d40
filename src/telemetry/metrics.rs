//! Every metric and its labels, in one module. Nothing else in Weir names one.
//!
//! Labels are bounded: a model is one of the config's names or `other`, and no key, address or request is a label.

mod calls;
mod described;
mod queue;

pub use calls::{Figures, Labels};
pub use queue::{NoTurn, QueueMetrics, Waited};

use crate::domain::Usage;
use calls::{CallMetrics, Known, TokenMetrics, series};
use described::describe;
use metrics::{Counter, Gauge, counter, gauge};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use std::{
    sync::{Arc, RwLock},
    time::Duration,
};

const DURATION: &str = "gen_ai_server_request_duration_seconds";
const FIRST_TOKEN: &str = "gen_ai_server_time_to_first_token_seconds";
const PER_TOKEN: &str = "gen_ai_server_time_per_output_token_seconds";
const TOKEN_USAGE: &str = "gen_ai_client_token_usage";
const QUEUE_WAIT: &str = "weir_queue_wait_seconds";

/// The buckets that OpenTelemetry's conventions for generative AI advise, and those of a wait in a queue.
const BUCKETS: [(&str, &[f64]); 5] = [
    (
        QUEUE_WAIT,
        &[
            0.001, 0.005, 0.02, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 300.0,
        ],
    ),
    (
        DURATION,
        &[
            0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92,
        ],
    ),
    (
        FIRST_TOKEN,
        &[
            0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5,
            10.0,
        ],
    ),
    (
        PER_TOKEN,
        &[
            0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5,
        ],
    ),
    (
        TOKEN_USAGE,
        &[
            1.0,
            4.0,
            16.0,
            64.0,
            256.0,
            1024.0,
            4096.0,
            16384.0,
            65536.0,
            262_144.0,
            1_048_576.0,
            4_194_304.0,
            16_777_216.0,
            67_108_864.0,
        ],
    ),
];

/// The metrics of the process.
pub struct Metrics {
    handle: PrometheusHandle,
    calls: Known<Labels, CallMetrics>,
    attempts: Known<(Arc<str>, &'static str), Counter>,
    tokens: Known<Arc<str>, TokenMetrics>,
    unpriced: Known<Arc<str>, Counter>,
    /// Calls that have begun and not ended.
    pub in_flight: Gauge,
    /// Holders of limits in memory.
    pub limit_holders: Gauge,
    /// Bytes of request bodies that are held.
    pub body_memory: Gauge,
}

/// Installs the recorder; call once in a process.
pub fn install() -> Result<Metrics, metrics_exporter_prometheus::BuildError> {
    let mut builder = PrometheusBuilder::new();
    for (name, buckets) in BUCKETS {
        builder = builder.set_buckets_for_metric(Matcher::Full(name.to_owned()), buckets)?;
    }
    let handle = builder.install_recorder()?;
    describe();
    gauge!("weir_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    gauge!("weir_config_last_reload_ok").set(1.0);
    // What first appears with its first case has not increased, to whoever watches for that.
    for rare in [
        "weir_panics_total",
        "weir_ledger_torn_slots_total",
        "weir_ledger_failures_total",
    ] {
        counter!(rare).increment(0);
    }
    for plane in ["data", "control"] {
        counter!("weir_connections_refused_total", "plane" => plane).increment(0);
    }
    Ok(Metrics {
        handle,
        calls: RwLock::default(),
        attempts: RwLock::default(),
        tokens: RwLock::default(),
        unpriced: RwLock::default(),
        in_flight: gauge!("weir_requests_in_flight"),
        limit_holders: gauge!("weir_limit_holders"),
        body_memory: gauge!("weir_body_memory_bytes"),
    })
}

impl Metrics {
    /// All metrics in Prometheus' text format.
    pub fn render(&self) -> String {
        self.handle.render()
    }

    /// Folds what was recorded into buckets; without it, samples would pile up until the next scrape.
    pub fn upkeep(&self) {
        self.handle.run_upkeep();
    }

    /// Counts one try at an upstream.
    pub fn attempt(&self, upstream: &Arc<str>, result: &'static str) {
        let labels = (Arc::clone(upstream), result);
        let make = |(upstream, result): &(Arc<str>, &'static str)| counter!("weir_attempts_total", "upstream" => upstream.to_string(), "result" => *result);
        series(&self.attempts, labels, make).increment(1);
    }

    /// Counts a finished call.
    pub fn call(&self, labels: Labels, figures: &Figures) {
        series(&self.calls, labels, CallMetrics::new).count(figures);
    }

    /// Counts what a call used, if its provider said.
    pub fn tokens(&self, model: &Arc<str>, usage: Option<&Usage>) {
        series(&self.tokens, model.clone(), TokenMetrics::new).count(usage);
    }

    /// Counts a call that used something whose price nobody knows.
    pub fn unpriced(&self, model: &Arc<str>) {
        let make = |model: &Arc<str>| counter!("weir_unpriced_requests_total", "model" => model.to_string());
        series(&self.unpriced, Arc::clone(model), make).increment(1);
    }
}

/// A refusal or fault of Weir's own, by its code.
pub fn refused(code: &'static str) {
    counter!("weir_refusals_total", "code" => code).increment(1);
}

/// A limit was in the way of a call, or of its answer.
pub fn limited(level: &'static str, kind: &'static str) {
    counter!("weir_limited_total", "level" => level, "limit" => kind).increment(1);
}

/// A credential that was not accepted; the caller is not told why.
pub fn unauthenticated(reason: &'static str) {
    counter!("weir_unauthenticated_total", "reason" => reason).increment(1);
}

/// A sign-in or what follows from it, and how it ended.
pub fn signed_in(how: &'static str, result: &'static str) {
    counter!("weir_sign_ins_total", "how" => how, "result" => result).increment(1);
}

/// A password that was hashed, to be kept or to be compared.
pub fn password_hashed() {
    counter!("weir_passwords_hashed_total").increment(1);
}

/// An outside issuer was asked for its keys.
pub fn issuer_asked(name: &str, has_answered: bool) {
    let result = if has_answered { "ok" } else { "failed" };
    counter!("weir_issuer_fetches_total", "issuer" => name.to_owned(), "result" => result)
        .increment(1);
}

/// Entries that were committed, of which the oldest had ended this long ago.
pub fn ledger_written(entries: u64, lag: Duration) {
    counter!("weir_ledger_rows_written_total").increment(entries);
    gauge!("weir_ledger_lag_seconds").set(lag.as_secs_f64());
}

/// The store or the disk did not take what the ledger gave it; nothing is lost yet.
pub fn ledger_failed() {
    counter!("weir_ledger_failures_total").increment(1);
}

/// Slots of the flight table that cannot be trusted.
pub fn ledger_torn(slots: u64) {
    counter!("weir_ledger_torn_slots_total").increment(slots);
}

/// Slots of the flight table that are taken, and those among them that wait for the store.
pub fn ledger_slots(used: u32, waiting: u32) {
    gauge!("weir_ledger_slots_used").set(used);
    gauge!("weir_ledger_slots_waiting").set(waiting);
}

/// Tokens that could not be counted exactly though the rules are known; they were estimated.
pub fn count_refused(why: &'static str) {
    counter!("weir_token_counts_refused_total", "why" => why).increment(1);
}

/// An answer that was cancelled though its client's policy was to finish it: too many were being finished.
pub fn finish_refused() {
    counter!("weir_hangup_finishes_refused_total").increment(1);
}

/// A figure in a provider's usage that can be no count.
pub fn usage_refused() {
    counter!("weir_ledger_usage_refused_total").increment(1);
}

/// A client's metadata that the ledger has no room for.
pub fn metadata_left_out() {
    counter!("weir_ledger_metadata_left_out_total").increment(1);
}

/// Whether limits are kept together with other nodes, rather than by each for itself.
pub fn limits_shared(are_shared: bool) {
    gauge!("weir_limits_shared").set(f64::from(u8::from(are_shared)));
}

/// Redis did not do what it was asked, or could not be asked.
pub fn redis_failed() {
    counter!("weir_redis_errors_total").increment(1);
}

/// A connection that is open.
pub struct Open(Gauge);

impl Open {
    /// One more on this plane.
    pub fn new(plane: &'static str) -> Self {
        let gauge = gauge!("weir_connections", "plane" => plane);
        gauge.increment(1);
        Self(gauge)
    }

    /// One less.
    pub fn closed(&self) {
        self.0.decrement(1);
    }
}

/// A connection that was turned away.
pub fn connection_refused(plane: &'static str) {
    counter!("weir_connections_refused_total", "plane" => plane).increment(1);
}

/// An event that a subscriber was too slow for.
pub fn event_dropped() {
    counter!("weir_events_dropped_total").increment(1);
}

/// A spend alert that went off.
pub fn alert_fired() {
    counter!("weir_spend_alerts_total").increment(1);
}

/// A panic that was caught at the edge.
pub fn panicked() {
    counter!("weir_panics_total").increment(1);
}

/// A change of the config file that was taken up, or refused.
pub fn reloaded(worked: bool) {
    counter!("weir_config_reloads_total", "result" => if worked { "ok" } else { "refused" })
        .increment(1);
    gauge!("weir_config_last_reload_ok").set(f64::from(u8::from(worked)));
}

/// Log lines that were dropped so far.
pub fn log_lines_dropped(dropped: u64) {
    counter!("weir_log_lines_dropped_total").absolute(dropped);
}
