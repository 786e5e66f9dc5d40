//! A request on its way out, while its answer is awaited and, if that comes early, while it is read.

use super::{connection::Connection, head::Length};
use crate::{
    body,
    upstream::{Outgoing, Request, Upload},
};
use bytes::{Buf, Bytes};
use http::Method;
use http_body::Frame;
use std::{
    collections::VecDeque,
    io::{self, IoSlice},
    task::{Context, Poll, ready},
};

/// Pieces that are written at once. A request that was edited has four or five.
const SLICES: usize = 16;

/// Why a request cannot be sent to its end.
pub(super) enum Unsendable {
    /// The server takes no more of it. It may have answered all the same.
    Refused(io::Error),
    /// The client's body broke off.
    Upload(body::Error),
}

/// What is still to be sent.
pub(super) struct Sending {
    /// In order, and none of it empty.
    queue: VecDeque<Bytes>,
    upload: Option<(Box<Upload>, Length)>,
}

/// What a request's head says of its body.
pub(super) fn length(request: &Request) -> Length {
    match &request.body {
        Outgoing::Held { pieces, .. } if pieces.is_empty() => Length::NoBody,
        Outgoing::Held { left, .. } => Length::Known(*left),
        Outgoing::Streamed(upload) if upload.is_over() => Length::NoBody,
        Outgoing::Streamed(upload) => match (upload.length(), &request.method) {
            (Some(bytes), _) => Length::Known(bytes),
            // Servers take a body that comes with these for the next request, or refuse it.
            (None, &Method::GET | &Method::HEAD | &Method::CONNECT) => Length::NoBody,
            (None, _) => Length::Chunked,
        },
    }
}

/// Writes the beginning of a request, with as much of its body as is there. The body stays as it is.
pub(super) fn poll_begin(
    connection: &mut Connection,
    head: &[u8],
    body: &mut Outgoing, // a shared one could not go to another thread with the future that waits here
    cx: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    let pieces = match body {
        Outgoing::Held { pieces, .. } => Some(pieces),
        Outgoing::Streamed(_) => None,
    };
    let pieces = pieces.into_iter().flatten().map(|piece| &piece[..]);
    let most = connection.first_max();
    poll_write(connection, std::iter::once(head).chain(pieces), most, cx)
}

/// Writes up to `most` bytes of `pieces`.
fn poll_write<'a>(
    connection: &mut Connection,
    pieces: impl Iterator<Item = &'a [u8]>,
    most: usize,
    cx: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    let mut slices = [IoSlice::new(&[]); SLICES];
    let (mut count, mut left) = (0, most);
    for (slice, piece) in slices.iter_mut().zip(pieces) {
        let piece = &piece[..piece.len().min(left)];
        left -= piece.len();
        *slice = IoSlice::new(piece);
        count += 1;
    }
    connection.poll_write(cx, &slices[..count])
}

impl Sending {
    /// What is left of a request of which so many bytes were written.
    pub(super) fn rest(head: Vec<u8>, body: Outgoing, length: Length, written: usize) -> Self {
        let (mut queue, upload, all) = match body {
            Outgoing::Held { pieces, left } => (pieces, None, head.len() as u64 + left),
            Outgoing::Streamed(upload) => {
                let upload = (length != Length::NoBody).then_some((upload, length));
                (VecDeque::new(), upload, head.len() as u64)
            }
        };
        if written as u64 == all {
            queue = VecDeque::new();
        } else {
            queue.push_front(head.into());
            queue.retain(|piece| !piece.is_empty());
        }
        let mut sending = Self { queue, upload };
        if !sending.queue.is_empty() {
            sending.written(written);
        }
        sending
    }

    /// Sends as much as can be sent; ready when that is all of it.
    pub(super) fn poll(
        &mut self,
        connection: &mut Connection,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Unsendable>> {
        loop {
            while !self.queue.is_empty() {
                let pieces = self.queue.iter().map(|piece| &piece[..]);
                let written = ready!(poll_write(connection, pieces, usize::MAX, cx));
                self.written(written.map_err(Unsendable::Refused)?);
            }
            let Some((upload, length)) = &mut self.upload else {
                return connection.poll_flush(cx).map_err(Unsendable::Refused);
            };
            let Poll::Ready(frame) = upload.poll(cx) else {
                // What is written already is not to wait for what comes.
                ready!(connection.poll_flush(cx)).map_err(Unsendable::Refused)?;
                return Poll::Pending;
            };
            let is_over = frame.is_none();
            enqueue(&mut self.queue, frame, length).map_err(Unsendable::Upload)?;
            if is_over {
                self.upload = None;
            }
        }
    }

    fn written(&mut self, mut written: usize) {
        while let Some(first) = self.queue.front_mut() {
            let len = first.len().min(written);
            first.advance(len);
            written -= len;
            if !first.is_empty() {
                return;
            }
            self.queue.pop_front();
        }
    }
}

/// Puts the next frame of an upload, or its end, into the queue in the form that the head has announced.
fn enqueue(
    queue: &mut VecDeque<Bytes>,
    frame: Option<Result<Frame<Bytes>, body::Error>>,
    length: &mut Length,
) -> Result<(), body::Error> {
    // Trailers are not announced, so nobody waits for them.
    let data = frame
        .transpose()?
        .map(|frame| frame.into_data().ok().unwrap_or_default());
    match (length, data) {
        (Length::Chunked, None) => queue.push_back(Bytes::from_static(b"0\r\n\r\n")),
        (Length::Chunked, Some(data)) if data.is_empty() => {}
        (Length::Chunked, Some(data)) => {
            queue.push_back(format!("{:x}\r\n", data.len()).into());
            queue.push_back(data);
            queue.push_back(Bytes::from_static(b"\r\n"));
        }
        (Length::Known(left), Some(data)) => {
            let less = left.checked_sub(data.len() as u64);
            *left = less.ok_or("the client's body is longer than it said")?;
            if !data.is_empty() {
                queue.push_back(data);
            }
        }
        (Length::Known(1..), None) => {
            return Err("the client's body is shorter than it said".into());
        }
        (Length::Known(0) | Length::NoBody, _) => {}
    }
    Ok(())
}
