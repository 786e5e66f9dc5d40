//! What a script says of one request.

use std::sync::{Arc, Mutex};
use tokio::sync::mpsc;

/// What to do with one request.
#[derive(Clone)]
pub struct Reply {
    pub(super) acts: Vec<Act>,
    /// Do it as soon as the head is there.
    pub(super) at_once: bool,
}

#[derive(Clone)]
pub(super) enum Act {
    Write(Vec<u8>),
    /// One frame of the chunked coding.
    Chunk(Vec<u8>),
    /// Frames as the test hands them over; the stream goes on when the test has dropped its end.
    Fed(Pieces),
    /// Bytes as the test hands them over, head and all.
    FedRaw(Pieces),
    /// The same frame for as long as anybody takes it.
    Endless(Vec<u8>),
    Hang,
    Reset,
    Close,
}

/// What a test is still to hand over.
pub(super) type Pieces = Arc<Mutex<Option<mpsc::UnboundedReceiver<Vec<u8>>>>>;

/// The test's end of a stream that it feeds.
pub type Feed = mpsc::UnboundedSender<Vec<u8>>;

impl Reply {
    fn new(acts: Vec<Act>) -> Self {
        Self {
            acts,
            at_once: false,
        }
    }

    /// Exactly these bytes.
    pub fn raw(bytes: impl AsRef<[u8]>) -> Self {
        Self::new(vec![Act::Write(bytes.as_ref().to_vec())])
    }

    /// A whole answer with a length.
    pub fn with(status: u16, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref();
        let length = body.len().to_string();
        let mut bytes = head(status, &[headers, &[("content-length", &length)]].concat());
        bytes.extend_from_slice(body);
        Self::raw(bytes)
    }

    /// A whole JSON answer.
    pub fn json(status: u16, body: impl AsRef<[u8]>) -> Self {
        Self::with(status, &[("content-type", "application/json")], body)
    }

    /// A stream of events, each piece in a chunk and a write of its own.
    pub fn streams<P: AsRef<[u8]>>(pieces: impl IntoIterator<Item = P>) -> Self {
        Self::streams_as(&[("content-type", "text/event-stream")], pieces)
    }

    /// A chunked answer with these headers.
    pub fn streams_as<P: AsRef<[u8]>>(
        headers: &[(&str, &str)],
        pieces: impl IntoIterator<Item = P>,
    ) -> Self {
        let mut reply = Self::begins(headers);
        let chunks = pieces
            .into_iter()
            .map(|piece| Act::Chunk(piece.as_ref().to_vec()));
        reply.acts.extend(chunks);
        reply.then_chunk_end()
    }

    fn begins(headers: &[(&str, &str)]) -> Self {
        let head = head(
            200,
            &[headers, &[("transfer-encoding", "chunked")]].concat(),
        );
        Self::new(vec![Act::Write(head)])
    }

    /// A stream whose pieces the test hands over one by one; it ends when the test drops its end.
    pub fn fed() -> (Self, Feed) {
        Self::fed_as(&[("content-type", "text/event-stream")])
    }

    /// The same with other headers.
    pub fn fed_as(headers: &[(&str, &str)]) -> (Self, Feed) {
        let (feed, pieces) = mpsc::unbounded_channel();
        let mut reply = Self::begins(headers);
        reply
            .acts
            .push(Act::Fed(Arc::new(Mutex::new(Some(pieces)))));
        (reply.then_chunk_end(), feed)
    }

    /// Bytes that the test hands over one by one, from the first of the head on.
    pub fn fed_raw() -> (Self, Feed) {
        let (feed, pieces) = mpsc::unbounded_channel();
        let pieces = Arc::new(Mutex::new(Some(pieces)));
        (Self::new(vec![Act::FedRaw(pieces)]), feed)
    }

    /// A stream of one event, again and again.
    pub fn endless(piece: impl AsRef<[u8]>) -> Self {
        let mut reply = Self::begins(&[("content-type", "text/event-stream")]);
        reply.acts.push(Act::Endless(piece.as_ref().to_vec()));
        reply
    }

    /// No answer at all.
    pub fn silence() -> Self {
        Self::new(vec![Act::Hang])
    }

    /// A reset before any answer.
    pub fn reset() -> Self {
        Self::new(vec![Act::Reset])
    }

    fn then_chunk_end(mut self) -> Self {
        self.acts.push(Act::Write(b"0\r\n\r\n".to_vec()));
        self
    }

    fn without_chunk_end(mut self) -> Self {
        if matches!(self.acts.last(), Some(Act::Write(end)) if end == b"0\r\n\r\n") {
            self.acts.pop();
        }
        self
    }

    /// Resets the connection in place of the end of the body.
    pub fn then_dies(self) -> Self {
        self.without_chunk_end().then(Act::Reset)
    }

    /// Closes the connection in place of the end of the body.
    pub fn then_closes(self) -> Self {
        self.without_chunk_end().then(Act::Close)
    }

    /// Falls silent in place of the end of the body.
    pub fn then_hangs(self) -> Self {
        self.without_chunk_end().then(Act::Hang)
    }

    /// Waits for nothing but the head of the request.
    pub fn at_once(mut self) -> Self {
        self.at_once = true;
        self
    }

    fn then(mut self, act: Act) -> Self {
        self.acts.push(act);
        self
    }
}

fn head(status: u16, headers: &[(&str, &str)]) -> Vec<u8> {
    let lines: String = headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    format!("HTTP/1.1 {status} Scripted\r\n{lines}\r\n").into_bytes()
}
