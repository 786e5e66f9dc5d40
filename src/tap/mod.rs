//! A body that is watched as it passes.
//!
//! Bytes in, the same bytes out. The tap reads beside the stream, waits for nothing but the upstream and its own
//! clock, and never lies about how a stream ended: what an upstream leaves unfinished ends with an error event, and
//! whole events are all that a client ever sees. It knows no key, no limit and no store; a [`Watch`] is told instead.

mod begun;
mod ending;
mod events;
mod pace;
mod piece;
mod reader;
mod watch;

pub use watch::{Report, Watch};

use crate::{body, domain::Outcome, tasks::Signal};
use begun::Begun;
use bytes::Bytes;
use ending::State;
use http_body::{Body, Frame, SizeHint};
use pace::Pace;
use piece::{ends_event, first_events_end};
use reader::Reader;
use std::{
    collections::VecDeque,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::Instant;

/// How an answer is to be read and timed.
#[derive(Clone, Debug)]
pub struct Manner {
    /// What its body is.
    pub content: Content,
    /// The longest silence of the upstream.
    pub idle: Duration,
    /// When all must be over.
    pub deadline: Instant,
    /// A stream that is silent for so long is kept open by a comment; zero is never.
    pub heartbeat: Duration,
}

/// What a body is, as far as the tap reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Bytes that are not read.
    Opaque,
    /// One JSON document.
    Document,
    /// Server-sent events.
    Events {
        /// Usage was asked for by Weir and is kept from the client.
        hide_usage: bool,
        /// The stream says when it is complete, so one that only stops was broken off.
        says_its_end: bool,
    },
}

/// The comment that keeps a silent stream open. One line: a blank line after it would end an event.
pub const HEARTBEAT: &[u8] = b": ping\n";

/// Wraps an upstream's body.
pub struct Tap<B, W: Watch> {
    /// None once nothing more is wanted of it: then the upstream need not go on, however long the client takes.
    source: Option<B>,
    reader: Reader,
    pace: Pace,
    /// Raised when Weir has no more time to wait for streams.
    cut: Signal,
    watch: W,
    /// What is to go on to the client.
    ready: VecDeque<Bytes>,
    chunks: u64,
    bytes: u64,
    passed: Option<(Instant, Instant)>,
    /// What was taken in and may not go on yet.
    held: Option<Held>,
    /// What came with it and was not taken in yet.
    rest: Bytes,
    /// The texts of an event that is not complete, which the watch is not told yet.
    begun: Begun,
    state: State,
    /// The watch knows how it ended.
    told: bool,
    /// That is not written down yet.
    is_settling: bool,
}

/// A piece of a stream that somebody has yet to let through.
#[derive(Clone, Copy)]
struct Held {
    content: u64,
    came: Instant,
    /// Before it a comment can be sent: the client is between two events.
    may_interject: bool,
    /// In place of it the stream can end with an event.
    may_end: bool,
}

impl<B, W> Tap<B, W>
where
    B: Body<Data = Bytes, Error: Into<body::Error>> + Unpin,
    W: Watch,
{
    /// Taps `source`.
    pub fn new(source: B, manner: Manner, cut: Signal, watch: W) -> Self {
        let mut reader = Reader::new(manner.content);
        if watch.wants_text() {
            reader.listen();
        }
        Self {
            source: Some(source),
            reader,
            pace: Pace::new(&manner),
            cut,
            watch,
            // One piece at a time is the rule; room that grows by itself begins with four.
            ready: VecDeque::with_capacity(1),
            chunks: 0,
            bytes: 0,
            passed: None,
            held: None,
            rest: Bytes::new(),
            begun: Begun::default(),
            state: State::Open,
            told: false,
            is_settling: false,
        }
    }

    /// Completes an answer that has no body: nobody is asked for one that is over before it began.
    pub fn complete_if_empty(&mut self) {
        if self.is_end_stream() {
            self.complete();
        }
    }

    fn take_in(&mut self, mut data: Bytes) {
        if self.reader.is_stream() && self.watch.may_hold_back() {
            // An event that is paid for passes, though one that came with it may not.
            self.rest = data.split_off(first_events_end(&data));
        }
        let now = self.pace.heard();
        // An LF that belongs to the event before may have come with it.
        let may_interject = self.reader.can_interject() && !self.reader.lies_between();
        let may_end = self.reader.can_end();
        let content = match !self.reader.is_stream() || ends_event(&data) {
            true => self.feed(data),
            false => self.feed_begun(data),
        };
        self.held = Some(Held {
            content,
            came: now,
            may_interject,
            may_end,
        });
    }

    /// Reads a piece with which its last event ends.
    fn feed(&mut self, data: Bytes) -> u64 {
        let watch = &mut self.watch;
        let mut heard = self.begun.tell(self.begun.len(), watch);
        let mut hear = |choice, part, text: &str| {
            heard = true;
            watch.text(choice, part, text);
        };
        let fed = self.reader.feed(data, &mut self.ready, &mut hear);
        if heard {
            self.watch.text_passes();
        }
        fed.content
    }

    /// Reads a piece whose end may lie in an event.
    fn feed_begun(&mut self, data: Bytes) -> u64 {
        let before = self.begun.len();
        let begun = &mut self.begun;
        let mut hear = |choice, part, text: &str| begun.push(choice, part, text);
        let fed = self.reader.feed(data, &mut self.ready, &mut hear);
        match fed.texts {
            Some(texts) => self.tell_begun(before + texts),
            None => self.begun.join(before),
        }
        fed.content
    }

    /// Tells so many of the texts that were begun.
    fn tell_begun(&mut self, texts: usize) {
        if self.begun.tell(texts, &mut self.watch) {
            self.watch.text_passes();
        }
    }

    /// Lets through what was taken in, once it may go on.
    fn poll_held(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(held) = self.held else {
            return Poll::Ready(());
        };
        let may = match self.reader.is_stream() {
            true => self.watch.poll_pass(self.chunks + held.content, cx),
            // A document cannot be ended halfway, nor can bytes that nobody reads.
            false => Poll::Ready(Ok(())),
        };
        match may {
            Poll::Ready(Ok(())) => {
                self.held = None;
                self.let_through(held);
            }
            Poll::Ready(Err(error)) => self.cut_off(held, Outcome::CutByBudget, error),
            Poll::Pending => std::task::ready!(self.poll_patience(held, cx)),
        }
        Poll::Ready(())
    }

    fn let_through(&mut self, held: Held) {
        self.count(held.content, held.came);
        if self.watch.has_enough() {
            return self.end(Outcome::ClientGone, State::Ended);
        }
        if self.reader.has_said_all() {
            // A client that reads this may stop here: the rest of the connection adds nothing to its answer.
            self.tell(Outcome::Completed);
        }
        // A body of known length is not asked again once it is all there.
        if self.rest.is_empty() && self.source.as_ref().is_none_or(B::is_end_stream) {
            self.complete();
        }
    }

    fn count(&mut self, content: u64, now: Instant) {
        if content > 0 {
            self.chunks += content;
            let first = self.passed.map_or(now, |(first, _)| first);
            self.passed = Some((first, now));
            self.watch.chunk(self.chunks, self.passing(), now);
        }
    }

    /// The upstream has come to the end of its body.
    fn complete(&mut self) {
        let content = self.reader.finish(&mut self.ready);
        if self.reader.is_complete() {
            self.tell_begun(self.begun.len());
        }
        if content > 0 {
            self.count(content, Instant::now());
        }
        if !self.reader.is_complete() {
            return self.break_off(
                Outcome::UpstreamFailed,
                "The upstream ended its stream before its answer was complete.",
            );
        }
        self.end(Outcome::Completed, State::Ended);
    }
}

impl<B, W> Body for Tap<B, W>
where
    B: Body<Data = Bytes, Error: Into<body::Error>> + Unpin,
    W: Watch,
{
    type Data = Bytes;
    type Error = body::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, body::Error>>> {
        let this = self.get_mut();
        loop {
            std::task::ready!(this.poll_held(cx));
            std::task::ready!(this.poll_settled(cx));
            if let Some(bytes) = this.ready.pop_front() {
                this.bytes += bytes.len() as u64;
                return Poll::Ready(Some(Ok(Frame::data(bytes))));
            }
            match &mut this.state {
                State::Open => {}
                State::Ended => return Poll::Ready(None),
                State::Aborted(why) => {
                    let why = String::from(std::mem::take(why));
                    this.state = State::Ended;
                    return Poll::Ready(Some(Err(why.into())));
                }
            }
            if !this.rest.is_empty() {
                let rest = std::mem::take(&mut this.rest);
                this.take_in(rest);
                continue;
            }
            let Some(source) = &mut this.source else {
                return Poll::Ready(None);
            };
            match Pin::new(source).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    if let Ok(data) = frame.into_data() {
                        this.take_in(data);
                    }
                }
                Poll::Ready(Some(Err(error))) => {
                    tracing::debug!(error = %error.into(), "upstream broke off");
                    this.break_off(
                        Outcome::UpstreamFailed,
                        "The upstream broke off before its answer was complete.",
                    );
                }
                Poll::Ready(None) => this.complete(),
                Poll::Pending => std::task::ready!(this.poll_pace(cx)),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ready.is_empty()
            && self.held.is_none()
            && !self.is_settling
            && match self.state {
                State::Open => {
                    !self.reader.is_stream() && self.source.as_ref().is_none_or(B::is_end_stream)
                }
                State::Ended => true,
                State::Aborted(_) => false,
            }
    }

    fn size_hint(&self) -> SizeHint {
        match self.state {
            State::Open if !self.reader.is_stream() && self.ready.is_empty() => {
                let source = self.source.as_ref();
                source.map(B::size_hint).unwrap_or_default()
            }
            _ => SizeHint::default(),
        }
    }
}

impl<B, W: Watch> Tap<B, W> {
    /// Who watches.
    pub fn watch(&mut self) -> &mut W {
        &mut self.watch
    }

    /// Whether the watch has been told how the answer ended.
    pub fn is_over(&self) -> bool {
        self.told
    }

    /// Bytes that have gone on to the client, or are about to.
    fn passing(&self) -> u64 {
        let ready = self.ready.iter().map(|bytes| bytes.len() as u64);
        self.bytes + ready.sum::<u64>()
    }
}

#[cfg(test)]
mod tests;
