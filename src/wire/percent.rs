//! Percent-encoding in URLs.

/// Resolves percent-encoding: libraries write `simulator%2Ffast` where a name has a slash.
pub fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        if byte == b'%' {
            let (digits, tail) = tail.split_at_checked(2)?;
            let digits = std::str::from_utf8(digits)
                .ok()
                .filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()))?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = tail;
        } else {
            bytes.push(byte);
            rest = tail;
        }
    }
    String::from_utf8(bytes).ok()
}

/// Writes a text so that it can stand in a query.
pub fn encode(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    let encoded = text.bytes().map(|byte| match is_plain(byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    });
    encoded.collect()
}

#[cfg(test)]
mod tests {
    use super::{decode, encode};

    #[test]
    fn what_is_encoded_is_plain_and_read_back() {
        let text = "a b&c=ä/%";
        assert_eq!(encode(text), "a%20b%26c%3D%C3%A4%2F%25");
        assert_eq!(decode(&encode(text)).as_deref(), Some(text));
    }

    #[test]
    fn names_are_decoded_and_broken_ones_refused() {
        assert_eq!(
            decode("simulator%2Ffast").as_deref(),
            Some("simulator/fast")
        );
        assert_eq!(decode("gpt-5").as_deref(), Some("gpt-5"));
        for bad in ["%", "%2", "%zz", "%+1", "%ff"] {
            assert_eq!(decode(bad), None, "{bad}");
        }
    }
}
