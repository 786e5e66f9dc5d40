//! Cuts ASCII text into words as the patterns of OpenAI's encodings do, without them: for a text that comes in pieces
//! of a word or two, a pattern is most of the work.

use super::Encoding;

/// What the patterns tell characters apart by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Upper,
    Lower,
    Digit,
    /// Space that ends no line.
    Space,
    LineEnd,
    /// All else: punctuation, and characters that are not to be seen.
    Mark,
}

const CLASSES: [Class; 0x80] = {
    let mut classes = [Class::Mark; 0x80];
    let mut c = 0;
    while c < classes.len() {
        classes[c] = match c as u8 {
            b'A'..=b'Z' => Class::Upper,
            b'a'..=b'z' => Class::Lower,
            b'0'..=b'9' => Class::Digit,
            b'\r' | b'\n' => Class::LineEnd,
            b' ' | b'\t' | 0x0b | 0x0c => Class::Space,
            _ => Class::Mark,
        };
        c += 1;
    }
    classes
};

const DIGITS_MAX: usize = 3;

/// Whether a word always ends between these two bytes of a text, whatever stands before and behind them.
pub(super) fn parts(before: u8, after: u8) -> bool {
    let of = |byte: u8| CLASSES.get(usize::from(byte)).copied();
    let (Some(before), Some(next)) = (of(before), of(after)) else {
        return false;
    };
    match before {
        // What is contracted with a word belongs to it.
        Class::Upper | Class::Lower => {
            !matches!(next, Class::Upper | Class::Lower) && after != b'\''
        }
        Class::Digit => next != Class::Digit,
        // Marks begin a word of letters, or take line ends along.
        Class::Mark => matches!(next, Class::Digit | Class::Space),
        // Space before a line end belongs to it, and so do slashes behind it where marks are before it.
        Class::LineEnd => !matches!(next, Class::Space | Class::LineEnd) && after != b'/',
        // Its last character goes with the word behind it, which also says where space of several characters ends.
        Class::Space => false,
    }
}

/// Whether this is one word, all ASCII.
pub(super) fn is_word(encoding: Encoding, text: &[u8]) -> bool {
    text.is_ascii() && !text.is_empty() && first(encoding, text) == text.len()
}

/// Whether a word is letters or digits, from its beginning or behind a space: nothing that comes behind it can change
/// what is before it.
pub(super) fn begins_plainly(word: &str) -> bool {
    let word = word.strip_prefix(' ').unwrap_or(word);
    word.as_bytes()
        .first()
        .is_some_and(u8::is_ascii_alphanumeric)
}

/// The words of a text that is all ASCII.
pub(super) struct Words<'a> {
    encoding: Encoding,
    rest: &'a str,
}

impl<'a> Words<'a> {
    /// None if it is not.
    pub(super) fn of(encoding: Encoding, text: &'a str) -> Option<Self> {
        text.is_ascii().then_some(Self {
            encoding,
            rest: text,
        })
    }
}

impl<'a> Iterator for Words<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        if self.rest.is_empty() {
            return None;
        }
        let (word, rest) = self
            .rest
            .split_at(first(self.encoding, self.rest.as_bytes()));
        self.rest = rest;
        Some(word)
    }
}

/// Bytes of the first word.
fn first(encoding: Encoding, text: &[u8]) -> usize {
    let is_letter = |at: usize| matches!(class(text, at), Some(Class::Upper | Class::Lower));
    match class(text, 0) {
        Some(Class::Upper | Class::Lower) => letters(encoding, text, 0),
        Some(Class::Digit) => run(&text[..text.len().min(DIGITS_MAX)], 0, Class::Digit),
        Some(Class::Mark | Class::Space) => {
            if encoding == Encoding::Cl100k && contraction(text) > 0 {
                return contraction(text);
            }
            if is_letter(1) {
                return letters(encoding, text, 1);
            }
            let start = usize::from(text[0] == b' ');
            let end = run(text, start, Class::Mark);
            match end > start {
                true => behind_marks(encoding, text, end),
                false => space(text),
            }
        }
        Some(Class::LineEnd) | None => space(text),
    }
}

fn class(text: &[u8], at: usize) -> Option<Class> {
    text.get(at).map(|byte| {
        CLASSES
            .get(usize::from(*byte))
            .copied()
            .unwrap_or(Class::Mark)
    })
}

/// Where characters of this class end that begin at `start`.
fn run(text: &[u8], start: usize, of: Class) -> usize {
    let mut end = start;
    while class(text, end) == Some(of) {
        end += 1;
    }
    end
}

/// Where the letters of a word end that begin at `start`.
fn letters(encoding: Encoding, text: &[u8], start: usize) -> usize {
    match encoding {
        Encoding::Cl100k => {
            let mut end = start;
            while let Some(Class::Upper | Class::Lower) = class(text, end) {
                end += 1;
            }
            end
        }
        // Small letters end a word of large ones, and what is contracted with it belongs to it.
        Encoding::O200k => {
            let end = run(text, run(text, start, Class::Upper), Class::Lower);
            end + contraction(&text[end..])
        }
    }
}

/// Bytes of `'s`, `'ll` and the like at the beginning; zero if there is no such.
fn contraction(text: &[u8]) -> usize {
    let [b'\'', rest @ ..] = text else {
        return 0;
    };
    let small = |at: usize| rest.get(at).map(u8::to_ascii_lowercase);
    match (small(0), small(1)) {
        (Some(b's' | b't' | b'm' | b'd'), _) => 2,
        (Some(b'r' | b'v'), Some(b'e')) | (Some(b'l'), Some(b'l')) => 3,
        _ => 0,
    }
}

/// Marks take the line ends behind them along, and in the newer encoding slashes behind these.
fn behind_marks(encoding: Encoding, text: &[u8], mut end: usize) -> usize {
    loop {
        match text.get(end) {
            Some(b'\r' | b'\n') => end += 1,
            Some(b'/') if encoding == Encoding::O200k => end += 1,
            _ => return end,
        }
    }
}

/// Bytes of the first word of a text that begins with space: up to its last line end, or else all of it but the last
/// character, which goes with the word behind it.
fn space(text: &[u8]) -> usize {
    let is_space = |byte: &u8| matches!(class(&[*byte], 0), Some(Class::Space | Class::LineEnd));
    let len = text.iter().position(|byte| !is_space(byte));
    let space = &text[..len.unwrap_or(text.len())];
    match space.iter().rposition(|byte| matches!(byte, b'\r' | b'\n')) {
        Some(last) => last + 1,
        None if len.is_none() => text.len(),
        None => (space.len() - 1).max(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn assert_cut_as_by_the_pattern(text: &str) {
        for encoding in [Encoding::Cl100k, Encoding::O200k] {
            let by_pattern: Vec<&str> = encoding.load().split(text).collect();
            let words: Vec<&str> = Words::of(encoding, text).unwrap().collect();
            assert_eq!(words, by_pattern, "{encoding:?} {text:?}");
        }
    }

    #[test]
    fn whatever_bytes_stand_side_by_side_are_cut_as_by_the_pattern() {
        let bytes = || (0..0x80_u8).map(char::from);
        for (a, b) in bytes().flat_map(|a| bytes().map(move |b| (a, b))) {
            for text in [
                format!("{a}{b}"),
                format!("x{a}{b}y"),
                format!(" {a}{b}{b}{a}'s "),
            ] {
                assert_cut_as_by_the_pattern(&text);
            }
        }
    }

    #[test]
    fn what_models_write_is_cut_as_by_the_pattern() {
        for text in [
            include_str!("../../docs/decisions.md"),
            include_str!("ascii.rs"),
            include_str!("../../Cargo.toml"),
        ] {
            for line in text.split_inclusive('\n').filter(|line| line.is_ascii()) {
                assert_cut_as_by_the_pattern(line);
            }
        }
    }

    proptest! {
        #[test]
        fn any_ascii_is_cut_as_by_the_pattern(text in "[ \t\n\r\x0b'/.!a-dlrstveAMLS0-9\x00-\x7f]{0,40}") {
            assert_cut_as_by_the_pattern(&text);
        }

        #[test]
        fn any_run_of_space_and_marks_is_cut_as_by_the_pattern(text in "[ \t\n\r'/.aS1]{0,24}") {
            assert_cut_as_by_the_pattern(&text);
        }
    }

    #[test]
    fn where_words_always_part_the_pattern_cuts_both_sides_alone() {
        let around = [
            "", "x", " ", "\n", "'", ".\n", "7", "\u{301}", "'s", "中", "\u{a0}", "  \n ",
        ];
        let parting = (0..0x80_u8).flat_map(|a| (0..0x80).map(move |b| (a, b)));
        let parting: Vec<_> = parting.filter(|(a, b)| parts(*a, *b)).collect();
        assert!(parting.len() > 3000, "{}", parting.len());
        for (a, b) in parting {
            for (before, behind) in around
                .iter()
                .flat_map(|a| around.iter().map(move |b| (a, b)))
            {
                let left = format!("{before}{}", char::from(a));
                let right = format!("{}{behind}", char::from(b));
                for encoding in [Encoding::Cl100k, Encoding::O200k] {
                    let by_pattern = encoding.load();
                    let whole = format!("{left}{right}");
                    let whole: Vec<_> = by_pattern.split(&whole).collect();
                    let apart: Vec<_> = by_pattern
                        .split(&left)
                        .chain(by_pattern.split(&right))
                        .collect();
                    assert_eq!(whole, apart, "{encoding:?}");
                }
            }
        }
    }

    #[test]
    fn text_that_is_not_ascii_is_none_of_its_business() {
        assert!(Words::of(Encoding::O200k, "na\u{ef}ve").is_none());
    }
}
