//! How many tokens a word has, remembered: most of a text is the same few thousand words.

use super::Encoding;
use std::cell::RefCell;

/// Longer words are counted each time.
const WORD_MAX_BYTES: usize = 14;
/// 64 KiB a thread that counts.
const PLACES: usize = 4096;

/// A word, its length and encoding, and in the highest byte its tokens; zero for none.
type Known = u128;

const TOKENS_SHIFT: u32 = 120;

thread_local! {
    static KNOWN: RefCell<Vec<Known>> = const { RefCell::new(Vec::new()) };
}

/// Counts one word of a text that was cut into such.
pub(super) fn tokens(encoding: Encoding, word: &[u8]) -> u64 {
    let count = || encoding.load().bpe.count(word) as u64;
    if word.is_empty() || word.len() > WORD_MAX_BYTES {
        return count();
    }
    let mut bytes = [0; 16];
    bytes[..word.len()].copy_from_slice(word);
    bytes[WORD_MAX_BYTES] = word.len() as u8 | (encoding as u8) << 7;
    let key = Known::from_le_bytes(bytes);
    KNOWN.with_borrow_mut(|known| {
        if known.is_empty() {
            known.resize(PLACES, 0);
        }
        let place = &mut known[place(key)];
        if *place << 8 != key << 8 {
            // As many as it has bytes at most, so they fit.
            *place = key | Known::from(count()) << TOKENS_SHIFT;
        }
        (*place >> TOKENS_SHIFT) as u64
    })
}

fn place(key: Known) -> usize {
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
                    assert_eq!(tokens(encoding, word.as_bytes()), expected, "{word}");
                }
            }
        }
    }
}
