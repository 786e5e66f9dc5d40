//! Tokens that are read part by part: those cut between two pieces, strings with escapes, unusual numbers.

use super::{
    Fault, Lexer, Next, Sink, Span, Text, Token, fault, scan::plain_run, token::TEXT_MAX_BYTES,
};

/// The token in progress: one that was cut between two pieces, a string with escapes, or an unusual number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
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
pub(super) enum Number {
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
    pub(super) fn first(byte: u8) -> Self {
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
pub(super) enum Literal {
    True,
    False,
    Null,
}

impl Literal {
    /// The word that begins with `letter`, which is one of three.
    pub(super) fn of(letter: u8) -> Self {
        match letter {
            b't' => Self::True,
            b'f' => Self::False,
            _ => Self::Null,
        }
    }

    pub(super) fn letters(self) -> &'static [u8] {
        match self {
            Self::True => b"true",
            Self::False => b"false",
            Self::Null => b"null",
        }
    }

    pub(super) fn token(self) -> Token<'static> {
        match self {
            Self::True => Token::Bool(true),
            Self::False => Token::Bool(false),
            Self::Null => Token::Null,
        }
    }
}

impl Lexer {
    #[cold]
    pub(super) fn begin(
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
    pub(super) fn go_on(
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
                sink.text(rest, false);
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
            sink.text(tail, false);
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

    pub(super) fn end_number(
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
