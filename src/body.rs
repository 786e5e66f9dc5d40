//! The one body type of the gateway: what came from a client or an upstream, what Weir makes itself,
//! and what the tap watches all travel as [`Body`], boxed once.

use bytes::Bytes;
use http_body_util::BodyExt;

/// Why a body broke off.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// A response body on its way to a client.
pub type Body = http_body_util::combinators::UnsyncBoxBody<Bytes, Error>;

/// A body that is all there.
pub fn full(bytes: impl Into<Bytes>) -> Body {
    http_body_util::Full::new(bytes.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// A body with nothing in it.
pub fn empty() -> Body {
    http_body_util::Empty::new()
        .map_err(|never| match never {})
        .boxed_unsync()
}
