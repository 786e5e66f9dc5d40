//! Where a request carries its credential.

use super::Rejected;
use http::header::{AUTHORIZATION, AsHeaderName};
use http::{HeaderMap, HeaderName};

static X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// The credential as it was sent. `Authorization` wins over `x-api-key`, also when it holds nothing of use:
/// a client that sends both must not find that the gateway picked the one it did not mean.
pub(crate) fn credential(headers: &HeaderMap) -> Result<&[u8], Rejected> {
    let credential = match only(headers, AUTHORIZATION)? {
        Some(value) => bearer(value)?,
        None => only(headers, &X_API_KEY)?.unwrap_or_default(),
    };
    if credential.is_empty() {
        Err(Rejected::Missing)
    } else {
        Ok(credential)
    }
}

/// The value of a header, trimmed. Sent twice it is refused: two readers might each believe another one.
fn only(headers: &HeaderMap, name: impl AsHeaderName) -> Result<Option<&[u8]>, Rejected> {
    let mut values = headers.get_all(name).iter();
    let first = values.next().map(|value| value.as_bytes().trim_ascii());
    if values.next().is_some() {
        Err(Rejected::Malformed)
    } else {
        Ok(first)
    }
}

/// What follows the scheme, which is `Bearer` in any case and any number of spaces.
fn bearer(value: &[u8]) -> Result<&[u8], Rejected> {
    let end = value
        .iter()
        .position(u8::is_ascii_whitespace)
        .unwrap_or(value.len());
    let (scheme, credential) = value.split_at(end);
    if scheme.is_empty() || scheme.eq_ignore_ascii_case(b"bearer") {
        Ok(credential.trim_ascii_start())
    } else {
        Err(Rejected::Malformed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn read(lines: &[(&'static str, &str)]) -> Result<String, Rejected> {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        credential(&headers).map(|bytes| String::from_utf8(bytes.to_vec()).unwrap())
    }

    #[test]
    fn a_credential_is_found_however_it_is_spelled() {
        for value in [
            "Bearer k",
            "bearer k",
            "BEARER k",
            "Bearer   k",
            "  Bearer \t k  ",
        ] {
            assert_eq!(
                read(&[("authorization", value)]),
                Ok("k".into()),
                "{value:?}"
            );
        }
        assert_eq!(read(&[("x-api-key", " k ")]), Ok("k".into()));
        assert_eq!(
            read(&[("authorization", "Bearer a"), ("x-api-key", "b")]),
            Ok("a".into())
        );
        assert_eq!(
            read(&[("authorization", "Bearer a b")]),
            Ok("a b".into()),
            "for the key's own reader to refuse"
        );
    }

    #[test]
    fn nothing_is_missing_and_nonsense_is_malformed() {
        for lines in [
            &[][..],
            &[("authorization", "")],
            &[("authorization", "Bearer")],
            &[("authorization", "Bearer  ")],
            &[("x-api-key", "")],
        ] {
            assert_eq!(read(lines), Err(Rejected::Missing), "{lines:?}");
        }
        for lines in [
            &[("authorization", "Basic k")][..],
            &[("authorization", "k")],
            &[("authorization", "Bearerk")],
            &[("authorization", "Basic k"), ("x-api-key", "k")],
            &[("authorization", "Bearer a"), ("authorization", "Bearer b")],
            &[("x-api-key", "a"), ("x-api-key", "b")],
        ] {
            assert_eq!(read(lines), Err(Rejected::Malformed), "{lines:?}");
        }
    }
}
