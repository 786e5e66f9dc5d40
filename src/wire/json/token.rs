//! What the lexer hands out: tokens, their places, and who receives them.

/// Tokens longer than this are reported cut: a name or a figure that matters is shorter, even with every character
/// written as a `\u` escape.
pub(super) const TEXT_MAX_BYTES: usize = 256;

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
    pub(super) raw: &'a [u8],
    pub(super) escaped: bool,
    /// The text was too long to keep; `raw` is its beginning.
    pub cut: bool,
}

impl<'a> Text<'a> {
    /// A text without escapes, all of it at hand.
    pub(super) fn of(raw: &'a [u8]) -> Self {
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
    /// lie anywhere. A `whole` one is all of the string and has no escapes.
    fn text(&mut self, _piece: &[u8], _whole: bool) {}
}

/// Stands in for a sink where only the grammar is of interest.
pub struct Nobody;

impl Sink for Nobody {
    #[inline(always)]
    fn token(&mut self, _: Token<'_>, _: Span) {}
}
