//! Why a call failed, in the caller's words, and what that is in HTTP.
//!
//! Parts fail in their own words; here those become the caller's. What the caller reads and what the log keeps are
//! different strings: nothing of the inside shows here.

mod limits;
mod parts;
mod people;
mod words;

use crate::{
    limits::Refusal,
    wire::{error::ErrorBody, members, query, request::Mistake},
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use std::time::Duration;

/// A refusal or a failure, as its caller will see it.
#[derive(Debug)]
pub enum Error {
    /// No valid credential. Missing, malformed, unknown, revoked and expired look alike.
    Unauthenticated,
    /// The key may not be used from this address.
    AddressForbidden,
    /// The key, or its project, may not use this model.
    ModelForbidden(String),
    /// The key may only use certain models, and this path does not show which it uses.
    PathForbidden,
    /// Tokens or dollars of the caller are limited, and nobody sees here what a response uses in the background.
    BackgroundForbidden,
    /// Email and password, or a refresh token, are not right; which of them is not said.
    BadCredentials,
    /// Too many attempts to sign in have failed; how long to wait.
    SlowDown(Duration),
    /// The keys of an outside issuer cannot be had right now, so nobody can say whose token this is.
    IssuerUnavailable,
    /// A user's call has to name one of their projects.
    ProjectNeeded,
    /// What was to be made is there already.
    Conflict(&'static str),
    /// Whoever asks is known, and may not do this.
    Forbidden,
    /// There is no such thing, or none that whoever asks may know of; its kind and its id.
    NoSuch(&'static str, String),
    /// Nothing of this kind is set.
    NotSet(&'static str),
    /// It cannot be done with what is there now; the code and the reason.
    Refused(&'static str, String),
    /// A member of the body is not what this path takes.
    Member(members::Mistake),
    /// No such model, or none that this key may know of.
    NoSuchModel(String),
    /// No such path.
    NoSuchPath,
    /// The path is known, but no upstream serves it.
    NotServed,
    /// The path is known, the method is not.
    MethodNotAllowed(Vec<Method>),
    /// The request contradicts itself or the protocol.
    BadRequest(&'static str),
    /// The body is not what this path takes.
    Invalid(Mistake),
    /// The query of the URL is not what this path takes.
    Query(query::Mistake),
    /// The store does not answer.
    StoreUnavailable,
    /// There are more headers than this.
    TooManyHeaders(usize),
    /// The body is larger than this many bytes.
    TooLarge(u64),
    /// The client was too slow in sending.
    TooSlow,
    /// The body is not JSON by its content type.
    NotJson,
    /// There is no room for this request now.
    Overloaded(&'static str),
    /// The upstream has no turn for this call, and no room to wait for one; when there may be one.
    Saturated(Duration),
    /// The ledger has no place for this call, and no call goes unmetered.
    LedgerFull,
    /// A limit is in the way.
    Limited(Box<Refusal>),
    /// How much of a limit is left cannot be known right now.
    LimitsUnavailable,
    /// The gateway is about to stop.
    Draining,
    /// No upstream could be reached, or none answered properly.
    UpstreamUnreachable,
    /// The upstream refused the gateway's own credential.
    UpstreamAuth,
    /// The upstream did not answer in time.
    UpstreamTimeout,
    /// A fault of the gateway's own; the log knows more under the request's id.
    Internal,
}

/// How long a client is asked to wait when the gateway has no room.
const RETRY_AFTER: Duration = Duration::from_secs(1);

impl Error {
    /// The status, the type and the code.
    fn facts(&self) -> (StatusCode, &'static str, Option<&'static str>) {
        const INVALID: &str = "invalid_request_error";
        const SERVER: &str = "server_error";
        match self {
            Self::Unauthenticated => (StatusCode::UNAUTHORIZED, INVALID, Some("invalid_api_key")),
            Self::AddressForbidden => {
                (StatusCode::UNAUTHORIZED, INVALID, Some("ip_not_authorized"))
            }
            Self::ModelForbidden(_) => (StatusCode::FORBIDDEN, INVALID, Some("model_not_allowed")),
            Self::PathForbidden => (StatusCode::FORBIDDEN, INVALID, Some("path_not_allowed")),
            Self::BackgroundForbidden => (
                StatusCode::BAD_REQUEST,
                INVALID,
                Some("background_not_allowed"),
            ),
            Self::BadCredentials => (
                StatusCode::UNAUTHORIZED,
                INVALID,
                Some("invalid_credentials"),
            ),
            Self::SlowDown(_) => (
                StatusCode::TOO_MANY_REQUESTS,
                INVALID,
                Some("too_many_attempts"),
            ),
            Self::IssuerUnavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                SERVER,
                Some("issuer_unavailable"),
            ),
            Self::ProjectNeeded => (StatusCode::BAD_REQUEST, INVALID, Some("project_required")),
            Self::Conflict(_) => (StatusCode::CONFLICT, INVALID, Some("conflict")),
            Self::Forbidden => (
                StatusCode::FORBIDDEN,
                INVALID,
                Some("insufficient_permissions"),
            ),
            Self::NoSuch(..) | Self::NotSet(_) => {
                (StatusCode::NOT_FOUND, INVALID, Some("not_found"))
            }
            Self::Refused(code, _) => (StatusCode::BAD_REQUEST, INVALID, Some(*code)),
            Self::Member(mistake) => (
                StatusCode::BAD_REQUEST,
                INVALID,
                Some(match mistake.why {
                    members::Why::Missing => "missing_required_parameter",
                    members::Why::Unknown(_) => "unknown_parameter",
                    members::Why::Wrong(_) => "invalid_value",
                }),
            ),
            Self::NoSuchModel(_) => (StatusCode::NOT_FOUND, INVALID, Some("model_not_found")),
            Self::NoSuchPath => (StatusCode::NOT_FOUND, INVALID, Some("unknown_url")),
            Self::NotServed => (StatusCode::NOT_FOUND, INVALID, Some("not_served")),
            Self::MethodNotAllowed(_) => (
                StatusCode::METHOD_NOT_ALLOWED,
                INVALID,
                Some("method_not_allowed"),
            ),
            Self::BadRequest(_) => (StatusCode::BAD_REQUEST, INVALID, Some("bad_request")),
            Self::Invalid(Mistake::Syntax(_) | Mistake::Encoding(_) | Mistake::NotAnObject) => {
                (StatusCode::BAD_REQUEST, INVALID, Some("invalid_json"))
            }
            Self::Invalid(Mistake::Missing(_)) => (
                StatusCode::BAD_REQUEST,
                INVALID,
                Some("missing_required_parameter"),
            ),
            Self::Invalid(Mistake::Mistyped(..)) => {
                (StatusCode::BAD_REQUEST, INVALID, Some("invalid_type"))
            }
            Self::Invalid(Mistake::Twice(_)) => (
                StatusCode::BAD_REQUEST,
                INVALID,
                Some("duplicate_parameter"),
            ),
            Self::Query(mistake) => (
                StatusCode::BAD_REQUEST,
                INVALID,
                Some(match mistake {
                    query::Mistake::Syntax | query::Mistake::TooMany => "bad_request",
                    query::Mistake::Missing(_) => "missing_required_parameter",
                    query::Mistake::Twice(_) => "duplicate_parameter",
                    query::Mistake::Unknown(_) => "unknown_parameter",
                    query::Mistake::Wrong(..) => "invalid_value",
                }),
            ),
            Self::StoreUnavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                SERVER,
                Some("store_unavailable"),
            ),
            Self::TooManyHeaders(_) => (
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                INVALID,
                Some("headers_too_large"),
            ),
            Self::TooLarge(_) => (
                StatusCode::PAYLOAD_TOO_LARGE,
                INVALID,
                Some("request_too_large"),
            ),
            Self::TooSlow => (
                StatusCode::REQUEST_TIMEOUT,
                INVALID,
                Some("request_timeout"),
            ),
            Self::NotJson => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                INVALID,
                Some("unsupported_media_type"),
            ),
            Self::Overloaded(_) => (StatusCode::SERVICE_UNAVAILABLE, SERVER, Some("overloaded")),
            Self::Saturated(_) => (
                StatusCode::SERVICE_UNAVAILABLE,
                SERVER,
                Some("upstream_saturated"),
            ),
            Self::LedgerFull => (StatusCode::SERVICE_UNAVAILABLE, SERVER, Some("ledger_full")),
            Self::Limited(refusal) => limits::facts(refusal),
            Self::LimitsUnavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                SERVER,
                Some("limits_unavailable"),
            ),
            Self::Draining => (StatusCode::SERVICE_UNAVAILABLE, SERVER, Some("draining")),
            Self::UpstreamUnreachable => (
                StatusCode::BAD_GATEWAY,
                SERVER,
                Some("upstream_unreachable"),
            ),
            Self::UpstreamAuth => (StatusCode::BAD_GATEWAY, SERVER, Some("upstream_auth")),
            Self::UpstreamTimeout => (
                StatusCode::GATEWAY_TIMEOUT,
                SERVER,
                Some("upstream_timeout"),
            ),
            Self::Internal => (
                StatusCode::INTERNAL_SERVER_ERROR,
                SERVER,
                Some("internal_error"),
            ),
        }
    }

    /// The status of the answer.
    pub fn status(&self) -> StatusCode {
        self.facts().0
    }

    /// The code, for metrics.
    pub fn code(&self) -> &'static str {
        self.facts().2.unwrap_or("none")
    }

    /// The member of the request that is wrong.
    fn param(&self) -> Option<&str> {
        match self {
            Self::Query(mistake) => mistake.param(),
            Self::Member(mistake) => Some(&mistake.name),
            Self::Invalid(
                Mistake::Missing(name) | Mistake::Mistyped(name, _) | Mistake::Twice(name),
            ) => Some(name),
            Self::NoSuchModel(_) | Self::ModelForbidden(_) => Some("model"),
            Self::BackgroundForbidden => Some("background"),
            _ => None,
        }
    }

    /// The error object.
    pub fn body(&self) -> ErrorBody {
        let (_, kind, code) = self.facts();
        ErrorBody::new(self.message(), kind, self.param(), code)
    }

    /// Adds headers beyond the usual ones.
    pub fn add_headers(&self, into: &mut HeaderMap) {
        match self {
            Self::MethodNotAllowed(allowed) => {
                let value =
                    HeaderValue::try_from(list(allowed)).expect("methods are valid header values");
                into.insert(header::ALLOW, value);
            }
            Self::SlowDown(wait) => {
                into.insert(header::RETRY_AFTER, whole(*wait).into());
            }
            Self::Saturated(wait) => limits::retry_after(*wait, into),
            Self::Overloaded(_)
            | Self::LedgerFull
            | Self::StoreUnavailable
            | Self::LimitsUnavailable
            | Self::IssuerUnavailable
            | Self::Draining => limits::retry_after(RETRY_AFTER, into),
            Self::Limited(refusal) => limits::headers(refusal, into),
            Self::Unauthenticated | Self::BadCredentials => {
                into.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            _ => {}
        }
    }

    /// Whether what the client still has to send makes its connection useless.
    pub fn closes(&self) -> bool {
        matches!(self, Self::TooLarge(_) | Self::TooSlow | Self::Draining)
    }
}

/// A wait in whole seconds, rounded up: who comes back then is let in.
fn whole(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

fn list(methods: &[Method]) -> String {
    methods
        .iter()
        .map(Method::as_str)
        .collect::<Vec<_>>()
        .join(", ")
}
