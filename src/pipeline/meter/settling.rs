//! How a call ends, once: its tokens are summed up, its slot and its hold are settled, and its story is told.

use super::{Meter, micros};
use crate::{
    domain::{Endpoint, Outcome},
    error::Error,
    ledger::{Counted, Settlement, sane},
    limits::Used,
    pipeline::account::{Account, Passed},
    telemetry::metrics,
    wire::answer::Seen,
};
use std::{convert::Infallible, sync::Arc};
use tokio::{sync::oneshot, time::Instant};

impl Meter {
    /// No upstream does.
    pub(in crate::pipeline) fn failed(&mut self, error: &Error) {
        if !self.left {
            metrics::refused(error.code());
            self.status = error.status();
        }
        let outcome = match error {
            _ if self.left => Outcome::ClientGone,
            Error::UpstreamTimeout | Error::TooSlow => Outcome::TimedOut,
            Error::UpstreamUnreachable | Error::UpstreamAuth => Outcome::UpstreamFailed,
            Error::Internal | Error::Draining => Outcome::Interrupted,
            _ => Outcome::Rejected,
        };
        self.settle(outcome, &Seen::default(), None, &Passed::default());
    }

    /// Settles the call once its tokens are known, which may be later and on another thread.
    pub(super) fn conclude(&mut self, outcome: Outcome, seen: &Seen, figures: Passed) {
        if seen.is_only_error() {
            let nothing = Some(Counted::default());
            return self.settle(outcome, seen, nothing, &figures);
        }
        let (mut said, _) = sane(seen.usage.unwrap_or_default());
        if !seen.usage_of.is_all(figures.is_whole) {
            said.output = None;
            said.input = said.input.filter(|input| *input > 0); // no prompt has none
        }
        let is_said = said.is_whole(self.info.endpoint);
        let Some(tally) = self.tally.take().filter(|_| !is_said) else {
            return self.settle(outcome, seen, None, &figures);
        };
        let mut rest = self.detach();
        let (seen, chunks) = (seen.clone(), figures.chunks);
        let chunks = if self.is_stream { chunks } else { 0 };
        let (settled, settling) = oneshot::channel::<Infallible>();
        self.settling = Some(settling);
        tally.finish(said, chunks, move |counted| {
            rest.settle(outcome, &seen, Some(counted), &figures);
            drop(settled);
        });
    }

    /// What is left to do for the call, to be done elsewhere.
    fn detach(&mut self) -> Self {
        Self {
            app: Arc::clone(&self.app),
            arrival: self.arrival.clone(),
            info: Arc::clone(&self.info),
            label: Arc::clone(&self.label),
            pricing: self.pricing.clone(),
            upstream: self.upstream.take(),
            flight: self.flight.take(),
            hold: self.hold.take(),
            tally: None,
            settling: None,
            turn: None,
            ..*self
        }
    }

    fn settle(
        &mut self,
        outcome: Outcome,
        seen: &Seen,
        counted: Option<Counted>,
        figures: &Passed,
    ) {
        let Some(flight) = self.flight.take() else {
            return;
        };
        let app = &self.app;
        app.metrics.in_flight.decrement(1);
        let duration = self.arrival.started.elapsed();
        let since = |at: Instant| at.saturating_duration_since(self.arrival.started);
        let price = match &self.upstream {
            Some(upstream) if !seen.tier_unknown => {
                let served = seen.model.as_deref();
                self.pricing.find(upstream, &flight, served, seen.tier)
            }
            _ => None,
        };
        let usage_is_running = !seen.usage_of.is_all(figures.is_whole);
        let said = seen.usage.map(|usage| sane(usage).0);
        let said = said.filter(|_| !usage_is_running && !self.info.endpoint.uses_nothing());
        let settled = flight.settle(&Settlement {
            outcome,
            status: self.status.as_u16(),
            usage: seen.usage,
            usage_is_running,
            usage_refused: seen.usage_refused,
            counted,
            attempts: self.attempts,
            first_us: figures.passed.map(|(first, _)| micros(since(first))),
            duration_us: micros(duration),
            served_model: seen.model.as_deref(),
            finish_reason: seen.finish_reason.as_deref(),
            price,
            quantity: match self.info.endpoint {
                Endpoint::Transcriptions | Endpoint::Translations => seen.seconds,
                endpoint if endpoint.makes_images() => {
                    Some(seen.images).filter(|images| *images > 0)
                }
                _ => None,
            },
        });
        if settled.unpriced {
            app.metrics.unpriced(&self.label);
        }
        if let Some(mut hold) = self.hold.take() {
            hold.settle(Used {
                input: settled.input,
                output: settled.output,
                cost: (!settled.unpriced).then_some(settled.cost.nanos().unsigned_abs()),
            });
        }
        Account {
            app,
            arrival: &self.arrival,
            info: &self.info,
            label: &self.label,
            upstream: self.upstream.as_ref().map(|upstream| &upstream.name),
            status: self.status,
            is_stream: self.is_stream,
            outcome,
            usage: said,
            passed: figures,
            duration,
        }
        .tell();
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        // Not settled yet: the client left while the upstream was still to answer.
        self.settle(
            Outcome::ClientGone,
            &Seen::default(),
            None,
            &Passed::default(),
        );
    }
}
