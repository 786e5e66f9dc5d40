//! What an answer says about itself: usage, finish reasons, tool calls, errors.
//!
//! Reads chat completions, completions, embeddings and responses, whole or as events, beside the bytes as they pass.
//! What it does not know it skips; what is not JSON it leaves unread.

mod decoder;
mod field;
mod items;
mod texts;
mod walk;

pub use texts::{Hear, Part};

use super::{
    json::{DEPTH_MAX, Lexer},
    sse,
};
use crate::domain::{Tier, Usage};
use std::ops::Range;
use walk::{Listening, Walk};

/// What a whole answer has said so far.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// The usage it reported last.
    pub usage: Option<Usage>,
    /// What of the answer that usage stands for.
    pub usage_of: UsageOf,
    /// A figure in it was negative, a fraction or no number that a count can be.
    pub usage_refused: bool,
    /// The last reason that a choice gave for its end.
    pub finish_reason: Option<Box<str>>,
    /// The model that says it answered.
    pub model: Option<Box<str>>,
    /// The tier of service that it was given.
    pub tier: Tier,
    /// It names a tier that price lists don't have.
    pub tier_unknown: bool,
    /// Images that it holds.
    pub images: u64,
    /// Seconds of sound that it transcribes, begun ones included.
    pub seconds: Option<u64>,
    /// It carried a piece of an answer.
    pub content: bool,
    /// A choice called a tool.
    pub tool_calls: bool,
    /// It carried an error.
    pub error: bool,
    /// It came to its own end: `[DONE]`, a finish reason, or an event that says so.
    pub ended: bool,
    /// `[DONE]` was its last word.
    pub done: bool,
    /// Something in it was not JSON.
    pub unreadable: bool,
}

impl Seen {
    /// Whether it is nothing but an error: there was no answer, and nobody says that one was paid for.
    pub fn is_only_error(&self) -> bool {
        self.error && !self.content && self.usage.is_none()
    }
}

/// What of an answer a reported usage stands for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UsageOf {
    /// All of it: the answer is a document, or was over when it came.
    #[default]
    All,
    /// What had come by then, and nothing has come since: all of it if nothing follows.
    SoFar,
    /// What had come by then, and more has come since.
    Beginning,
}

impl UsageOf {
    /// Whether it stands for all of an answer, which came to its own end or did not.
    pub fn is_all(self, came_to_its_end: bool) -> bool {
        match self {
            Self::All => true,
            Self::SoFar => came_to_its_end,
            Self::Beginning => false,
        }
    }
}

/// What one event has said.
#[derive(Debug, Default)]
pub struct Event {
    /// It has data at all; a comment or a blank line has none.
    pub has_data: bool,
    /// It is `[DONE]`.
    pub done: bool,
    /// It carried a piece of the answer: text, reasoning, a refusal, part of a tool call.
    pub content: bool,
    /// Where to cut so that `usage: null` was never there, in bytes of the stream.
    pub null_usage: Option<Range<usize>>,
    /// It reports usage and nothing else, as asked for by `include_usage`.
    pub only_usage: bool,
}

/// Reads an answer that is one JSON document.
#[derive(Debug)]
pub struct DocumentReader {
    lexer: Lexer,
    walk: Walk,
    at: usize,
}

impl Default for DocumentReader {
    fn default() -> Self {
        Self {
            lexer: Lexer::new(DEPTH_MAX),
            walk: Walk::default(),
            at: 0,
        }
    }
}

impl DocumentReader {
    /// Has the texts of the answer told from now on.
    pub fn listen(&mut self) {
        self.walk.listen();
    }

    /// Reads the next piece; `hear` is told the texts in it, if they are listened for.
    pub fn feed(&mut self, piece: &[u8], hear: &mut Hear<'_>) {
        if !self.walk.seen.unreadable {
            let mut sink = Listening::new(&mut self.walk, hear);
            self.walk.seen.unreadable = self.lexer.feed(self.at, piece, &mut sink).is_err();
        }
        self.at += piece.len();
    }

    /// What has been read so far.
    pub fn seen(&self) -> &Seen {
        &self.walk.seen
    }
}

/// Reads an answer that is a stream of events.
#[derive(Debug)]
pub struct EventReader {
    scanner: sse::Scanner,
    data: Data,
    at: usize,
}

impl Default for EventReader {
    fn default() -> Self {
        let data = Data {
            lexer: Lexer::new(DEPTH_MAX),
            walk: Walk::default(),
            len: 0,
            head: [0; HEAD_BYTES],
            line_ended: false,
            broken: false,
        };
        Self {
            scanner: sse::Scanner::default(),
            data,
            at: 0,
        }
    }
}

impl EventReader {
    /// Has the texts of the answer told from now on.
    pub fn listen(&mut self) {
        self.data.walk.listen();
    }

    /// Reads the next piece; `each` sees every event that ends in it, with the place of its end in the stream, and
    /// `hear` is told the texts in it, if they are listened for.
    pub fn feed(&mut self, piece: &[u8], hear: &mut Hear<'_>, each: impl FnMut(usize, Event)) {
        self.scanner.feed(
            self.at,
            piece,
            &mut Split {
                data: &mut self.data,
                hear,
                each,
            },
        );
        self.at += piece.len();
    }

    /// Ends the stream; what is left without a blank line is the last event.
    pub fn finish(&mut self, each: impl FnMut(usize, Event)) {
        self.scanner.finish(
            self.at,
            &mut Split {
                data: &mut self.data,
                hear: &mut |_, _, _| {}, // all text was told as it came
                each,
            },
        );
    }

    /// Bytes read so far.
    pub fn position(&self) -> usize {
        self.at
    }

    /// Whether the stream is between two events.
    pub fn between_events(&self) -> bool {
        self.scanner.between_events()
    }

    /// Whether an LF that comes next still belongs to the event that has just ended.
    pub fn awaits_lf(&self) -> bool {
        self.scanner.awaits_lf()
    }

    /// What has been read so far.
    pub fn seen(&self) -> &Seen {
        &self.data.walk.seen
    }
}

/// Enough to tell `[DONE]` from anything longer.
const HEAD_BYTES: usize = 8;

/// The data of the event in progress.
#[derive(Debug)]
struct Data {
    lexer: Lexer,
    walk: Walk,
    len: usize,
    head: [u8; HEAD_BYTES],
    /// A line has ended; if another follows in the same event, a line feed stands between them.
    line_ended: bool,
    broken: bool,
}

impl Data {
    fn read(&mut self, at: usize, part: &[u8], hear: &mut Hear<'_>) {
        if std::mem::take(&mut self.line_ended) {
            // To JSON it is a space: enough to keep two numbers apart.
            self.lex(at, b"\n", hear);
        }
        if let Some(room) = self.head.get_mut(self.len..) {
            let n = room.len().min(part.len());
            room[..n].copy_from_slice(&part[..n]);
        }
        self.len += part.len();
        self.lex(at, part, hear);
    }

    fn lex(&mut self, at: usize, part: &[u8], hear: &mut Hear<'_>) {
        if !self.broken {
            let mut sink = Listening::new(&mut self.walk, hear);
            self.broken = self.lexer.feed(at, part, &mut sink).is_err();
        }
    }

    fn end(&mut self) -> Event {
        let mut event = std::mem::take(&mut self.walk.event);
        event.has_data = self.len > 0;
        event.done = self
            .head
            .get(..self.len)
            .is_some_and(|data| data.trim_ascii() == b"[DONE]");
        event.only_usage = self.walk.only_usage();
        let reports_usage = self.walk.reports_usage();
        let seen = &mut self.walk.seen;
        seen.usage_of = match (reports_usage, event.content) {
            // Some providers send what it came to so far with each piece, others zeros; in an event of its own after
            // the last piece it is neither.
            (true, _) if event.only_usage && seen.ended => UsageOf::All,
            (true, _) => UsageOf::SoFar,
            (false, true) => UsageOf::Beginning,
            (false, false) => seen.usage_of,
        };
        seen.ended |= event.done;
        seen.done |= event.done;
        seen.unreadable |= self.broken && !event.done;
        self.lexer.reset();
        self.walk.restart();
        self.len = 0;
        self.line_ended = false;
        self.broken = false;
        event
    }
}

struct Split<'a, 'h, F> {
    data: &'a mut Data,
    hear: &'a mut Hear<'h>,
    each: F,
}

impl<F: FnMut(usize, Event)> sse::Sink for Split<'_, '_, F> {
    fn data(&mut self, at: usize, part: &[u8]) {
        self.data.read(at, part, self.hear);
    }

    fn data_line_end(&mut self) {
        self.data.line_ended = self.data.len > 0;
    }

    fn event_end(&mut self, end: usize) {
        (self.each)(end, self.data.end());
    }
}

#[cfg(test)]
mod tests;
