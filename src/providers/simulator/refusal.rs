//! Answers that are errors, in OpenAI's words and shape.

use http::StatusCode;
use serde::Serialize;

/// Why a request gets no answer.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) retry_after_secs: Option<u64>,
    error: Error,
}

#[derive(Debug, Serialize)]
struct Error {
    message: String,
    #[serde(rename = "type")]
    kind: &'static str,
    param: Option<String>,
    code: Option<&'static str>,
}

impl Refusal {
    /// The request cannot be read.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "invalid_request_error",
            None,
            message,
        )
    }

    /// One member of the request is wrong.
    pub(super) fn param(param: impl Into<String>, message: impl Into<String>) -> Self {
        let mut refusal = Self::invalid(message);
        refusal.error.param = Some(param.into());
        refusal
    }

    /// There is no simulator of that name.
    pub(super) fn unknown_model(model: &str) -> Self {
        let message = format!("The model `{model}` does not exist.");
        let kind = "invalid_request_error";
        Self::new(
            StatusCode::NOT_FOUND,
            kind,
            Some("model_not_found"),
            message,
        )
    }

    /// The simulator plays chat, completions and embeddings only.
    pub(super) fn unknown_endpoint() -> Self {
        let message = "The simulator has no such endpoint.";
        Self::new(
            StatusCode::NOT_FOUND,
            "invalid_request_error",
            Some("unknown_url"),
            message,
        )
    }

    /// The credential that Weir holds for the upstream is refused.
    pub(super) fn bad_credential() -> Self {
        let message = "Incorrect API key provided.";
        let kind = "invalid_request_error";
        Self::new(
            StatusCode::UNAUTHORIZED,
            kind,
            Some("invalid_api_key"),
            message,
        )
    }

    /// Too many requests; the next may come in a second.
    pub(super) fn rate_limited() -> Self {
        let message = "Rate limit reached for requests. Please try again in 1s.";
        let (status, code) = (StatusCode::TOO_MANY_REQUESTS, "rate_limit_exceeded");
        Self {
            retry_after_secs: Some(1),
            ..Self::new(status, "requests", Some(code), message)
        }
    }

    /// The server failed.
    pub(super) fn server_error() -> Self {
        let message = "The server had an error while processing your request. Sorry about that!";
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "server_error",
            None,
            message,
        )
    }

    /// The server has no room.
    pub(super) fn overloaded() -> Self {
        let message = "The engine is currently overloaded, please try again later.";
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "server_error",
            None,
            message,
        )
    }

    /// The body, which is also the data of an error event.
    pub(super) fn body(&self) -> Vec<u8> {
        #[derive(Serialize)]
        struct Body<'a> {
            error: &'a Error,
        }
        super::shape::json(&Body { error: &self.error })
    }

    fn new(
        status: StatusCode,
        kind: &'static str,
        code: Option<&'static str>,
        message: impl Into<String>,
    ) -> Self {
        let error = Error {
            message: message.into(),
            kind,
            param: None,
            code,
        };
        Self {
            status,
            retry_after_secs: None,
            error,
        }
    }
}
