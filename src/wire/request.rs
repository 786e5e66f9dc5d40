//! Reads a request as far as routing needs, and changes it in place.
//!
//! The body stays the bytes that the client wrote: an edit replaces a range of them and leaves all others alone, so
//! unknown members, the spelling of numbers and the order of members reach the upstream as they were.

mod sound;

pub use sound::may_be_about_sound;

use super::json::{Fault, Lexer, Sink, Span, Text, Token};
use crate::domain::{Endpoint, Tier};
use bytes::Bytes;
use std::{borrow::Cow, collections::HashMap, ops::Range};

/// The longest name a model may have.
const MODEL_MAX_BYTES: usize = 256;

/// What a request says, as far as Weir cares.
#[derive(Debug, PartialEq, Eq)]
pub struct Facts {
    /// The model that it asks for; empty if it names none, as only a response may.
    pub model: String,
    /// The string that names it, quotes included.
    pub model_at: Range<usize>,
    /// Whether the answer is to be a stream.
    pub stream: bool,
    /// How it stands with usage at the end of the stream.
    pub usage: AskedUsage,
    /// The object that the client notes things in, braces included.
    pub metadata: Option<Range<usize>>,
    /// The most tokens that the answer may have, if the client says so; all of its choices together.
    pub output_max: Option<u64>,
    /// How many answers there are to be.
    pub choices: u64,
    /// The tier of service that is asked for.
    pub tier: Tier,
    /// A response is to be made when nobody waits for it.
    pub background: bool,
}

/// Whether the client wants usage at the end of the stream, and how to ask for it where it does not.
#[derive(Debug, PartialEq, Eq)]
pub enum AskedUsage {
    /// The client asks for it itself.
    Yes,
    /// It does not; this edit would.
    No(Edit),
    /// Its options are of no known shape, or its endpoint has none: the upstream shall say so.
    Unclear,
}

/// A replacement of some bytes of the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// The bytes that go; empty to insert.
    pub at: Range<usize>,
    /// The bytes that come.
    pub with: Bytes,
}

/// Why a request cannot be served as it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mistake {
    /// It is not JSON.
    #[error("{0}")]
    Syntax(#[from] Fault),
    /// It is not UTF-8, from this byte on.
    #[error("not UTF-8 at byte {0}")]
    Encoding(usize),
    /// It is JSON, but not an object.
    #[error("the body must be a JSON object")]
    NotAnObject,
    /// A member is not there.
    #[error("missing member `{0}`")]
    Missing(&'static str),
    /// A member is of the wrong type.
    #[error("`{0}` must be {1}")]
    Mistyped(&'static str, &'static str),
    /// A member that Weir reads is there twice, and two readers may not agree on which counts.
    #[error("`{0}` is there twice")]
    Twice(&'static str),
}

/// Reads a request's body as it arrives.
#[derive(Debug)]
pub struct Reader {
    lexer: Lexer,
    walk: Walk,
    at: usize,
}

impl Reader {
    /// A reader for a body that may nest `depth_max` levels.
    pub fn new(depth_max: usize) -> Self {
        Self {
            lexer: Lexer::new(depth_max),
            walk: Walk::default(),
            at: 0,
        }
    }

    /// Reads the next piece.
    pub fn feed(&mut self, piece: &[u8]) -> Result<(), Mistake> {
        self.lexer.feed(self.at, piece, &mut self.walk)?;
        self.at += piece.len();
        Ok(())
    }

    /// Ends the body, which is `body` as a whole, and says what it asks.
    pub fn finish(mut self, body: &[u8], endpoint: Endpoint) -> Result<Facts, Mistake> {
        self.lexer.finish(self.at, &mut self.walk)?;
        std::str::from_utf8(body).map_err(|error| Mistake::Encoding(error.valid_up_to()))?;
        self.walk.facts(body, endpoint)
    }
}

/// Whether a JSON object is metadata as OpenAI bounds it: up to 16 texts of up to 512 characters, under names of up to 64.
pub fn is_metadata(object: &str) -> bool {
    let pairs = serde_json::from_str::<HashMap<Cow<'_, str>, Cow<'_, str>>>(object);
    let fits = |(name, text): (&Cow<'_, str>, &Cow<'_, str>)| {
        name.chars().count() <= 64 && text.chars().count() <= 512
    };
    pairs.is_ok_and(|pairs| pairs.len() <= 16 && pairs.iter().all(fits))
}

/// Makes the edits, which must not overlap; the pieces together are the new body.
pub fn splice(body: &Bytes, mut edits: Vec<Edit>) -> Vec<Bytes> {
    edits.sort_by_key(|edit| edit.at.start);
    let mut pieces = Vec::with_capacity(edits.len() * 2 + 1);
    let mut from = 0;
    for edit in edits {
        pieces.push(body.slice(from..edit.at.start));
        from = edit.at.end;
        pieces.push(edit.with);
    }
    pieces.push(body.slice(from..));
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

/// A JSON value as far as its type matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Null,
    Bool(bool),
    Number,
    String,
    Array,
    Object,
}

#[derive(Clone, Copy, Debug)]
struct Member {
    kind: Kind,
    span: Span,
}

/// The members that Weir reads. `include_usage` is the one inside `stream_options`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Name {
    Model,
    Messages,
    Input,
    Stream,
    StreamOptions,
    Metadata,
    MaxTokens,
    MaxCompletionTokens,
    MaxOutputTokens,
    Choices,
    BestOf,
    Tier,
    Background,
    IncludeUsage,
}

const NAMES: [(Name, &str); 14] = [
    (Name::Model, "model"),
    (Name::Messages, "messages"),
    (Name::Input, "input"),
    (Name::Stream, "stream"),
    (Name::StreamOptions, "stream_options"),
    (Name::Metadata, "metadata"),
    (Name::MaxTokens, "max_tokens"),
    (Name::MaxCompletionTokens, "max_completion_tokens"),
    (Name::MaxOutputTokens, "max_output_tokens"),
    (Name::Choices, "n"),
    (Name::BestOf, "best_of"),
    (Name::Tier, "service_tier"),
    (Name::Background, "background"),
    (Name::IncludeUsage, "include_usage"),
];

/// The place of the one name that is not at the top.
const INCLUDE_USAGE: usize = Name::IncludeUsage as usize;

#[derive(Debug, Default)]
struct Walk {
    depth: usize,
    root: Option<Kind>,
    members: [Option<Member>; NAMES.len()],
    twice: Option<Name>,
    /// The member whose value comes next, if Weir reads it.
    next: Option<Name>,
    /// The member whose object or array is being read.
    open: Option<Name>,
    in_options: bool,
    /// `stream_options` has members.
    options_filled: bool,
    model: Option<String>,
}

impl Walk {
    fn key(&mut self, text: Text<'_>) {
        let level = match (self.depth, self.in_options) {
            (1, _) => &NAMES[..INCLUDE_USAGE],
            (2, true) => {
                self.options_filled = true;
                &NAMES[INCLUDE_USAGE..]
            }
            _ => return,
        };
        let find = |name: &[u8]| {
            level
                .iter()
                .find(|known| known.1.as_bytes() == name)
                .map(|known| known.0)
        };
        self.next = match text.plain() {
            Some(name) => find(name),
            // An escaped name means what it says: `mod\u0065l` is the model to every other reader.
            None => text.decode().and_then(|name| find(name.as_bytes())),
        };
    }

    fn value(&mut self, kind: Kind, span: Span) {
        if self.depth == 0 {
            self.root = Some(kind);
        }
        if let Some(name) = self.next.take() {
            let old = self.members[name as usize].replace(Member { kind, span });
            if old.is_some() {
                self.twice = self.twice.or(Some(name));
            }
        }
    }

    fn facts(self, body: &[u8], endpoint: Endpoint) -> Result<Facts, Mistake> {
        if self.root != Some(Kind::Object) {
            return Err(Mistake::NotAnObject);
        }
        if let Some(name) = self.twice {
            return Err(Mistake::Twice(NAMES[name as usize].1));
        }
        let get = |name: Name| self.members[name as usize];
        let is_response = endpoint == Endpoint::Responses;
        let has_name = |name: &String| (1..=MODEL_MAX_BYTES).contains(&name.len());
        let (model, model_at) = match get(Name::Model).map(|m| (m.kind, m.span)) {
            // What is stored upstream may say which.
            None | Some((Kind::Null, _)) if is_response => (String::new(), 0..0),
            None => return Err(Mistake::Missing("model")),
            Some((Kind::String, span)) => match self.model.filter(has_name) {
                Some(name) => (name, span.start..span.end),
                None => return Err(Mistake::Mistyped("model", "the name of a model")),
            },
            Some(_) => return Err(Mistake::Mistyped("model", "a string")),
        };
        match (
            endpoint,
            get(Name::Messages).map(|m| m.kind),
            get(Name::Input).map(|m| m.kind),
        ) {
            (Endpoint::Chat, None, _) => return Err(Mistake::Missing("messages")),
            (Endpoint::Chat, Some(kind), _) if kind != Kind::Array => {
                return Err(Mistake::Mistyped("messages", "an array"));
            }
            (Endpoint::Embeddings, _, None) => return Err(Mistake::Missing("input")),
            (Endpoint::Embeddings, _, Some(kind))
                if !matches!(kind, Kind::String | Kind::Array) =>
            {
                return Err(Mistake::Mistyped("input", "a string or an array"));
            }
            _ => {}
        }
        let stream = match get(Name::Stream).map(|m| m.kind) {
            None | Some(Kind::Null) => false,
            Some(Kind::Bool(stream)) => stream,
            Some(_) => return Err(Mistake::Mistyped("stream", "a boolean")),
        };
        let usage = match endpoint {
            // Both tell it without being asked.
            Endpoint::Embeddings | Endpoint::Responses => AskedUsage::Unclear,
            _ => asked_usage(
                get(Name::StreamOptions),
                get(Name::IncludeUsage),
                self.options_filled,
                body,
            ),
        };
        let text = |name| get(name).and_then(|member| body.get(member.span.start..member.span.end));
        let number = |name| {
            let text = std::str::from_utf8(text(name)?).ok()?;
            // `8.0` and `8e0` are eight as well; what is below nothing is none.
            let number = text.parse::<u64>().ok();
            number.or_else(|| Some(text.parse::<f64>().ok()?.ceil() as u64))
        };
        let (max, choices) = match is_response {
            true => (number(Name::MaxOutputTokens), None),
            // Upstreams differ in which of the two they go by.
            false => (
                number(Name::MaxCompletionTokens).max(number(Name::MaxTokens)),
                number(Name::Choices).max(number(Name::BestOf)),
            ),
        };
        let choices = choices.unwrap_or(1).max(1);
        let word = |name| {
            std::str::from_utf8(text(name)?)
                .ok()?
                .strip_prefix('"')?
                .strip_suffix('"')
        };
        let tier = word(Name::Tier).and_then(Tier::of_answer);
        let background = get(Name::Background).map(|m| m.kind);
        let metadata = get(Name::Metadata).filter(|member| member.kind == Kind::Object);
        Ok(Facts {
            model,
            model_at,
            stream,
            usage,
            metadata: metadata.map(|member| member.span.start..member.span.end),
            output_max: max.map(|max| max.saturating_mul(choices)),
            choices,
            tier: tier.unwrap_or_default(),
            // What is neither may be a yes to an upstream that is easily pleased.
            background: is_response
                && !matches!(background, None | Some(Kind::Null | Kind::Bool(false))),
        })
    }
}

/// What the options say about usage, and the smallest edit that would have them ask for it.
fn asked_usage(
    options: Option<Member>,
    include: Option<Member>,
    filled: bool,
    body: &[u8],
) -> AskedUsage {
    let edit = |at: Range<usize>, with: &'static str| {
        AskedUsage::No(Edit {
            at,
            with: Bytes::from_static(with.as_bytes()),
        })
    };
    match (
        options.map(|m| (m.kind, m.span)),
        include.map(|m| (m.kind, m.span)),
    ) {
        (_, Some((Kind::Bool(true), _))) => AskedUsage::Yes,
        (_, Some((Kind::Bool(false) | Kind::Null, span))) => edit(span.start..span.end, "true"),
        (_, Some(_)) => AskedUsage::Unclear,
        (None, None) => {
            // A request names a model, so its object is never empty and a comma is right.
            let end = body
                .iter()
                .rposition(|&byte| byte == b'}')
                .unwrap_or(body.len());
            edit(end..end, r#","stream_options":{"include_usage":true}"#)
        }
        (Some((Kind::Null, span)), None) => edit(span.start..span.end, r#"{"include_usage":true}"#),
        (Some((Kind::Object, span)), None) => {
            let inside = span.start + 1;
            edit(
                inside..inside,
                if filled {
                    r#""include_usage":true,"#
                } else {
                    r#""include_usage":true"#
                },
            )
        }
        (Some(_), None) => AskedUsage::Unclear,
    }
}

impl Sink for Walk {
    // A caller knows which token it has, so that of this match only one arm is left there.
    #[inline(always)]
    fn token(&mut self, token: Token<'_>, span: Span) {
        match token {
            Token::Key(text, _) => self.key(text),
            Token::BeginObject | Token::BeginArray => {
                let kind = if token == Token::BeginObject {
                    Kind::Object
                } else {
                    Kind::Array
                };
                if self.depth == 1 {
                    self.in_options =
                        self.next == Some(Name::StreamOptions) && kind == Kind::Object;
                    self.open = self.next;
                }
                self.value(kind, span);
                self.depth += 1;
            }
            Token::EndObject | Token::EndArray => {
                self.depth -= 1;
                if self.depth == 1
                    && let Some(name) = self.open.take()
                    && let Some(member) = &mut self.members[name as usize]
                {
                    member.span.end = span.end;
                }
            }
            Token::String(text) => {
                if self.next == Some(Name::Model) {
                    self.model = text.decode().map(std::borrow::Cow::into_owned);
                }
                self.value(Kind::String, span);
            }
            Token::Number(_) => self.value(Kind::Number, span),
            Token::Bool(value) => self.value(Kind::Bool(value), span),
            Token::Null => self.value(Kind::Null, span),
        }
    }

    /// Most of a request are its messages, in which nothing is looked for.
    fn wants_inside(&self) -> bool {
        self.depth == 1 || self.depth == 2 && self.in_options
    }
}

#[cfg(test)]
mod tests;
