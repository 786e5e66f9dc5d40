//! A word of letters without case, which Chinese, Japanese and Korean write one behind the other: it may be long, and to
//! count it anew with each piece of it would take longer than all else that is done with an event.

use super::Encoding;
use bpe_openai::appendable_encoder::AppendableEncoder;
use std::fmt;

/// Longer words are not grown: for each byte of them twelve are held.
const WORD_MAX_BYTES: usize = 1 << 10;

/// The room of a longer word is given back at its end.
const KEPT_MAX_BYTES: usize = 64;

/// The tokens of a word that grows, if there is one.
#[derive(Default)]
pub(super) struct Letters {
    /// Of an encoding that stays the same. Empty between two words: to ask for room anew with each of them would cost
    /// as much as to count it.
    encoder: Option<AppendableEncoder<'static>>,
}

impl Letters {
    /// Begins with a word, if it ends in such a letter: more of them belong to it in every encoding, whatever it begins
    /// with. The word before is over either way.
    pub(super) fn begin(&mut self, encoding: Encoding, word: &str) -> bool {
        self.end();
        let ends_so = word.chars().next_back().is_some_and(is_one);
        let begins = ends_so && word.len() <= WORD_MAX_BYTES;
        if begins {
            let new = || AppendableEncoder::new(&encoding.load().bpe);
            self.encoder.get_or_insert_with(new).extend(word.bytes());
        }
        begins
    }

    /// Goes on with a piece, if there is a word and that is nothing but such letters.
    pub(super) fn extend(&mut self, piece: &str) -> bool {
        let Some(encoder) = self.encoder.as_mut().filter(|word| !word.is_empty()) else {
            return false;
        };
        let goes_on = encoder.len() + piece.len() <= WORD_MAX_BYTES && piece.chars().all(is_one);
        if goes_on {
            encoder.extend(piece.bytes());
        }
        goes_on
    }

    /// The word is over.
    pub(super) fn end(&mut self) {
        match &mut self.encoder {
            Some(word) if word.len() <= KEPT_MAX_BYTES => word.truncate(0),
            encoder => *encoder = None,
        }
    }

    /// What the word has come to; none if there is none.
    pub(super) fn tokens(&self) -> Option<u64> {
        let word = self.encoder.as_ref().filter(|word| !word.is_empty());
        word.map(|word| word.token_count() as u64)
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
            let mut letters = Letters::default();
            assert!(!letters.extend("答") && !letters.begin(encoding, "答。"));
            // A word before it that is kept, one that is not, and one that is too long.
            for (before, begins) in [(5, true), (50, true), (500, false)] {
                assert_eq!(letters.begin(encoding, &"答".repeat(before)), begins);
            }
            assert_eq!(letters.tokens(), None);
            assert!(letters.begin(encoding, "，答"));
            for (at, c) in text.char_indices().skip(2) {
                assert!(letters.extend(c.encode_utf8(&mut [0; 4])));
                let so_far = &text[..at + c.len_utf8()];
                let expected = encoding.load().bpe.count(so_far.as_bytes());
                assert_eq!(letters.tokens(), Some(expected as u64), "{so_far}");
            }
            assert!(!letters.extend("。") && !letters.extend("数 数"));
            letters.end();
            assert!(!letters.extend("答"));
        }
    }
}
