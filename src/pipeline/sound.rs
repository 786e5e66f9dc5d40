//! Sound in an answer, whose tokens can only be guessed, from how long it is.

use crate::tokens::{PACKED_BYTES_PER_SECOND, RAW_BYTES_PER_SECOND};

/// What OpenAI has documented of sound that a model makes: a token is 50 ms of it.
const TOKENS_PER_SECOND: u64 = 20;
/// How a WAV file begins in base64.
const WAV: &str = "UklGR";

/// The sound that has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sound {
    /// Letters of base64, four for three bytes.
    letters: u64,
    bytes_per_second: u64,
}

impl Sound {
    /// Takes in a piece in base64.
    pub(super) fn push(&mut self, piece: &str, is_stream: bool) {
        if self.letters == 0 {
            self.bytes_per_second = match is_stream || piece.starts_with(WAV) {
                true => RAW_BYTES_PER_SECOND,
                false => PACKED_BYTES_PER_SECOND,
            };
        }
        self.letters += piece.len() as u64;
    }

    /// Tokens that it may be.
    pub(super) fn tokens(self) -> u64 {
        if self.letters == 0 {
            return 0; // nearly always, and asked for with each event
        }
        let bytes = self.letters / 4 * 3;
        (bytes * TOKENS_PER_SECOND).div_ceil(self.bytes_per_second.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_is_twenty_tokens_whatever_it_comes_in() {
        let tokens = |begin: &str, bytes: usize, is_stream| {
            let mut sound = Sound::default();
            sound.push(begin, is_stream);
            sound.push(&"A".repeat(bytes / 3 * 4 - begin.len()), is_stream);
            sound.tokens()
        };
        assert_eq!(tokens("AAAA", 48_000, true), 20);
        assert_eq!(tokens("UklGRAAA", 48_000, false), 20);
        assert_eq!(tokens("AAAA", 15_999, false), 20);
        assert_eq!(Sound::default().tokens(), 0);
    }
}
