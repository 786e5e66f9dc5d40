//! The connections of one worker to one upstream, and the exchange of one request for one answer.

use super::{
    Failure, Outgoing,
    connect::{Connector, Sender},
};
use crate::config::Upstream;
use bytes::Bytes;
use http::{HeaderValue, Request, Response, Uri, header::HOST, uri::PathAndQuery};
use http_body::{Body, Frame, SizeHint};
use hyper::{
    body::Incoming,
    client::conn::{http1, http2},
};
use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard},
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::time::Instant;

/// How long a connection is kept: less than the time after which servers commonly close theirs.
const IDLE_TIMEOUT: Duration = Duration::from_secs(55);

/// One upstream, as a worker knows it.
pub(super) struct Host {
    upstream: Arc<Upstream>,
    connector: Connector,
    /// Scheme and authority.
    origin: Uri,
    authority: HeaderValue,
    /// What stands before a request's path.
    prefix: String,
    kept: Mutex<Kept>,
}

/// Connections that wait for a request.
#[derive(Default)]
struct Kept {
    /// The one used last is at the end, and is used first: those that are not needed grow old.
    http1: Vec<(http1::SendRequest<Outgoing>, Instant)>,
    http2: Option<http2::SendRequest<Outgoing>>,
}

impl Host {
    pub(super) fn new(upstream: &Arc<Upstream>) -> Result<Arc<Self>, Failure> {
        let bad = |error: http::Error| Failure::Unreachable(error.into());
        let base = Uri::try_from(&upstream.base_url).map_err(|error| bad(error.into()))?;
        let prefix = base.path().trim_end_matches('/').to_owned();
        let mut origin = base.into_parts();
        origin.path_and_query = Some(PathAndQuery::from_static("/"));
        let origin = Uri::from_parts(origin).map_err(|error| bad(error.into()))?;
        let authority = origin
            .authority()
            .map_or("", |authority| authority.as_str());
        Ok(Arc::new(Self {
            upstream: Arc::clone(upstream),
            connector: Connector::new(upstream.authorities.as_ref()),
            authority: HeaderValue::try_from(authority).map_err(|error| bad(error.into()))?,
            origin,
            prefix,
            kept: Mutex::default(),
        }))
    }

    /// Whether this is still the upstream that the config means.
    pub(super) fn is_for(&self, upstream: &Arc<Upstream>) -> bool {
        Arc::ptr_eq(&self.upstream, upstream)
    }

    /// Sends `request`, whose path is relative to the upstream's base URL, and waits for the head of the answer.
    pub(super) async fn exchange(
        self: &Arc<Self>,
        mut request: Box<Request<Outgoing>>,
        connect: Duration,
    ) -> Result<Response<Answer>, Failure> {
        let path = match request.uri().path_and_query() {
            Some(path) => [&self.prefix, path.as_str()].concat(),
            None => self.prefix.clone(),
        };
        let path = PathAndQuery::from_maybe_shared(Bytes::from(path));
        *request.uri_mut() = path
            .map_err(|error| Failure::Unreachable(error.into()))?
            .into();
        request.headers_mut().insert(HOST, self.authority.clone());
        loop {
            let kept = self.take_kept();
            let is_kept = kept.is_some();
            let sender = match kept {
                Some(sender) => sender,
                // Boxed: a request that waits for its answer holds nothing of what opening a connection takes.
                None => Box::pin(self.open(connect)).await?,
            };
            match self.send(sender, request).await {
                Ok(response) => return Ok(response),
                // A kept connection may have been closed while the request was on its way to it.
                Err(Unsent::NeverLeft(same)) if is_kept => request = same,
                Err(Unsent::NeverLeft(_)) => {
                    return Err(Failure::Unreachable("closed at once".into()));
                }
                Err(Unsent::Broken(error)) => return Err(Failure::Broken(error.into())),
            }
        }
    }

    async fn open(&self, connect: Duration) -> Result<Sender, Failure> {
        let open = tokio::time::timeout(connect, self.connector.open(self.origin.clone())).await;
        let sender = open.unwrap_or_else(|_| Err("no connection in time".into()));
        let sender = sender.map_err(Failure::Unreachable)?;
        if let Sender::Http2(sender) = &sender {
            self.kept().http2 = Some(sender.clone());
        }
        Ok(sender)
    }

    async fn send(
        self: &Arc<Self>,
        sender: Sender,
        request: Box<Request<Outgoing>>,
    ) -> Result<Response<Answer>, Unsent> {
        match sender {
            Sender::Http1(mut sender) => {
                let response = sender.try_send_request(*request).await?;
                let lease = Lease {
                    host: Arc::clone(self),
                    sender,
                };
                Ok(response.map(|body| Answer::new(body, Some(lease))))
            }
            Sender::Http2(mut sender) => {
                let request = self.absolute(*request);
                let response = sender.try_send_request(request).await?;
                Ok(response.map(|body| Answer::new(body, None)))
            }
        }
    }

    /// HTTP/2 names the server in the URI and not in a header.
    fn absolute(&self, mut request: Request<Outgoing>) -> Request<Outgoing> {
        let mut parts = self.origin.clone().into_parts();
        parts.path_and_query = request.uri().path_and_query().cloned();
        if let Ok(uri) = Uri::from_parts(parts) {
            *request.uri_mut() = uri;
        }
        request.headers_mut().remove(HOST);
        *request.version_mut() = http::Version::HTTP_2;
        request
    }

    fn take_kept(&self) -> Option<Sender> {
        let mut kept = self.kept();
        if let Some(sender) = &kept.http2 {
            if !sender.is_closed() {
                return Some(Sender::Http2(sender.clone()));
            }
            kept.http2 = None;
        }
        while let Some((sender, since)) = kept.http1.pop() {
            if since.elapsed() >= IDLE_TIMEOUT {
                kept.http1.clear(); // all before it are older
            } else if sender.is_ready() {
                return Some(Sender::Http1(sender));
            }
        }
        None
    }

    fn keep(&self, sender: http1::SendRequest<Outgoing>) {
        if !sender.is_closed() {
            self.kept().http1.push((sender, Instant::now()));
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().expect("nothing panics while it is held")
    }
}

/// Why a request has no answer.
enum Unsent {
    /// Nothing of it was written, and here it is again.
    NeverLeft(Box<Request<Outgoing>>),
    Broken(hyper::Error),
}

impl From<hyper::client::conn::TrySendError<Request<Outgoing>>> for Unsent {
    fn from(mut error: hyper::client::conn::TrySendError<Request<Outgoing>>) -> Self {
        match error.take_message() {
            Some(request) => Self::NeverLeft(Box::new(request)),
            None => Self::Broken(error.into_error()),
        }
    }
}

/// A connection whose answer is still being read.
struct Lease {
    host: Arc<Host>,
    sender: http1::SendRequest<Outgoing>,
}

/// An answer's body. Read to its end it gives its connection back; dropped before, it closes it.
pub struct Answer {
    body: Incoming,
    lease: Option<Lease>,
}

impl Answer {
    fn new(body: Incoming, lease: Option<Lease>) -> Self {
        let mut answer = Self { body, lease };
        answer.give_back_at_end();
        answer
    }

    fn give_back_at_end(&mut self) {
        if self.body.is_end_stream() {
            self.give_back();
        }
    }

    fn give_back(&mut self) {
        if let Some(Lease { host, sender }) = self.lease.take() {
            host.keep(sender);
        }
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        let this = self.get_mut();
        let frame = ready!(Pin::new(&mut this.body).poll_frame(cx));
        match &frame {
            Some(Ok(_)) => this.give_back_at_end(),
            Some(Err(_)) => this.lease = None,
            None => this.give_back(),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
