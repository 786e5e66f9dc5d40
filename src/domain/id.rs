//! Identifiers.

use std::fmt;

/// The public half of an API key: it names the key everywhere and opens nothing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId([u8; KeyId::LEN]);

impl KeyId {
    /// Characters in an id.
    pub const LEN: usize = 16;
    /// What stands before it in OpenAI's style; no id has an underscore.
    pub const PREFIX: &str = "key_";

    /// Reads an id: exactly `LEN` letters and digits.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let id: [u8; Self::LEN] = text.try_into().ok()?;
        id.iter().all(u8::is_ascii_alphanumeric).then_some(Self(id))
    }

    /// The id as the control plane and OpenAI's libraries write it.
    pub fn public(&self) -> String {
        format!("{}{self}", Self::PREFIX)
    }

    /// Reads an id with its prefix or without.
    pub fn of_public(text: &str) -> Option<Self> {
        Self::parse(text.strip_prefix(Self::PREFIX).unwrap_or(text).as_bytes())
    }

    /// A name that the ledger has for a key, as the control plane writes it; whatever is no id stays as it is.
    pub fn published(name: String) -> String {
        Self::parse(name.as_bytes()).map_or(name, |id| id.public())
    }

    /// The name that the ledger has for a key, however it was written.
    pub fn recorded(name: &str) -> String {
        Self::of_public(name).map_or_else(|| name.to_owned(), |id| id.to_string())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("parse admits ASCII only")
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Names one request in headers, logs, events and on the ledger.
///
/// Kept from the client when it is sane, so that its traces and Weir's meet.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RequestId(http::HeaderValue);

impl RequestId {
    /// The longest id that is taken from a client.
    pub const MAX_BYTES: usize = 128;

    /// A client's own id, if it is 1 to 128 letters, digits, `-`, `_`, `.` or `:`.
    pub fn from_client(value: &http::HeaderValue) -> Option<Self> {
        let bytes = value.as_bytes();
        let sane = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':');
        let fits = (1..=Self::MAX_BYTES).contains(&bytes.len());
        let sane = fits && bytes.iter().all(sane);
        // A copy: a slice would keep the connection's read buffer for as long as a stream.
        sane.then(|| Self(http::HeaderValue::from_bytes(bytes).expect("it was one")))
    }

    /// A new id: `req_` and 32 hex digits, which begin with the milliseconds since 1970, so that ids sort by time.
    pub fn new(millis: u64, random: u128) -> Self {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let bits = u128::from(millis) << 80 | random & ((1 << 80) - 1);
        let mut text = *b"req_00000000000000000000000000000000";
        for (place, byte) in text[4..].chunks_exact_mut(2).zip(bits.to_be_bytes()) {
            place[0] = HEX[usize::from(byte >> 4)];
            place[1] = HEX[usize::from(byte & 15)];
        }
        Self(http::HeaderValue::from_bytes(&text).expect("hex is a valid header value"))
    }

    /// A number that differs from id to id, for choices that want to be fair and need not be secret.
    pub fn dice(&self) -> u64 {
        // FNV-1a
        self.0
            .as_bytes()
            .iter()
            .fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
                (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
            })
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        self.0.to_str().expect("both ways in admit ASCII only")
    }

    /// The id as a header value.
    pub fn header(&self) -> http::HeaderValue {
        self.0.clone()
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_id_is_its_time_and_then_random() {
        let id = RequestId::new(0x0123_4567_89ab, 0xffff_cdef_0011_2233_4455_6677);
        assert_eq!(id.as_str(), "req_0123456789abcdef0011223344556677");
    }

    #[test]
    fn only_a_sane_client_id_is_kept() {
        let kept = |text: &str| {
            RequestId::from_client(&http::HeaderValue::from_str(text).unwrap()).is_some()
        };
        assert!(kept("trace-1.a_B:9"));
        assert!(!kept(""));
        assert!(!kept("a b"));
        assert!(!kept("<script>"));
        assert!(kept(&"x".repeat(128)));
        assert!(!kept(&"x".repeat(129)));
    }
}
