//! The body of an upstream's answer, over either HTTP.

use super::Host;
use crate::{body, upstream::http1};
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

/// An answer's body. Read to its end it gives its connection back; dropped before, it closes it.
pub enum Answer {
    /// Over a connection of its own.
    Http1(Http1),
    /// Beside others.
    Http2(Http2),
}

/// An answer's body, and who gets its connection.
pub struct Http1 {
    body: http1::Arriving,
    host: Arc<Host>,
}

/// An answer's body, and what has broken it until that is told.
pub struct Http2 {
    body: Incoming,
    fault: Option<hyper::Error>,
}

impl Http1 {
    fn give_back(&mut self) {
        if let Some(connection) = self.body.connection() {
            self.host.keep(connection);
        }
    }
}

impl Http2 {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        if let Some(fault) = self.fault.take() {
            return Poll::Ready(Some(Err(fault)));
        }
        match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
            Some(Err(fault)) => {
                // Who serves this throws away what it has not written yet when a body fails: it gets a turn to write.
                self.fault = Some(fault);
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            frame => Poll::Ready(frame),
        }
    }
}

impl Answer {
    pub(super) fn http1(body: http1::Arriving, host: Arc<Host>) -> Self {
        let mut answer = Http1 { body, host };
        answer.give_back();
        Self::Http1(answer)
    }

    pub(super) fn http2(body: Incoming) -> Self {
        Self::Http2(Http2 { body, fault: None })
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
            Self::Http2(answer) => answer.poll(cx).map_err(Into::into),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Http1(answer) => answer.body.is_end_stream(),
            Self::Http2(answer) => answer.fault.is_none() && answer.body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Http1(answer) => answer.body.size_hint(),
            Self::Http2(answer) => answer.body.size_hint(),
        }
    }
}
