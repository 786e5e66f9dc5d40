//! A connection's bytes, watched for two things that hyper does not do: time limits that know an idle connection
//! from a slow one, and a proper body for the refusals that hyper writes itself.

use crate::{telemetry::metrics, wire::error::ErrorBody};
use http::StatusCode;
use memchr::memmem;
use std::{
    io::{ErrorKind, IoSlice, Result},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
    time::{Duration, SystemTime},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf},
    net::TcpStream,
    time::Instant,
};

/// What a connection is doing. Only its own task touches it; the atomics are there because that task may be `Send`.
#[derive(Clone)]
pub(super) struct Activity(Arc<Inner>);

struct Inner {
    began: Instant,
    /// Requests that are being answered.
    answering: AtomicUsize,
    /// Milliseconds after `began` when the last answer ended.
    idle_since: AtomicU64,
    /// Milliseconds after `began` when the first bytes of the next request came, or `NOTHING`.
    head_since: AtomicU64,
    /// A request was refused before all of its body was there.
    refused_early: AtomicBool,
}

const NOTHING: u64 = u64::MAX;

/// What to wait for on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doing {
    /// Nothing has been asked since.
    Idle(Instant),
    /// A request has begun to arrive then.
    Receiving(Instant),
    /// A request is being answered.
    Answering,
}

impl Activity {
    pub(super) fn new() -> Self {
        let inner = Inner {
            began: Instant::now(),
            answering: AtomicUsize::new(0),
            idle_since: AtomicU64::new(0),
            head_since: AtomicU64::new(NOTHING),
            refused_early: AtomicBool::new(false),
        };
        Self(Arc::new(inner))
    }

    pub(super) fn doing(&self) -> Doing {
        let at = |millis| self.0.began + Duration::from_millis(millis);
        match (
            self.0.answering.load(Relaxed),
            self.0.head_since.load(Relaxed),
        ) {
            (0, NOTHING) => Doing::Idle(at(self.0.idle_since.load(Relaxed))),
            (0, since) => Doing::Receiving(at(since)),
            _ => Doing::Answering,
        }
    }

    /// A request begins to be answered; it is over when the guard drops.
    pub(super) fn answer(&self) -> Answering {
        self.0.answering.fetch_add(1, Relaxed);
        self.0.head_since.store(NOTHING, Relaxed);
        Answering(self.clone())
    }

    /// Whether the client may still be sending what nobody is going to read.
    pub(super) fn refused_early(&self) -> bool {
        self.0.refused_early.load(Relaxed)
    }

    fn received(&self) {
        if self.0.answering.load(Relaxed) == 0 && self.0.head_since.load(Relaxed) == NOTHING {
            self.0.head_since.store(self.now(), Relaxed);
        }
    }

    fn now(&self) -> u64 {
        self.0.began.elapsed().as_millis() as u64
    }
}

/// A request that is being answered.
pub(super) struct Answering(Activity);

impl Answering {
    /// The answer is a refusal that did not wait for the request's body.
    pub(super) fn refuse_early(&self) {
        self.0.0.refused_early.store(true, Relaxed);
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        let inner = &self.0.0;
        inner.idle_since.store(self.0.now(), Relaxed);
        inner.answering.fetch_sub(1, Relaxed);
    }
}

/// The stream of a connection.
pub(super) struct Watched<I> {
    inner: I,
    activity: Activity,
    /// What still has to be written in place of a refusal of hyper's.
    instead: Vec<u8>,
}

impl<I> Watched<I> {
    pub(super) fn new(inner: I, activity: Activity) -> Self {
        Self {
            inner,
            activity,
            instead: Vec::new(),
        }
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Watched<I> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.inner).poll_read(cx, buffer))?;
        if buffer.filled().len() > before {
            this.activity.received();
        }
        Poll::Ready(Ok(()))
    }
}

impl<I: AsyncWrite + Unpin> Watched<I> {
    /// Writes what stands in place of hyper's refusal.
    fn poll_instead(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        while !self.instead.is_empty() {
            let written = ready!(Pin::new(&mut self.inner).poll_write(cx, &self.instead))?;
            if written == 0 {
                return Poll::Ready(Err(ErrorKind::WriteZero.into()));
            }
            self.instead.drain(..written);
        }
        Poll::Ready(Ok(()))
    }

    /// Whether `bytes` are a refusal that hyper wrote by itself; if so, a better one will be written.
    fn replaces(&mut self, bytes: &[u8]) -> bool {
        if !bytes.starts_with(b"HTTP/1.1 4")
            || !matches!(self.activity.doing(), Doing::Idle(_) | Doing::Receiving(_))
        {
            return false;
        }
        // Each answer of Weir's own carries a request id.
        if memmem::find(bytes, b"x-request-id").is_some() {
            return false;
        }
        let status = bytes
            .get(9..12)
            .and_then(|digits| StatusCode::from_bytes(digits).ok());
        self.instead = refusal(status.unwrap_or(StatusCode::BAD_REQUEST));
        true
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Watched<I> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_instead(cx))?;
        if this.replaces(bytes) {
            return Poll::Ready(Ok(bytes.len()));
        }
        Pin::new(&mut this.inner).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_instead(cx))?;
        if let Some(first) = slices.first()
            && this.replaces(first)
        {
            return Poll::Ready(Ok(first.len()));
        }
        Pin::new(&mut this.inner).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_instead(cx))?;
        Pin::new(&mut this.inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_instead(cx))?;
        Pin::new(&mut this.inner).poll_shutdown(cx)
    }
}

/// A refusal of a request that could not be read, so that nothing of it can be repeated.
fn refusal(status: StatusCode) -> Vec<u8> {
    let (message, code) = match status {
        StatusCode::REQUEST_TIMEOUT => (
            "The request headers were not received in time.",
            "request_timeout",
        ),
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => {
            ("The request headers are too large.", "headers_too_large")
        }
        StatusCode::URI_TOO_LONG => ("The request URL is too long.", "url_too_long"),
        StatusCode::SERVICE_UNAVAILABLE => (
            "The gateway has no room for this connection right now.",
            "overloaded",
        ),
        _ => ("The request is not valid HTTP.", "bad_request"),
    };
    let kind = if status.is_server_error() {
        "server_error"
    } else {
        "invalid_request_error"
    };
    let body = ErrorBody::new(message, kind, None, Some(code)).to_json();
    let id = super::id::new_id(SystemTime::now());
    metrics::refused(code);
    if status.is_client_error() {
        // There is no method and no path to write an access line with, but whoever got this id may ask about it.
        tracing::info!(request.id = %id, status = status.as_u16(), code, "refused what is no request");
    }
    // The others would only be refused again.
    let retry = match status {
        StatusCode::REQUEST_TIMEOUT | StatusCode::SERVICE_UNAVAILABLE => "retry-after: 1\r\n",
        _ => "",
    };
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nx-request-id: {id}\r\n\
         x-weir-origin: gateway\r\n{retry}connection: close\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// How long somebody who is turned away may take to hear it.
const PARTING: Duration = Duration::from_millis(500);

/// Says 408 on a connection whose request did not come in time.
pub(super) async fn time_out(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    part(&mut stream, &refusal(StatusCode::REQUEST_TIMEOUT)).await;
}

/// Says 503 on a connection that there is no room for.
pub(super) async fn turn_away(mut stream: TcpStream) {
    part(&mut stream, &refusal(StatusCode::SERVICE_UNAVAILABLE)).await;
}

/// How long somebody who was refused may go on sending before that costs the answer.
const LINGER: Duration = Duration::from_secs(5);

/// Reads what a client still sends after its refusal. Most clients look for an answer only once they have sent
/// everything, and closing before that would reset the connection and take the answer with it.
pub(super) async fn linger(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let rest = async {
        let mut rest = vec![0; 16 << 10];
        while stream.read(&mut rest).await? > 0 {}
        Result::Ok(())
    };
    // Whether it was heard makes no difference any more.
    let _ = tokio::time::timeout(LINGER, rest).await;
}

/// Last words: what the client still sends is read, for a reset would take them from it.
async fn part(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), words: &[u8]) {
    let farewell = async {
        stream.write_all(words).await?;
        stream.shutdown().await?;
        let mut rest = [0; 1024];
        while stream.read(&mut rest).await? > 0 {}
        Result::Ok(())
    };
    // Whether it was heard makes no difference any more.
    let _ = tokio::time::timeout(PARTING, farewell).await;
}
