//! The connections of one worker to one upstream, and the exchange of one request for one answer.

mod answer;

pub(super) use answer::Answer;

use super::{
    Failure, Outgoing, Path, Request,
    connect::{Connector, Sender},
    http1::{self, Unsent},
    request::Base,
};
use crate::{body, config::Upstream, tasks};
use bytes::Bytes;
use http::{HeaderValue, Response, Uri, uri::PathAndQuery};
use hyper::client::conn::{TrySendError, http2};
use std::{
    error::Error,
    sync::{Arc, Mutex, MutexGuard, Weak},
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
                Err(Unsent::Refused(error)) => return Err(Failure::Unreachable(error)),
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
                Ok(response.map(Answer::http2))
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
            return self.refused_or_broken(error.into_error());
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

    /// Whether the server has said that it did nothing about a request, so that it may be repeated.
    fn refused_or_broken(&self, error: hyper::Error) -> Unsent {
        let cause = error.source().and_then(|cause| cause.downcast_ref());
        match cause {
            // A stream ends with one only if it began behind the last of which the server has taken notice.
            Some(h2_error) if is_remote_go_away(h2_error) => {
                self.kept().http2 = None; // nobody need ask on it again to hear the same
                Unsent::Refused(error.into())
            }
            Some(h2_error) if is_refused_stream(h2_error) => Unsent::Refused(error.into()),
            _ => Unsent::Broken(error.into()),
        }
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

fn is_remote_go_away(error: &h2::Error) -> bool {
    error.is_go_away() && error.is_remote()
}

fn is_refused_stream(error: &h2::Error) -> bool {
    error.is_reset() && error.is_remote() && error.reason() == Some(h2::Reason::REFUSED_STREAM)
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

#[cfg(test)]
mod tests;
