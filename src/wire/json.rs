//! A JSON lexer that takes its text in pieces, cut anywhere, and says what lies where.
//!
//! It checks grammar and depth, holds no more than one short token, and hands each token to a [`Sink`] with its place
//! in the whole text. It does not check UTF-8: a request's body is checked as a whole, an answer's is not Weir's.

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
}

/// Stands in for a sink that does not want what is inside.
struct Nobody;

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

/// What may come next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Value,
    FirstElement,
    FirstKey,
    NextKey,
    Colon,
    AfterValue,
    Done,
    /// Inside a string, past its quote.
    String,
    /// Past a backslash.
    Escape,
    /// In `\u`, with so many digits still to come.
    Unicode(u8),
    Number(Number),
    /// Inside `true`, `false` or `null`, with so many letters seen.
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
    /// The state past a first byte that is a minus or a digit.
    fn first(byte: u8) -> Self {
        match byte {
            b'-' => Self::Minus,
            b'0' => Self::Zero,
            _ => Self::Digits,
        }
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
    state: State,
    /// A bit a level, the innermost lowest: set for an object.
    objects: u128,
    depth: u8,
    depth_max: u8,
    /// The depth inside the array or object that the sink does not want; zero while it wants everything.
    unwanted: u8,
    /// The string in progress is a member's name.
    is_key: bool,
    escaped: bool,
    /// Where the token in progress began.
    start: usize,
    comma: Option<usize>,
    /// The beginning of a token that was cut between two pieces.
    kept: Vec<u8>,
    kept_cut: bool,
}

impl Lexer {
    /// A lexer at the start of a text that may nest `depth_max` levels, 128 at most.
    pub fn new(depth_max: usize) -> Self {
        Self {
            state: State::Value,
            objects: 0,
            depth: 0,
            depth_max: depth_max.min(DEPTH_MAX) as u8,
            unwanted: 0,
            is_key: false,
            escaped: false,
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

    /// Reads on from byte `i` of a piece, until it is over or begins or ceases to be of interest; returns how far it
    /// came.
    fn read(
        &mut self,
        at: usize,
        piece: &[u8],
        mut i: usize,
        sink: &mut impl Sink,
    ) -> Result<usize, Fault> {
        // Where in this piece the text of the token in progress begins.
        let mut text_from = i;
        while let Some(&byte) = piece.get(i) {
            let fault = |what| Err(Fault { at: at + i, what });
            match self.state {
                // Between tokens, a token that ends in this piece is read at once.
                State::AfterValue => match byte {
                    b',' => {
                        self.comma = Some(at + i);
                        self.state = if self.in_object() {
                            State::NextKey
                        } else {
                            State::Value
                        };
                    }
                    b'}' | b']' if self.depth == self.unwanted => {
                        self.unwanted = 0;
                        return Ok(i);
                    }
                    b'}' | b']' => self.close(byte, at + i, sink)?,
                    _ if is_space(byte) => {}
                    _ => return fault("expected `,` or a closing bracket"),
                },
                State::FirstKey | State::NextKey => match byte {
                    b'"' => {
                        let end = plain_run(piece, i + 1);
                        if piece.get(end) == Some(&b'"') {
                            let text = Text::of(&piece[i + 1..end]);
                            sink.token(Token::Key(text, self.comma), span(at, i, end + 1));
                            let colon = piece.get(end + 1) == Some(&b':');
                            self.state = if colon { State::Value } else { State::Colon };
                            i = end + usize::from(colon);
                        } else {
                            self.begin(State::String, at + i);
                            self.is_key = true;
                            text_from = i + 1;
                        }
                    }
                    b'}' if self.state == State::FirstKey => {
                        if self.depth == self.unwanted {
                            self.unwanted = 0;
                            return Ok(i);
                        }
                        self.close(byte, at + i, sink)?;
                    }
                    _ if is_space(byte) => {}
                    _ => return fault("expected a member's name"),
                },
                State::Value | State::FirstElement => match byte {
                    b'"' => {
                        let end = plain_run(piece, i + 1);
                        if piece.get(end) == Some(&b'"') {
                            let text = Text::of(&piece[i + 1..end]);
                            sink.token(Token::String(text), span(at, i, end + 1));
                            self.after_value();
                            i = end;
                        } else {
                            self.begin(State::String, at + i);
                            text_from = i + 1;
                        }
                    }
                    b'{' | b'[' => {
                        self.open(byte == b'{', at + i, sink)?;
                        if !sink.wants_inside() {
                            self.unwanted = self.depth;
                            return Ok(i + 1);
                        }
                    }
                    b']' if self.state == State::FirstElement => {
                        if self.depth == self.unwanted {
                            self.unwanted = 0;
                            return Ok(i);
                        }
                        self.close(byte, at + i, sink)?;
                    }
                    b't' | b'f' | b'n' => {
                        let literal = Literal::of(byte);
                        let letters = literal.letters();
                        if piece[i..].starts_with(letters) {
                            let end = i + letters.len();
                            sink.token(literal.token(), span(at, i, end));
                            self.after_value();
                            i = end - 1;
                        } else {
                            self.begin(State::Literal(literal, 1), at + i);
                        }
                    }
                    b'-' | b'0'..=b'9' => match integer_end(piece, i) {
                        Some(end) => {
                            let text = Text::of(&piece[i..end]);
                            sink.token(Token::Number(text), span(at, i, end));
                            self.after_value();
                            i = end - 1;
                        }
                        None => {
                            self.begin(State::Number(Number::first(byte)), at + i);
                            text_from = i;
                        }
                    },
                    _ if is_space(byte) => {}
                    _ => return fault("expected a value"),
                },
                State::Colon => match byte {
                    b':' => self.state = State::Value,
                    _ if is_space(byte) => {}
                    _ => return fault("expected `:`"),
                },
                // Inside a token: it was begun in an earlier piece, has escapes, or is an unusual number.
                State::String => {
                    i = plain_run(piece, i);
                    let Some(&byte) = piece.get(i) else { break };
                    match byte {
                        b'"' => {
                            let span = Span {
                                start: self.start,
                                end: at + i + 1,
                            };
                            self.end_string(&piece[text_from..i], span, sink);
                        }
                        b'\\' => {
                            self.escaped = true;
                            self.state = State::Escape;
                        }
                        _ => {
                            return Err(Fault {
                                at: at + i,
                                what: "control character in a string",
                            });
                        }
                    }
                }
                State::Escape => match byte {
                    b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => {
                        self.state = State::String;
                    }
                    b'u' => self.state = State::Unicode(4),
                    _ => return fault("unknown escape in a string"),
                },
                State::Unicode(left) => {
                    if !byte.is_ascii_hexdigit() {
                        return fault("`\\u` wants four hex digits");
                    }
                    self.state = match left {
                        1 => State::String,
                        _ => State::Unicode(left - 1),
                    };
                }
                State::Number(number) => match next_in_number(number, byte) {
                    Some(next) => self.state = State::Number(next),
                    None => {
                        self.end_number(number, &piece[text_from..i], at + i, sink)?;
                        continue; // the byte belongs to what comes after the number
                    }
                },
                State::Literal(literal, seen) => {
                    if literal.letters().get(seen as usize) != Some(&byte) {
                        return fault("unknown word");
                    }
                    self.state = State::Literal(literal, seen + 1);
                    if seen as usize + 1 == literal.letters().len() {
                        let span = Span {
                            start: self.start,
                            end: at + i + 1,
                        };
                        sink.token(literal.token(), span);
                        self.after_value();
                    }
                }
                State::Done if is_space(byte) => {}
                State::Done => return fault("text after the end of the value"),
            }
            i += 1;
        }
        if matches!(
            self.state,
            State::String | State::Escape | State::Unicode(_) | State::Number(_)
        ) {
            self.keep(&piece[text_from.min(piece.len())..]);
        }
        Ok(piece.len())
    }

    /// Ends the text, which is `len` bytes long.
    pub fn finish(&mut self, len: usize, sink: &mut impl Sink) -> Result<(), Fault> {
        if let State::Number(number) = self.state {
            self.end_number(number, &[], len, sink)?;
        }
        match self.state {
            State::Done => Ok(()),
            _ => Err(Fault {
                at: len,
                what: "unexpected end",
            }),
        }
    }

    fn begin(&mut self, state: State, at: usize) {
        self.state = state;
        self.start = at;
        self.is_key = false;
        self.escaped = false;
    }

    fn open(&mut self, object: bool, at: usize, sink: &mut impl Sink) -> Result<(), Fault> {
        if self.depth == self.depth_max {
            return Err(Fault {
                at,
                what: "nested too deep",
            });
        }
        self.depth += 1;
        self.objects = self.objects << 1 | u128::from(object);
        self.comma = None;
        self.state = if object {
            State::FirstKey
        } else {
            State::FirstElement
        };
        let token = if object {
            Token::BeginObject
        } else {
            Token::BeginArray
        };
        sink.token(
            token,
            Span {
                start: at,
                end: at + 1,
            },
        );
        Ok(())
    }

    fn close(&mut self, byte: u8, at: usize, sink: &mut impl Sink) -> Result<(), Fault> {
        let (object, token) = match byte {
            b'}' => (true, Token::EndObject),
            _ => (false, Token::EndArray),
        };
        if object != self.in_object() {
            return Err(Fault {
                at,
                what: "bracket of the other kind",
            });
        }
        self.objects >>= 1;
        self.depth -= 1;
        sink.token(
            token,
            Span {
                start: at,
                end: at + 1,
            },
        );
        self.after_value();
        Ok(())
    }

    fn in_object(&self) -> bool {
        self.objects & 1 == 1
    }

    fn after_value(&mut self) {
        self.state = if self.depth == 0 {
            State::Done
        } else {
            State::AfterValue
        };
    }

    fn end_string(&mut self, tail: &[u8], span: Span, sink: &mut impl Sink) {
        let (is_key, escaped, comma) = (self.is_key, self.escaped, self.comma);
        let (raw, cut) = self.take(tail);
        let text = Text { raw, escaped, cut };
        sink.token(
            if is_key {
                Token::Key(text, comma)
            } else {
                Token::String(text)
            },
            span,
        );
        self.kept.clear();
        if is_key {
            self.state = State::Colon;
        } else {
            self.after_value();
        }
    }

    fn end_number(
        &mut self,
        number: Number,
        tail: &[u8],
        end: usize,
        sink: &mut impl Sink,
    ) -> Result<(), Fault> {
        use Number::{Digits, ExponentDigits, Fraction, Zero};
        if !matches!(number, Zero | Digits | Fraction | ExponentDigits) {
            return Err(Fault {
                at: end,
                what: "unfinished number",
            });
        }
        let start = self.start;
        let (raw, cut) = self.take(tail);
        sink.token(
            Token::Number(Text {
                raw,
                escaped: false,
                cut,
            }),
            Span { start, end },
        );
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

/// The place of the bytes `from..end` of a piece that lies at `at`.
fn span(at: usize, from: usize, end: usize) -> Span {
    Span {
        start: at + from,
        end: at + end,
    }
}

/// The end of the number at `from`, if it is the usual kind, a row of digits, and does not reach to the piece's end.
fn integer_end(piece: &[u8], from: usize) -> Option<usize> {
    let digits = piece[from..].iter().position(|b| !b.is_ascii_digit())?;
    let end = from + digits;
    let is_whole = !matches!(piece[end], b'.' | b'e' | b'E');
    let is_plain = digits == 1 || digits > 1 && piece[from] != b'0';
    (is_whole && is_plain).then_some(end)
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\r' | b'\t')
}

#[inline]
fn next_in_number(number: Number, byte: u8) -> Option<Number> {
    use Number::{Digits, Exponent, ExponentDigits, ExponentSign, Fraction, Minus, Point, Zero};
    Some(match (number, byte) {
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

/// The index of the first quote, backslash or control character at or after `from`, or the length.
///
/// Looks at eight bytes at a time, and at more once a string has turned out to be long: string contents are most of
/// what Weir ever reads.
#[inline]
fn plain_run(bytes: &[u8], from: usize) -> usize {
    const SHORT: usize = 4;
    let mut i = from;
    let mut words = 0;
    while let Some(word) = bytes[i..].first_chunk() {
        let found = special(u64::from_le_bytes(*word));
        if found != 0 {
            return i + found.trailing_zeros() as usize / 8;
        }
        i += size_of::<u64>();
        words += 1;
        if words == SHORT {
            i = plain_blocks(bytes, i);
        }
    }
    let special = |&b: &u8| b == b'"' || b == b'\\' || b < 0x20;
    bytes[i..]
        .iter()
        .position(special)
        .map_or(bytes.len(), |n| i + n)
}

/// The high bit of each byte that is a quote, a backslash or a control character; only the lowest can be relied on,
/// for a false one can stand above a true one.
#[inline]
fn special(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let zero_bytes = |word: u64| word.wrapping_sub(ONES) & !word;
    let quote = zero_bytes(word ^ (ONES * u64::from(b'"')));
    let backslash = zero_bytes(word ^ (ONES * u64::from(b'\\')));
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    (quote | backslash | control) & HIGH
}

/// Skips whole blocks in which nothing is special. Without a branch for each byte, so that the compiler makes a few
/// wide instructions of a block.
fn plain_blocks(bytes: &[u8], from: usize) -> usize {
    const BLOCK: usize = 32;
    let is_plain = |block: &[u8; BLOCK]| {
        !block.iter().fold(false, |any, &b| {
            any | (b == b'"') | (b == b'\\') | (b < 0x20)
        })
    };
    let (blocks, _) = bytes[from..].as_chunks::<BLOCK>();
    from + blocks.iter().take_while(|block| is_plain(block)).count() * BLOCK
}

#[cfg(test)]
mod tests;
