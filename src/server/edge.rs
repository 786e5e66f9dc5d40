//! Around every request: what no plane takes, CORS, and the barrier that turns a panic into a 500.

use super::{Plane, control, cors, data, io::Answering, open::Open};
use crate::{
    api,
    app::Worker,
    body::{self, Body},
    domain::Arrival,
    error::Error,
    telemetry::metrics,
};
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, Version, header};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use std::{
    convert::Infallible,
    net::SocketAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
};

/// The answer in the making, boxed so that an idle connection holds nothing of it.
pub(super) type Handling =
    Pin<Box<dyn Future<Output = Result<Response<Answer>, Infallible>> + Send>>;

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
