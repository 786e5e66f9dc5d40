//! Which web pages may call the data plane.

use super::Plane;
use crate::{
    body::{self, Body},
    config::Cors,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};

/// Headers that a page may read.
const EXPOSED: HeaderValue = HeaderValue::from_static(
    "x-request-id, openai-processing-ms, openai-version, x-process-time, x-weir-origin, retry-after, retry-after-ms, x-should-retry",
);

/// What a browser asks on behalf of a page.
pub(super) struct Asked {
    origin: HeaderValue,
    /// The headers that the page wants to send, in a preflight.
    headers: Option<HeaderValue>,
    is_preflight: bool,
}

impl Asked {
    /// What these headers ask; nothing if they name no page.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let get = |name: HeaderName| headers.get(name).cloned();
        Some(Self {
            origin: get(header::ORIGIN)?,
            headers: get(header::ACCESS_CONTROL_REQUEST_HEADERS),
            is_preflight: headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD),
        })
    }

    /// Whether the request only asks whether another would be allowed.
    pub(super) fn preflight<B>(&self, request: &Request<B>, plane: Plane) -> bool {
        plane == Plane::Data && request.method() == Method::OPTIONS && self.is_preflight
    }

    /// Lets the page read the answer, if the config does.
    pub(super) fn allow(self, cors: &Cors, headers: &mut HeaderMap) {
        if cors.origins.is_empty() {
            return;
        }
        let any = cors.origins.iter().any(|allowed| allowed == "*");
        headers.append(header::VARY, HeaderValue::from_static("origin"));
        if !any
            && !cors
                .origins
                .iter()
                .any(|allowed| allowed.as_bytes() == self.origin.as_bytes())
        {
            return;
        }
        headers.insert(
            header::ACCESS_CONTROL_ALLOW_ORIGIN,
            if any {
                HeaderValue::from_static("*")
            } else {
                self.origin
            },
        );
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
        if self.is_preflight {
            let methods = HeaderValue::from_static("GET, POST, DELETE, PUT, PATCH");
            headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
            headers.insert(
                header::ACCESS_CONTROL_MAX_AGE,
                cors.max_age.as_secs().into(),
            );
            if let Some(wanted) = self.headers {
                headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, wanted);
            }
        }
    }
}

/// The answer to a preflight, before the config has its say.
pub(super) fn preflight() -> Response<Body> {
    let mut response = Response::new(body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}
