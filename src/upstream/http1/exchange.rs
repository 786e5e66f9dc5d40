//! One request for one answer, and the answer's body as it arrives.

use super::{
    body::Framing,
    connection::Connection,
    head::{self, Head, HeadReader},
    sending::{self, Sending, Unsendable},
};
use crate::{
    body,
    upstream::request::{Base, Request},
};
use bytes::Bytes;
use http::Response;
use http_body::{Body, Frame, SizeHint};
use std::{
    cell::RefCell,
    future::poll_fn,
    io, mem,
    pin::Pin,
    task::{Context, Poll, ready},
};

/// What one read takes in at most. It is copied out at once, so that a connection that is silent has no buffer at all,
/// and a piece of a stream holds no more memory than it is long.
const READ_BYTES: usize = 32 << 10;

thread_local! {
    static READ: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BYTES].into());
}

/// Why a request has no answer.
pub(in crate::upstream) enum Unsent {
    /// Nothing of it was written, and here it is again.
    NeverLeft(Box<Request>),
    /// The server has said that it did nothing about it.
    Refused(body::Error),
    /// It went out, if only in part.
    Broken(body::Error),
}

/// Sends `request` over a connection that nothing else uses, and waits for the head of the answer.
pub(in crate::upstream) async fn send(
    mut connection: Connection,
    base: &Base,
    mut request: Box<Request>,
) -> Result<Response<Arriving>, Unsent> {
    let length = sending::length(&request);
    let head = head::write(&request, base, length);
    let begin =
        poll_fn(|cx| sending::poll_begin(&mut connection, &head, &mut request.body, cx)).await;
    let Ok(written) = begin else {
        return Err(Unsent::NeverLeft(request));
    };
    let sending = Sending::rest(head, request.body, length, written);
    let mut awaiting = Awaiting {
        reader: HeadReader::new(request.method),
        transfer: Some(Transfer {
            connection,
            sending: Some(Box::new(sending)),
            keeps: true,
        }),
    };
    let answer = poll_fn(|cx| awaiting.poll(cx)).await;
    answer.map_err(Unsent::Broken)
}

/// A connection with what is still to be sent on it.
struct Transfer {
    connection: Connection,
    /// Boxed: it is gone for most of the time that an answer takes.
    sending: Option<Box<Sending>>,
    /// Whether the connection is good for another request after this one.
    keeps: bool,
}

impl Transfer {
    /// Sends as much as can be sent now.
    fn send(&mut self, cx: &mut Context<'_>) -> Result<(), body::Error> {
        let Some(sending) = &mut self.sending else {
            return Ok(());
        };
        match sending.poll(&mut self.connection, cx) {
            Poll::Pending => return Ok(()),
            Poll::Ready(Ok(())) => {}
            // It may have answered before it closed its ears: that is what matters.
            Poll::Ready(Err(Unsendable::Refused(error))) => {
                tracing::debug!(%error, "an upstream takes no more of a request");
                self.keeps = false;
            }
            Poll::Ready(Err(Unsendable::Upload(error))) => return Err(error),
        }
        self.sending = None;
        Ok(())
    }

    /// The connection, if another request may follow.
    fn reusable(self) -> Option<Connection> {
        (self.keeps && self.sending.is_none()).then_some(self.connection)
    }
}

/// A request that was begun and has no answer yet.
struct Awaiting {
    reader: HeadReader,
    /// None once it is answered.
    transfer: Option<Transfer>,
}

impl Awaiting {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Response<Arriving>, body::Error>> {
        if let Some(transfer) = &mut self.transfer {
            transfer.send(cx)?;
        }
        READ.with_borrow_mut(|buffer| self.poll_head(buffer, cx))
    }

    fn poll_head(
        &mut self,
        buffer: &mut [u8],
        cx: &mut Context<'_>,
    ) -> Poll<Result<Response<Arriving>, body::Error>> {
        let transfer = self.transfer.as_mut();
        let transfer = transfer.expect("it is not polled again once it was ready");
        let (head, rest) = loop {
            let len = ready!(transfer.connection.poll_read(cx, buffer))?;
            if len == 0 {
                return Poll::Ready(Err(cut("the server hung up without an answer")));
            }
            if let Some((head, used)) = self.reader.read(&buffer[..len])? {
                break (head, used..len);
            }
        };
        let transfer = self.transfer.take();
        let answer = Arriving::answer(head, transfer, &mut buffer[rest]);
        Poll::Ready(Ok(answer))
    }
}

fn cut(why: &'static str) -> body::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, why).into()
}

/// An answer's body as it arrives. Nothing is read while nobody polls it; dropped before its end, it closes its
/// connection.
pub(in crate::upstream) struct Arriving {
    framing: Framing,
    /// What was read and not handed on yet.
    content: Bytes,
    /// What is wrong behind `content`, and whether its turn has come.
    fault: Option<(body::Error, bool)>,
    /// None once the body is over.
    transfer: Option<Transfer>,
    /// The connection behind the body's end, until it is asked for.
    reusable: Option<Connection>,
    /// A body of chunks that may turn out to be empty must be asked; one with a length says it beforehand.
    tells_end: bool,
}

impl Arriving {
    /// An answer whose body begins with `piece`.
    fn answer(head: Head, transfer: Option<Transfer>, piece: &mut [u8]) -> Response<Self> {
        let mut arriving = Self {
            tells_end: matches!(head.framing, Framing::Length(_)),
            framing: head.framing,
            content: Bytes::new(),
            fault: None,
            transfer,
            reusable: None,
        };
        if let Some(transfer) = &mut arriving.transfer {
            transfer.keeps &= head.keeps;
        }
        arriving.take_in(piece);
        let mut response = Response::new(arriving);
        *response.status_mut() = head.status;
        *response.headers_mut() = head.headers;
        response
    }

    /// The connection, once the body is over and another request may follow.
    pub(in crate::upstream) fn connection(&mut self) -> Option<Connection> {
        self.reusable.take()
    }

    fn take_in(&mut self, piece: &mut [u8]) {
        let found = self.framing.read(piece);
        self.content = Bytes::copy_from_slice(&piece[..found.content]);
        if let Some(fault) = found.fault {
            self.fail(fault.into());
        } else if self.framing.is_over() {
            let transfer = self.transfer.take();
            // What comes behind the end is an answer to nothing, and what follows it would be none to the next request.
            let transfer = transfer.filter(|_| found.used == piece.len());
            self.reusable = transfer.and_then(Transfer::reusable);
        }
    }

    fn fail(&mut self, error: body::Error) {
        self.transfer = None;
        self.fault = Some((error, false));
    }

    /// Waits for more of the body and takes it in; false is its end.
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, body::Error>> {
        if let Some(transfer) = &mut self.transfer {
            transfer.send(cx)?;
        }
        READ.with_borrow_mut(|buffer| {
            let Some(transfer) = &mut self.transfer else {
                return Poll::Ready(Ok(false));
            };
            let len = ready!(transfer.connection.poll_read(cx, buffer))?;
            if len > 0 {
                self.take_in(&mut buffer[..len]);
                return Poll::Ready(Ok(true));
            }
            self.transfer = None;
            match self.framing.may_close() {
                true => Poll::Ready(Ok(false)),
                false => Poll::Ready(Err(cut("the server hung up before the answer's end"))),
            }
        })
    }
}

impl Body for Arriving {
    type Data = Bytes;
    type Error = body::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, body::Error>>> {
        let this = self.get_mut();
        loop {
            if !this.content.is_empty() {
                this.tells_end = true;
                return Poll::Ready(Some(Ok(Frame::data(mem::take(&mut this.content)))));
            }
            if let Some((fault, is_due)) = this.fault.take() {
                if is_due {
                    return Poll::Ready(Some(Err(fault)));
                }
                // Who serves this throws away what it has not written yet when a body fails: it gets a turn to write.
                this.fault = Some((fault, true));
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            match ready!(this.poll_more(cx)) {
                Ok(true) => {}
                Ok(false) => return Poll::Ready(None),
                Err(error) => this.fail(error),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.tells_end && self.content.is_empty() && self.fault.is_none() && self.transfer.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        match self.framing {
            Framing::Length(left) => SizeHint::with_exact(left + self.content.len() as u64),
            _ => SizeHint::default(),
        }
    }
}
