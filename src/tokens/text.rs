//! One text that arrives in pieces, counted as the whole.

use super::{Count, Encoding, Why, letters::Letters, words};

/// Words at the end of a text that more text may still change.
///
/// The patterns that cut text into words look ahead over one run of letters or spaces and a contraction after it. So
/// at most the last two words can change, as the tests show; one more is held.
const OPEN_WORDS: usize = 3;

/// Text is cut into words when so much of it has come, rather than at each piece of a few bytes.
const FOLD_BYTES: usize = 256;

/// The longest text without a boundary between words. A longer one is counted in parts, each exact.
const HELD_MAX_BYTES: usize = 1 << 20;

/// Counts a text that arrives in pieces, cut anywhere: what it says in the end is the count of the whole.
///
/// It holds the last few words only, so its memory is bounded, and its time is linear in the text. A piece of some
/// bytes takes a tenth of a microsecond, and three times that with [`Running::count`] after it; so where the encoding
/// [is loaded](Encoding::is_loaded) it may be used on a thread that serves. Pieces of many KiB belong on another.
#[derive(Debug)]
pub struct Running {
    encoding: Encoding,
    /// Tokens of the words that can no longer change.
    settled: u64,
    /// The words that can, and what has come since.
    held: String,
    /// How long `held` may get before it is cut again. It doubles as long as no boundary is found, or else one long
    /// word would be read again with every piece.
    fold_at: usize,
    /// What is held, if that is one word of a simple kind.
    simple: Option<Simple>,
    /// The same, if it is a word that ends in letters without case.
    letters: Option<Letters>,
    too_long: bool,
}

/// A word that is cut without the pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Simple {
    /// Small Latin letters behind a space at most and a capital at most. As many such letters may follow as like: every
    /// encoding takes them for one word, from which a space or a mark always begins another.
    Plain,
    /// A comma, a full stop or the like behind a plain word. A plain word with a space before it ends it.
    Mark,
}

impl Running {
    /// Counts in `encoding`, which the first piece loads.
    pub fn new(encoding: Encoding) -> Self {
        Self {
            encoding,
            settled: 0,
            held: String::new(),
            fold_at: FOLD_BYTES,
            simple: None,
            letters: None,
            too_long: false,
        }
    }

    /// Takes in the next piece.
    pub fn push(&mut self, piece: &str) {
        if self.push_letters(piece) || self.push_simple(piece) {
            return;
        }
        self.held.push_str(piece);
        if self.held.len() < self.fold_at {
            return;
        }
        let open = self.fold();
        if self.held.len() > HELD_MAX_BYTES {
            self.settled += open;
            self.held = String::new();
            self.fold_at = FOLD_BYTES;
            self.too_long = true;
        }
    }

    /// Takes in the next piece without the pattern, if it is letters without case that go on with such.
    fn push_letters(&mut self, piece: &str) -> bool {
        let goes_on = (self.letters.as_mut()).is_some_and(|letters| letters.extend(piece));
        match goes_on {
            true => self.held.push_str(piece),
            false => self.letters = None,
        }
        goes_on
    }

    /// Takes in the next piece without the pattern, if it goes on with a plain word, or is the next one or a mark.
    ///
    /// That is most of what models write, and a fraction of the work.
    fn push_simple(&mut self, piece: &str) -> bool {
        let bytes = piece.as_bytes();
        if bytes.len() + self.held.len() >= FOLD_BYTES {
            self.simple = None;
            return false;
        }
        let is_plain = self.simple == Some(Simple::Plain);
        if is_plain && bytes.iter().all(u8::is_ascii_lowercase) {
            self.held.push_str(piece);
            return true;
        }
        let begins = match bytes {
            [b',' | b'.' | b';' | b':' | b'!' | b'?'] if is_plain => Some(Simple::Mark),
            [b' ', ..] if self.simple.is_some() && is_plain_word(bytes) => Some(Simple::Plain),
            _ if self.held.is_empty() && is_plain_word(bytes) => Some(Simple::Plain),
            _ => None,
        };
        if begins.is_some() {
            self.settled += self.count_simple();
            self.held.clear();
            self.held.push_str(piece);
        }
        self.simple = begins;
        begins.is_some()
    }

    fn count_simple(&self) -> u64 {
        words::tokens(self.encoding, self.held.as_bytes())
    }

    /// Tokens that are certain, whatever comes.
    pub(super) fn at_least(&self) -> u64 {
        self.settled
    }

    /// Bytes that are held, all of which [`Running::count`] reads.
    pub fn held_bytes(&self) -> usize {
        self.held.len()
    }

    /// The count of all that has come, as if it were the whole.
    ///
    /// It reads what is held: a few words, which is long only in a text of very long ones.
    pub fn count(&mut self) -> Count {
        let open = match (&self.letters, self.simple) {
            (Some(letters), _) => letters.tokens(),
            (None, Some(_)) => self.count_simple(),
            (None, None) => self.fold(),
        };
        Count {
            tokens: self.settled + open,
            estimated: self.too_long.then_some(Why::TooLong),
        }
    }

    /// Counts the words that can no longer change, and lets go of them. Returns the count of those that can.
    fn fold(&mut self) -> u64 {
        // The last words, how long they are and their tokens.
        let mut open = [(0, 0); OPEN_WORDS];
        let (mut done, mut oldest) = (0, 0);
        words::each(
            self.encoding,
            self.encoding.words(&self.held),
            |bytes, tokens| {
                let word = std::mem::replace(&mut open[oldest], (bytes, tokens));
                done += word.0;
                self.settled += word.1;
                oldest = (oldest + 1) % OPEN_WORDS;
            },
        );
        open.rotate_left(oldest);
        // Nothing behind a plain word or such letters can change what is before it: more of them make it longer.
        let [before @ .., (bytes, _)] = &mut open;
        let last = self.held.len() - *bytes;
        let word = &self.held[last..];
        let is_plain = is_plain_word(word.as_bytes());
        self.simple = is_plain.then_some(Simple::Plain);
        self.letters = Letters::of(self.encoding, word);
        if is_plain || self.letters.is_some() {
            for (_, tokens) in before {
                self.settled += std::mem::take(tokens);
            }
            done = last;
        }
        self.held.drain(..done);
        self.fold_at = FOLD_BYTES.max(self.held.len() * 2);
        self.held.shrink_to(self.fold_at);
        open.into_iter().map(|(_, tokens)| tokens).sum()
    }
}

fn is_plain_word(bytes: &[u8]) -> bool {
    let letters = bytes.strip_prefix(b" ").unwrap_or(bytes);
    let small = match letters {
        [first, small @ ..] if first.is_ascii_uppercase() => small,
        small => small,
    };
    !small.is_empty() && small.iter().all(u8::is_ascii_lowercase)
}
