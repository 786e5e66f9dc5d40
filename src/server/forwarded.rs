//! Whose request it is that a proxy passes on.

use crate::config::Network;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use std::{
    borrow::Cow,
    net::{IpAddr, SocketAddr},
};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The client's address: the peer's, or the one that trusted proxies name.
pub(super) fn client(trusted: &[Network], peer: IpAddr, headers: &HeaderMap) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
    let peer = peer.to_canonical();
    if trusted.is_empty() || !is_trusted(peer) {
        return peer;
    }
    // From the nearest hop outwards: the first that is not one of ours is the client, whatever it claims beyond.
    let mut client = peer;
    for hop in hops(headers).into_iter().rev() {
        let Some(address) = hop else { break };
        client = address;
        if !is_trusted(address) {
            break;
        }
    }
    client
}

/// The addresses in `forwarded` or, where that is missing, `x-forwarded-for`; `None` for one that cannot be read.
fn hops(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    fn each<'a>(
        headers: &'a HeaderMap,
        name: HeaderName,
        read: impl Fn(&'a str) -> Vec<Option<IpAddr>>,
    ) -> Vec<Option<IpAddr>> {
        // A line that is no text may hold any number of hops, and none of them is known.
        let read = |value: &'a HeaderValue| value.to_str().map_or_else(|_| vec![None], &read);
        headers.get_all(name).iter().flat_map(read).collect()
    }
    if headers.contains_key(header::FORWARDED) {
        let nodes = |line| outside_quotes(line, ',').map(node).collect();
        return each(headers, header::FORWARDED, nodes);
    }
    each(headers, X_FORWARDED_FOR, |line| {
        line.split(',').map(address).collect()
    })
}

/// The node that an element of `forwarded` names. None if it is not well formed: what a client sends is in one line with
/// what its proxy adds to that, and a quote that it leaves open would hide the proxy's.
fn node(element: &str) -> Option<IpAddr> {
    let mut node = None;
    for pair in outside_quotes(element, ';').filter(|pair| !pair.trim().is_empty()) {
        let (name, value) = pair.split_once('=')?;
        let (name, value) = (name.trim(), value_of(value.trim())?);
        if !name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        {
            return None;
        }
        if name.eq_ignore_ascii_case("for") && node.replace(value).is_some() {
            return None;
        }
    }
    address(&node?)
}

/// The parts of a text between separators that are not inside a quoted string.
fn outside_quotes(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    text.split(move |c| {
        let is_literal = is_escaped;
        is_escaped = is_quoted && !is_literal && c == '\\';
        is_quoted ^= c == '"' && !is_literal;
        c == separator && !is_quoted
    })
}

/// What a token or a whole quoted string means; nothing if it is neither.
fn value_of(text: &str) -> Option<Cow<'_, str>> {
    let Some(quoted) = text.strip_prefix('"') else {
        return (!text.contains(['"', '\\'])).then_some(text.into());
    };
    let mut value = String::new();
    let mut rest = quoted.chars();
    loop {
        match rest.next()? {
            '"' => return rest.as_str().is_empty().then_some(value.into()),
            '\\' => value.push(rest.next()?),
            plain => value.push(plain),
        }
    }
}

/// An address with or without a port.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(text);
    let address = bare
        .parse()
        .ok()
        .or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()));
    address.map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn line(name: &'static str, text: &str) -> HeaderMap {
        let value = HeaderValue::from_str(text).unwrap();
        HeaderMap::from_iter([(HeaderName::from_static(name), value)])
    }

    fn ip(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn hops_are_read_in_every_spelling() {
        let plain = line("x-forwarded-for", "1.2.3.4, 5.6.7.8:90");
        assert_eq!(hops(&plain), [ip("1.2.3.4"), ip("5.6.7.8")]);
        let one = ip("1.2.3.4");
        for (text, wanted) in [
            (
                "for=1.2.3.4;proto=https, For=\"[2001:db8::1]:80\", for=_hidden",
                vec![one, ip("2001:db8::1"), None],
            ),
            ("for=\"1.2.3.4:80\" ; by=x", vec![one]),
            (" proto=http;for = 1.2.3.4", vec![one]),
            ("for=\"\\1.2.3.4\"", vec![one]),
            ("for=1.2.3.4;;proto=http;", vec![one]),
            ("for=1.2.3.4;host=\"x,for=6.6.6.6\"", vec![one]),
            ("for=1.2.3.4;host=\"x;for=6.6.6.6\"", vec![one]),
            ("host=\"x,for=6.6.6.6,y\";for=1.2.3.4", vec![one]),
            ("for=1.2.3.4;host=\"\\\",for=6.6.6.6\"", vec![one]),
            (
                "for=1.2.3.4;host=\"\\\\\",for=6.6.6.6",
                vec![one, ip("6.6.6.6")],
            ),
            ("for=6.6.6.6;for=1.2.3.4", vec![None]),
            ("for=6.6.6.6;host=\"a, for=1.2.3.4", vec![None]),
            ("for=6.6.6.6;host=a\"b, for=1.2.3.4;host=\"h\"", vec![None]),
            ("for=6.6.6.6;host", vec![None]),
            ("", vec![None]),
        ] {
            assert_eq!(hops(&line("forwarded", text)), wanted, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_client_hides_what_its_proxy_adds(sent in "(for=6\\.6\\.6\\.6|host|[=;,\"\\\\ x]){0,12}") {
            let both = line("forwarded", &format!("{sent}, for=1.2.3.4;proto=https"));
            let last = hops(&both).pop().flatten();
            prop_assert!(last.is_none() || last == ip("1.2.3.4"), "{last:?}");
        }
    }
}
