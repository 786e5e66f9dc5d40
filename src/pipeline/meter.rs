//! Follows one call to its end and settles it once: ledger, metrics, events and the log line.

use super::Call;
use crate::{
    app::App,
    domain::{Arrival, Endpoint, Outcome, Usage},
    error::Error,
    events::{CallInfo, End, What},
    ledger::Entry,
    tap::{Report, Watch},
    telemetry::{
        access::Access,
        metrics::{self, Figures, Labels},
    },
};
use http::StatusCode;
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// A call in the air. Whatever way it goes out, it is settled.
pub(super) struct Meter {
    app: Arc<App>,
    arrival: Box<Arrival>,
    info: Arc<CallInfo>,
    label: Arc<str>,
    upstream: Option<Arc<str>>,
    status: StatusCode,
    is_stream: bool,
    is_settled: bool,
}

/// What nginx made the custom for a client that left before it was answered.
const CLIENT_LEFT: u16 = 499;

impl Meter {
    /// Begins to follow a call.
    pub(super) fn start(app: Arc<App>, arrival: &mut Arrival, call: &Call) -> Self {
        arrival.metered = true;
        arrival.model = Some(Arc::clone(&call.model));
        let info = Arc::new(CallInfo {
            request: arrival.id.clone(),
            key: call.caller.key,
            endpoint: call.endpoint,
            model: Arc::clone(&call.model),
            stream: call.stream,
        });
        app.metrics.in_flight.increment(1);
        app.events.publish(&info, What::RequestStarted);
        Self {
            app,
            arrival: Box::new(arrival.clone()),
            info,
            label: Arc::clone(&call.label),
            upstream: None,
            status: StatusCode::from_u16(CLIENT_LEFT).expect("three digits"),
            is_stream: false,
            is_settled: false,
        }
    }

    /// The call, for events.
    pub(super) fn info(&self) -> &Arc<CallInfo> {
        &self.info
    }

    /// When the call came in.
    pub(super) fn started(&self) -> Instant {
        self.arrival.started
    }

    /// An upstream answers.
    pub(super) fn answered(&mut self, upstream: &Arc<str>, status: StatusCode, is_stream: bool) {
        self.status = status;
        self.is_stream = is_stream;
        self.upstream = Some(Arc::clone(upstream));
        if is_stream {
            self.app.events.publish(
                &self.info,
                What::StreamStarted {
                    upstream: Arc::clone(upstream),
                },
            );
        }
    }

    /// No upstream does.
    pub(super) fn failed(&mut self, error: &Error) {
        metrics::refused(error.code());
        self.status = error.status();
        let outcome = match error {
            Error::UpstreamTimeout | Error::TooSlow => Outcome::TimedOut,
            Error::UpstreamUnreachable | Error::UpstreamAuth => Outcome::UpstreamFailed,
            Error::Internal | Error::Draining => Outcome::Interrupted,
            _ => Outcome::Rejected,
        };
        self.settle(outcome, None, &Passed::default());
    }

    fn settle(&mut self, outcome: Outcome, usage: Option<Usage>, figures: &Passed) {
        if std::mem::replace(&mut self.is_settled, true) {
            return;
        }
        let app = &self.app;
        app.metrics.in_flight.decrement(1);
        app.ledger.record(&Entry {
            request: self.arrival.id.clone(),
            key: self.info.key,
            endpoint: self.info.endpoint,
            model: Arc::clone(&self.label),
            outcome,
            answered: self.upstream.is_some() && self.status.is_success(),
            usage,
        });
        let used = usage.unwrap_or_default();
        let duration = self.arrival.started.elapsed();
        let since = |at: Instant| at.saturating_duration_since(self.arrival.started);
        let nobody = || Arc::from("none");
        app.metrics.call(
            Labels {
                endpoint: self.info.endpoint,
                model: Arc::clone(&self.label),
                upstream: self.upstream.clone().unwrap_or_else(nobody),
                status: self.status.as_u16(),
                outcome,
            },
            &Figures {
                duration,
                first: figures.passed.map(|(first, _)| since(first)),
                generation: figures
                    .passed
                    .filter(|_| self.is_stream)
                    .map(|(first, last)| last - first),
                chunks: figures.chunks,
                bytes: figures.bytes,
                usage: used,
            },
        );
        let end = End {
            outcome,
            status: self.status.as_u16(),
            chunks: figures.chunks,
            bytes: figures.bytes,
            input: used.input,
            output: used.output,
        };
        if self.is_stream {
            app.events.publish(&self.info, What::StreamCompleted(end));
        }
        let good = outcome == Outcome::Completed && self.status.as_u16() < 400;
        app.events.publish(
            &self.info,
            if good {
                What::RequestCompleted(end)
            } else {
                What::RequestFailed(end)
            },
        );
        if app.snapshot.load().config.log.access {
            self.log(outcome, used, figures, duration);
        }
    }

    fn log(&self, outcome: Outcome, usage: Usage, figures: &Passed, duration: Duration) {
        let arrival = &self.arrival;
        let access = Access {
            request: &arrival.id,
            key: arrival.key,
            client: arrival.client,
            method: &arrival.method,
            path: &arrival.path,
            model: (self.info.endpoint != Endpoint::Forward).then_some(&*self.info.model),
            upstream: self.upstream.as_deref(),
            status: self.status.as_u16(),
            outcome: outcome.as_str(),
            duration,
            first: figures
                .passed
                .map(|(first, _)| first.saturating_duration_since(arrival.started)),
            bytes: figures.bytes,
            usage,
        };
        access.write(&self.app.log);
    }
}

/// What of an answer is known when it is settled.
#[derive(Default)]
struct Passed {
    chunks: u64,
    bytes: u64,
    passed: Option<(Instant, Instant)>,
}

impl Watch for Meter {
    fn chunk(&mut self, chunks: u64) {
        if self.is_stream {
            self.app
                .events
                .publish(&self.info, What::StreamChunk { chunks });
        }
    }

    fn end(&mut self, report: Report<'_>) {
        let figures = Passed {
            chunks: report.chunks,
            bytes: report.bytes,
            passed: report.passed,
        };
        self.settle(report.outcome, report.seen.usage, &figures);
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        // Not settled yet: the client left while the upstream was still to answer.
        self.settle(Outcome::ClientGone, None, &Passed::default());
    }
}
