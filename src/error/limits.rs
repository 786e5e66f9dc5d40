//! How a limit that is in the way is told.

use super::{Error, whole};
use crate::{
    domain::{Coin, Flow, Kind, Level, NanoDollars, Pace, Span},
    limits::{EASE, Reason, Refusal},
    wire::span,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header::RETRY_AFTER};
use std::{fmt, time::Duration};

const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");
const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");
/// A place among the requests in the air comes free when another ends, and nobody knows when that is.
const SOON: Duration = Duration::from_secs(1);
/// The longest wait that OpenAI's clients believe. Told a longer one they would come back in a second.
const LISTENED: Duration = Duration::from_secs(60);

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Limited(Box::new(refusal))
    }
}

/// The status, the type and the code.
pub(super) fn facts(refusal: &Refusal) -> (StatusCode, &'static str, Option<&'static str>) {
    const SPENT: &str = "insufficient_quota";
    if refusal.reason == Reason::Unpriced {
        let kind = "invalid_request_error";
        return (StatusCode::FORBIDDEN, kind, Some("model_not_priced"));
    }
    let (kind, code) = match (refusal.kind, refusal.level) {
        (Kind::Rate(Flow::Requests, _) | Kind::InFlight, _) => ("requests", "rate_limit_exceeded"),
        (Kind::Rate(..), _) => ("tokens", "rate_limit_exceeded"),
        // It is not spent: calls in the air hold what is left, and may need less.
        (Kind::Budget(..), _) if refusal.wait.is_some() => ("tokens", "rate_limit_exceeded"),
        (Kind::Budget(Coin::Dollars, _), Level::Organization) => {
            (SPENT, "organization_spend_limit_exceeded")
        }
        (Kind::Budget(Coin::Dollars, _), Level::Project) => (SPENT, "project_spend_limit_exceeded"),
        (Kind::Budget(..), _) => (SPENT, SPENT),
    };
    (StatusCode::TOO_MANY_REQUESTS, kind, Some(code))
}

/// When to come back, where that is of use.
pub(super) fn headers(refusal: &Refusal, into: &mut HeaderMap) {
    let wait = match refusal.kind {
        _ if refusal.reason != Reason::Short => None,
        Kind::InFlight => Some(SOON),
        _ => refusal.wait,
    };
    if let Some(wait) = wait {
        retry_after(with_ease(wait), into);
    }
    if wait.is_none_or(|wait| wait > LISTENED) {
        into.insert(SHOULD_RETRY, HeaderValue::from_static("false"));
    }
}

/// A wait with some ease. Whoever was promised anything believes it still; of the others, those who can.
fn with_ease(wait: Duration) -> Duration {
    (wait + EASE).min(LISTENED.max(wait))
}

/// Asks to come back after `wait`: to the millisecond for those who can read that, in whole seconds for the others.
pub(super) fn retry_after(wait: Duration, into: &mut HeaderMap) {
    into.insert(RETRY_AFTER, whole(wait).into());
    into.insert(RETRY_AFTER_MS, span::Span(wait).millis().into());
}

/// The limit, what is left of it and when it is whole again, and no key.
pub(super) fn message(refusal: &Refusal) -> String {
    let Refusal {
        level,
        kind,
        amount,
        left,
        ..
    } = *refusal;
    let (whose, what) = (level.as_str(), Name(kind));
    let (all, left) = (Amount(kind, amount), Amount(kind, left));
    let written = |wait: Option<Duration>| wait.map(span::Span);
    match (refusal.reason, kind) {
        (Reason::Unpriced, _) => format!(
            "Nobody has said what this model costs, so the budget of the {whose} ({all} {what}) cannot hold it. Its price can be set in the gateway's configuration."
        ),
        (Reason::TooLarge, _) => format!(
            "Request too large for the {whose} on {what}: limit {all}. Send fewer tokens, or ask for fewer."
        ),
        (Reason::Short, Kind::Budget(..)) if refusal.wait.is_some() => format!(
            "What is left of the budget of the {whose} ({all} {what}) is held by calls in the air. Please try again in a second."
        ),
        (Reason::Short, Kind::Budget(..)) => {
            let resets = match written(refusal.resets_in) {
                Some(span) => format!("it resets in {span}"),
                None => "it does not reset".to_owned(),
            };
            format!(
                "You exceeded the budget of the {whose}: {all} {what}, {left} left; {resets}. Ask whoever runs the gateway to raise it."
            )
        }
        (Reason::Short, _) => {
            let again = match written(refusal.wait.map(with_ease)) {
                Some(span) => format!(" Please try again in {span}."),
                None => String::new(),
            };
            let resets = match written(refusal.resets_in) {
                Some(span) => format!(", resets in {span}"),
                None => String::new(),
            };
            format!(
                "Rate limit reached for the {whose} on {what}: limit {all}, left {left}{resets}.{again}"
            )
        }
    }
}

/// What is counted.
struct Name(Kind);

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, span) = match self.0 {
            Kind::InFlight => ("requests", "at the same time"),
            Kind::Rate(flow, pace) => {
                let what = match flow {
                    Flow::Requests => "requests",
                    Flow::Tokens => "tokens",
                    Flow::Input => "input tokens",
                    Flow::Output => "output tokens",
                };
                match pace {
                    Pace::Minute => (what, "per min"),
                    Pace::Day => (what, "per day"),
                }
            }
            Kind::Budget(coin, span) => {
                let span = match span {
                    Span::Hour => "an hour",
                    Span::Day => "a day",
                    Span::Month => "a month",
                    Span::Life => "in all",
                };
                match coin {
                    Coin::Dollars => return f.write_str(span),
                    Coin::Tokens => ("tokens", span),
                }
            }
        };
        write!(f, "{what} {span}")
    }
}

/// How much: dollars, or a number.
struct Amount(Kind, u64);

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Kind::Budget(Coin::Dollars, _) => write!(f, "${}", NanoDollars::new(self.1.into())),
            _ => write!(f, "{}", self.1),
        }
    }
}
