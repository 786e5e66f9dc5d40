//! What an answer says about itself: usage, finish reasons, tool calls, errors.
//!
//! Reads chat completions, completions, embeddings and responses, whole or as events, beside the bytes as they pass.
//! What it does not know it skips; what is not JSON it leaves unread.

use super::{
    json::{DEPTH_MAX, Lexer, Sink, Span, Text, Token},
    sse,
};
use crate::domain::{Tier, Usage};
use std::ops::Range;

/// What a whole answer has said so far.
#[derive(Debug, Default)]
pub struct Seen {
    /// The usage it reported last.
    pub usage: Option<Usage>,
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
    /// Reads the next piece.
    pub fn feed(&mut self, piece: &[u8]) {
        if !self.walk.seen.unreadable {
            self.walk.seen.unreadable = self.lexer.feed(self.at, piece, &mut self.walk).is_err();
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
    /// Reads the next piece; `each` sees every event that ends in it, with the place of its end in the stream.
    pub fn feed(&mut self, piece: &[u8], each: impl FnMut(usize, Event)) {
        self.scanner.feed(
            self.at,
            piece,
            &mut Split {
                data: &mut self.data,
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
    fn read(&mut self, at: usize, part: &[u8]) {
        if std::mem::take(&mut self.line_ended) {
            // To JSON it is a space: enough to keep two numbers apart.
            self.lex(at, b"\n");
        }
        if let Some(room) = self.head.get_mut(self.len..) {
            let n = room.len().min(part.len());
            room[..n].copy_from_slice(&part[..n]);
        }
        self.len += part.len();
        self.lex(at, part);
    }

    fn lex(&mut self, at: usize, part: &[u8]) {
        if !self.broken {
            self.broken = self.lexer.feed(at, part, &mut self.walk).is_err();
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
        let seen = &mut self.walk.seen;
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

struct Split<'a, F> {
    data: &'a mut Data,
    each: F,
}

impl<F: FnMut(usize, Event)> sse::Sink for Split<'_, F> {
    fn data(&mut self, at: usize, part: &[u8]) {
        self.data.read(at, part);
    }

    fn data_line_end(&mut self) {
        self.data.line_ended = self.data.len > 0;
    }

    fn event_end(&mut self, end: usize) {
        (self.each)(end, self.data.end());
    }
}

/// A place in the document that has members of interest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Node {
    #[default]
    Other,
    Root,
    /// The object that `response.*` events wrap.
    Response,
    Choices,
    Choice,
    /// The list that holds images, among others.
    Data,
    /// A choice's `delta` or `message`.
    Delta,
    ToolCalls,
    Usage,
    InputDetails,
    OutputDetails,
}

/// The member whose value comes next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Field {
    #[default]
    Other,
    Choices,
    Response,
    Delta,
    Content,
    ToolCalls,
    FinishReason,
    Error,
    Model,
    Type,
    Tier,
    Data,
    Duration,
    Seconds,
    Usage,
    Total,
    Input,
    /// `input_tokens`, which some providers count without what their cache read and wrote.
    InputTokens,
    Output,
    InputDetails,
    OutputDetails,
    Cached,
    CacheWrite,
    /// The same two, counted beside the input.
    CacheReadApart,
    CacheWriteApart,
    Reasoning,
    Audio,
}

/// Levels above which nothing of interest lies.
const LEVELS: usize = 8;

#[derive(Debug, Default)]
struct Walk {
    /// The node at each depth; the first is where the document stands.
    nodes: [Node; LEVELS],
    depth: usize,
    field: Field,
    seen: Seen,
    event: Event,
    /// `choices` was there and had nothing in it.
    no_choices: bool,
    reports_usage: bool,
    /// The usage has `input_tokens`, and these leave out what the cache read and wrote.
    input_tokens: bool,
    cache_apart: bool,
    /// What the usage says that all tokens are.
    total: Option<u64>,
    /// The place of the key `usage` and of the comma before it.
    usage_key: (usize, Option<usize>),
    /// `usage: null` came first in its object, so the comma after it must go.
    wants_comma: bool,
}

impl Walk {
    /// Makes ready for another document of the same answer. The nodes of the last one are not looked at any more.
    fn restart(&mut self) {
        self.depth = 0;
        self.field = Field::Other;
        self.no_choices = false;
        self.reports_usage = false;
        self.wants_comma = false;
    }

    fn only_usage(&self) -> bool {
        self.no_choices && self.reports_usage
    }

    fn node(&self) -> Node {
        self.nodes.get(self.depth).copied().unwrap_or_default()
    }

    fn begin(&mut self, object: bool) {
        let node = match (self.node(), self.field, object) {
            (Node::Other, _, true) if self.depth == 0 => Node::Root,
            (Node::Root, Field::Choices, false) => {
                self.no_choices = true;
                Node::Choices
            }
            (Node::Root, Field::Response, true) => Node::Response,
            (Node::Root | Node::Response, Field::Usage, true) => {
                self.seen.usage = Some(Usage::default());
                self.reports_usage = true;
                (self.input_tokens, self.cache_apart) = (false, false);
                self.total = None;
                Node::Usage
            }
            (Node::Root | Node::Response, Field::Error, _) => {
                self.seen.error = true;
                Node::Other
            }
            (Node::Choices, _, true) => {
                self.no_choices = false;
                Node::Choice
            }
            (Node::Root, Field::Data, false) => Node::Data,
            (Node::Data, _, true) => {
                self.seen.images += 1;
                Node::Other
            }
            (Node::Choice, Field::Delta, true) => Node::Delta,
            (Node::Delta, Field::ToolCalls, _) => Node::ToolCalls,
            (Node::ToolCalls, _, true) => {
                self.saw_tool_call();
                Node::Other
            }
            (Node::Usage, Field::InputDetails, true) => Node::InputDetails,
            (Node::Usage, Field::OutputDetails, true) => Node::OutputDetails,
            _ => Node::Other,
        };
        if node == Node::ToolCalls && object {
            self.saw_tool_call(); // `function_call`, the old way
        }
        self.depth += 1;
        if let Some(place) = self.nodes.get_mut(self.depth) {
            *place = node;
        }
        self.field = Field::Other;
    }

    fn saw_tool_call(&mut self) {
        self.seen.tool_calls = true;
        self.event.content = true;
    }

    #[inline(always)]
    fn key(&mut self, text: Text<'_>, comma: Option<usize>, start: usize) {
        let node = self.node();
        if self.wants_comma
            && node == Node::Root
            && std::mem::take(&mut self.wants_comma)
            && let (Some(cut), Some(comma)) = (&mut self.event.null_usage, comma)
        {
            cut.end = comma + 1;
        }
        self.field = match text.plain() {
            Some(name) => field(node, name),
            None => escaped_field(node, text),
        };
        if node == Node::Root && self.field == Field::Usage {
            self.usage_key = (start, comma);
        }
    }

    fn string(&mut self, text: Text<'_>) {
        match (self.node(), std::mem::take(&mut self.field)) {
            (Node::Choice | Node::Delta, Field::Content) => self.event.content |= !text.is_empty(),
            (Node::Choice, Field::FinishReason) => {
                self.seen.finish_reason = text.decode().map(|reason| reason.into());
                self.seen.ended = true;
            }
            (Node::Root | Node::Response, Field::Model) if self.seen.model.is_none() => {
                self.seen.model = text.decode().map(|model| model.into());
            }
            (Node::Root | Node::Response, Field::Tier) => {
                let tier = text.decode().and_then(|name| Tier::of_answer(&name));
                self.seen.tier = tier.unwrap_or_default();
                self.seen.tier_unknown = tier.is_none();
            }
            (Node::Root, Field::Duration) => {
                let seconds = text.plain().and_then(whole_seconds);
                self.seen.seconds = self.seen.seconds.or(seconds);
            }
            (Node::Root, Field::Type) => self.event_type(text.plain().unwrap_or_default()),
            (Node::Root | Node::Response, Field::Error) => self.seen.error = true,
            _ => {}
        }
    }

    /// The kinds of event of the Responses API.
    fn event_type(&mut self, kind: &[u8]) {
        self.event.content |= kind.ends_with(b".delta");
        match kind {
            b"response.completed" | b"response.incomplete" => self.seen.ended = true,
            b"image_generation.completed" | b"image_edit.completed" => {
                self.seen.images += 1;
                self.seen.ended = true;
            }
            b"speech.audio.done" | b"transcript.text.done" => self.seen.ended = true,
            b"response.failed" | b"error" => {
                self.seen.ended = true;
                self.seen.error = true;
            }
            _ => {}
        }
    }

    fn number(&mut self, text: Text<'_>) {
        let node = self.node();
        let field = std::mem::take(&mut self.field);
        if let (Node::Root, Field::Duration) | (Node::Usage, Field::Seconds) = (node, field) {
            let seconds = text.plain().and_then(whole_seconds);
            // What is billed counts more than how long the sound is.
            let known = self.seen.seconds.filter(|_| field == Field::Duration);
            self.seen.seconds = known.or(seconds);
            return;
        }
        let Some(usage) = &mut self.seen.usage else {
            return;
        };
        if node == Node::Usage {
            self.input_tokens |= field == Field::InputTokens;
            self.cache_apart |= matches!(field, Field::CacheReadApart | Field::CacheWriteApart);
        }
        let place = match (node, field) {
            (Node::Usage, Field::Input | Field::InputTokens) => &mut usage.input,
            (Node::Usage, Field::Output) => &mut usage.output,
            (Node::InputDetails | Node::Usage, Field::Cached)
            | (Node::Usage, Field::CacheReadApart) => &mut usage.cached,
            (Node::InputDetails, Field::CacheWrite) | (Node::Usage, Field::CacheWriteApart) => {
                &mut usage.cache_write
            }
            (Node::InputDetails, Field::Audio) => &mut usage.audio_input,
            (Node::OutputDetails, Field::Reasoning) => &mut usage.reasoning,
            (Node::OutputDetails, Field::Audio) => &mut usage.audio_output,
            (Node::Usage, Field::Total) => {
                self.total = text.plain().and_then(count);
                return;
            }
            _ => return,
        };
        // A negative or broken figure is no figure.
        *place = text.plain().and_then(count);
        self.seen.usage_refused |= place.is_none();
    }

    /// Makes wholes of input and output, of which the cache's tokens and the reasoning are parts, whichever way the
    /// provider counts.
    fn end_usage(&mut self) {
        let Some(usage) = &mut self.seen.usage else {
            return;
        };
        if let (Some(input), Some(output), Some(reasoning)) =
            (usage.input, usage.output, usage.reasoning)
            && self.total
                == input
                    .checked_add(output)
                    .and_then(|sum| sum.checked_add(reasoning))
        {
            // The total would be smaller if the output had the reasoning in it.
            usage.output = Some(output.saturating_add(reasoning));
        }
        if let Some(input) = &mut usage.input
            && self.input_tokens
            && self.cache_apart
        {
            let apart = [usage.cached, usage.cache_write].into_iter().flatten();
            *input = apart.fold(*input, u64::saturating_add);
        }
    }

    fn null(&mut self, span: Span) {
        if self.node() == Node::Root && self.field == Field::Usage {
            let (start, comma) = self.usage_key;
            self.wants_comma = comma.is_none();
            self.event.null_usage = Some(comma.unwrap_or(start)..span.end);
        }
        self.field = Field::Other;
    }
}

impl Sink for Walk {
    // A caller knows which token it has, so that of this match only one arm is left there.
    #[inline(always)]
    fn token(&mut self, token: Token<'_>, span: Span) {
        match token {
            Token::BeginObject => self.begin(true),
            Token::BeginArray => self.begin(false),
            Token::EndObject | Token::EndArray => {
                if self.node() == Node::Usage {
                    self.end_usage();
                }
                self.depth -= 1;
                self.field = Field::Other;
            }
            Token::Key(text, comma) => self.key(text, comma, span.start),
            Token::String(text) => self.string(text),
            Token::Number(text) => self.number(text),
            Token::Null => self.null(span),
            Token::Bool(_) => self.field = Field::Other,
        }
    }

    fn wants_inside(&self) -> bool {
        self.node() != Node::Other
    }
}

/// So many seconds, the last one being one though it had only begun.
fn whole_seconds(text: &[u8]) -> Option<u64> {
    let (whole, fraction) = match text.iter().position(|byte| *byte == b'.') {
        Some(point) => (&text[..point], &text[point + 1..]),
        None => (text, &b""[..]),
    };
    count(fraction)?; // digits only: no exponent
    let has_begun = fraction.iter().any(|digit| *digit != b'0');
    count(whole)?.checked_add(has_begun.into())
}

/// The number that these digits write, if they are nothing but digits.
fn count(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0_u64, |count, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        count.checked_mul(10)?.checked_add(digit)
    })
}

#[cold]
fn escaped_field(node: Node, text: Text<'_>) -> Field {
    text.decode()
        .map_or(Field::Other, |name| field(node, name.as_bytes()))
}

fn field(node: Node, name: &[u8]) -> Field {
    match node {
        Node::Root | Node::Response => match name {
            b"usage" => Field::Usage,
            b"error" => Field::Error,
            b"model" => Field::Model,
            b"service_tier" => Field::Tier,
            b"data" if node == Node::Root => Field::Data,
            b"duration" if node == Node::Root => Field::Duration,
            b"choices" if node == Node::Root => Field::Choices,
            b"response" if node == Node::Root => Field::Response,
            b"type" if node == Node::Root => Field::Type,
            _ => Field::Other,
        },
        Node::Choice => match name {
            b"delta" | b"message" => Field::Delta,
            b"finish_reason" => Field::FinishReason,
            b"text" => Field::Content,
            _ => Field::Other,
        },
        Node::Delta => match name {
            b"content" | b"refusal" | b"reasoning" | b"reasoning_content" => Field::Content,
            b"tool_calls" | b"function_call" => Field::ToolCalls,
            _ => Field::Other,
        },
        Node::Usage => match name {
            b"prompt_tokens" => Field::Input,
            b"input_tokens" => Field::InputTokens,
            b"total_tokens" => Field::Total,
            b"seconds" => Field::Seconds,
            b"cached_tokens" | b"prompt_cache_hit_tokens" => Field::Cached,
            b"cache_read_input_tokens" => Field::CacheReadApart,
            b"cache_creation_input_tokens" => Field::CacheWriteApart,
            b"completion_tokens" | b"output_tokens" => Field::Output,
            b"prompt_tokens_details" | b"input_tokens_details" | b"input_token_details" => {
                Field::InputDetails
            }
            b"completion_tokens_details" | b"output_tokens_details" | b"output_token_details" => {
                Field::OutputDetails
            }
            _ => Field::Other,
        },
        Node::InputDetails | Node::OutputDetails => match name {
            b"cached_tokens" if node == Node::InputDetails => Field::Cached,
            b"cache_write_tokens" if node == Node::InputDetails => Field::CacheWrite,
            b"reasoning_tokens" if node == Node::OutputDetails => Field::Reasoning,
            b"audio_tokens" => Field::Audio,
            _ => Field::Other,
        },
        Node::Other | Node::Choices | Node::Data | Node::ToolCalls => Field::Other,
    }
}

#[cfg(test)]
mod tests;
