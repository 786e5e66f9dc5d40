//! A JSON lexer that takes its text in pieces, cut anywhere, and says what lies where.
//!
//! It checks grammar and depth, holds no more than one short token, and hands each token to a [`Sink`] with its place
//! in the whole text. It does not check UTF-8: a request's body is checked as a whole, an answer's is not Weir's.

mod scan;

use scan::{integer_end, is_space, plain_run};

/// Tokens longer than this are reported cut: a name or a figure that matters is shorter, even with every character
/// written as a `\u` escape.
const TEXT_MAX_BYTES: usize = 256;

/// The deepest nesting that the lexer can follow.
pub const DEPTH_MAX: usize = 128;

/// Where a token lies in the whole text, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Its first byte.
    pub start: usize,
    /// The byte after its last.
    pub end: usize,
}

/// One token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token<'a> {
    /// `{`
    BeginObject,
    /// `}`
    EndObject,
    /// `[`
    BeginArray,
    /// `]`
    EndArray,
    /// A member's name, with the place of the comma before it.
    Key(Text<'a>, Option<usize>),
    /// A string.
    String(Text<'a>),
    /// A number, as written.
    Number(Text<'a>),
    /// `true` or `false`
    Bool(bool),
    /// `null`
    Null,
}

/// The text of a token, without quotes and as it was written: escapes are still escapes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text<'a> {
    raw: &'a [u8],
    escaped: bool,
    /// The text was too long to keep; `raw` is its beginning.
    pub cut: bool,
}

impl<'a> Text<'a> {
    /// A text without escapes, all of it at hand.
    fn of(raw: &'a [u8]) -> Self {
        let cut = raw.len() > TEXT_MAX_BYTES;
        Self {
            raw: &raw[..raw.len().min(TEXT_MAX_BYTES)],
            escaped: false,
            cut,
        }
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.raw.is_empty()
    }

    /// The bytes, if they mean themselves: complete and without escapes.
    pub fn plain(&self) -> Option<&'a [u8]> {
        (!self.escaped && !self.cut).then_some(self.raw)
    }

    /// The text with its escapes resolved, unless it is cut or not text.
    pub fn decode(&self) -> Option<std::borrow::Cow<'a, str>> {
        if self.cut {
            return None;
        }
        let raw = std::str::from_utf8(self.raw).ok()?;
        if !self.escaped {
            return Some(raw.into());
        }
        serde_json::from_str::<String>(&format!("\"{raw}\""))
            .ok()
            .map(Into::into)
    }
}

/// Receives tokens in the order of the text.
pub trait Sink {
    /// Sees one token.
    fn token(&mut self, token: Token<'_>, span: Span);

    /// Whether it wants the tokens inside the array or object that it has just seen begin. Where it does not, the
    /// next one that it sees is the end of it; the text between is checked all the same.
    fn wants_inside(&self) -> bool {
        true
    }

    /// Whether it wants the string that begins here told in full, before its token.
    fn wants_text(&self) -> bool {
        false
    }

    /// Sees the next piece of a string that it wants told, as it was written: escapes are still escapes, and the cuts
    /// lie anywhere.
    fn text(&mut self, _piece: &[u8]) {}
}

/// Stands in for a sink where only the grammar is of interest.
pub(super) struct Nobody;

impl Sink for Nobody {
    #[inline(always)]
    fn token(&mut self, _: Token<'_>, _: Span) {}
}

/// Why a text is not JSON, and where that shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} at byte {at}")]
pub struct Fault {
    /// The byte at which it shows.
    pub at: usize,
    /// What is wrong.
    pub what: &'static str,
}

/// What comes next between two tokens; inside a key or a value, what that was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Value,
    FirstElement,
    FirstKey,
    Key,
    Colon,
    AfterValue,
    Done,
}

/// The token in progress: one that was cut between two pieces, a string with escapes, or an unusual number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// Past a string's quote.
    String,
    /// Past a backslash.
    Escape,
    /// In `\u`, with so many digits still to come.
    Unicode(u8),
    Number(Number),
    /// In `true`, `false` or `null`, with so many letters seen.
    Literal(Literal, u8),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Number {
    Minus,
    Zero,
    Digits,
    Point,
    Fraction,
    Exponent,
    ExponentSign,
    ExponentDigits,
}

impl Number {
    /// Past a first byte that is a minus or a digit.
    fn first(byte: u8) -> Self {
        match byte {
            b'-' => Self::Minus,
            b'0' => Self::Zero,
            _ => Self::Digits,
        }
    }

    fn next(self, byte: u8) -> Option<Self> {
        use Number::{
            Digits, Exponent, ExponentDigits, ExponentSign, Fraction, Minus, Point, Zero,
        };
        Some(match (self, byte) {
            (Minus, b'0') => Zero,
            (Minus, b'1'..=b'9') | (Digits, b'0'..=b'9') => Digits,
            (Zero | Digits, b'.') => Point,
            (Zero | Digits | Fraction, b'e' | b'E') => Exponent,
            (Point | Fraction, b'0'..=b'9') => Fraction,
            (Exponent, b'+' | b'-') => ExponentSign,
            (Exponent | ExponentSign | ExponentDigits, b'0'..=b'9') => ExponentDigits,
            _ => return None,
        })
    }

    fn may_end(self) -> bool {
        matches!(
            self,
            Self::Zero | Self::Digits | Self::Fraction | Self::ExponentDigits
        )
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Literal {
    True,
    False,
    Null,
}

impl Literal {
    /// The word that begins with `letter`, which is one of three.
    fn of(letter: u8) -> Self {
        match letter {
            b't' => Self::True,
            b'f' => Self::False,
            _ => Self::Null,
        }
    }

    fn letters(self) -> &'static [u8] {
        match self {
            Self::True => b"true",
            Self::False => b"false",
            Self::Null => b"null",
        }
    }

    fn token(self) -> Token<'static> {
        match self {
            Self::True => Token::Bool(true),
            Self::False => Token::Bool(false),
            Self::Null => Token::Null,
        }
    }
}

/// The lexer's place in a text.
#[derive(Debug)]
pub struct Lexer {
    next: Next,
    part: Option<Part>,
    /// A bit a level, the innermost lowest: set for an object.
    objects: u128,
    depth: u8,
    depth_max: u8,
    /// The depth inside the array or object that the sink does not want; zero while it wants everything.
    unwanted: u8,
    /// The token in progress has escapes.
    escaped: bool,
    /// The string in progress is told to the sink.
    told: bool,
    /// Where the token in progress began.
    start: usize,
    /// The comma before the next member.
    comma: Option<usize>,
    /// The beginning of a token that was cut between two pieces.
    kept: Vec<u8>,
    kept_cut: bool,
}

impl Lexer {
    /// A lexer at the start of a text that may nest `depth_max` levels, 128 at most.
    pub fn new(depth_max: usize) -> Self {
        Self {
            next: Next::Value,
            part: None,
            objects: 0,
            depth: 0,
            depth_max: depth_max.min(DEPTH_MAX) as u8,
            unwanted: 0,
            escaped: false,
            told: false,
            start: 0,
            comma: None,
            kept: Vec::new(),
            kept_cut: false,
        }
    }

    /// Goes back to the start, for another text.
    pub fn reset(&mut self) {
        let kept = std::mem::take(&mut self.kept);
        *self = Self::new(self.depth_max.into());
        self.kept = kept;
        self.kept.clear();
    }

    /// Reads the next piece, which lies at `at` in the whole text.
    pub fn feed(&mut self, at: usize, piece: &[u8], sink: &mut impl Sink) -> Result<(), Fault> {
        let mut i = 0;
        while i < piece.len() {
            i = if self.unwanted == 0 {
                self.read(at, piece, i, sink)?
            } else {
                self.read(at, piece, i, &mut Nobody)?
            };
        }
        Ok(())
    }

    /// Ends the text, which is `len` bytes long.
    pub fn finish(&mut self, len: usize, sink: &mut impl Sink) -> Result<(), Fault> {
        if let Some(Part::Number(number)) = self.part {
            self.end_number(number, &[], len, sink)?;
        }
        match self.next {
            Next::Done => Ok(()),
            _ => fault(len, "unexpected end"),
        }
    }

    /// Reads on from byte `i` of a piece, until it is over or begins or ceases to be wanted; returns how far it came.
    fn read(
        &mut self,
        at: usize,
        piece: &[u8],
        mut i: usize,
        sink: &mut impl Sink,
    ) -> Result<usize, Fault> {
        if self.part.is_some() {
            i = self.go_on(at, piece, i, i, sink)?;
        }
        while let Some(&byte) = piece.get(i) {
            match (self.next, byte) {
                (Next::AfterValue, b',') => {
                    self.after_comma(at + i);
                    i += 1;
                }
                (Next::AfterValue, b'}' | b']')
                | (Next::FirstKey, b'}')
                | (Next::FirstElement, b']') => {
                    if self.depth == self.unwanted {
                        // This bracket is wanted again.
                        self.unwanted = 0;
                        return Ok(i);
                    }
                    self.close(byte, at + i, sink)?;
                    i += 1;
                }
                (Next::FirstKey | Next::Key, b'"') => i = self.key(at, piece, i, sink)?,
                (Next::Value | Next::FirstElement, b'"') => {
                    i = self.string(at, piece, i, sink)?;
                }
                (Next::Value | Next::FirstElement, b'{' | b'[') => {
                    self.open(byte, at + i, sink)?;
                    i += 1;
                    if !sink.wants_inside() {
                        self.unwanted = self.depth;
                        return Ok(i);
                    }
                }
                (Next::Value | Next::FirstElement, b'-' | b'0'..=b'9') => {
                    i = self.number(at, piece, i, sink)?;
                }
                (Next::Value | Next::FirstElement, b't' | b'f' | b'n') => {
                    i = self.literal(at, piece, i, sink)?;
                }
                (Next::Colon, b':') => {
                    self.next = Next::Value;
                    i += 1;
                }
                _ if is_space(byte) => i += 1,
                (next, _) => return fault(at + i, next.expected()),
            }
        }
        Ok(i)
    }

    fn open(&mut self, byte: u8, at: usize, sink: &mut impl Sink) -> Result<(), Fault> {
        if self.depth == self.depth_max {
            return fault(at, "nested too deep");
        }
        let (object, next, token) = match byte {
            b'{' => (true, Next::FirstKey, Token::BeginObject),
            _ => (false, Next::FirstElement, Token::BeginArray),
        };
        self.depth += 1;
        self.objects = self.objects << 1 | u128::from(object);
        self.comma = None;
        self.next = next;
        sink.token(token, span(at, 0, 1));
        Ok(())
    }

    fn close(&mut self, byte: u8, at: usize, sink: &mut impl Sink) -> Result<(), Fault> {
        let (object, token) = match byte {
            b'}' => (true, Token::EndObject),
            _ => (false, Token::EndArray),
        };
        if object != self.in_object() {
            return fault(at, "bracket of the other kind");
        }
        self.objects >>= 1;
        self.depth -= 1;
        sink.token(token, span(at, 0, 1));
        self.after_value();
        Ok(())
    }

    // A token that ends in this piece is read at once.

    fn key(
        &mut self,
        at: usize,
        piece: &[u8],
        i: usize,
        sink: &mut impl Sink,
    ) -> Result<usize, Fault> {
        let end = plain_run(piece, i + 1);
        if piece.get(end) != Some(&b'"') {
            return self.begin(Part::String, at, piece, i, sink);
        }
        let text = Text::of(&piece[i + 1..end]);
        sink.token(Token::Key(text, self.comma), span(at, i, end + 1));
        if piece.get(end + 1) == Some(&b':') {
            self.next = Next::Value;
            Ok(end + 2)
        } else {
            self.next = Next::Colon;
            Ok(end + 1)
        }
    }

    fn string(
        &mut self,
        at: usize,
        piece: &[u8],
        i: usize,
        sink: &mut impl Sink,
    ) -> Result<usize, Fault> {
        let end = plain_run(piece, i + 1);
        if piece.get(end) != Some(&b'"') {
            return self.begin(Part::String, at, piece, i, sink);
        }
        let raw = &piece[i + 1..end];
        if sink.wants_text() {
            sink.text(raw);
        }
        sink.token(Token::String(Text::of(raw)), span(at, i, end + 1));
        Ok(self.behind_value(at, piece, end + 1))
    }

    fn number(
        &mut self,
        at: usize,
        piece: &[u8],
        i: usize,
        sink: &mut impl Sink,
    ) -> Result<usize, Fault> {
        let Some(end) = integer_end(piece, i) else {
            return self.begin(Part::Number(Number::first(piece[i])), at, piece, i, sink);
        };
        sink.token(Token::Number(Text::of(&piece[i..end])), span(at, i, end));
        Ok(self.behind_value(at, piece, end))
    }

    fn literal(
        &mut self,
        at: usize,
        piece: &[u8],
        i: usize,
        sink: &mut impl Sink,
    ) -> Result<usize, Fault> {
        let literal = Literal::of(piece[i]);
        if !piece[i..].starts_with(literal.letters()) {
            return self.begin(Part::Literal(literal, 1), at, piece, i, sink);
        }
        let end = i + literal.letters().len();
        sink.token(literal.token(), span(at, i, end));
        Ok(self.behind_value(at, piece, end))
    }

    /// A value ends before byte `i`; returns where to read on, which is past a comma that stands there.
    fn behind_value(&mut self, at: usize, piece: &[u8], i: usize) -> usize {
        self.after_value();
        if self.next == Next::AfterValue && piece.get(i) == Some(&b',') {
            self.after_comma(at + i);
            return i + 1;
        }
        i
    }

    // All others are read part by part.

    #[cold]
    fn begin(
        &mut self,
        part: Part,
        at: usize,
        piece: &[u8],
        i: usize,
        sink: &mut impl Sink,
    ) -> Result<usize, Fault> {
        self.part = Some(part);
        self.start = at + i;
        self.escaped = false;
        let is_value = matches!(self.next, Next::Value | Next::FirstElement);
        self.told = part == Part::String && is_value && sink.wants_text();
        let text_from = i + usize::from(part == Part::String);
        self.go_on(at, piece, text_from, i + 1, sink)
    }

    /// Reads on from byte `i` in the token in progress, the text of which goes on at `text_from`; returns where it
    /// ends, or the piece.
    fn go_on(
        &mut self,
        at: usize,
        piece: &[u8],
        text_from: usize,
        mut i: usize,
        sink: &mut impl Sink,
    ) -> Result<usize, Fault> {
        while let (Some(part), Some(&byte)) = (self.part, piece.get(i)) {
            match part {
                Part::String => {
                    i = plain_run(piece, i);
                    match piece.get(i) {
                        Some(b'"') => self.end_string(&piece[text_from..i], at + i + 1, sink),
                        Some(b'\\') => {
                            self.escaped = true;
                            self.part = Some(Part::Escape);
                        }
                        Some(_) => return fault(at + i, "control character in a string"),
                        None => break,
                    }
                }
                Part::Escape => match byte {
                    b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => {
                        self.part = Some(Part::String);
                    }
                    b'u' => self.part = Some(Part::Unicode(4)),
                    _ => return fault(at + i, "unknown escape in a string"),
                },
                Part::Unicode(left) => {
                    if !byte.is_ascii_hexdigit() {
                        return fault(at + i, "`\\u` wants four hex digits");
                    }
                    self.part = match left {
                        1 => Some(Part::String),
                        _ => Some(Part::Unicode(left - 1)),
                    };
                }
                Part::Number(number) => match number.next(byte) {
                    Some(next) => self.part = Some(Part::Number(next)),
                    None => {
                        self.end_number(number, &piece[text_from..i], at + i, sink)?;
                        return Ok(i); // the byte belongs to what comes after the number
                    }
                },
                Part::Literal(literal, seen) => {
                    let seen = usize::from(seen);
                    if literal.letters()[seen] != byte {
                        return fault(at + i, "unknown word");
                    }
                    self.part = Some(Part::Literal(literal, seen as u8 + 1));
                    if seen + 1 == literal.letters().len() {
                        let (start, end) = (self.start, at + i + 1);
                        self.part = None;
                        sink.token(literal.token(), Span { start, end });
                        self.after_value();
                    }
                }
            }
            i += 1;
        }
        // Of a word the place is enough.
        if !matches!(self.part, None | Some(Part::Literal(..))) {
            let rest = &piece[text_from.min(piece.len())..];
            if self.told {
                sink.text(rest);
            }
            self.keep(rest);
        }
        Ok(i)
    }

    fn end_string(&mut self, tail: &[u8], end: usize, sink: &mut impl Sink) {
        let span = Span {
            start: self.start,
            end,
        };
        let is_key = matches!(self.next, Next::FirstKey | Next::Key);
        if self.told {
            sink.text(tail);
        }
        let (escaped, comma) = (self.escaped, self.comma);
        let (raw, cut) = self.take(tail);
        let text = Text { raw, escaped, cut };
        if is_key {
            sink.token(Token::Key(text, comma), span);
            self.next = Next::Colon;
        } else {
            sink.token(Token::String(text), span);
            self.after_value();
        }
        self.part = None;
        self.kept.clear();
    }

    fn end_number(
        &mut self,
        number: Number,
        tail: &[u8],
        end: usize,
        sink: &mut impl Sink,
    ) -> Result<(), Fault> {
        if !number.may_end() {
            return fault(end, "unfinished number");
        }
        let start = self.start;
        let (raw, cut) = self.take(tail);
        let text = Text {
            raw,
            escaped: false,
            cut,
        };
        sink.token(Token::Number(text), Span { start, end });
        self.part = None;
        self.kept.clear();
        self.after_value();
        Ok(())
    }

    fn in_object(&self) -> bool {
        self.objects & 1 == 1
    }

    fn after_value(&mut self) {
        self.next = match self.depth {
            0 => Next::Done,
            _ => Next::AfterValue,
        };
    }

    fn after_comma(&mut self, at: usize) {
        self.comma = Some(at);
        self.next = match self.in_object() {
            true => Next::Key,
            false => Next::Value,
        };
    }

    /// The text of a token that ends with `tail`: `tail` itself unless earlier pieces hold its beginning.
    fn take<'a>(&'a mut self, tail: &'a [u8]) -> (&'a [u8], bool) {
        if self.kept.is_empty() && !self.kept_cut {
            let cut = tail.len() > TEXT_MAX_BYTES;
            return (&tail[..tail.len().min(TEXT_MAX_BYTES)], cut);
        }
        self.keep(tail);
        let cut = std::mem::take(&mut self.kept_cut);
        (&self.kept, cut)
    }

    fn keep(&mut self, text: &[u8]) {
        let room = TEXT_MAX_BYTES - self.kept.len();
        self.kept_cut |= text.len() > room;
        self.kept.extend_from_slice(&text[..text.len().min(room)]);
    }
}

impl Next {
    /// What to say if it is something else that comes.
    fn expected(self) -> &'static str {
        match self {
            Self::Value | Self::FirstElement => "expected a value",
            Self::FirstKey | Self::Key => "expected a member's name",
            Self::Colon => "expected `:`",
            Self::AfterValue => "expected `,` or a closing bracket",
            Self::Done => "text after the end of the value",
        }
    }
}

#[cold]
fn fault<T>(at: usize, what: &'static str) -> Result<T, Fault> {
    Err(Fault { at, what })
}

/// The place of the bytes `from..end` of a piece that lies at `at`.
fn span(at: usize, from: usize, end: usize) -> Span {
    Span {
        start: at + from,
        end: at + end,
    }
}

#[cfg(test)]
mod tests;
