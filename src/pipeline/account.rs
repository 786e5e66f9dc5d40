//! What the world is told of a call that is over: metrics, events, the log line.

use crate::{
    app::App,
    domain::{Arrival, Outcome, Usage},
    events::{CallInfo, End, What},
    telemetry::{
        access::Access,
        metrics::{Figures, Labels},
    },
};
use http::StatusCode;
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// What of an answer is known when it is over.
#[derive(Default)]
pub(super) struct Passed {
    pub(super) chunks: u64,
    pub(super) bytes: u64,
    /// It came to its own end.
    pub(super) is_whole: bool,
    /// When the first and the last of the chunks passed.
    pub(super) passed: Option<(Instant, Instant)>,
}

/// A call that is over.
pub(super) struct Account<'a> {
    pub(super) app: &'a App,
    pub(super) arrival: &'a Arrival,
    pub(super) info: &'a Arc<CallInfo>,
    /// The model as metrics name it.
    pub(super) label: &'a Arc<str>,
    /// Who answered.
    pub(super) upstream: Option<&'a Arc<str>>,
    pub(super) status: StatusCode,
    pub(super) is_stream: bool,
    pub(super) outcome: Outcome,
    /// What the provider said was used.
    pub(super) usage: Option<Usage>,
    pub(super) passed: &'a Passed,
    pub(super) duration: Duration,
}

impl Account<'_> {
    /// Tells all who are to hear of it.
    pub(super) fn tell(&self) {
        self.measure();
        self.publish();
        if self.app.snapshot.load().config.log.access {
            self.log();
        }
    }

    fn measure(&self) {
        let metrics = &self.app.metrics;
        if self.usage.is_some() || self.upstream.is_some() && self.status.is_success() {
            metrics.tokens(self.label, self.usage.as_ref());
        }
        let nobody = || Arc::from("none");
        let generation = self.passed.passed.filter(|_| self.is_stream);
        metrics.call(
            Labels {
                endpoint: self.info.endpoint,
                model: Arc::clone(self.label),
                upstream: self.upstream.cloned().unwrap_or_else(nobody),
                status: self.status.as_u16(),
                outcome: self.outcome,
            },
            &Figures {
                duration: self.duration,
                first: self.first(),
                generation: generation.map(|(first, last)| last - first),
                chunks: self.passed.chunks,
                bytes: self.passed.bytes,
                usage: self.used(),
            },
        );
    }

    fn publish(&self) {
        let used = self.used();
        let end = End {
            outcome: self.outcome,
            status: self.status.as_u16(),
            chunks: self.passed.chunks,
            bytes: self.passed.bytes,
            input: used.input,
            output: used.output,
        };
        let events = &self.app.events;
        if self.is_stream {
            events.publish(self.info, What::StreamCompleted(end));
        }
        let is_good = self.outcome == Outcome::Completed && self.status.as_u16() < 400;
        events.publish(
            self.info,
            match is_good {
                true => What::RequestCompleted(end),
                false => What::RequestFailed(end),
            },
        );
    }

    fn log(&self) {
        let arrival = self.arrival;
        let access = Access {
            request: &arrival.id,
            key: arrival.key,
            client: arrival.client,
            method: &arrival.method,
            path: &arrival.path,
            model: (self.info.endpoint.shows_model()).then_some(&*self.info.model),
            upstream: self.upstream.map(|name| &**name),
            status: self.status.as_u16(),
            outcome: self.outcome.as_str(),
            duration: self.duration,
            first: self.first(),
            bytes: self.passed.bytes,
            usage: self.used(),
        };
        access.write(&self.app.log);
    }

    /// From the start to the first piece.
    fn first(&self) -> Option<Duration> {
        let (first, _) = self.passed.passed?;
        Some(first.saturating_duration_since(self.arrival.started))
    }

    fn used(&self) -> Usage {
        self.usage.unwrap_or_default()
    }
}
