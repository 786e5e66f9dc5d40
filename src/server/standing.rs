//! How the limits of a caller stand, in the headers that OpenAI has for it.

use crate::{
    domain::{Side, Standing},
    wire::span::Span,
};
use http::{HeaderMap, HeaderName, HeaderValue};

/// What a rate is that nobody has limited: the largest number that every JSON reader keeps whole, as in the answers of
/// the control plane.
const UNLIMITED: HeaderValue = HeaderValue::from_static("9007199254740991");
const AT_ONCE: HeaderValue = HeaderValue::from_static("0s");

/// The names of a flow's limit, what is left of it, and when it is full again.
type Names = [HeaderName; 3];

const REQUESTS: Names = [
    HeaderName::from_static("x-ratelimit-limit-requests"),
    HeaderName::from_static("x-ratelimit-remaining-requests"),
    HeaderName::from_static("x-ratelimit-reset-requests"),
];
const TOKENS: Names = [
    HeaderName::from_static("x-ratelimit-limit-tokens"),
    HeaderName::from_static("x-ratelimit-remaining-tokens"),
    HeaderName::from_static("x-ratelimit-reset-tokens"),
];

/// Tells it.
pub(super) fn tell(standing: &Standing, headers: &mut HeaderMap) {
    side(standing.requests, REQUESTS, headers);
    side(standing.tokens, TOKENS, headers);
}

fn side(side: Option<Side>, [limit, remaining, reset]: Names, headers: &mut HeaderMap) {
    let values = match side {
        None => [UNLIMITED, UNLIMITED, AT_ONCE],
        Some(side) => {
            let span = Span(side.reset).to_string();
            let span = HeaderValue::try_from(span).expect("digits and letters");
            [side.limit.into(), side.remaining.into(), span]
        }
    };
    for (name, value) in [limit, remaining, reset].into_iter().zip(values) {
        headers.insert(name, value);
    }
}
