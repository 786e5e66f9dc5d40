//! Targets in turn, until one answers. Only before the first byte has gone to the client.

use super::{Call, Payload, meter::Meter, tally::Prompt, turn::Patience};
use crate::{
    app::Worker,
    config::{Target, Timeouts, Upstream},
    domain::Endpoint,
    error::Error,
    events::What,
    queue::Turn,
    telemetry::metrics::Metrics,
    tokens::Model,
    upstream::{Failure, Source},
};
use http::{Response, StatusCode};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;
use tokio_retry::strategy::{ExponentialBackoff, jitter};

/// An upstream's answer, and how to treat it.
pub(super) struct Answer {
    pub(super) response: Response<Source>,
    /// Its turn at an upstream with a bound, which is over when the answer is.
    pub(super) turn: Option<Turn>,
    pub(super) upstream: Arc<Upstream>,
    /// The model's name over there, if that is not what was asked for.
    pub(super) model: Option<Arc<str>>,
    pub(super) hide_usage: bool,
    pub(super) timeouts: Timeouts,
    pub(super) deadline: Instant,
    /// How the model's tokens are counted, and the prompt, as far as Weir reads such.
    pub(super) counts: Option<(Model, Prompt)>,
}

/// The longest pause before the same upstream is tried again.
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// Tries the targets in order; gives the meter back with the outcome.
pub(super) async fn dispatch(
    worker: Arc<Worker>,
    mut call: Box<Call>,
    targets: Vec<Target>,
    mut patience: Patience,
    mut meter: Meter,
) -> (Result<Answer, Error>, Meter) {
    let mut failure = Error::UpstreamUnreachable;
    for (i, target) in targets.iter().enumerate() {
        let is_last = i + 1 == targets.len() || !call.can_repeat();
        let attempt = try_target(
            &worker,
            &mut call,
            target,
            is_last,
            &mut patience,
            &mut meter,
        );
        let outcome = tokio::select! {
            biased;
            outcome = attempt => outcome,
            () = worker.app.cut.raised() => return (Err(Error::Draining), meter),
        };
        match outcome {
            Ok(mut answer) => {
                answer.counts = counts(*call, target);
                return (Ok(answer), meter);
            }
            Err(error) => failure = error,
        }
        if let Some(error) = call.upload_error() {
            return (Err(error), meter);
        }
        if is_last || !call.can_repeat() {
            break;
        }
        retried(&worker, &meter, target, failure.code());
    }
    (Err(failure), meter)
}

/// Tries one target, when it is the call's turn there; again and again while it cannot be reached at all.
async fn try_target(
    worker: &Worker,
    call: &mut Call,
    target: &Target,
    is_last: bool,
    patience: &mut Patience,
    meter: &mut Meter,
) -> Result<Answer, Error> {
    let upstream = &target.upstream;
    if call.stream {
        // A stream is counted as it passes, so that it is right even if Weir dies.
        worker.app.counter.prepare(&model(call, target));
    }
    let deadline = meter.started() + target.timeouts.total;
    let turn = match patience.ask(&worker.app, call, upstream)? {
        Some(asked) => Some(patience.turn(asked, deadline).await?),
        None => None,
    };
    let mut pauses = ExponentialBackoff::from_millis(2)
        .factor(25)
        .max_delay(PAUSE_MAX)
        .map(jitter)
        .take(upstream.retries as usize);
    loop {
        let mut timeouts = target.timeouts;
        timeouts.first_byte = timeouts
            .first_byte
            .min(deadline.saturating_duration_since(Instant::now()));
        let (request, hide_usage) = call.request(target)?;
        meter.attempted();
        match worker
            .pool
            .send(upstream, call.endpoint, &timeouts, request)
            .await
        {
            Ok(response) => {
                let answer = Answer {
                    response,
                    turn,
                    upstream: Arc::clone(upstream),
                    model: target.model.clone(),
                    hide_usage,
                    timeouts,
                    deadline,
                    counts: None,
                };
                return judge(&worker.app.metrics, answer, call.endpoint, is_last);
            }
            Err(failure) => {
                tracing::warn!(request.id = %call.id, upstream.name = %upstream.name, error = chain(&failure), "attempt failed");
                worker.app.metrics.attempt(&upstream.name, reason(&failure));
                let pause = pauses
                    .next()
                    .filter(|_| matches!(failure, Failure::Unreachable(_)) && call.can_repeat());
                let Some(pause) = pause else {
                    return Err(failure.into());
                };
                retried(worker, meter, target, reason(&failure));
                tokio::time::sleep(pause).await;
            }
        }
    }
}

/// How the target's model counts; providers know it by the name that they are sent.
fn model(call: &Call, target: &Target) -> Model {
    let named = Model::named(target.model.as_deref().unwrap_or(&call.model));
    named.counted_by(target.tokenizer.clone())
}

fn counts(call: Call, target: &Target) -> Option<(Model, Prompt)> {
    let model = model(&call, target);
    match call.payload {
        // It is answered before it has used anything, and what it uses nobody sees here.
        Payload::Held { facts, .. } if facts.background && !call.stream => None,
        Payload::Held { body, reserved, .. } => Some((model, Prompt { body, reserved })),
        Payload::Streamed(..) => None,
    }
}

/// Whether an answer is one for the client, or a reason to try elsewhere.
fn judge(
    metrics: &Metrics,
    answer: Answer,
    endpoint: Endpoint,
    is_last: bool,
) -> Result<Answer, Error> {
    let status = answer.response.status();
    let elsewhere = status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error();
    let result = match status {
        StatusCode::UNAUTHORIZED => "auth",
        _ if elsewhere => "refused",
        _ => "ok",
    };
    metrics.attempt(&answer.upstream.name, result);
    match status {
        // The caller's credential was good; the one that was refused is the gateway's.
        StatusCode::UNAUTHORIZED => {
            tracing::error!(upstream.name = %answer.upstream.name, "the upstream refused the gateway's credential");
            Err(Error::UpstreamAuth)
        }
        _ if elsewhere && !is_last && !endpoint.is_forwarded() => Err(Error::UpstreamUnreachable),
        _ => Ok(answer),
    }
}

fn retried(worker: &Worker, meter: &Meter, target: &Target, reason: &'static str) {
    let upstream = Arc::clone(&target.upstream.name);
    worker
        .app
        .events
        .publish(meter.info(), What::AttemptRetried { upstream, reason });
}

fn reason(failure: &Failure) -> &'static str {
    match failure {
        Failure::Unreachable(_) => "unreachable",
        Failure::Broken(_) => "broken",
        Failure::TooSlow => "too_slow",
    }
}

/// An error and its causes on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
