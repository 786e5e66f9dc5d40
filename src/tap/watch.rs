//! Who sees an answer pass, and what it is told at the end.

use crate::{
    domain::Outcome,
    wire::{
        answer::{Part, Seen},
        error::ErrorBody,
    },
};
use std::task::{Context, Poll};
use tokio::time::Instant;

/// Sees one answer pass.
pub trait Watch: Send + Unpin + 'static {
    /// Whether it wants the texts of the answer told; asked once, at the beginning.
    fn wants_text(&self) -> bool;
    /// A piece of text has come, of this choice and part, in an event that is complete. It has not gone on to the
    /// client yet.
    fn text(&mut self, choice: u32, part: Part, text: &str);
    /// The text that was told so far would go on to the client now, if it may.
    fn text_passes(&mut self);
    /// Whether it may want to hold back what has come. If so, it is asked about one event at a time.
    fn may_hold_back(&self) -> bool;
    /// Whether what has come may go on to the client, with which so many events with content have. Asked until it is
    /// ready, and nothing more is taken in meanwhile.
    fn poll_pass(&mut self, chunks: u64, cx: &mut Context<'_>) -> Poll<Result<(), ErrorBody>>;
    /// A piece of the answer is about to go on to the client: an event that carries content. With what has passed so
    /// far, this piece included.
    fn chunk(&mut self, chunks: u64, bytes: u64, now: Instant);
    /// Whether nobody needs more of the answer. Asked after each piece, and true only once the client has gone.
    fn has_enough(&self) -> bool;
    /// The answer is over. Called exactly once, also when the client hangs up, and before the client can know.
    fn end(&mut self, report: Report<'_>);
    /// Whether what `end` told is written down. Asked after it until it is ready, and the client cannot know meanwhile.
    fn poll_settled(&mut self, cx: &mut Context<'_>) -> Poll<()>;
}

/// What is known about an answer when it is over.
#[derive(Debug)]
pub struct Report<'a> {
    /// How it ended.
    pub outcome: Outcome,
    /// What it said about itself.
    pub seen: &'a Seen,
    /// Events that carried content, or pieces of a body that is not a stream.
    pub chunks: u64,
    /// Bytes that went on to the client.
    pub bytes: u64,
    /// When the first and the last of the chunks passed.
    pub passed: Option<(Instant, Instant)>,
}
