//! Since when a client takes nothing of what is written to it.
//!
//! While a socket is full nobody asks an answer's body for more, so that none of the body's own time limits is looked
//! at. This is below TLS, where each byte that goes out is seen.

use std::{
    io::{IoSlice, Result},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Instant,
};

/// Tells since when a connection has been stalled.
#[derive(Clone)]
pub(super) struct Stall(Arc<Inner>);

struct Inner {
    began: Instant,
    /// Milliseconds after `began` when a write first had to wait of those that still do, or `NEVER`.
    since: AtomicU64,
}

const NEVER: u64 = u64::MAX;

impl Stall {
    /// Since when nothing could be written; none while all is well.
    pub(super) fn since(&self) -> Option<Instant> {
        let millis = self.0.since.load(Relaxed);
        (millis != NEVER).then(|| self.0.began + Duration::from_millis(millis))
    }

    fn note<T>(&self, written: &Poll<T>) {
        let since = &self.0.since;
        match (written, since.load(Relaxed)) {
            (Poll::Pending, NEVER) => {
                since.store(self.0.began.elapsed().as_millis() as u64, Relaxed);
            }
            (Poll::Pending, _) | (Poll::Ready(_), NEVER) => {}
            (Poll::Ready(_), _) => since.store(NEVER, Relaxed),
        }
    }
}

/// A socket whose writes are watched.
pub(super) struct Stalling<I> {
    inner: I,
    stall: Stall,
}

impl<I> Stalling<I> {
    pub(super) fn new(inner: I) -> Self {
        let stall = Stall(Arc::new(Inner {
            began: Instant::now(),
            since: AtomicU64::new(NEVER),
        }));
        Self { inner, stall }
    }

    pub(super) fn get_ref(&self) -> &I {
        &self.inner
    }

    pub(super) fn stall(&self) -> Stall {
        self.stall.clone()
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Stalling<I> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_read(cx, buffer)
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Stalling<I> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.inner).poll_write(cx, bytes);
        this.stall.note(&written);
        written
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.inner).poll_write_vectored(cx, slices);
        this.stall.note(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test(start_paused = true)]
    async fn it_is_stalled_until_something_is_read() {
        let (mut client, socket) = tokio::io::duplex(4);
        let mut socket = Stalling::new(socket);
        let stall = socket.stall();
        socket.write_all(b"1234").await.unwrap();
        assert_eq!(stall.since(), None);

        let began = Instant::now();
        for _ in 0..2 {
            let wait = Duration::from_secs(1);
            let more = tokio::time::timeout(wait, socket.write_all(b"5"));
            assert!(more.await.is_err());
            assert_eq!(stall.since(), Some(began), "since the first that waits");
        }
        client.read_u8().await.unwrap();
        socket.write_all(b"5").await.unwrap();
        assert_eq!(stall.since(), None);
    }
}
