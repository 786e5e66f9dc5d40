//! A word of letters without case, which Chinese, Japanese and Korean write one behind the other: it may be long, and to
//! count it anew with each piece of it would take longer than all else that is done with an event.

use super::Encoding;
use bpe_openai::appendable_encoder::AppendableEncoder;
use std::fmt;

/// Longer words are not grown: for each byte of them twelve are held.
const WORD_MAX_BYTES: usize = 1 << 10;

/// The tokens of a word that grows.
pub(super) struct Letters(AppendableEncoder<'static>);

impl Letters {
    /// The word, if it ends in such a letter: more of them belong to it in every encoding, whatever it begins with.
    pub(super) fn of(encoding: Encoding, word: &str) -> Option<Self> {
        let ends_so = word.chars().next_back().is_some_and(is_one);
        if !ends_so || word.len() > WORD_MAX_BYTES {
            return None;
        }
        let mut encoder = AppendableEncoder::new(&encoding.load().bpe);
        encoder.extend(word.bytes());
        Some(Self(encoder))
    }

    /// Goes on with a piece, if that is nothing but such letters.
    pub(super) fn extend(&mut self, piece: &str) -> bool {
        let goes_on = self.0.len() + piece.len() <= WORD_MAX_BYTES && piece.chars().all(is_one);
        if goes_on {
            self.0.extend(piece.bytes());
        }
        goes_on
    }

    pub(super) fn tokens(&self) -> u64 {
        self.0.token_count() as u64
    }
}

impl fmt::Debug for Letters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Letters(..)")
    }
}

/// Whether this is one word: such letters, behind such a mark at most.
pub(super) fn is_word(text: &str) -> bool {
    let mut chars = text.chars();
    let begins = (chars.next()).is_some_and(|first| is_one(first) || is_mark(first));
    begins && chars.all(is_one)
}

/// Whether a word of such letters ends before this, whatever follows.
pub(super) fn end_before(text: &str) -> bool {
    text.chars().next().is_some_and(is_mark)
}

/// The marks that stand between such words most often. The word behind one begins with it.
fn is_mark(c: char) -> bool {
    matches!(c, '，' | '。' | '、' | '！' | '？' | '：' | '；')
}

/// Whether a character is a letter without case, of those that most texts in such scripts are made of.
fn is_one(c: char) -> bool {
    matches!(
        c,
        '\u{3041}'..='\u{3096}' | '\u{30a1}'..='\u{30fa}' | '\u{3400}'..='\u{4db5}' | '\u{4e00}'..='\u{9fea}' | '\u{ac00}'..='\u{d7a3}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_letter_comes_the_word_goes_on() {
        let letters: String = ('\0'..=char::MAX).filter(|c| is_one(*c)).collect();
        for encoding in [Encoding::Cl100k, Encoding::O200k] {
            for before in [
                "", " ", "a", "A", "-", "，", "。", "、", "！", "？", "：", "；",
            ] {
                let text = format!("{before}{letters}");
                assert_eq!(
                    encoding.load().split(&text).count(),
                    1,
                    "{encoding:?} {before:?}"
                );
            }
        }
    }

    #[test]
    fn at_a_mark_a_word_ends_and_the_next_one_begins() {
        for mark in ('\0'..=char::MAX).filter(|c| is_mark(*c)) {
            let letters = ('\0'..=char::MAX).filter(|c| is_one(*c));
            let words: Vec<String> = letters.map(|letter| format!("{mark}{letter}")).collect();
            for encoding in [Encoding::Cl100k, Encoding::O200k] {
                let text = words.concat();
                assert!(
                    encoding.load().split(&text).eq(&words),
                    "{encoding:?} {mark}"
                );
                assert_eq!(encoding.load().split(&mark.to_string()).count(), 1);
            }
            assert!(end_before(&words[0]) && words.iter().all(|word| is_word(word)));
        }
        assert!(!is_word("数，") && !is_word("数 数") && !is_word("") && !is_word("，，"));
    }

    #[test]
    fn a_word_is_counted_as_it_grows() {
        let text = "，答案取决于你怎么数한국어かなカナ";
        for encoding in [Encoding::Cl100k, Encoding::O200k] {
            let mut letters = Letters::of(encoding, "，答").unwrap();
            for (at, c) in text.char_indices().skip(2) {
                assert!(letters.extend(c.encode_utf8(&mut [0; 4])));
                let so_far = &text[..at + c.len_utf8()];
                let expected = encoding.load().bpe.count(so_far.as_bytes());
                assert_eq!(letters.tokens(), expected as u64, "{so_far}");
            }
            assert!(!letters.extend("。") && !letters.extend("数 数"));
        }
    }
}
