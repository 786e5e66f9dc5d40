//! The time at which an event was made, carried inside the event.
//!
//! It sits in `obfuscation`, a member that OpenAI itself sends and that gateways pass on unread.

use memchr::memmem;
use rustix::time::{ClockId, clock_gettime};

/// The member's name up to its value.
pub const MEMBER: &[u8] = br#""obfuscation":""#;
/// Hexadecimal digits of a stamp.
pub const DIGITS: usize = 16;
const LENGTH: usize = MEMBER.len() + DIGITS;
const LAST_EVENT: &[u8] = b"data: [DONE]";

/// Nanoseconds on the clock that all processes of this machine share.
pub fn now() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// Writes a stamp's digits.
pub fn digits(stamp: u64) -> [u8; DIGITS] {
    std::array::from_fn(|i| b"0123456789abcdef"[(stamp >> (60 - 4 * i)) as usize & 15])
}

/// Finds the stamps in a stream that arrives in any pieces.
#[derive(Default)]
pub struct Finder {
    unread: Vec<u8>,
}

impl Finder {
    /// Calls `found` with each stamp that is complete now.
    pub fn feed(&mut self, piece: &[u8], mut found: impl FnMut(u64)) {
        self.unread.extend_from_slice(piece);
        let mut read = 0;
        while let Some(at) = memmem::find(&self.unread[read..], MEMBER) {
            let start = read + at + MEMBER.len();
            let Some(text) = self.unread.get(start..start + DIGITS) else {
                break;
            };
            read = start + DIGITS;
            found(
                text.iter()
                    .fold(0, |sum, &digit| sum << 4 | u64::from(value(digit))),
            );
        }
        // What may be the beginning of a stamp, or the end of the stream.
        let keep = self.unread.len().saturating_sub(LENGTH);
        self.unread.drain(..keep.max(read));
    }

    /// Whether the stream ended as it should.
    pub fn is_done(&self) -> bool {
        self.unread.trim_ascii_end().ends_with(LAST_EVENT)
    }
}

fn value(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => digit.wrapping_sub(b'a').wrapping_add(10) & 15,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_are_found_wherever_the_stream_is_cut() {
        let stamps = [0, 1, 0x0123_4567_89ab_cdef, u64::MAX];
        let mut stream = Vec::new();
        for stamp in stamps {
            stream.extend([b"data: {".as_slice(), MEMBER, &digits(stamp), b"\"}\n\n"].concat());
        }
        stream.extend(b"data: [DONE]\n\n");
        for cut in 0..stream.len() {
            let (mut finder, mut found) = (Finder::default(), Vec::new());
            let (head, tail) = stream.split_at(cut);
            finder.feed(head, |stamp| found.push(stamp));
            assert!(cut + 2 >= stream.len() || !finder.is_done());
            finder.feed(tail, |stamp| found.push(stamp));
            assert_eq!(found, stamps);
            assert!(finder.is_done());
        }
    }
}
