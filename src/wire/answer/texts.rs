//! The texts of an answer as they pass: which choice and part each piece belongs to, and what it says without escapes.

use memchr::memchr;

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

#[derive(Debug, Default)]
pub(super) struct Texts {
    listens: bool,
    decoder: Decoder,
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
}

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
        self.listens && !(kind.is_reasoning() && self.reasoning.is_some_and(|name| name != kind))
    }

    /// Makes ready for another document of the same answer.
    pub(super) fn restart(&mut self) {
        self.choices = 0;
        self.in_tool = false;
        self.waiting.clear();
        self.decoder.clear();
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

    /// The next piece of a string, as it was written.
    pub(super) fn text(&mut self, kind: Kind, piece: &[u8], hear: &mut Hear<'_>) {
        let mut decoder = std::mem::take(&mut self.decoder);
        decoder.push(piece, |text| self.pass(kind, text, hear));
        self.decoder = decoder;
    }

    /// The string is over.
    pub(super) fn end_text(&mut self, kind: Kind, hear: &mut Hear<'_>) {
        if self.decoder.clear() {
            self.pass(kind, REPLACEMENT, hear);
        }
    }

    fn pass(&mut self, kind: Kind, text: &str, hear: &mut Hear<'_>) {
        if text.is_empty() {
            return;
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
        match self.waiting.last_mut() {
            Some(last) if last.kind == kind && last.tool == tool => last.text.push_str(text),
            _ => self.waiting.push(Waiting {
                kind,
                tool,
                text: text.to_owned(),
            }),
        }
        let bytes: usize = self.waiting.iter().map(|waiting| waiting.text.len()).sum();
        if bytes > WAITING_MAX_BYTES {
            self.guess();
            self.tell_waiting(hear);
        }
    }

    /// What has no index has that of its place.
    fn guess(&mut self) {
        self.choice.get_or_insert(self.choices.saturating_sub(1));
        let tool = *self.tool.get_or_insert(self.tools.saturating_sub(1));
        for waiting in &mut self.waiting {
            waiting.tool.get_or_insert(tool);
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
        Kind::Content => Part::Content,
        Kind::Reasoning | Kind::ReasoningContent | Kind::Thinking => Part::Reasoning,
        Kind::Refusal => Part::Refusal,
        Kind::ToolName => Part::ToolName(tool),
        Kind::ToolArguments => Part::ToolArguments(tool),
        Kind::Transcript => Part::Transcript,
        Kind::Sound => Part::Sound,
    }
}

/// Stands for what is no character: half of one that two escapes make, bytes that are not UTF-8.
const REPLACEMENT: &str = "\u{fffd}";

/// Resolves the escapes of a string that comes in pieces, cut anywhere.
#[derive(Debug, Default)]
struct Decoder {
    /// A character that is not complete: two escapes of six bytes at most.
    held: [u8; 12],
    len: usize,
    text: String,
}

impl Decoder {
    /// Forgets what is not complete; true if there was such.
    fn clear(&mut self) -> bool {
        std::mem::take(&mut self.len) > 0
    }

    fn push(&mut self, raw: &[u8], tell: impl FnOnce(&str)) {
        if self.len == 0
            && memchr(b'\\', raw).is_none()
            && let Ok(text) = std::str::from_utf8(raw)
        {
            return tell(text); // nearly always
        }
        self.text.clear();
        let mut rest = raw;
        while let Some((&byte, behind)) = rest.split_first() {
            if self.len > 0 || byte == b'\\' {
                self.held[self.len] = byte;
                self.len += 1;
                rest = behind;
                self.resolve();
            } else {
                let run = memchr(b'\\', rest).unwrap_or(rest.len());
                let left = self.plain(&rest[..run]);
                rest = &rest[run - left..];
                if left > 0 {
                    self.held[..left].copy_from_slice(&rest[..left]);
                    self.len = left;
                    rest = &rest[left..];
                }
            }
        }
        tell(&self.text);
    }

    /// Takes bytes without escapes; returns how many at their end are an incomplete character.
    fn plain(&mut self, bytes: &[u8]) -> usize {
        let mut left = 0;
        let mut chunks = bytes.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            self.text.push_str(chunk.valid());
            let broken = chunk.invalid();
            let may_go_on = std::str::from_utf8(broken).is_err_and(|e| e.error_len().is_none());
            if chunks.peek().is_none() && may_go_on {
                left = broken.len();
            } else if !broken.is_empty() {
                self.text.push_str(REPLACEMENT);
            }
        }
        left
    }

    /// Turns what is held into characters, as far as they are complete.
    fn resolve(&mut self) {
        while let Some((taken, c)) = character(&self.held[..self.len]) {
            self.text.push(c);
            self.held.copy_within(taken..self.len, 0);
            self.len -= taken;
        }
    }
}

/// The character that `held` begins with, and its bytes; none if it is not complete. Escapes are known to be sound.
fn character(held: &[u8]) -> Option<(usize, char)> {
    const BROKEN: char = char::REPLACEMENT_CHARACTER;
    match held {
        [] | [b'\\'] => None,
        [b'\\', b'u', hex @ ..] => {
            let first = code(hex)?;
            if !(0xd800..0xdc00).contains(&first) {
                return Some((6, char::from_u32(first).unwrap_or(BROKEN)));
            }
            match &hex[4..] {
                [] | [b'\\'] => None,
                [b'\\', b'u', hex @ ..] => match code(hex)? {
                    second @ 0xdc00..0xe000 => {
                        let both = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                        Some((12, char::from_u32(both).unwrap_or(BROKEN)))
                    }
                    _ => Some((6, BROKEN)),
                },
                _ => Some((6, BROKEN)),
            }
        }
        [b'\\', escape, ..] => {
            let c = match escape {
                b'b' => '\u{8}',
                b'f' => '\u{c}',
                b'n' => '\n',
                b'r' => '\r',
                b't' => '\t',
                other => char::from(*other),
            };
            Some((2, c))
        }
        _ => {
            let chunk = held.utf8_chunks().next()?;
            if let Some(c) = chunk.valid().chars().next() {
                return Some((c.len_utf8(), c));
            }
            let broken = chunk.invalid();
            let error = std::str::from_utf8(broken).err()?;
            let is_all = broken.len() == held.len();
            (!is_all || error.error_len().is_some()).then_some((broken.len(), BROKEN))
        }
    }
}

/// The number that four hex digits write; none while some are missing.
fn code(hex: &[u8]) -> Option<u32> {
    let digits = std::str::from_utf8(hex.get(..4)?).ok()?;
    u32::from_str_radix(digits, 16).ok()
}
