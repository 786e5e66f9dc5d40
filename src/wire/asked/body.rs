//! What is asked in a JSON body.

use crate::{
    domain::{Asked, Endpoint},
    wire::json::{DEPTH_MAX, Lexer, Sink, Span, Text, Token},
};

#[derive(Debug)]
pub(super) struct Body {
    lexer: Lexer,
    walk: Walk,
    at: usize,
    characters: Option<Characters>,
    broken: bool,
}

impl Body {
    pub(super) fn new(endpoint: Endpoint) -> Self {
        let characters = (endpoint == Endpoint::Speech).then(Characters::default);
        Self {
            lexer: Lexer::new(DEPTH_MAX),
            walk: Walk::default(),
            at: 0,
            characters,
            broken: false,
        }
    }

    /// Reads the next piece; true if something has become known with it.
    pub(super) fn feed(&mut self, piece: &[u8]) -> bool {
        if self.broken {
            return false;
        }
        if self.walk.is_input
            && let Some(characters) = &mut self.characters
        {
            characters.feed(piece);
        }
        self.broken = self.lexer.feed(self.at, piece, &mut self.walk).is_err();
        if let Some(end) = self.walk.input_key.take()
            && let Some(characters) = &mut self.characters
        {
            *characters = Characters::default();
            characters.feed(&piece[end - self.at..]);
        }
        self.at += piece.len();
        let spoken = self.characters.as_ref().and_then(Characters::count);
        let is_new = std::mem::take(&mut self.walk.is_new) || self.walk.asked.characters != spoken;
        self.walk.asked.characters = spoken;
        is_new
    }

    /// What is known by now.
    pub(super) fn asked(&self) -> &Asked {
        &self.walk.asked
    }
}

/// The member whose value comes next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Field {
    #[default]
    Other,
    Model,
    Size,
}

#[derive(Debug, Default)]
struct Walk {
    depth: usize,
    field: Field,
    asked: Asked,
    is_new: bool,
    /// Where the name `input` has just ended.
    input_key: Option<usize>,
    /// It was the last name.
    is_input: bool,
}

impl Walk {
    fn key(&mut self, text: Text<'_>, span: Span) {
        let name = text.decode();
        self.field = match name.as_deref() {
            Some("model") => Field::Model,
            Some("size") => Field::Size,
            _ => Field::Other,
        };
        self.is_input = name.as_deref() == Some("input");
        self.input_key = self.is_input.then_some(span.end).or(self.input_key);
    }

    fn string(&mut self, text: Text<'_>) {
        let place = match std::mem::take(&mut self.field) {
            Field::Model => &mut self.asked.model,
            Field::Size => &mut self.asked.image_size,
            Field::Other => return,
        };
        *place = text.decode().map(Into::into);
        self.is_new = true;
    }
}

impl Sink for Walk {
    fn token(&mut self, token: Token<'_>, span: Span) {
        match token {
            Token::BeginObject | Token::BeginArray => {
                self.field = Field::Other;
                self.depth += 1;
            }
            Token::EndObject | Token::EndArray => self.depth -= 1,
            Token::Key(text, _) => self.key(text, span),
            Token::String(text) => self.string(text),
            Token::Number(_) | Token::Bool(_) | Token::Null => self.field = Field::Other,
        }
    }

    fn wants_inside(&self) -> bool {
        self.depth == 1
    }
}

/// Counts the characters of a string that comes in pieces, from behind the name of its member.
#[derive(Debug, Default)]
struct Characters {
    state: Place,
    count: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Before,
    Inside,
    /// Behind a backslash.
    Escape,
    /// In `\u`: how many digits are to come, and what those before them say.
    Unicode(u8, u16),
    After,
    /// The value is no string.
    Nowhere,
}

impl Characters {
    fn feed(&mut self, piece: &[u8]) {
        for &byte in piece {
            self.state = match (self.state, byte) {
                (Place::Before, b'"') => Place::Inside,
                (Place::Before, b':' | b' ' | b'\t' | b'\r' | b'\n') => Place::Before,
                (Place::Before, _) => Place::Nowhere,
                (Place::Inside, b'"') => Place::After,
                (Place::Inside, b'\\') => Place::Escape,
                (Place::Inside, byte) => {
                    // All but the bytes that go on with a character.
                    self.count += u64::from(byte & 0xc0 != 0x80);
                    Place::Inside
                }
                (Place::Escape, b'u') => Place::Unicode(4, 0),
                (Place::Escape, _) => {
                    self.count += 1;
                    Place::Inside
                }
                (Place::Unicode(left, unit), digit) => {
                    let digit = char::from(digit).to_digit(16).unwrap_or(0) as u16;
                    self.unicode(left - 1, unit << 4 | digit)
                }
                (Place::After | Place::Nowhere, _) => return,
            };
        }
    }

    fn unicode(&mut self, left: u8, unit: u16) -> Place {
        if left > 0 {
            return Place::Unicode(left, unit);
        }
        // The second half of a pair belongs to the character of the first.
        self.count += u64::from(!(0xdc00..0xe000).contains(&unit));
        Place::Inside
    }

    /// How many there are, once the string has ended.
    fn count(&self) -> Option<u64> {
        (self.state == Place::After).then_some(self.count)
    }
}
