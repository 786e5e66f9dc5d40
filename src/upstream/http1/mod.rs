//! HTTP/1.1 as a client, on connections that are polled by whoever waits for an answer: no task, no channel, and no
//! buffer for a stream that is silent.
//!
//! [`head`] and [`body`] know the wire and do no I/O; `connection`, `sending` and `exchange` do nothing else.

pub mod body;
mod connection;
mod exchange;
pub mod head;
mod sending;

pub(super) use connection::Connection;
pub(super) use exchange::{Arriving, Unsent, send};

/// Why bytes are no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// A head that cannot be read.
    #[error("the answer's head is not HTTP/1.1")]
    Head,
    /// More before an answer than anybody needs.
    #[error("the answer's head is too large")]
    TooLarge,
    /// Lengths that are none, or that contradict each other.
    #[error("the answer's content-length is of no use")]
    Length,
    /// A coding that nobody asked for.
    #[error("the answer's transfer-encoding is not known")]
    Coding,
    /// A chunk that is none.
    #[error("the answer's chunks are not well formed")]
    Chunk,
    /// Another protocol in place of an answer.
    #[error("the server switched protocols unasked")]
    Unasked,
}
