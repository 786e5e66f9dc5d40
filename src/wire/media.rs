//! What kind of body headers announce.

use http::{HeaderMap, header::CONTENT_TYPE};

/// The media type without its parameters, as it was written.
pub fn media_type(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let end = value.bytes().position(|byte| byte == b';');
    Some(value[..end.unwrap_or(value.len())].trim_ascii())
}
