//! The series of calls, which are looked up by their labels once and then held: a call pays for no look-up by name.

use super::{DURATION, FIRST_TOKEN, PER_TOKEN, TOKEN_USAGE};
use crate::domain::{Endpoint, Outcome, Usage};
use metrics::{Counter, Histogram, counter, histogram};
use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, RwLock},
    time::Duration,
};

/// What a finished call is counted under.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Labels {
    /// What was asked.
    pub endpoint: Endpoint,
    /// The model's name in the config, or `other`.
    pub model: Arc<str>,
    /// Who answered, or nobody.
    pub upstream: Arc<str>,
    /// The status that the client got.
    pub status: u16,
    /// How it ended.
    pub outcome: Outcome,
}

/// A finished call in figures.
#[derive(Clone, Copy, Debug)]
pub struct Figures {
    /// From its first byte to its last.
    pub duration: Duration,
    /// To the first piece of the answer.
    pub first: Option<Duration>,
    /// From the first piece to the last.
    pub generation: Option<Duration>,
    /// Pieces of the answer.
    pub chunks: u64,
    /// Bytes of the answer.
    pub bytes: u64,
    /// What it used.
    pub usage: Usage,
}

/// Handles to series by their labels, which are the config's words, so that a quick hash will do.
pub(super) type Known<K, S> = RwLock<HashMap<K, Arc<S>, foldhash::fast::RandomState>>;

/// Handles to the series of one set of labels, so that a call pays for no look-up by name.
pub(super) struct CallMetrics {
    requests: Counter,
    duration: Histogram,
    first: Histogram,
    per_token: Histogram,
    input: Histogram,
    output: Histogram,
    chunks: Counter,
    bytes: Counter,
}

/// The series under `labels`, made at their first use.
pub(super) fn series<K: Eq + Hash, S>(
    known: &Known<K, S>,
    labels: K,
    make: impl Fn(&K) -> S,
) -> Arc<S> {
    let found = known
        .read()
        .expect("nothing panics while it is held")
        .get(&labels)
        .cloned();
    found.unwrap_or_else(|| {
        let made = Arc::new(make(&labels));
        known
            .write()
            .expect("nothing panics while it is held")
            .entry(labels)
            .or_insert(made)
            .clone()
    })
}

/// What the ledger holds, in sum.
pub(super) struct TokenMetrics {
    kinds: [Counter; 4],
    without_usage: Counter,
}

impl TokenMetrics {
    pub(super) fn new(model: &Arc<str>) -> Self {
        let kind = |kind: &'static str| counter!("weir_tokens_total", "model" => model.to_string(), "kind" => kind);
        Self {
            kinds: ["input", "output", "cached", "reasoning"].map(kind),
            without_usage: counter!("weir_without_usage_total", "model" => model.to_string()),
        }
    }

    pub(super) fn count(&self, usage: Option<&Usage>) {
        let Some(usage) = usage else {
            return self.without_usage.increment(1);
        };
        let parts = [usage.input, usage.output, usage.cached, usage.reasoning];
        for (counter, tokens) in self.kinds.iter().zip(parts) {
            counter.increment(tokens.unwrap_or(0));
        }
    }
}

impl CallMetrics {
    pub(super) fn new(labels: &Labels) -> Self {
        let (endpoint, operation) = (labels.endpoint.as_str(), labels.endpoint.operation());
        let (model, upstream) = (labels.model.to_string(), labels.upstream.to_string());
        let gen_ai = [
            ("gen_ai_operation_name", operation.to_owned()),
            ("gen_ai_request_model", model.clone()),
            ("gen_ai_provider_name", upstream.clone()),
        ];
        let tokens = |kind: &str| {
            let mut all = gen_ai.to_vec();
            all.push(("gen_ai_token_type", kind.to_owned()));
            histogram!(TOKEN_USAGE, &all)
        };
        Self {
            requests: counter!("weir_requests_total", "endpoint" => endpoint, "model" => model.clone(),
                "upstream" => upstream.clone(), "status" => labels.status.to_string(), "outcome" => labels.outcome.as_str()),
            duration: histogram!(DURATION, &gen_ai),
            first: histogram!(FIRST_TOKEN, &gen_ai),
            per_token: histogram!(PER_TOKEN, &gen_ai),
            input: tokens("input"),
            output: tokens("output"),
            chunks: counter!("weir_chunks_total", "endpoint" => endpoint, "model" => model.clone(), "upstream" => upstream.clone()),
            bytes: counter!("weir_answer_bytes_total", "endpoint" => endpoint, "model" => model, "upstream" => upstream),
        }
    }

    pub(super) fn count(&self, figures: &Figures) {
        self.requests.increment(1);
        self.duration.record(figures.duration.as_secs_f64());
        self.chunks.increment(figures.chunks);
        self.bytes.increment(figures.bytes);
        if let Some(first) = figures.first {
            self.first.record(first.as_secs_f64());
        }
        let tokens = figures.usage.output.unwrap_or(figures.chunks);
        if let Some(generation) = figures.generation
            && tokens > 1
        {
            self.per_token
                .record(generation.as_secs_f64() / (tokens - 1) as f64);
        }
        if let Some(input) = figures.usage.input {
            self.input.record(input as f64);
        }
        if let Some(output) = figures.usage.output {
            self.output.record(output as f64);
        }
    }
}
