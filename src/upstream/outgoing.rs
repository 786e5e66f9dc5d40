//! What Weir sends upstream: a request body that it holds, or one that it passes on as it comes.

use crate::body;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::{Instant, Sleep};

/// A request body.
pub enum Outgoing {
    /// Pieces in memory, which can be sent again.
    Held {
        /// The pieces, in order.
        pieces: VecDeque<Bytes>,
        /// Bytes that are left.
        left: u64,
    },
    /// The client's, as it comes; can be sent once.
    Streamed(Box<Upload>),
}

impl Outgoing {
    /// A body of these pieces.
    pub fn held(pieces: impl IntoIterator<Item = Bytes>) -> Self {
        let pieces: VecDeque<Bytes> = pieces.into_iter().collect();
        let left = pieces.iter().map(|piece| piece.len() as u64).sum();
        Self::Held { pieces, left }
    }
}

/// A client's request body on its way through, bounded in size and in silence.
pub struct Upload {
    source: Incoming,
    left: u64,
    silence_max: Duration,
    silence: Pin<Box<Sleep>>,
    fault: UploadFault,
    observer: Option<Observer>,
}

/// Sees the pieces of a body as they pass.
pub type Observer = Box<dyn FnMut(&[u8]) + Send>;

/// Why an upload broke off, for the one who sees the upstream call fail because of it.
#[derive(Clone, Default)]
pub struct UploadFault(Arc<OnceLock<Broken>>);

/// What was wrong with an upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// It is larger than allowed.
    #[error("request body too large")]
    TooLarge,
    /// The client stopped sending.
    #[error("request body too slow")]
    TooSlow,
    /// The client went away, or sent what is not HTTP.
    #[error("request body broke off")]
    Cut,
}

impl UploadFault {
    /// What was wrong, if anything was.
    pub fn get(&self) -> Option<Broken> {
        self.0.get().copied()
    }
}

impl Upload {
    /// Passes `source` on, up to `max` bytes and with pauses up to `silence_max`.
    pub fn new(source: Incoming, max: u64, silence_max: Duration) -> (Self, UploadFault) {
        let fault = UploadFault::default();
        let silence = Box::pin(tokio::time::sleep(silence_max));
        (
            Self {
                source,
                left: max,
                silence_max,
                silence,
                fault: fault.clone(),
                observer: None,
            },
            fault,
        )
    }

    /// Shows each piece to `observer` before it is sent.
    pub fn observe(&mut self, observer: Observer) {
        self.observer = Some(observer);
    }

    /// It is about to be sent: until now, nobody could know whether the client was slow.
    pub fn begin(&mut self) {
        self.silence
            .as_mut()
            .reset(Instant::now() + self.silence_max);
    }

    /// How long it is, if the client said.
    pub fn length(&self) -> Option<u64> {
        self.source.size_hint().exact()
    }

    fn broken(&self, why: Broken) -> Poll<Option<Result<Frame<Bytes>, body::Error>>> {
        // Only the first reason counts.
        let _ = self.fault.0.set(why);
        Poll::Ready(Some(Err(why.into())))
    }

    /// Whether nothing more comes.
    pub(super) fn is_over(&self) -> bool {
        self.source.is_end_stream()
    }

    /// The next piece.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, body::Error>>> {
        match Pin::new(&mut self.source).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                let len = frame.data_ref().map_or(0, Bytes::len) as u64;
                if len > self.left {
                    return self.broken(Broken::TooLarge);
                }
                self.left -= len;
                if let (Some(observer), Some(piece)) = (&mut self.observer, frame.data_ref()) {
                    observer(piece);
                }
                self.silence
                    .as_mut()
                    .reset(Instant::now() + self.silence_max);
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(_))) => self.broken(Broken::Cut),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => match self.silence.as_mut().poll(cx) {
                Poll::Ready(()) => self.broken(Broken::TooSlow),
                Poll::Pending => Poll::Pending,
            },
        }
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = body::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, body::Error>>> {
        match self.get_mut() {
            Self::Held { pieces, left } => Poll::Ready(pieces.pop_front().map(|piece| {
                *left -= piece.len() as u64;
                Ok(Frame::data(piece))
            })),
            Self::Streamed(upload) => upload.poll(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Held { pieces, .. } => pieces.is_empty(),
            Self::Streamed(upload) => upload.is_over(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Held { left, .. } => SizeHint::with_exact(*left),
            Self::Streamed(upload) => upload.source.size_hint(),
        }
    }
}
