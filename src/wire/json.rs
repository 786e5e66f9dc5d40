//! A JSON lexer that takes its text in pieces, cut anywhere, and says what lies where.
//!
//! It checks grammar and depth, holds no more than one short token, and hands each token to a [`Sink`] with its place
//! in the whole text. It does not check UTF-8: a request's body is checked as a whole, an answer's is not Weir's.

mod part;
mod scan;
mod token;

pub use token::{Nobody, Sink, Span, Text, Token};

use part::{Literal, Number, Part};
use scan::{integer_end, is_space, plain_run};

/// The deepest nesting that the lexer can follow.
pub const DEPTH_MAX: usize = 128;

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
            sink.text(raw, true);
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
