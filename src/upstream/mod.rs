//! The way to the model servers: connections, and one attempt at an answer.
//!
//! One [`Pool`] a worker: the connections of a worker are polled by its own thread, so that a chunk never crosses
//! from one thread to another. It knows nothing of keys, models or retries.

mod connect;
mod host;
pub mod http1;
mod outgoing;
mod request;
mod simulated;

pub use connect::reachable;
pub use outgoing::{Broken, Observer, Outgoing, Upload, UploadFault};
pub use request::{Path, Request};

use crate::{
    body::{self, Body},
    config::{Provider, Timeouts, Upstream},
    domain::Endpoint,
    providers::simulator,
};
use bytes::Bytes;
use host::Host;
use http_body::{Frame, SizeHint};
use std::{
    collections::HashMap,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::{SystemTime, UNIX_EPOCH},
};

/// A worker's connections.
#[derive(Default)]
pub struct Pool {
    /// By the config's names, so that a quick hash will do.
    hosts: Mutex<HashMap<Arc<str>, Arc<Host>, foldhash::fast::RandomState>>,
}

/// An attempt that got no answer.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// No connection, or none that the upstream took the request from: it never reached it.
    #[error("not reached")]
    Unreachable(#[source] body::Error),
    /// The connection broke before an answer began.
    #[error("connection broke before an answer")]
    Broken(#[source] body::Error),
    /// Nothing came in time.
    #[error("no answer in time")]
    TooSlow,
}

impl Pool {
    /// Makes one attempt and waits for the head of the answer.
    pub async fn send(
        &self,
        upstream: &Arc<Upstream>,
        endpoint: Endpoint,
        timeouts: &Timeouts,
        request: Box<Request>,
    ) -> Result<http::Response<Source>, Failure> {
        let answer = async {
            match upstream.provider {
                Provider::Simulator => Ok(Box::pin(simulate(upstream, endpoint, request)).await),
                Provider::OpenAi => {
                    let host = self.host(upstream)?;
                    host.exchange(request, timeouts.connect)
                        .await
                        .map(|response| response.map(Source::Network))
                }
            }
        };
        tokio::time::timeout(timeouts.first_byte, answer)
            .await
            .unwrap_or(Err(Failure::TooSlow))
    }

    /// The connections to an upstream; made anew when the config has changed it.
    fn host(&self, upstream: &Arc<Upstream>) -> Result<Arc<Host>, Failure> {
        let mut hosts = self.hosts.lock().expect("nothing panics while it is held");
        if let Some(host) = hosts
            .get(&upstream.name)
            .filter(|host| host.is_for(upstream))
        {
            return Ok(Arc::clone(host));
        }
        let host = Host::new(upstream)?;
        hosts.insert(Arc::clone(&upstream.name), Arc::clone(&host));
        Ok(host)
    }
}

/// Has the simulator answer what would have gone over a connection.
async fn simulate(
    upstream: &Upstream,
    endpoint: Endpoint,
    request: Box<Request>,
) -> http::Response<Source> {
    let body = match request.body {
        Outgoing::Held { pieces, .. } => Vec::from(pieces).concat(),
        // Paths that only pass through are not the simulator's; it says so itself.
        Outgoing::Streamed(_) => Vec::new(),
    };
    let created = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    let pace = simulator::Pace {
        words_per_second: upstream.words_per_second,
    };
    let answer = simulator::answer(endpoint, &body, pace, created);
    simulated::respond(answer).await.map(Source::Simulated)
}

/// An upstream's answer as it comes.
pub enum Source {
    /// From a connection.
    Network(host::Answer),
    /// From the simulator.
    Simulated(Body),
}

impl http_body::Body for Source {
    type Data = Bytes;
    type Error = body::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, body::Error>>> {
        match self.get_mut() {
            Self::Network(body) => Pin::new(body).poll_frame(cx),
            Self::Simulated(body) => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Network(body) => body.is_end_stream(),
            Self::Simulated(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Network(body) => body.size_hint(),
            Self::Simulated(body) => body.size_hint(),
        }
    }
}
