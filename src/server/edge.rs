//! Around every request: its id, its time, its client's address, the headers that every answer has, and the barrier
//! that turns a panic into a 500.

use super::{Plane, control, cors, data, forwarded, io::Answering, standing};
use crate::{
    api,
    app::Worker,
    body::{self, Body},
    domain::{Arrival, Outcome, RequestId, Usage},
    error::Error,
    pipeline,
    telemetry::{access::Access, metrics},
};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response, Version, header};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use memchr::memmem;
use std::{
    cell::RefCell,
    convert::Infallible,
    net::SocketAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::time::Instant;

/// The answer in the making, boxed so that an idle connection holds nothing of it.
pub(super) type Handling =
    Pin<Box<dyn Future<Output = Result<Response<Answer>, Infallible>> + Send>>;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const PROCESSING_MS: HeaderName = HeaderName::from_static("openai-processing-ms");
const PROCESS_TIME: HeaderName = HeaderName::from_static("x-process-time");
const OPENAI_VERSION: HeaderName = HeaderName::from_static("openai-version");
/// The version of OpenAI's API, which has had only one.
const VERSION: HeaderValue = HeaderValue::from_static("2020-10-01");

/// The methods of OpenAI's API, and no others: an upstream would show Weir's own credential in its answer to a TRACE.
/// In the order of how often they come.
static METHODS: [Method; 7] = [
    Method::POST,
    Method::GET,
    Method::DELETE,
    Method::HEAD,
    Method::OPTIONS,
    Method::PUT,
    Method::PATCH,
];

/// As many as hyper takes over HTTP/1.
const HEADERS_MAX: usize = 100;

/// Answers one request.
pub(super) fn handle(
    worker: Arc<Worker>,
    plane: Plane,
    peer: SocketAddr,
    answering: Answering,
    request: Request<Incoming>,
) -> Handling {
    let request = Box::new(request);
    Box::pin(async move {
        let mut open = Open::new(worker, plane, peer, &request);
        let cors = cors::Asked::of(request.headers());
        let is_http1 = request.version() < Version::HTTP_2;
        let is_preflight = cors
            .as_ref()
            .is_some_and(|cors| cors.preflight(&request, plane));
        let outcome = match is_preflight {
            true => Ok(cors::preflight()),
            false => {
                let outcome = match is_proper(&request).and_then(|()| open.may_sign_in()) {
                    Ok(()) => {
                        let routed = route(plane, &open.worker, request, &mut open.arrival);
                        Guarded(pin!(routed)).await
                    }
                    Err(error) => Err(error),
                };
                open.unless_too_many(outcome)
            }
        };
        let mut response = outcome.unwrap_or_else(|error| {
            let mut refusal = open.refuse(&error);
            if !open.arrival.is_read {
                answering.refuse_early();
                // hyper closes a connection on which a body is left over, and the client must not send another
                // request into that.
                if is_http1 {
                    let close = HeaderValue::from_static("close");
                    refusal.headers_mut().insert(header::CONNECTION, close);
                }
            }
            refusal
        });
        open.finish(&mut response);
        if let Some(cors) = cors.filter(|_| plane == Plane::Data) {
            cors.allow(
                &open.worker.app.snapshot.load().config.cors,
                response.headers_mut(),
            );
        }
        Ok(response.map(|body| Answer {
            body,
            _answering: answering,
        }))
    })
}

/// Refuses what hyper lets pass: a request that names no server or several, and, over HTTP/2, one with more headers than
/// it takes over HTTP/1.
fn is_proper(request: &api::Request) -> Result<(), Error> {
    let headers = request.headers();
    if headers.len() > HEADERS_MAX {
        return Err(Error::TooManyHeaders(HEADERS_MAX));
    }
    if request.version() != Version::HTTP_11 {
        return Ok(());
    }
    let mut hosts = headers.get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) if host.as_bytes().iter().all(may_be_in_host) => Ok(()),
        (Some(_), None) => Err(Error::BadRequest("The `Host` header is not valid.")),
        (None, _) => Err(Error::BadRequest("The request has no `Host` header.")),
        (Some(_), Some(_)) => Err(Error::BadRequest("The request has several `Host` headers.")),
    }
}

/// Whether a byte may be in a name, an address or a port, and in nothing else. The grammar has a comma too, but that is
/// how a proxy joins two of them.
fn may_be_in_host(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~:[]%!$&'()*+;=".contains(byte)
}

async fn route(
    plane: Plane,
    worker: &Arc<Worker>,
    request: api::Request,
    arrival: &mut Arrival,
) -> Result<Response<Body>, Error> {
    if !METHODS.contains(request.method()) {
        return Err(Error::MethodNotAllowed(METHODS.to_vec()));
    }
    match plane {
        Plane::Data => data::route(worker, request, arrival).await,
        Plane::Control => Box::pin(control::route(&worker.app, request, arrival)).await,
    }
}

/// A request that has not been answered yet.
struct Open {
    worker: Arc<Worker>,
    plane: Plane,
    arrival: Arrival,
    is_logged: bool,
}

impl Open {
    fn new(
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
    fn may_sign_in(&self) -> Result<(), Error> {
        match self.arrival.path.starts_with("/auth/") {
            true => self.knock(),
            false => Ok(()),
        }
    }

    /// What has come of a request; of one too many without a good credential, that it was one too many.
    fn unless_too_many(
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

    fn refuse(&self, error: &Error) -> Response<Body> {
        if !self.arrival.metered {
            metrics::refused(error.code());
        }
        pipeline::refusal(error)
    }

    /// The headers that every answer has, and the log line unless a meter writes it.
    fn finish(&mut self, response: &mut Response<Body>) {
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

/// A future whose panic is an error instead.
struct Guarded<'a, F>(Pin<&'a mut F>);

impl<F: Future<Output = Result<Response<Body>, Error>>> Future for Guarded<'_, F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        // What the future shares with others is behind locks and atomics that no panic leaves half done.
        let polled = catch_unwind(AssertUnwindSafe(|| self.0.as_mut().poll(cx)));
        polled.unwrap_or_else(|_| {
            metrics::panicked();
            tracing::error!("a request panicked");
            Poll::Ready(Err(Error::Internal))
        })
    }
}

/// A body whose end is the end of its request.
pub(super) struct Answer {
    body: Body,
    _answering: Answering,
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = body::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, body::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
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

/// An id for a request that came in at `at`.
pub(super) fn new_id(at: SystemTime) -> RequestId {
    /// Random bytes taken from the system at a time: a call for each request would cost more than the request's id.
    const POOL: usize = 1024;
    thread_local! {
        static RANDOM: RefCell<([u8; POOL], usize)> = const { RefCell::new(([0; POOL], POOL)) };
    }
    let random = RANDOM.with_borrow_mut(|(pool, used)| {
        if *used == POOL {
            getrandom::fill(pool).expect("the system has random numbers");
            *used = 0;
        }
        let taken = pool[*used..]
            .first_chunk::<16>()
            .expect("the pool is whole chunks");
        *used += 16;
        u128::from_ne_bytes(*taken)
    });
    let since = at.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    RequestId::new(since.as_millis() as u64, random)
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

    #[test]
    fn ids_differ() {
        let ids: std::collections::HashSet<_> =
            (0..200).map(|_| new_id(UNIX_EPOCH).to_string()).collect();
        assert_eq!(ids.len(), 200);
    }
}
