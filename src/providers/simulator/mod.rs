//! A model server that runs inside Weir, for a first look, for rehearsing faults and for tests.
//!
//! The same request always gets the same answer, and its usage is exact by its own tokenizer, [`tokens`]. It is
//! pure: it has no clock, no timer and no dice; whoever plays an [`Answer`] keeps the time. Nothing in a request
//! can make it panic or take unbounded memory.

mod chat;
mod completions;
mod embeddings;
mod fields;
mod hash;
mod inputs;
mod manner;
mod message;
mod play;
mod refusal;
mod reply;
mod schema;
mod shape;
mod speech;
mod text;
mod tools;

#[cfg(test)]
mod tests;

pub use chat::MESSAGE_TOKENS;
pub use manner::MODELS;
pub use play::{Play, Step};
pub use text::tokens;

use crate::domain::Endpoint;
use fields::Fields;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use manner::Manner;
use refusal::Refusal;
use serde_json::{Map, Value};
use speech::Speech;
use std::time::Duration;

/// How fast the simulator speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Tokens a second; 0 is as fast as they can be read.
    pub words_per_second: u32,
}

impl Pace {
    fn per_token(self) -> Duration {
        Duration::from_secs(1)
            .checked_div(self.words_per_second)
            .unwrap_or_default()
    }
}

/// What the simulator answers.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers, a `content-length` among them unless it is a stream.
    pub headers: HeaderMap,
    /// How long the head is waited for.
    pub delay: Duration,
    /// The body.
    pub play: Play,
}

/// Answers a request; `created` is the time, in Unix seconds, that the answer bears.
pub fn answer(endpoint: Endpoint, body: &[u8], pace: Pace, created: u64) -> Answer {
    match read(body)
        .and_then(|request| answer_to(endpoint, &request, hash::hash(body), pace, created))
    {
        Ok(answer) => answer,
        Err(refusal) => Answer::refusal(&refusal),
    }
}

/// A request, as far as it is the same for all endpoints.
struct Ask<'a> {
    fields: Fields<'a>,
    model: &'a str,
    manner: Manner,
    /// Of the request's bytes.
    hash: u64,
    created: u64,
}

fn read(body: &[u8]) -> Result<Map<String, Value>, Refusal> {
    serde_json::from_slice(body).map_err(|error| {
        Refusal::invalid(format!(
            "We could not parse the JSON body of your request: {error}."
        ))
    })
}

fn answer_to(
    endpoint: Endpoint,
    request: &Map<String, Value>,
    hash: u64,
    pace: Pace,
    created: u64,
) -> Result<Answer, Refusal> {
    let fields = Fields(request);
    let model = fields.model()?;
    let manner = Manner::of(model).ok_or_else(|| Refusal::unknown_model(model))?;
    if let Some(refusal) = manner.refusal() {
        return Err(refusal);
    }
    let ask = Ask {
        fields,
        model,
        manner,
        hash,
        created,
    };
    match endpoint {
        Endpoint::Chat => speak(&ask, chat::answer(&ask)?, pace),
        Endpoint::Completions => speak(&ask, completions::answer(&ask)?, pace),
        Endpoint::Embeddings => {
            let delay = manner.tempo(pace).start;
            Ok(Answer::whole(
                delay,
                Play::whole(embeddings::answer(&ask)?, manner),
            ))
        }
        _ => Err(Refusal::unknown_endpoint()),
    }
}

/// Says it as a stream or in one piece, as the request wants it.
fn speak(ask: &Ask<'_>, speech: Speech, pace: Pace) -> Result<Answer, Refusal> {
    let tempo = ask.manner.tempo(pace);
    let (stream, usage_asked) = ask.fields.stream()?;
    let reports_usage = ask.manner.reports_usage();
    if stream {
        let usage = usage_asked && reports_usage;
        let play = Play::stream(speech, ask.manner, tempo.per_token, usage);
        return Ok(Answer::stream(tempo.start, play));
    }
    let tokens = u32::try_from(speech.longest()).unwrap_or(u32::MAX);
    let speaking = tempo.per_token.saturating_mul(tokens).min(tempo.whole_max);
    let play = Play::whole(speech.whole(reports_usage), ask.manner);
    Ok(Answer::whole(tempo.start + speaking, play))
}

impl Answer {
    fn whole(delay: Duration, play: Play) -> Self {
        let json = HeaderValue::from_static("application/json");
        let mut headers = HeaderMap::from_iter([(header::CONTENT_TYPE, json)]);
        headers.extend(
            play.size()
                .map(|size| (header::CONTENT_LENGTH, size.into())),
        );
        Self {
            status: StatusCode::OK,
            headers,
            delay,
            play,
        }
    }

    fn stream(delay: Duration, play: Play) -> Self {
        let events = HeaderValue::from_static("text/event-stream; charset=utf-8");
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, events)]);
        Self {
            status: StatusCode::OK,
            headers,
            delay,
            play,
        }
    }

    fn refusal(refusal: &Refusal) -> Self {
        let mut answer = Self::whole(Duration::ZERO, Play::whole(refusal.body(), Manner::Plain));
        answer.status = refusal.status;
        let retry_after = refusal
            .retry_after_secs
            .map(|secs| (header::RETRY_AFTER, secs.into()));
        answer.headers.extend(retry_after);
        answer
    }
}
