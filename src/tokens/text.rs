//! One text that arrives in pieces, counted as the whole.

use super::{
    Count, Encoding, Why, ascii,
    letters::{self, Letters},
    words,
};
use smallvec::SmallVec;

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
    /// The words that can, and what has come since: mostly one, which fits in here.
    held: SmallVec<[u8; 24]>,
    /// How long `held` may get before it is cut again. It doubles as long as no boundary is found, or else one long
    /// word would be read again with every piece.
    fold_at: usize,
    /// The tokens of what is held, if it was counted since it came.
    open: Option<u64>,
    /// What is held, if it is a word that ends in letters without case.
    letters: Letters,
    too_long: bool,
}

impl Running {
    /// Counts in `encoding`, which the first piece loads.
    pub fn new(encoding: Encoding) -> Self {
        Self {
            encoding,
            settled: 0,
            held: SmallVec::new(),
            fold_at: FOLD_BYTES,
            open: None,
            letters: Letters::default(),
            too_long: false,
        }
    }

    /// Takes in the next piece.
    pub fn push(&mut self, piece: &str) {
        if self.push_letters(piece) {
            return;
        }
        if let Some(open) = self.open.take()
            && let (Some(&last), Some(&first)) = (self.held.last(), piece.as_bytes().first())
            && ascii::parts(last, first)
        {
            self.settled += open;
            self.held.clear();
        }
        self.held.extend_from_slice(piece.as_bytes());
        if self.held.len() < self.fold_at {
            return;
        }
        let open = self.fold();
        if self.held.len() > HELD_MAX_BYTES {
            self.settled += open;
            self.held = SmallVec::new();
            self.fold_at = FOLD_BYTES;
            self.too_long = true;
        }
    }

    /// Takes in the next piece, if it is letters without case that go on with such.
    fn push_letters(&mut self, piece: &str) -> bool {
        let Some(tokens) = self.letters.tokens() else {
            return false; // nearly always
        };
        if self.letters.extend(piece) {
            self.held.extend_from_slice(piece.as_bytes());
            self.open = None;
            return true;
        }
        if letters::end_before(piece) {
            self.settled += tokens;
            self.held.clear();
        }
        self.letters.end();
        false
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
        let open = match (self.letters.tokens(), self.open) {
            (Some(tokens), _) => tokens,
            (None, Some(open)) => open,
            (None, None) if ascii::is_word(self.encoding, &self.held) => {
                words::tokens(self.encoding, &self.held) // nearly always
            }
            (None, None) if letters::is_word(text(&self.held)) => {
                self.letters.begin(self.encoding, text(&self.held));
                let grown = self.letters.tokens();
                grown.unwrap_or_else(|| words::tokens(self.encoding, &self.held))
            }
            (None, None) => self.fold(),
        };
        self.open = Some(open);
        Count {
            tokens: self.settled + open,
            estimated: self.too_long.then_some(Why::TooLong),
        }
    }

    /// Counts the words that can no longer change, and lets go of them. Returns the count of those that can.
    fn fold(&mut self) -> u64 {
        let held = text(&self.held);
        // The last words, how long they are and their tokens; and where they begin.
        let mut open = [(0, 0); OPEN_WORDS];
        let (mut oldest, mut done, mut at) = (0, 0, 0);
        self.encoding.each_word(held, |bytes, tokens| {
            if at > 0 && ascii::parts(self.held[at - 1], self.held[at]) {
                for word in &mut open {
                    self.settled += std::mem::take(word).1;
                }
                done = at;
            }
            let word = std::mem::replace(&mut open[oldest], (bytes, tokens));
            done += word.0;
            self.settled += word.1;
            oldest = (oldest + 1) % OPEN_WORDS;
            at += bytes;
        });
        open.rotate_left(oldest);
        let [before @ .., (last, _)] = &mut open;
        let last = at - *last;
        let word = &held[last..];
        if self.letters.begin(self.encoding, word) || ascii::begins_plainly(word) {
            // Whatever comes behind such a word, at most it becomes longer.
            for (_, tokens) in before {
                self.settled += std::mem::take(tokens);
            }
            done = last;
        }
        if done > 0 {
            self.held.drain(..done);
            if self.held.len() * 4 <= self.held.capacity() {
                self.held.shrink_to_fit(); // back to where one word fits
            }
        }
        self.fold_at = FOLD_BYTES.max(self.held.len() * 2);
        open.into_iter().map(|(_, tokens)| tokens).sum()
    }
}

fn text(held: &[u8]) -> &str {
    std::str::from_utf8(held).expect("whole pieces of text, cut between words")
}
