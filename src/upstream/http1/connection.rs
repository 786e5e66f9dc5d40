//! One connection to an upstream. Nobody drives it: whoever waits for something on it polls it.

use hyper_util::rt::TokioIo;
use std::{
    future::poll_fn,
    io::{self, IoSlice},
    pin::{Pin, pin},
    task::{Context, Poll, Waker, ready},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    task::unconstrained,
};

/// What a TLS record holds at most. Less than a whole one tells its reader nothing.
const RECORD_BYTES: usize = 16 << 10;

/// TLS, as hyper-rustls speaks it.
type TlsStream = tokio_rustls::client::TlsStream<TokioIo<TokioIo<TcpStream>>>;

/// A connection that speaks HTTP/1.1.
pub(in crate::upstream) struct Connection(Stream);

enum Stream {
    Plain(TcpStream),
    /// Boxed, so that a plain connection does not take the room of a TLS one.
    Tls(Box<TlsStream>),
}

impl From<TcpStream> for Connection {
    fn from(stream: TcpStream) -> Self {
        Self(Stream::Plain(stream))
    }
}

impl From<TlsStream> for Connection {
    fn from(stream: TlsStream) -> Self {
        Self(Stream::Tls(Box::new(stream)))
    }
}

impl Connection {
    /// Whether it is open and the server says nothing on it. Asked while nothing is expected: a server that says
    /// something now says good-bye, or lies.
    pub(in crate::upstream) fn is_quiet(&mut self) -> bool {
        let mut byte = [0];
        // Without a budget, or else a worker that is busy would take everything for quiet.
        let read = pin!(unconstrained(poll_fn(|cx| self.poll_read(cx, &mut byte))));
        read.poll(&mut Context::from_waker(Waker::noop()))
            .is_pending()
    }

    /// Bytes of which, when writing them for the first time fails, none can have been understood.
    pub(super) fn first_max(&self) -> usize {
        match self.0 {
            Stream::Plain(_) => usize::MAX,
            Stream::Tls(_) => RECORD_BYTES,
        }
    }

    /// Reads what is there; nothing is the end.
    pub(super) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut buffer = ReadBuf::new(into);
        ready!(match &mut self.0 {
            Stream::Plain(stream) => Pin::new(stream).poll_read(cx, &mut buffer),
            Stream::Tls(stream) => Pin::new(&mut **stream).poll_read(cx, &mut buffer),
        })?;
        Poll::Ready(Ok(buffer.filled().len()))
    }

    /// Writes as much as there is room for.
    pub(super) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(match &mut self.0 {
            Stream::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Stream::Tls(stream) => Pin::new(&mut **stream).poll_write_vectored(cx, slices),
        })?;
        Poll::Ready(match written {
            0 => Err(io::ErrorKind::WriteZero.into()),
            written => Ok(written),
        })
    }

    /// Hands to the network what was written.
    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.0 {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Tls(stream) => Pin::new(&mut **stream).poll_flush(cx),
        }
    }
}
