//! Where usage goes when a call is over.
//!
//! The ledger of this version keeps running totals on `/metrics`; a durable store takes its place behind the same call.

use crate::{
    domain::{Endpoint, KeyId, Outcome, RequestId, Usage},
    telemetry::metrics::Metrics,
};
use std::sync::Arc;

/// One call, settled.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The call.
    pub request: RequestId,
    /// Who pays.
    pub key: KeyId,
    /// What was asked.
    pub endpoint: Endpoint,
    /// The model's name in the config, or `other`.
    pub model: Arc<str>,
    /// How it ended.
    pub outcome: Outcome,
    /// Whether the provider gave an answer, so that there is something to bill.
    pub answered: bool,
    /// What the provider said was used, if it said.
    pub usage: Option<Usage>,
}

/// Keeps entries.
pub struct Ledger {
    metrics: Arc<Metrics>,
}

impl Ledger {
    /// A ledger that sums up on `metrics`.
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Self { metrics }
    }

    /// Takes an entry. Never waits: it runs when a stream is dropped, and a hang-up must not lose a charge.
    pub fn record(&self, entry: &Entry) {
        if entry.answered || entry.usage.is_some() {
            self.metrics.tokens(&entry.model, entry.usage.as_ref());
        }
    }
}
