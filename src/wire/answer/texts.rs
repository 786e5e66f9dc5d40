//! The texts of an answer as they pass: which choice and part each piece belongs to, and what it says without escapes.

use super::{
    decoder::{Decoder, Half, REPLACEMENT},
    items::{self, Place, What},
};

/// What a piece of text is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// The answer itself.
    Content,
    /// What the model thought on its way.
    Reasoning,
    /// The words in which it refused.
    Refusal,
    /// The name of the tool that the call of this index calls.
    ToolName(u32),
    /// That call's arguments.
    ToolArguments(u32),
    /// What the sound says that it made.
    Transcript,
    /// That sound: no text, but base64.
    Sound,
}

/// Is told each piece of text, with the index of its choice and the part of it.
pub type Hear<'a> = dyn FnMut(u32, Part, &str) + 'a;

/// The members that hold text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Content,
    /// `reasoning` and `reasoning_content` are two names for one thing, and some servers write both; to others it is
    /// a part of the content.
    Reasoning,
    ReasoningContent,
    Thinking,
    Refusal,
    ToolName,
    ToolArguments,
    Transcript,
    Sound,
    /// The `delta` of an event of the Responses API, which says elsewhere of what.
    Delta,
}

impl Kind {
    fn is_reasoning(self) -> bool {
        matches!(
            self,
            Self::Reasoning | Self::ReasoningContent | Self::Thinking
        )
    }
}

/// Text that waits for its index, which some servers write behind it; of more than this the index is guessed.
const WAITING_MAX_BYTES: usize = 8 << 10;

/// Texts that may wait for the rest of a character; nobody sends as many at a time.
const HALVES_MAX: usize = 64;

#[derive(Debug, Default)]
pub(super) struct Texts {
    listens: bool,
    decoder: Decoder,
    /// Halves of characters, with which events ended: servers that count in UTF-16 cut between two halves.
    halves: Vec<(Stretch, Half)>,
    /// The index of the choice in progress, once it is known.
    choice: Option<u32>,
    /// Its place among those of its document, which is its index if it has none.
    choices: u32,
    in_tool: bool,
    tool: Option<u32>,
    tools: u32,
    /// Which of its names this answer's reasoning goes by.
    reasoning: Option<Kind>,
    waiting: Vec<Waiting>,
    /// Items of the output so far, where that comes as a whole, and parts of the last one.
    items: u32,
    parts: u32,
    /// The text in progress is of an event of the Responses API, and this is where it belongs.
    in_event: bool,
    place: Place,
}

/// Which text a string goes on with, as far as that is known before it.
type Stretch = (Kind, Option<u32>, Option<u32>);

#[derive(Debug)]
struct Waiting {
    kind: Kind,
    tool: Option<u32>,
    text: String,
}

impl Texts {
    pub(super) fn listen(&mut self) {
        self.listens = true;
    }

    #[inline]
    pub(super) fn wants(&self, kind: Kind) -> bool {
        self.listens
            && !(kind.is_reasoning() && self.reasoning.is_some_and(|name| name != kind))
            && (!self.goes_by_event(kind) || self.place.wants(kind))
    }

    /// Makes ready for another document of the same answer.
    pub(super) fn restart(&mut self) {
        self.choices = 0;
        self.in_tool = false;
        self.waiting.clear();
        self.decoder.clear();
        self.in_event = false;
        self.place = Place::default();
    }

    pub(super) fn begin_choice(&mut self) {
        self.choice = None;
        self.choices += 1;
    }

    pub(super) fn choice_index(&mut self, index: Option<u32>) {
        self.choice = self.choice.or(index);
    }

    pub(super) fn end_choice(&mut self, hear: &mut Hear<'_>) {
        self.in_tool = false;
        if !self.waiting.is_empty() {
            self.guess();
            self.tell_waiting(hear);
        }
    }

    pub(super) fn begin_tools(&mut self) {
        self.tools = 0;
    }

    pub(super) fn begin_tool(&mut self) {
        self.in_tool = true;
        self.tool = None;
        self.tools += 1;
    }

    pub(super) fn tool_index(&mut self, index: Option<u32>) {
        self.tool = self.tool.or(index);
    }

    pub(super) fn end_tool(&mut self, hear: &mut Hear<'_>) {
        self.in_tool = false;
        let tool = self.tool.unwrap_or(self.tools - 1);
        for waiting in &mut self.waiting {
            waiting.tool.get_or_insert(tool);
        }
        if self.choice.is_some() {
            self.tell_waiting(hear);
        }
    }

    /// An item of an output begins that comes as a whole.
    pub(super) fn begin_item(&mut self) {
        self.choice = Some(items::number(self.items, 0));
        self.items = self.items.saturating_add(1);
        self.parts = 0;
    }

    pub(super) fn begin_item_part(&mut self) {
        if !self.in_event {
            self.choice = Some(items::number(self.items.saturating_sub(1), self.parts));
            self.parts = self.parts.saturating_add(1);
        }
    }

    /// What follows is the text of an event, until that ends.
    pub(super) fn begin_event(&mut self) {
        self.in_event = true;
    }

    /// Whether what such a text means is told by the event that it stands in.
    pub(super) fn goes_by_event(&self, kind: Kind) -> bool {
        self.in_event || kind == Kind::Delta
    }

    pub(super) fn event_is(&mut self, what: What) {
        self.place.what = self.place.what.or(Some(what));
    }

    pub(super) fn item_index(&mut self, index: Option<u32>) {
        self.place.item = self.place.item.or(index);
    }

    pub(super) fn part_index(&mut self, index: Option<u32>) {
        self.place.part = self.place.part.or(index);
    }

    /// The document is over. Says whether it was an event that told a text of an item.
    pub(super) fn end_event(&mut self, hear: &mut Hear<'_>) -> bool {
        if self.in_event && !self.waiting.is_empty() {
            self.place.settle(What::Nothing);
            self.tell_event(hear);
        }
        self.place.told_item
    }

    /// The next piece of a string, as it was written; a `whole` one is all of it and has no escapes.
    pub(super) fn text(&mut self, kind: Kind, piece: &[u8], whole: bool, hear: &mut Hear<'_>) {
        if whole
            && self.halves.is_empty()
            && let Ok(text) = std::str::from_utf8(piece)
        {
            return self.pass(kind, text, hear); // nearly always
        }
        let stretch = self.stretch(kind);
        if let Some(at) = self.halves.iter().position(|(of, _)| *of == stretch) {
            self.decoder.resume(self.halves.swap_remove(at).1);
        }
        let mut decoder = std::mem::take(&mut self.decoder);
        decoder.push(piece, |text| self.pass(kind, text, hear));
        self.decoder = decoder;
    }

    /// The string is over.
    pub(super) fn end_text(&mut self, kind: Kind, hear: &mut Hear<'_>) {
        if self.decoder.is_idle() {
            return; // nearly always
        }
        if self.halves.len() < HALVES_MAX
            && let Some(half) = self.decoder.take_half()
        {
            self.halves.push((self.stretch(kind), half));
        } else {
            self.decoder.clear();
            self.pass(kind, REPLACEMENT, hear);
        }
    }

    fn stretch(&self, kind: Kind) -> Stretch {
        match self.goes_by_event(kind) {
            true => (kind, self.place.item, self.place.part),
            false => (kind, self.choice, self.tool.filter(|_| self.in_tool)),
        }
    }

    fn pass(&mut self, kind: Kind, text: &str, hear: &mut Hear<'_>) {
        if text.is_empty() {
            return;
        }
        if self.goes_by_event(kind) {
            self.in_event = true;
            return self.pass_event(kind, text, hear);
        }
        if kind.is_reasoning() {
            self.reasoning = Some(kind);
        }
        let tool = match self.in_tool {
            true => self.tool,
            false => Some(0),
        };
        if let (Some(choice), Some(tool)) = (self.choice, tool)
            && self.waiting.is_empty()
        {
            return hear(choice, part(kind, tool), text);
        }
        if self.wait(kind, tool, text) {
            self.guess();
            self.tell_waiting(hear);
        }
    }

    fn pass_event(&mut self, kind: Kind, text: &str, hear: &mut Hear<'_>) {
        if !self.place.wants(kind) {
            return; // it was not known when the string began
        }
        if self.waiting.is_empty()
            && let Some((number, of)) = self.place.find(kind)
        {
            self.place.told_item |= kind != Kind::Delta;
            return hear(number, part(of, 0), text);
        }
        if self.wait(kind, None, text) {
            self.place.settle(match kind {
                Kind::Delta => What::Delta(Kind::Content),
                // An item that is so long is one that is over.
                _ => What::Nothing,
            });
            self.tell_event(hear);
        }
    }

    /// Keeps a text that nobody can be told yet; true if there is too much of such.
    fn wait(&mut self, kind: Kind, tool: Option<u32>, text: &str) -> bool {
        match self.waiting.last_mut() {
            Some(last) if last.kind == kind && last.tool == tool => last.text.push_str(text),
            _ => self.waiting.push(Waiting {
                kind,
                tool,
                text: text.to_owned(),
            }),
        }
        let bytes: usize = self.waiting.iter().map(|waiting| waiting.text.len()).sum();
        bytes > WAITING_MAX_BYTES
    }

    /// What has no index has that of its place.
    fn guess(&mut self) {
        self.choice.get_or_insert(self.choices.saturating_sub(1));
        let tool = *self.tool.get_or_insert(self.tools.saturating_sub(1));
        for waiting in &mut self.waiting {
            waiting.tool.get_or_insert(tool);
        }
    }

    /// Tells of an event what it says that is new.
    fn tell_event(&mut self, hear: &mut Hear<'_>) {
        for Waiting { kind, text, .. } in self.waiting.drain(..) {
            if let Some((number, of)) = self.place.find(kind) {
                self.place.told_item |= kind != Kind::Delta;
                hear(number, part(of, 0), &text);
            }
        }
    }

    fn tell_waiting(&mut self, hear: &mut Hear<'_>) {
        let choice = self.choice.unwrap_or_default();
        for Waiting { kind, tool, text } in self.waiting.drain(..) {
            hear(choice, part(kind, tool.unwrap_or_default()), &text);
        }
    }
}

fn part(kind: Kind, tool: u32) -> Part {
    match kind {
        Kind::Content | Kind::Delta => Part::Content,
        Kind::Reasoning | Kind::ReasoningContent | Kind::Thinking => Part::Reasoning,
        Kind::Refusal => Part::Refusal,
        Kind::ToolName => Part::ToolName(tool),
        Kind::ToolArguments => Part::ToolArguments(tool),
        Kind::Transcript => Part::Transcript,
        Kind::Sound => Part::Sound,
    }
}
