//! A request from its arrival to its answer: its id, its time, its client's address, the headers that every answer has,
//! and the log line if nobody further in writes it.

use super::{Plane, forwarded, id::new_id, standing};
use crate::{
    app::Worker,
    body::Body,
    domain::{Arrival, Outcome, RequestId, Usage},
    error::Error,
    pipeline,
    telemetry::{access::Access, metrics},
};
use http::{HeaderName, HeaderValue, Request, Response};
use hyper::body::Incoming;
use memchr::memmem;
use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::time::Instant;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const PROCESSING_MS: HeaderName = HeaderName::from_static("openai-processing-ms");
const PROCESS_TIME: HeaderName = HeaderName::from_static("x-process-time");
const OPENAI_VERSION: HeaderName = HeaderName::from_static("openai-version");
/// The version of OpenAI's API, which has had only one.
const VERSION: HeaderValue = HeaderValue::from_static("2020-10-01");

/// A request that has not been answered yet.
pub(super) struct Open {
    pub(super) worker: Arc<Worker>,
    plane: Plane,
    pub(super) arrival: Arrival,
    is_logged: bool,
}

impl Open {
    pub(super) fn new(
        worker: Arc<Worker>,
        plane: Plane,
        peer: SocketAddr,
        request: &Request<Incoming>,
    ) -> Self {
        let trusted = &worker.app.snapshot.load().config.server.trusted_proxies;
        let client = forwarded::client(trusted, peer.ip(), request.headers());
        let at = SystemTime::now();
        let arrival = Arrival {
            id: request
                .headers()
                .get(X_REQUEST_ID)
                .and_then(RequestId::from_client)
                .unwrap_or_else(|| new_id(at)),
            started: Instant::now(),
            at,
            client,
            method: request.method().clone(),
            path: loggable(request.uri().path()).into(),
            key: None,
            model: None,
            is_read: http_body::Body::is_end_stream(request.body()),
            caller: None,
            standing: None,
            metered: false,
        };
        Self {
            worker,
            plane,
            arrival,
            is_logged: false,
        }
    }

    /// Whether its address may still try to sign in.
    pub(super) fn may_sign_in(&self) -> Result<(), Error> {
        match self.arrival.path.starts_with("/auth/") {
            true => self.knock(),
            false => Ok(()),
        }
    }

    /// What has come of a request; of one too many without a good credential, that it was one too many.
    pub(super) fn unless_too_many(
        &self,
        outcome: Result<Response<Body>, Error>,
    ) -> Result<Response<Body>, Error> {
        match outcome {
            Err(Error::Unauthenticated) => self.knock().and(outcome),
            outcome => outcome,
        }
    }

    fn knock(&self) -> Result<(), Error> {
        let app = &self.worker.app;
        let refused = app
            .gate
            .knock(&app.snapshot.load().policy, self.arrival.client);
        refused.map_err(|refusal| {
            metrics::limited(refusal.level.label(), refusal.kind.as_str());
            refusal.into()
        })
    }

    pub(super) fn refuse(&self, error: &Error) -> Response<Body> {
        if !self.arrival.metered {
            metrics::refused(error.code());
        }
        pipeline::refusal(error)
    }

    /// The headers that every answer has, and the log line unless a meter writes it.
    pub(super) fn finish(&mut self, response: &mut Response<Body>) {
        let elapsed = self.arrival.started.elapsed();
        let status = response.status().as_u16();
        let headers = response.headers_mut();
        headers.insert(X_REQUEST_ID, self.arrival.id.header());
        headers
            .entry(PROCESSING_MS)
            .or_insert_with(|| (elapsed.as_millis() as u64).into());
        headers.insert(PROCESS_TIME, seconds(elapsed));
        headers.entry(OPENAI_VERSION).or_insert(VERSION);
        // No limit was asked about what is only read, nor about a mistake in the request.
        let caller = self.arrival.caller.take();
        let unasked = || Some(self.worker.app.standing(&caller?));
        if let Some(standing) = self.arrival.standing.or_else(unasked) {
            standing::tell(&standing, headers);
        }
        self.log(
            status,
            if status < 400 {
                Outcome::Completed
            } else {
                Outcome::Rejected
            },
        );
    }

    fn log(&mut self, status: u16, outcome: Outcome) {
        let is_logged = std::mem::replace(&mut self.is_logged, true) || self.arrival.metered;
        let app = &self.worker.app;
        if is_logged || self.plane == Plane::Control || !app.snapshot.load().config.log.access {
            return;
        }
        let arrival = &self.arrival;
        let access = Access {
            request: &arrival.id,
            key: arrival.key,
            client: arrival.client,
            method: &arrival.method,
            path: &arrival.path,
            model: arrival.model.as_deref(),
            upstream: None,
            status,
            outcome: outcome.as_str(),
            duration: arrival.started.elapsed(),
            first: None,
            bytes: 0,
            usage: Usage::default(),
        };
        access.write(&app.log);
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        // Not answered: the client left.
        self.log(499, Outcome::ClientGone);
    }
}

/// The path for logs, unless somebody put a key into it.
fn loggable(path: &str) -> &str {
    if memmem::find(path.as_bytes(), b"sk-weir-").is_some() {
        "(withheld: a key was in it)"
    } else {
        path
    }
}

/// A time in seconds, to the microsecond.
fn seconds(time: Duration) -> HeaderValue {
    let mut text = *b"00000000.000000";
    let mut rest = time.as_micros();
    for digit in text.iter_mut().rev().filter(|digit| **digit != b'.') {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    let zeros = text[..7].iter().take_while(|digit| **digit == b'0').count();
    HeaderValue::from_bytes(&text[zeros..]).expect("digits and a point")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_in_seconds() {
        let written = |micros| seconds(Duration::from_micros(micros));
        assert_eq!(written(0), "0.000000");
        assert_eq!(written(1_234), "0.001234");
        assert_eq!(written(61_000_002), "61.000002");
    }
}
