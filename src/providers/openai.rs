//! OpenAI's own dialect: what goes over is what the client wrote, under another address and credential.

use crate::{config::Upstream, domain::RequestId};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Uri,
    header::{self, ACCEPT_ENCODING, AUTHORIZATION},
    request,
};

/// Headers of a client that are not the upstream's business: they speak of the connection, of the client, or of
/// its credentials.
const KEPT_FROM_UPSTREAM: [HeaderName; 17] = [
    header::AUTHORIZATION,
    header::HOST,
    header::CONTENT_LENGTH,
    header::COOKIE,
    header::EXPECT,
    header::FORWARDED,
    header::ORIGIN,
    header::REFERER,
    header::VIA,
    HeaderName::from_static("x-api-key"),
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-forwarded-proto"),
    HeaderName::from_static("x-real-ip"),
    HeaderName::from_static("openai-organization"),
    HeaderName::from_static("openai-project"),
    HeaderName::from_static("x-request-id"),
];

/// Headers of an upstream that are not the client's business: they speak of the connection, of the operator's
/// account there, or in the name of the gateway.
const KEPT_FROM_CLIENT: [HeaderName; 15] = [
    header::SERVER,
    header::SET_COOKIE,
    header::VIA,
    header::ALT_SVC,
    header::STRICT_TRANSPORT_SECURITY,
    header::ACCESS_CONTROL_ALLOW_ORIGIN,
    header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
    header::ACCESS_CONTROL_ALLOW_HEADERS,
    header::ACCESS_CONTROL_ALLOW_METHODS,
    header::ACCESS_CONTROL_EXPOSE_HEADERS,
    HeaderName::from_static("openai-organization"),
    HeaderName::from_static("openai-project"),
    HeaderName::from_static("x-weir-origin"),
    HeaderName::from_static("x-weir-upstream-request-id"),
    HeaderName::from_static("x-process-time"),
];

/// Headers that speak of one connection only.
const HOP_BY_HOP: [HeaderName; 9] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    HeaderName::from_static("proxy-connection"),
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const UPSTREAM_REQUEST_ID: HeaderName = HeaderName::from_static("x-weir-upstream-request-id");

/// The head of a request to `path_and_query` below the upstream's base URL, made of the client's `headers`.
pub fn head(
    upstream: &Upstream,
    method: Method,
    path_and_query: &str,
    headers: &HeaderMap,
    id: &RequestId,
) -> Option<request::Parts> {
    let uri = Uri::try_from(format!("{}{path_and_query}", upstream.base_url)).ok()?;
    let mut parts = http::Request::new(()).into_parts().0;
    parts.method = method;
    parts.uri = uri;
    parts.headers = headers.clone();
    strip(&mut parts.headers, &KEPT_FROM_UPSTREAM);
    // The tap reads what comes back, and a client's library gets what it can read in any case.
    parts
        .headers
        .insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    parts.headers.insert(X_REQUEST_ID, id.header());
    if let Some(key) = &upstream.api_key {
        let mut value = HeaderValue::try_from(format!("Bearer {}", key.expose())).ok()?;
        value.set_sensitive(true);
        parts.headers.insert(AUTHORIZATION, value);
    }
    for (name, value) in &upstream.headers {
        parts.headers.insert(name, value.clone());
    }
    Some(parts)
}

/// Makes an upstream's headers fit for the client.
pub fn clean(headers: &mut HeaderMap) {
    strip(headers, &KEPT_FROM_CLIENT);
    let limits: Vec<HeaderName> = headers
        .keys()
        .filter(|name| name.as_str().starts_with("x-ratelimit-"))
        .cloned()
        .collect();
    for name in limits {
        headers.remove(name);
    }
    if let Some(id) = headers.remove(X_REQUEST_ID) {
        headers.insert(UPSTREAM_REQUEST_ID, id);
    }
}

fn strip(headers: &mut HeaderMap, names: &[HeaderName]) {
    // What `connection` names is hop-by-hop too.
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| HeaderName::try_from(name.trim()).ok())
        .collect();
    for name in HOP_BY_HOP.iter().chain(names).chain(&named) {
        headers.remove(name);
    }
}
