//! The connections of one worker to one upstream, and the exchange of one request for one answer.

use super::{
    Failure, Outgoing, Path, Request,
    connect::{Connector, Sender},
    http1::{self, Unsent},
    request::Base,
};
use crate::{body, config::Upstream, tasks};
use bytes::Bytes;
use http::{HeaderValue, Response, Uri, uri::PathAndQuery};
use http_body::{Body, Frame, SizeHint};
use hyper::{
    body::Incoming,
    client::conn::{TrySendError, http2},
};
use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, Weak},
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
    base: Base,
    kept: Mutex<Kept>,
}

/// Connections that wait for a request.
#[derive(Default)]
struct Kept {
    /// The one used last is at the end, and is used first: those that are not needed grow old.
    http1: Vec<(http1::Connection, Instant)>,
    /// Somebody looks for those that have grown old.
    is_swept: bool,
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
            base: Base {
                authority: HeaderValue::try_from(authority).map_err(|error| bad(error.into()))?,
                prefix,
            },
            origin,
            kept: Mutex::default(),
        }))
    }

    /// Whether this is still the upstream that the config means.
    pub(super) fn is_for(&self, upstream: &Arc<Upstream>) -> bool {
        Arc::ptr_eq(&self.upstream, upstream)
    }

    /// Sends `request` and waits for the head of the answer.
    pub(super) async fn exchange(
        self: &Arc<Self>,
        mut request: Box<Request>,
        connect: Duration,
    ) -> Result<Response<Answer>, Failure> {
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
                Err(Unsent::Broken(error)) => return Err(Failure::Broken(error)),
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
        request: Box<Request>,
    ) -> Result<Response<Answer>, Unsent> {
        match sender {
            Sender::Http1(connection) => {
                let response = http1::send(connection, &self.base, request).await?;
                let host = Arc::clone(self);
                Ok(response.map(|body| Answer::http1(body, host)))
            }
            Sender::Http2(mut sender) => {
                let request = self.absolute(*request).map_err(Unsent::Broken)?;
                let response = sender.try_send_request(request).await;
                let response = response.map_err(|error| self.handed_back(error))?;
                Ok(response.map(Answer::Http2))
            }
        }
    }

    /// A request as HTTP/2 has it, which names the server in the URI and not in a header.
    fn absolute(&self, request: Request) -> Result<http::Request<Outgoing>, body::Error> {
        let path = self.base.target(&request.path).concat();
        let mut uri = self.origin.clone().into_parts();
        uri.path_and_query = Some(PathAndQuery::from_maybe_shared(Bytes::from(path))?);
        let mut absolute = http::Request::new(request.body);
        *absolute.method_mut() = request.method;
        *absolute.uri_mut() = Uri::from_parts(uri)?;
        *absolute.version_mut() = http::Version::HTTP_2;
        for (name, value) in request.headers {
            absolute.headers_mut().append(name, value);
        }
        Ok(absolute)
    }

    /// What has become of a request that HTTP/2 has not sent to its end.
    fn handed_back(&self, mut error: TrySendError<http::Request<Outgoing>>) -> Unsent {
        let Some(absolute) = error.take_message() else {
            return Unsent::Broken(error.into_error().into());
        };
        let (head, body) = absolute.into_parts();
        let headers = head.headers.iter();
        Unsent::NeverLeft(Box::new(Request {
            path: Path::below(&self.base.prefix, &head.uri),
            headers: headers
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
            method: head.method,
            body,
        }))
    }

    fn take_kept(&self) -> Option<Sender> {
        let mut kept = self.kept();
        if let Some(sender) = &kept.http2 {
            if !sender.is_closed() {
                return Some(Sender::Http2(sender.clone()));
            }
            kept.http2 = None;
        }
        while let Some((mut connection, since)) = kept.http1.pop() {
            if since.elapsed() >= IDLE_TIMEOUT {
                kept.http1.clear(); // all before it are older
            } else if connection.is_quiet() {
                return Some(Sender::Http1(connection));
            }
        }
        None
    }

    fn keep(self: &Arc<Self>, connection: http1::Connection) {
        let mut kept = self.kept();
        let now = Instant::now();
        kept.http1.push((connection, now));
        if !std::mem::replace(&mut kept.is_swept, true) {
            tasks::spawn(sweep(Arc::downgrade(self), now + IDLE_TIMEOUT));
        }
    }

    /// Closes what has grown old; returns when the next will have, if there is one.
    fn close_old(&self) -> Option<Instant> {
        let mut kept = self.kept();
        let now = Instant::now();
        let old = |(_, since): &(_, Instant)| *since + IDLE_TIMEOUT <= now;
        let old = kept.http1.partition_point(old);
        kept.http1.drain(..old);
        let next = kept.http1.first().map(|(_, since)| *since + IDLE_TIMEOUT);
        kept.is_swept = next.is_some();
        next
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().expect("nothing panics while it is held")
    }
}

/// Closes kept connections as they grow old: nobody polls them, so nobody else would see that their server is gone.
async fn sweep(host: Weak<Host>, mut next: Instant) {
    loop {
        tokio::time::sleep_until(next).await;
        let Some(host) = host.upgrade() else {
            return;
        };
        match host.close_old() {
            Some(later) => next = later,
            None => return,
        }
    }
}

/// An answer's body. Read to its end it gives its connection back; dropped before, it closes it.
pub enum Answer {
    /// Over a connection of its own.
    Http1(Http1),
    /// Beside others.
    Http2(Incoming),
}

/// An answer's body, and who gets its connection.
pub struct Http1 {
    body: http1::Arriving,
    host: Arc<Host>,
}

impl Http1 {
    fn give_back(&mut self) {
        if let Some(connection) = self.body.connection() {
            self.host.keep(connection);
        }
    }
}

impl Answer {
    fn http1(body: http1::Arriving, host: Arc<Host>) -> Self {
        let mut answer = Http1 { body, host };
        answer.give_back();
        Self::Http1(answer)
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = body::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, body::Error>>> {
        match self.get_mut() {
            Self::Http1(answer) => {
                let frame = ready!(Pin::new(&mut answer.body).poll_frame(cx));
                answer.give_back();
                Poll::Ready(frame)
            }
            Self::Http2(body) => Pin::new(body).poll_frame(cx).map_err(Into::into),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Http1(answer) => answer.body.is_end_stream(),
            Self::Http2(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Http1(answer) => answer.body.size_hint(),
            Self::Http2(body) => body.size_hint(),
        }
    }
}

#[cfg(test)]
mod tests;
