//! What can be written of an upstream, one reader a key.

use crate::{
    config::{
        Provider,
        read::{At, Section},
    },
    domain::PriceList,
};
use http::{HeaderName, HeaderValue, Uri, header};

const NAME_BYTES_MAX: usize = 64; // it labels metrics and log lines

/// Words of the design that this version cannot speak yet.
const LATER: &[&str] = &["azure", "anthropic", "gemini", "bedrock"];

/// Headers that the connection or the credential decides.
const RESERVED: &[HeaderName] = &[
    header::AUTHORIZATION,
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::HOST,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

pub(super) fn upstream_name(at: At<'_>) -> Option<String> {
    let name = at.text()?;
    let is_plain = name
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
    if is_plain && (1..=NAME_BYTES_MAX).contains(&name.len()) {
        return Some(name);
    }
    at.refuse(format!(
        "expected 1 to {NAME_BYTES_MAX} of the characters A-Z a-z 0-9 . _ -"
    ))
}

pub(super) fn provider(at: At<'_>) -> Option<Provider> {
    match at.text()?.as_str() {
        "openai" => Some(Provider::OpenAi),
        "simulator" => Some(Provider::Simulator),
        later if LATER.contains(&later) => {
            at.refuse(format!("`{later}` is not in this version of Weir"))
        }
        _ => at.refuse("expected one of `openai`, `simulator`"),
    }
}

/// A URL that paths can be appended to. It is not quoted, since it may hold a password that does not belong there.
pub(super) fn base_url(at: At<'_>) -> Option<String> {
    let text = at.text()?;
    let url = text.trim_end_matches('/');
    if !url.starts_with("http://") && !url.starts_with("https://") {
        return at.refuse("expected a URL that begins with http:// or https://");
    }
    // `Uri` drops a fragment without a word.
    if url.contains(['?', '#']) {
        return at.refuse("expected a URL without a query and a fragment");
    }
    let uri = url.parse::<Uri>().ok();
    let Some(authority) = uri.as_ref().and_then(Uri::authority) else {
        return at.refuse("is not a URL");
    };
    if authority.as_str().contains('@') {
        return at.refuse("expected a URL without credentials; those go into `api_key`");
    }
    let has_port = authority.as_str().len() > authority.host().len();
    if authority.host().is_empty() || (has_port && authority.port().is_none()) {
        return at.refuse("has no valid host and port");
    }
    Some(url.to_owned())
}

/// The list that an upstream bills by, as its address tells.
pub(super) fn list_of(base_url: &str) -> Option<PriceList> {
    let uri = base_url.parse::<Uri>().ok()?;
    PriceList::of_host(uri.host()?)
}

/// The name of a price list, or nothing, for none.
pub(super) fn price_list(at: At<'_>) -> Option<Option<PriceList>> {
    let name = at.text()?;
    if name.is_empty() {
        return Some(None);
    }
    let list = PriceList::named(&name);
    list.map(Some).or_else(|| {
        let names: Vec<_> = PriceList::names().map(|name| format!("`{name}`")).collect();
        at.refuse(format!("expected one of {}", names.join(", ")))
    })
}

pub(super) fn headers(mut written: Section<'_>) -> Vec<(HeaderName, HeaderValue)> {
    written
        .all()
        .into_iter()
        .filter_map(|(name, at)| header(name, &at))
        .collect()
}

fn header(mut name: String, at: &At<'_>) -> Option<(HeaderName, HeaderValue)> {
    if at.is_variable() {
        name = name.replace('_', "-"); // the name of a variable cannot hold a dash
    }
    let Ok(name) = HeaderName::try_from(name) else {
        return at.refuse("is not the name of a header");
    };
    if RESERVED.contains(&name) {
        return at.refuse("is not for the configuration to set; a credential goes into `api_key`");
    }
    let Ok(mut value) = HeaderValue::try_from(at.text()?) else {
        return at.refuse("is not the value of a header");
    };
    // Some servers take their credential in a header of their own: it should not be printed.
    value.set_sensitive(true);
    Some((name, value))
}
