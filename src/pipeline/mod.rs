//! The life of a call, from a request that is authenticated and read to a body that is metered to its end.

mod call;
mod dispatch;
mod early;
mod meter;

pub use call::{Call, Payload};

use crate::{
    app::{Snapshot, Worker},
    body::{self, Body},
    config::Target,
    domain::{Arrival, Endpoint},
    error::Error,
    providers,
    tap::{Content, Manner, Tap},
    wire::media_type,
};
use dispatch::Answer;
use http::{
    HeaderMap, HeaderValue, Response, StatusCode,
    header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE},
};
use http_body_util::BodyExt;
use meter::Meter;
use std::{sync::Arc, time::Duration};

/// Sends a call upstream and returns what its client gets.
pub async fn run(
    worker: &Arc<Worker>,
    snapshot: &Arc<Snapshot>,
    mut call: Box<Call>,
    targets: Vec<Target>,
    arrival: &mut Arrival,
) -> Result<Response<Body>, Error> {
    let meter = Meter::start(&worker.app, snapshot, arrival, &mut call)?;
    let heartbeat = snapshot.config.server.heartbeat;
    let stream = call.stream;
    let endpoint = call.endpoint;
    let mut attempts = Box::pin(dispatch::dispatch(Arc::clone(worker), call, targets, meter));
    if !stream || heartbeat.is_zero() {
        let (outcome, meter) = attempts.await;
        return deliver(worker, outcome, meter, endpoint, heartbeat);
    }
    match tokio::time::timeout(heartbeat, attempts.as_mut()).await {
        Ok((outcome, meter)) => deliver(worker, outcome, meter, endpoint, heartbeat),
        // Something between here and the client may lose patience: the stream begins before the upstream's does.
        Err(_) => {
            let worker = Arc::clone(worker);
            let rest = async move {
                let (outcome, meter) = attempts.await;
                early::body(deliver(&worker, outcome, meter, endpoint, heartbeat)).await
            };
            Ok(early::response(rest, heartbeat))
        }
    }
}

/// Makes the client's response of the upstream's answer.
fn deliver(
    worker: &Worker,
    outcome: Result<Answer, Error>,
    mut meter: Meter,
    endpoint: Endpoint,
    heartbeat: Duration,
) -> Result<Response<Body>, Error> {
    let answer = match outcome {
        Ok(answer) => answer,
        Err(error) => {
            meter.failed(&error);
            return Err(error);
        }
    };
    let (mut head, source) = answer.response.into_parts();
    let content = content(&head.headers, head.status, endpoint, answer.hide_usage);
    meter.answered(
        answer.upstream,
        answer.model,
        &head,
        matches!(content, Content::Events { .. }),
    );
    head.headers = providers::openai::of_upstream(head.headers);
    if matches!(content, Content::Events { .. }) {
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
        heartbeat,
    };
    let tap = Tap::new(source, manner, worker.app.cut.clone(), meter);
    Ok(Response::from_parts(head, tap.boxed_unsync()))
}

/// Tells whose error an answer is.
pub const ORIGIN: http::HeaderName = http::HeaderName::from_static("x-weir-origin");

fn content(
    headers: &HeaderMap,
    status: StatusCode,
    endpoint: Endpoint,
    hide_usage: bool,
) -> Content {
    let media = media_type(headers).unwrap_or_default();
    let is = |kind: &str| media.eq_ignore_ascii_case(kind);
    let encoded = headers
        .get(CONTENT_ENCODING)
        .is_some_and(|value| value != "identity");
    if encoded {
        Content::Opaque
    } else if is("text/event-stream") {
        Content::Events {
            hide_usage,
            says_its_end: status.is_success() && !endpoint.is_forwarded(),
        }
    } else if is("application/json") {
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
    if let Some((name, value)) = error.headers() {
        headers.insert(name, value);
    }
    if error.closes() {
        headers.insert(http::header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}
