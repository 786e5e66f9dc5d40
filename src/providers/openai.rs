//! OpenAI's own dialect: what goes over is what the client wrote, under another address and credential.

use crate::{config::Upstream, domain::RequestId};
use bytes::BytesMut;
use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{ACCEPT_ENCODING, AUTHORIZATION, CONNECTION},
};

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Headers that Weir adds to a request: encoding, id, credential, host.
const ADDED: usize = 4;
const UPSTREAM_REQUEST_ID: HeaderName = HeaderName::from_static("x-weir-upstream-request-id");

/// The client's headers that are an upstream's business.
///
/// Their values are copied: as slices they would keep the buffer of the client's connection for as long as an
/// upstream thinks.
pub fn of_client(client: &HeaderMap) -> HeaderMap {
    let named = named_by_connection(client);
    let is_meant =
        |name: &HeaderName| !is_hop_by_hop(name) && !is_clients_own(name) && !named.contains(name);
    let meant = || client.iter().filter(|(name, _)| is_meant(name));
    let mut values = BytesMut::with_capacity(meant().map(|(_, value)| value.len()).sum());
    meant().for_each(|(_, value)| values.extend_from_slice(value.as_bytes()));
    let mut values = values.freeze();
    let mut headers = HeaderMap::with_capacity(meant().count() + ADDED);
    for (name, value) in meant() {
        let copy = HeaderValue::from_maybe_shared(values.split_to(value.len()));
        headers.append(name, copy.expect("it was a value before"));
    }
    headers
}

/// The headers of a request to `upstream`, made of what a client's request has for it.
pub fn headers(upstream: &Upstream, client: &HeaderMap, id: &RequestId) -> Option<HeaderMap> {
    let mut headers = client.clone();
    // The tap reads what comes back, and a client's library can read what was never encoded.
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    headers.insert(X_REQUEST_ID, id.header());
    if let Some(key) = &upstream.api_key {
        let mut value = HeaderValue::try_from(format!("Bearer {}", key.expose())).ok()?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    for (name, value) in &upstream.headers {
        headers.insert(name, value.clone());
    }
    Some(headers)
}

/// Makes an upstream's headers fit for the client.
pub fn clean(headers: &mut HeaderMap) {
    let mut gone = named_by_connection(headers);
    for name in headers.keys() {
        if is_hop_by_hop(name) || is_upstreams_own(name) {
            gone.push(name.clone());
        }
    }
    for name in gone {
        headers.remove(name);
    }
    if let Some(id) = headers.remove(X_REQUEST_ID) {
        headers.insert(UPSTREAM_REQUEST_ID, id);
    }
}

/// Whether a header speaks of the client, of its way here or of its credentials, which are no upstream's business.
fn is_clients_own(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "authorization"
            | "content-length"
            | "cookie"
            | "expect"
            | "forwarded"
            | "host"
            | "openai-organization"
            | "openai-project"
            | "origin"
            | "referer"
            | "via"
            | "x-api-key"
            | "x-forwarded-for"
            | "x-forwarded-host"
            | "x-forwarded-proto"
            | "x-real-ip"
            | "x-request-id"
    )
}

/// Whether a header speaks of the upstream, of the operator's account there or in the gateway's name, which is not the
/// client's business.
fn is_upstreams_own(name: &HeaderName) -> bool {
    let name = name.as_str();
    matches!(
        name,
        "alt-svc"
            | "openai-organization"
            | "openai-project"
            | "server"
            | "set-cookie"
            | "strict-transport-security"
            | "via"
            | "x-process-time"
            | "x-weir-origin"
            | "x-weir-upstream-request-id"
    ) || name.starts_with("access-control-")
        || name.starts_with("x-ratelimit-")
}

/// Whether a header speaks of one connection only.
fn is_hop_by_hop(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "connection"
            | "keep-alive"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "proxy-connection"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
    )
}

/// The headers that `connection` declares to be of this connection only.
fn named_by_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    let values = headers.get_all(CONNECTION).iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| HeaderName::try_from(name.trim()).ok())
        .collect()
}
