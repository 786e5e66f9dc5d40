//! Where in an answer's document a token stands, and what it says there.

use super::{
    Event, Seen,
    field::{Field, Node},
    items::What,
    texts::{Hear, Kind, Texts},
};
use crate::{
    domain::{Tier, Usage},
    wire::json::{Sink, Span, Text, Token},
};

/// Levels above which nothing of interest lies.
const LEVELS: usize = 9;

#[derive(Debug, Default)]
pub(super) struct Walk {
    /// The node at each depth; the first is where the document stands.
    nodes: [Node; LEVELS],
    depth: usize,
    field: Field,
    pub(super) seen: Seen,
    pub(super) event: Event,
    texts: Texts,
    /// The item in progress is what the model thought.
    is_thought: bool,
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
    /// Has the texts told from now on.
    pub(super) fn listen(&mut self) {
        self.texts.listen();
    }

    /// Makes ready for another document of the same answer. The nodes of the last one are not looked at any more.
    pub(super) fn restart(&mut self) {
        self.depth = 0;
        self.field = Field::Other;
        self.no_choices = false;
        self.reports_usage = false;
        self.wants_comma = false;
        self.texts.restart();
    }

    pub(super) fn reports_usage(&self) -> bool {
        self.reports_usage
    }

    pub(super) fn only_usage(&self) -> bool {
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
                self.texts.begin_choice();
                Node::Choice
            }
            (Node::Root, Field::Data, false) => Node::Data,
            (Node::Data, _, true) => {
                self.seen.images += 1;
                Node::Other
            }
            (Node::Choice, Field::Delta, true) => Node::Delta,
            (Node::Delta, Field::Text(Kind::Content), false) => Node::Parts,
            (Node::Parts, _, true) => Node::Part,
            (Node::Part, Field::Text(Kind::Thinking), false) => Node::Thoughts,
            (Node::Thoughts, _, true) => Node::Thought,
            (Node::Delta, Field::Sound, true) => Node::Sound,
            (Node::Delta, Field::ToolCalls, false) => {
                self.texts.begin_tools();
                Node::ToolCalls
            }
            (Node::Delta, Field::FunctionCall, true) => {
                self.saw_tool_call();
                Node::Function
            }
            (Node::ToolCalls, _, true) => {
                self.saw_tool_call();
                self.texts.begin_tool();
                Node::ToolCall
            }
            (Node::ToolCall, Field::Function, true) => Node::Function,
            (Node::Root, Field::Items, false) => Node::Items,
            (Node::Items, _, true) => {
                self.is_thought = false;
                self.texts.begin_item();
                Node::Item
            }
            (Node::Root, Field::Item, true) => {
                self.is_thought = false;
                self.texts.begin_event();
                Node::Item
            }
            (Node::Item, Field::Summary, false) => Node::ItemThoughts,
            (Node::Item, Field::ItemContent, false) => match self.is_thought {
                true => Node::ItemThoughts,
                false => Node::ItemParts,
            },
            (Node::ItemParts, _, true) => {
                self.texts.begin_item_part();
                Node::ItemPart
            }
            (Node::ItemThoughts, _, true) => {
                self.texts.begin_item_part();
                Node::Thought
            }
            (Node::Usage, Field::InputDetails, true) => Node::InputDetails,
            (Node::Usage, Field::OutputDetails, true) => Node::OutputDetails,
            (node, field, _) if field.is_figure(node) => {
                self.seen.usage_refused = true;
                Node::Other
            }
            _ => Node::Other,
        };
        self.depth += 1;
        if let Some(place) = self.nodes.get_mut(self.depth) {
            *place = node;
        }
        self.field = Field::Other;
    }

    fn saw_tool_call(&mut self) {
        self.seen.tool_calls = true;
        self.saw_content();
    }

    fn saw_content(&mut self) {
        self.event.content = true;
        self.seen.content = true;
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
        self.field = Field::of(node, text);
        if node == Node::Root && self.field == Field::Usage {
            self.usage_key = (start, comma);
        }
    }

    fn string(&mut self, text: Text<'_>) {
        match (self.node(), std::mem::take(&mut self.field)) {
            // What an event says that is new is told by its type.
            (_, Field::Text(kind)) if !text.is_empty() && !self.texts.goes_by_event(kind) => {
                self.saw_content();
            }
            (Node::Item, Field::Type) => self.is_thought = text.plain() == Some(b"reasoning"),
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
            (Node::Root, Field::Type) => {
                let kind = text.decode().unwrap_or_default();
                self.texts.event_is(What::of(&kind));
                self.event_type(kind.as_bytes());
            }
            (Node::Root | Node::Response, Field::Error) => self.seen.error = true,
            (node, field) => self.seen.usage_refused |= field.is_figure(node),
        }
    }

    /// The kinds of event of the Responses API.
    fn event_type(&mut self, kind: &[u8]) {
        match kind {
            delta if delta.ends_with(b".delta") => self.saw_content(),
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
        if let Field::Index | Field::ItemIndex | Field::PartIndex = field {
            let index = text.plain().and_then(count);
            let index = index.and_then(|index| u32::try_from(index).ok());
            return match (node, field) {
                (Node::Choice, _) => self.texts.choice_index(index),
                (_, Field::ItemIndex) => self.texts.item_index(index),
                (_, Field::PartIndex) => self.texts.part_index(index),
                _ => self.texts.tool_index(index),
            };
        }
        if let (Node::Root, Field::Duration) | (Node::Usage, Field::Seconds) = (node, field) {
            let seconds = text.plain().and_then(whole_seconds);
            // What is billed counts more than how long the sound is.
            let known = self.seen.seconds.filter(|_| field == Field::Duration);
            self.seen.seconds = known.or(seconds);
            return;
        }
        self.seen.usage_refused |= field == Field::Usage;
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
        *place = text.plain().and_then(figure);
        self.seen.usage_refused |= place.is_none();
    }

    /// Makes wholes of input and output, of which the cache's tokens and the reasoning are parts, whichever way the
    /// provider counts.
    fn end_usage(&mut self) {
        let Some(usage) = &mut self.seen.usage else {
            return;
        };
        let is_gemini = (self.seen.model.as_deref()).is_some_and(|model| model.contains("gemini"));
        let told = usage.input.zip(usage.output);
        let told = told.and_then(|(input, output)| input.checked_add(output));
        let beside = self.total.zip(told);
        let beside = beside.and_then(|(total, told)| total.checked_sub(told));
        // The total would be smaller if the output had the reasoning in it.
        let is_apart = match usage.reasoning {
            Some(reasoning) => beside == Some(reasoning),
            // Google tells of it in the total alone. Elsewhere what is too much there may be anything.
            None => beside > Some(0) && is_gemini,
        };
        if let (Some(output), Some(beside)) = (usage.output, beside.filter(|_| is_apart)) {
            usage.output = Some(output.saturating_add(beside));
            usage.reasoning = Some(beside);
        }
        if let Some(input) = &mut usage.input
            && self.input_tokens
            && self.cache_apart
        {
            let apart = [usage.cached, usage.cache_write].into_iter().flatten();
            *input = apart.fold(*input, u64::saturating_add);
        }
    }

    fn end_event(&mut self, hear: &mut Hear<'_>) {
        if self.texts.end_event(hear) {
            self.saw_content();
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

/// A walk whose texts somebody hears.
pub(super) struct Listening<'a, 'h> {
    walk: &'a mut Walk,
    hear: &'a mut Hear<'h>,
}

impl<'a, 'h> Listening<'a, 'h> {
    pub(super) fn new(walk: &'a mut Walk, hear: &'a mut Hear<'h>) -> Self {
        Self { walk, hear }
    }

    fn end(&mut self) {
        let walk = &mut *self.walk;
        match walk.node() {
            Node::Choice => walk.texts.end_choice(self.hear),
            Node::ToolCall => walk.texts.end_tool(self.hear),
            Node::Usage => walk.end_usage(),
            Node::Root => walk.end_event(self.hear),
            _ => {}
        }
        walk.depth -= 1;
        walk.field = Field::Other;
    }

    fn string(&mut self, text: Text<'_>) {
        if let Field::Text(kind) = self.walk.field {
            self.walk.texts.end_text(kind, self.hear);
        }
        self.walk.string(text);
    }
}

impl Sink for Listening<'_, '_> {
    // A caller knows which token it has, so that of this match only one arm is left there.
    #[inline(always)]
    fn token(&mut self, token: Token<'_>, span: Span) {
        let walk = &mut *self.walk;
        match token {
            Token::BeginObject => walk.begin(true),
            Token::BeginArray => walk.begin(false),
            Token::EndObject | Token::EndArray => self.end(),
            Token::Key(text, comma) => walk.key(text, comma, span.start),
            Token::String(text) => self.string(text),
            Token::Number(text) => walk.number(text),
            Token::Null => walk.null(span),
            Token::Bool(_) => {
                let field = std::mem::take(&mut walk.field);
                walk.seen.usage_refused |= field.is_figure(walk.node());
            }
        }
    }

    fn wants_inside(&self) -> bool {
        self.walk.node() != Node::Other
    }

    #[inline]
    fn wants_text(&self) -> bool {
        matches!(self.walk.field, Field::Text(kind) if self.walk.texts.wants(kind))
    }

    fn text(&mut self, piece: &[u8], whole: bool) {
        if let Field::Text(kind) = self.walk.field {
            self.walk.texts.text(kind, piece, whole, self.hear);
        }
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

/// The count that a number stands for, which some write as `10.0` or `1e1`.
fn figure(number: &[u8]) -> Option<u64> {
    count(number).or_else(|| rounded(number))
}

#[cold]
fn rounded(number: &[u8]) -> Option<u64> {
    const EXACT_MAX: f64 = (1_u64 << 53) as f64; // beyond it, not every count has a float of its own
    let number: f64 = std::str::from_utf8(number).ok()?.parse().ok()?;
    let is_count = number.fract() == 0.0 && (0.0..=EXACT_MAX).contains(&number);
    is_count.then_some(number as u64)
}

/// The number that these digits write, if they are nothing but digits.
fn count(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0_u64, |count, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        count.checked_mul(10)?.checked_add(digit)
    })
}
