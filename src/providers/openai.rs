//! OpenAI's own dialect: what goes over is what the client wrote, under another address and credential.

use crate::{config::Upstream, domain::RequestId};
use bytes::{Bytes, BytesMut};
use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{ACCEPT_ENCODING, AUTHORIZATION, CONNECTION, Entry},
};

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const UPSTREAM_REQUEST_ID: HeaderName = HeaderName::from_static("x-weir-upstream-request-id");
/// Headers that are added to a request: encoding, id, credential, length. What has to grow for them costs more than all
/// of them.
const ADDED: usize = 4;

/// The client's headers that are an upstream's business.
///
/// Their values are copied: as slices they would keep the buffer of the client's connection for as long as an
/// upstream thinks.
pub fn of_client(client: &HeaderMap) -> Vec<(HeaderName, HeaderValue)> {
    let named = named_by_connection(client);
    let mut headers = Vec::with_capacity(client.len());
    for (name, value) in client {
        if !is_hop_by_hop(name) && !is_clients_own(name) && !named.contains(name) {
            headers.push((name.clone(), value.clone()));
        }
    }
    let mut copy = BytesMut::with_capacity(headers.iter().map(|(_, value)| value.len()).sum());
    for (_, value) in &headers {
        copy.extend_from_slice(value.as_bytes());
    }
    let mut copy = copy.freeze();
    for (_, value) in &mut headers {
        let same = HeaderValue::from_maybe_shared(copy.split_to(value.len()));
        *value = same.expect("it was a value before");
    }
    headers
}

/// The headers of a request to `upstream`, made of what a client's request has for it.
pub fn headers(
    upstream: &Upstream,
    client: &[(HeaderName, HeaderValue)],
    id: &RequestId,
) -> Option<Vec<(HeaderName, HeaderValue)>> {
    let mut headers = Vec::with_capacity(client.len() + upstream.headers.len() + ADDED);
    headers.extend_from_slice(client);
    let mut set = |name: HeaderName, value: HeaderValue| {
        headers.retain(|(other, _)| *other != name);
        headers.push((name, value));
    };
    // The tap reads what comes back, and a client's library can read what was never encoded.
    set(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    set(X_REQUEST_ID, id.header());
    if let Some(key) = &upstream.api_key {
        let bearer = ["Bearer ", key.expose()].concat();
        let mut value = HeaderValue::from_maybe_shared(Bytes::from(bearer)).ok()?;
        value.set_sensitive(true);
        set(AUTHORIZATION, value);
    }
    for (name, value) in &upstream.headers {
        set(name.clone(), value.clone());
    }
    Some(headers)
}

/// An upstream's headers that are the client's business.
///
/// Changed in place: most of them go on, and a second map would hash every name once more.
pub fn of_upstream(mut headers: HeaderMap) -> HeaderMap {
    let named = named_by_connection(&headers);
    let is_meant = |name: &HeaderName| {
        !is_hop_by_hop(name) && !is_upstreams_own(name) && !named.contains(name)
    };
    let unmeant: Vec<_> = headers
        .keys()
        .filter(|name| !is_meant(name))
        .cloned()
        .collect();
    for name in unmeant {
        headers.remove(name);
    }
    if let Entry::Occupied(ids) = headers.entry(X_REQUEST_ID) {
        let (_, ids) = ids.remove_entry_mult();
        for id in ids.collect::<Vec<_>>() {
            headers.append(UPSTREAM_REQUEST_ID, id);
        }
    }
    headers
}

/// Whether a header speaks of the client, of its way here or of its credentials, which are no upstream's business.
fn is_clients_own(name: &HeaderName) -> bool {
    let name = name.as_str();
    matches!(
        name,
        "authorization"
            | "cf-connecting-ip"
            | "cf-connecting-ipv6"
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
            | "true-client-ip"
            | "x-api-key"
            | "x-client-ip"
            | "x-real-ip"
            | "x-request-id"
    ) || name.starts_with("x-forwarded-")
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
    ) || name.starts_with("access-control-")
        || name.starts_with("x-ratelimit-")
        || name.starts_with("x-weir-")
}

/// Whether a header speaks of one connection only.
fn is_hop_by_hop(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "connection"
            | "http2-settings"
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

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(headers: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_static(value));
        }
        map
    }

    #[test]
    fn of_an_answer_every_value_stays_and_what_is_the_upstreams_own_goes() {
        let upstream = lines(&[
            ("x-many", "a"),
            ("set-cookie", "c=1"),
            ("x-request-id", "up"),
            ("x-many", "b"),
            ("set-cookie", "c=2"),
            ("x-weir-origin", "gateway"),
            ("x-weir-anything", "1"),
            ("x-weir-upstream-request-id", "a lie"),
            ("connection", "x-hop"),
            ("x-hop", "1"),
            ("date", "today"),
            ("x-many", "c"),
        ]);
        let expected = lines(&[
            ("x-many", "a"),
            ("x-many", "b"),
            ("x-many", "c"),
            ("x-weir-upstream-request-id", "up"),
            ("date", "today"),
        ]);
        assert_eq!(of_upstream(upstream), expected);
    }

    #[test]
    fn of_a_request_every_value_stays_and_what_is_the_clients_own_goes() {
        let client = lines(&[
            ("x-many", "a"),
            ("authorization", "Bearer k"),
            ("host", "h"),
            ("x-many", "b"),
            ("x-forwarded-for", "1.2.3.4"),
            ("x-forwarded-client-cert", "c"),
            ("x-forwarded-port", "443"),
            ("true-client-ip", "1.2.3.4"),
            ("cf-connecting-ip", "1.2.3.4"),
            ("http2-settings", "AAMAAABkAAQAAP__"),
            ("connection", "x-hop"),
            ("x-hop", "1"),
        ]);
        let kept: HeaderMap = lines(&[("x-many", "a"), ("x-many", "b")]);
        let mut map = HeaderMap::new();
        for (name, value) in of_client(&client) {
            map.append(name, value);
        }
        assert_eq!(map, kept);
    }
}
