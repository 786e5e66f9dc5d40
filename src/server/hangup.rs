//! A client that hangs up while nobody reads what it sent.
//!
//! hyper learns of that by reading on while it answers. It does not while it still holds something: a byte too many
//! behind the request, the next request, or an upload that the upstream is slow to take. So here it is noticed whether
//! whoever has taken bytes comes back for more, and if not, the system is asked to tell of the end.

use super::stall::Stalling;
use std::{
    io::{ErrorKind, IoSlice, Result},
    os::fd::AsFd,
    pin::{Pin, pin},
    task::{Context, Poll},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, Interest, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::server::TlsStream;

/// A stream that fails to be flushed once its client is gone, even if nobody reads from it. Above TLS, which reads on
/// for itself.
pub(super) struct Heeding<I> {
    stream: I,
    reader: Reader,
    /// A second descriptor of the socket, of which nothing is read: the end is seen there behind any number of bytes.
    /// Boxed: hardly any connection ever needs it.
    twin: Option<Box<TcpStream>>,
}

/// What stands on a socket.
pub(super) trait OnSocket {
    /// The socket.
    fn socket(&self) -> &TcpStream;
}

impl OnSocket for TcpStream {
    fn socket(&self) -> &TcpStream {
        self
    }
}

impl OnSocket for Stalling<TcpStream> {
    fn socket(&self) -> &TcpStream {
        self.get_ref()
    }
}

impl<I: OnSocket> OnSocket for TlsStream<I> {
    fn socket(&self) -> &TcpStream {
        self.get_ref().0.socket()
    }
}

/// What becomes of the bytes that come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reader {
    /// Somebody waits for them, and will hear of their end too.
    Waits,
    /// Somebody has taken some, and may be about to come back.
    Took,
    /// Nobody wants more for now.
    Left,
}

impl<I> Heeding<I> {
    pub(super) fn new(stream: I) -> Self {
        Self {
            stream,
            reader: Reader::Waits,
            twin: None,
        }
    }
}

impl<I: OnSocket> Heeding<I> {
    /// Fails if the client is gone; else it wakes whoever asks when it goes.
    fn look(&mut self, cx: &mut Context<'_>) -> Result<()> {
        let twin = match &self.twin {
            Some(twin) => twin,
            None => {
                let twin = self.stream.socket().as_fd().try_clone_to_owned()?;
                self.twin
                    .insert(Box::new(TcpStream::from_std(twin.into())?))
            }
        };
        while let Poll::Ready(ready) = twin.poll_read_ready(cx) {
            ready?;
            let state = pin!(twin.ready(Interest::READABLE)).poll(cx)?;
            if matches!(state, Poll::Ready(state) if state.is_read_closed()) {
                return Err(ErrorKind::ConnectionReset.into());
            }
            // There is only more. It is left where it is, and what comes next is waited for.
            let left: Result<()> =
                twin.try_io(Interest::READABLE, || Err(ErrorKind::WouldBlock.into()));
            debug_assert!(left.is_err());
        }
        Ok(())
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Heeding<I> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(cx, buffer);
        this.reader = match buffer.filled().len() > before {
            true => Reader::Took,
            // Or has been told of the end.
            false => Reader::Waits,
        };
        read
    }
}

impl<I: AsyncWrite + OnSocket + Unpin> AsyncWrite for Heeding<I> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// Asked for at the end of each turn of a connection's task, whether something was written or not.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let this = self.get_mut();
        match this.reader {
            Reader::Waits => this.twin = None,
            // A turn later it is known. Whoever is about to read on has asked for that turn already.
            Reader::Took => {
                this.reader = Reader::Left;
                cx.waker().wake_by_ref();
            }
            Reader::Left => this.look(cx)?,
        }
        Pin::new(&mut this.stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{future::poll_fn, task::Waker};
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpListener, TcpSocket},
    };

    /// A client, and the socket that it has connected to.
    async fn ends() -> (TcpStream, Heeding<TcpStream>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpSocket::new_v4().unwrap();
        let client = client.connect(listener.local_addr().unwrap());
        let (client, socket) = tokio::join!(client, listener.accept());
        (client.unwrap(), Heeding::new(socket.unwrap().0))
    }

    /// Flushes, turn by turn, until that fails.
    async fn gone(socket: &mut Heeding<TcpStream>) {
        let failed = poll_fn(|cx| match Pin::new(&mut *socket).poll_flush(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(error),
            _ => Poll::Pending,
        });
        assert_eq!(failed.await.kind(), ErrorKind::ConnectionReset);
    }

    #[tokio::test]
    async fn a_hangup_behind_bytes_that_nobody_reads_is_noticed() {
        for is_reset in [false, true] {
            let (mut client, mut socket) = ends().await;
            client.write_all(b"ab").await.unwrap();
            assert_eq!(socket.read_u8().await.unwrap(), b'a');
            socket.flush().await.unwrap();
            socket.flush().await.unwrap();
            if is_reset {
                client.set_zero_linger().unwrap();
            } else {
                client.write_all(b"more").await.unwrap();
            }
            tokio::join!(gone(&mut socket), async { drop(client) });
        }
    }

    #[tokio::test]
    async fn whoever_waits_for_bytes_needs_no_twin() {
        let (mut client, mut socket) = ends().await;
        client.write_all(b"a").await.unwrap();
        let mut bytes = [0; 8];
        assert_eq!(socket.read(&mut bytes).await.unwrap(), 1);
        let mut buffer = ReadBuf::new(&mut bytes);
        let mut cx = Context::from_waker(Waker::noop());
        let more = Pin::new(&mut socket).poll_read(&mut cx, &mut buffer);
        assert!(more.is_pending());
        for _ in 0..3 {
            socket.flush().await.unwrap();
        }
        assert!(socket.twin.is_none());
    }
}
