//! `GET /docs`: a page that shows the document. One file, which loads nothing but the document, from its own host.

use crate::{
    body::{self, Body},
    control::Operation,
    wire::about::{About, Content, Credential},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderName, HeaderValue, Response, header};
use sha2::{Digest, Sha256};
use std::sync::OnceLock;

const HTML: &str = include_str!("page.html");

/// `GET /docs`.
pub(in crate::server) const PAGE: Operation = Operation::new(
    |_| Box::pin(async { Ok(page()) }),
    About::new("Observability", "This document, as a page")
        .credential(Credential::None)
        .gives(&[(200, Content::Text(&["text/html"]))]),
);

fn page() -> Response<Body> {
    let mut response = Response::new(body::full(HTML));
    let text = HeaderValue::from_static;
    for (name, value) in [
        (header::CONTENT_TYPE, text("text/html; charset=utf-8")),
        (header::CONTENT_SECURITY_POLICY, policy()),
        (header::X_CONTENT_TYPE_OPTIONS, text("nosniff")),
        (header::REFERRER_POLICY, text("no-referrer")),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            text("same-origin"),
        ),
    ] {
        response.headers_mut().insert(name, value);
    }
    response
}

/// What a browser may do for this page: run its one script, apply its one style sheet, and ask its own host.
fn policy() -> HeaderValue {
    static POLICY: OnceLock<HeaderValue> = OnceLock::new();
    let make = || {
        let policy = format!(
            "default-src 'none'; script-src '{}'; style-src '{}'; img-src data:; connect-src 'self'; \
             base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
            hash("script"),
            hash("style"),
        );
        HeaderValue::try_from(policy).expect("base64 is a valid header value")
    };
    POLICY.get_or_init(make).clone()
}

/// What names the content of the one element `name`, to the byte.
fn hash(name: &str) -> String {
    let content = HTML
        .split_once(&format!("<{name}>"))
        .and_then(|(_, rest)| rest.split_once(&format!("</{name}>")))
        .map_or("", |(content, _)| content);
    format!("sha256-{}", STANDARD.encode(Sha256::digest(content)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_one_script_one_style_sheet_and_nothing_from_elsewhere() {
        for element in ["<script", "<style"] {
            assert_eq!(HTML.matches(element).count(), 1, "{element}");
        }
        for elsewhere in [
            "http:",
            "https:",
            "@import",
            " url(",
            " src=",
            "innerHTML",
            " style=",
        ] {
            assert!(!HTML.contains(elsewhere), "{elsewhere}");
        }
        // Of nothing, which would let no script run.
        assert_ne!(hash("script"), hash("nothing"));
        assert_ne!(hash("style"), hash("nothing"));
    }
}
