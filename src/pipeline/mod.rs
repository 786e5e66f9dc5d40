//! The life of a call, from a request that is authenticated and read to a body that is metered to its end.

mod account;
mod call;
mod dispatch;
mod early;
mod hangup;
mod hold;
mod meter;
mod pricing;
mod sound;
mod sum;
mod tally;
mod turn;

pub use call::{Call, Payload};

use crate::{
    app::{Snapshot, Worker},
    body::{self, Body},
    config::Target,
    domain::{Arrival, Endpoint, Standing},
    error::Error,
    events::CallInfo,
    providers,
    tap::{Content, Manner, Tap},
    tokens::Model,
    wire::media_type,
};
use dispatch::Answer;
use hangup::{Finish, Finished, Unanswered};
use hold::Bid;
use http::{
    HeaderMap, HeaderValue, Response, StatusCode,
    header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE},
};
use http_body::Body as _;
use http_body_util::BodyExt;
use meter::Meter;
use std::{sync::Arc, time::Duration};
use tally::{Prompt, Tally};
use turn::{Patience, Presence};

/// Sends a call upstream and returns what its client gets.
pub async fn run(
    worker: &Arc<Worker>,
    snapshot: &Arc<Snapshot>,
    mut call: Box<Call>,
    targets: Vec<Target>,
    arrival: &mut Arrival,
) -> Result<Response<Body>, Error> {
    let app = &worker.app;
    let hold = match Bid::of(app, snapshot, &call, &targets, arrival)? {
        Some(bid) => Some(Box::pin(bid.take(app, snapshot, arrival)).await?),
        None => {
            arrival.standing = Some(Standing::default());
            None
        }
    };
    // It is told by what was asked; a stream need not keep whose it was a second time.
    arrival.caller = None;
    let meter = Meter::start(app, snapshot, arrival, &mut call, hold)?;
    let server = &snapshot.config.server;
    let heartbeat = server.heartbeat;
    let stream = call.stream;
    let manner = Delivery {
        worker: Arc::clone(worker),
        endpoint: call.endpoint,
        heartbeat,
        prompt_memory_max: server.body_memory_max_bytes / 4,
        finish: Finish::of(
            call.caller.on_hangup.unwrap_or(server.on_hangup),
            &worker.app,
        ),
    };
    let may_queue = (targets.iter()).any(|target| target.upstream.concurrency.is_some());
    let presence = (manner.finish.is_some() && may_queue).then(Arc::<Presence>::default);
    let patience = Patience::new(presence.clone());
    let attempts = dispatch::dispatch(Arc::clone(worker), call, targets, patience, meter);
    let mut attempts = Unanswered::new(Box::pin(attempts), presence, &manner);
    if !stream || heartbeat.is_zero() {
        let (outcome, meter) = (&mut attempts).await;
        return manner.deliver(outcome, meter);
    }
    match tokio::time::timeout(heartbeat, &mut attempts).await {
        Ok((outcome, meter)) => manner.deliver(outcome, meter),
        // Something between here and the client may lose patience: the stream begins before the upstream's does.
        Err(_) => {
            let rest = async move {
                let (outcome, meter) = attempts.await;
                early::body(manner.deliver(outcome, meter)).await
            };
            Ok(early::response(rest, heartbeat))
        }
    }
}

/// How a call's answer is handed to its client.
#[derive(Clone)]
struct Delivery {
    worker: Arc<Worker>,
    endpoint: Endpoint,
    heartbeat: Duration,
    /// Memory for request bodies that may be in use before long prompts no longer wait for their answers' ends.
    prompt_memory_max: usize,
    /// The call goes on if its client hangs up.
    finish: Option<Finish>,
}

impl Delivery {
    /// Makes the client's response of the upstream's answer.
    fn deliver(
        &self,
        outcome: Result<Answer, Error>,
        mut meter: Meter,
    ) -> Result<Response<Body>, Error> {
        let answer = match outcome {
            Ok(answer) => answer,
            Err(error) => {
                meter.failed(&error);
                return Err(error);
            }
        };
        meter.holds(answer.turn);
        let (mut head, source) = answer.response.into_parts();
        let content = content(&head.headers, head.status, meter.info(), answer.hide_usage);
        let is_stream = matches!(content, Content::Events { .. });
        meter.answered(answer.upstream, answer.model, &head, is_stream);
        // What says nothing is no answer, and its prompt is not charged for as if it were.
        let is_empty = !is_stream && source.is_end_stream();
        if let Some((model, prompt)) = answer.counts
            && head.status.is_success()
            && content != Content::Opaque
            && !is_empty
        {
            meter.counts(self.tally(model, prompt, is_stream));
        }
        head.headers = providers::openai::of_upstream(head.headers);
        if is_stream {
            stream_headers(&mut head.headers);
        }
        if head.status.is_client_error() || head.status.is_server_error() {
            head.headers
                .insert(ORIGIN, HeaderValue::from_static("upstream"));
        }
        head.extensions.clear();
        head.version = http::Version::default();
        let manner = Manner {
            content,
            idle: answer.timeouts.idle,
            deadline: answer.deadline,
            heartbeat: self.heartbeat,
        };
        let mut tap = Tap::new(source, manner, self.worker.app.cut.clone(), meter);
        tap.complete_if_empty();
        let body = match &self.finish {
            None => tap.boxed_unsync(),
            Some(finish) => Finished::new(tap, finish.clone()).boxed_unsync(),
        };
        Ok(Response::from_parts(head, body))
    }

    fn tally(&self, model: Model, prompt: Prompt, is_stream: bool) -> Tally {
        let app = &self.worker.app;
        let is_memory_scarce = app.body_memory.used() > self.prompt_memory_max;
        Tally::new(
            &app.counter,
            model,
            self.endpoint,
            is_stream,
            prompt,
            is_memory_scarce,
        )
    }
}

/// Tells whose error an answer is.
pub const ORIGIN: http::HeaderName = http::HeaderName::from_static("x-weir-origin");

fn content(headers: &HeaderMap, status: StatusCode, call: &CallInfo, hide_usage: bool) -> Content {
    let media = media_type(headers).unwrap_or_default();
    let is = |kind: &str| media.eq_ignore_ascii_case(kind);
    let is_forwarded = call.endpoint.is_forwarded();
    // Some servers call their JSON a text, or nothing. What is none is found out at its first byte.
    let can_be_json = !call.stream && (media.is_empty() || !is_forwarded);
    let encoded = headers
        .get(CONTENT_ENCODING)
        .is_some_and(|value| value != "identity");
    if encoded {
        Content::Opaque
    } else if is("text/event-stream") {
        Content::Events {
            hide_usage,
            says_its_end: status.is_success() && !is_forwarded,
        }
    } else if is("application/json") || can_be_json {
        Content::Document
    } else {
        Content::Opaque
    }
}

/// What keeps a stream a stream on its way through proxies.
fn stream_headers(headers: &mut HeaderMap) {
    headers.remove(CONTENT_LENGTH);
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/event-stream; charset=utf-8"),
    );
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
}

/// An error in place of an answer.
pub fn refusal(error: &Error) -> Response<Body> {
    let mut response = Response::new(body::full(error.body().to_json()));
    *response.status_mut() = error.status();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(ORIGIN, HeaderValue::from_static("gateway"));
    error.add_headers(headers);
    if error.closes() {
        headers.insert(http::header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}
