//! How many tokens a word has, remembered: most of a text is the same few thousand words.

use super::Encoding;
use std::cell::RefCell;

/// Longer words are counted each time.
const WORD_MAX_BYTES: usize = 14;
/// 64 KiB a thread that counts.
const PLACES: usize = 4096;

/// A word, its length and encoding, and in the highest byte its tokens; zero for none.
type Place = u128;

const TOKENS_SHIFT: u32 = 120;

/// What this thread remembers.
#[derive(Default)]
struct Known(Vec<Place>);

thread_local! {
    static KNOWN: RefCell<Known> = const { RefCell::new(Known(Vec::new())) };
}

/// Counts one word of a text that was cut into such.
pub(super) fn tokens(encoding: Encoding, word: &[u8]) -> u64 {
    KNOWN.with_borrow_mut(|known| known.tokens(encoding, word))
}

/// Counts the words of a text that was cut into such, and tells the length and the tokens of each.
pub(super) fn each<'a>(
    encoding: Encoding,
    words: impl Iterator<Item = &'a str>,
    mut tell: impl FnMut(usize, u64),
) {
    KNOWN.with_borrow_mut(|known| {
        for word in words {
            tell(word.len(), known.tokens(encoding, word.as_bytes()));
        }
    });
}

impl Known {
    fn tokens(&mut self, encoding: Encoding, word: &[u8]) -> u64 {
        if let [b'0'..=b'9']
        | [b'0'..=b'9', b'0'..=b'9']
        | [b'0'..=b'9', b'0'..=b'9', b'0'..=b'9'] = word
        {
            return 1; // each of them is a token of its own
        }
        let count = || encoding.load().bpe.count(word) as u64;
        if word.is_empty() || word.len() > WORD_MAX_BYTES {
            return count();
        }
        let Self(places) = self;
        if places.is_empty() {
            places.resize(PLACES, 0);
        }
        let how = word.len() as u8 | (encoding as u8) << 7;
        let key = packed(word) | Place::from(how) << (8 * WORD_MAX_BYTES);
        let place = &mut places[place(key)];
        if *place << 8 != key << 8 {
            // As many as it has bytes at most, so they fit.
            *place = key | Place::from(count()) << TOKENS_SHIFT;
        }
        (*place >> TOKENS_SHIFT) as u64
    }
}

/// The bytes of a word of 1 to 16, one after the other. Its two halves may overlap: a copy of unknown length takes
/// longer than the rest of a look-up.
fn packed(word: &[u8]) -> Place {
    let len = word.len();
    let beyond =
        |last: u64, half: usize| last.checked_shr(8 * (2 * half - len) as u32).unwrap_or(0);
    if let (Some(first), Some(last)) = (word.first_chunk(), word.last_chunk()) {
        let last = beyond(u64::from_le_bytes(*last), 8);
        Place::from(u64::from_le_bytes(*first)) | Place::from(last) << 64
    } else if let (Some(first), Some(last)) = (word.first_chunk(), word.last_chunk()) {
        let last = beyond(u32::from_le_bytes(*last).into(), 4);
        Place::from(u32::from_le_bytes(*first)) | Place::from(last) << 32
    } else {
        word.iter()
            .rev()
            .fold(0, |all, byte| all << 8 | Place::from(*byte))
    }
}

fn place(key: Place) -> usize {
    let mixed =
        (key as u64 ^ ((key >> 64) as u64).rotate_left(29)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 40) as usize % PLACES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_what_was_counted() {
        let text = include_str!("../../docs/decisions.md");
        for _ in 0..2 {
            for encoding in [Encoding::Cl100k, Encoding::O200k] {
                for word in text.split_inclusive(' ') {
                    let expected = encoding.load().bpe.count(word.as_bytes()) as u64;
                    each(encoding, [word].into_iter(), |_, tokens| {
                        assert_eq!(tokens, expected, "{word}");
                    });
                }
            }
        }
    }

    #[test]
    fn a_number_that_is_a_word_is_a_token() {
        for encoding in [Encoding::Cl100k, Encoding::O200k] {
            let numbers = [1, 2, 3].map(|digits| {
                (0..10_usize.pow(digits))
                    .map(move |number| format!("{number:0width$}", width = digits as usize))
            });
            for number in numbers.into_iter().flatten() {
                assert_eq!(encoding.load().bpe.count(number.as_bytes()), 1, "{number}");
            }
        }
    }

    #[test]
    fn a_word_is_packed_byte_by_byte() {
        let bytes: Vec<u8> = (1..=16).collect();
        for len in 1..=16 {
            let mut all = [0; 16];
            all[..len].copy_from_slice(&bytes[..len]);
            assert_eq!(packed(&bytes[..len]), Place::from_le_bytes(all), "{len}");
        }
    }
}
