//! What a request that is passed on brings, and where that goes.

use crate::{
    api::generate::Held,
    app::Snapshot,
    config::{Server, Target, Upstream},
    pipeline::Payload,
    upstream::Upload,
};
use hyper::body::Incoming;
use std::sync::Arc;

/// What calls are counted under that show no model.
const OTHER: &str = "other";

/// What of a call depends on whether its body was read.
pub(super) struct Brought {
    pub(super) label: Arc<str>,
    pub(super) model: Arc<str>,
    pub(super) stream: bool,
    pub(super) payload: Payload,
    pub(super) target: Target,
}

impl Brought {
    /// A body that passes as it comes.
    pub(super) fn streamed(body: Incoming, bounds: &Server, upstream: Arc<Upstream>) -> Self {
        let max = bounds.upload_max_bytes;
        let (upload, fault) = Upload::new(body, max, bounds.body_timeout);
        Self {
            label: OTHER.into(),
            model: OTHER.into(),
            stream: false,
            payload: Payload::Streamed(Some(upload), fault, max),
            target: target(upstream),
        }
    }

    /// One that was read.
    pub(super) fn held(held: Held, snapshot: &Snapshot, upstream: Arc<Upstream>) -> Self {
        let Held {
            body,
            facts,
            reserved,
            ..
        } = held;
        let mut target = target(upstream);
        // The config need not have the model: the upstream is the path's, not the model's, and gets the name as it is.
        let entry = snapshot.routes.model(&facts.model);
        let same = |known: &&Target| {
            let name = known.model.as_deref().unwrap_or(&facts.model);
            known.upstream.name == target.upstream.name && name == facts.model
        };
        if let Some(known) = entry.and_then(|entry| entry.to.iter().find(same)) {
            target.tokenizer = known.tokenizer.clone();
        }
        let label = entry.map_or_else(|| OTHER.into(), |entry| Arc::clone(&entry.name));
        let model = match facts.model.as_str() {
            "" => OTHER,
            model => model,
        };
        Self {
            label,
            model: model.into(),
            stream: facts.stream,
            payload: Payload::Held {
                body,
                facts,
                reserved,
            },
            target,
        }
    }
}

fn target(upstream: Arc<Upstream>) -> Target {
    Target {
        timeouts: upstream.timeouts,
        upstream,
        model: None,
        tokenizer: None,
        weight: 0,
    }
}
