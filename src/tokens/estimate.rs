//! A guess at the tokens of a text whose encoding is not known.

/// Estimates the tokens of `text` from its characters.
///
/// Encodings of large vocabularies agree on the order of things: four letters of Latin script a token, a little less
/// than a token for a Chinese or Japanese character, more than one for an emoji. For prose and code in common
/// languages it is right to about a quarter; for random characters it is not right at all.
pub fn estimate(text: &str) -> u64 {
    let mut estimate = Estimate::default();
    estimate.push(text);
    estimate.tokens()
}

/// Pieces of a stream whose text comes to more tokens than that, each, are no tokens.
const PIECE_TOKENS_MAX: u64 = 10;

/// Estimates a stream of `pieces` whose text `guess` estimates: servers send a token a piece or, rarely, many. What a
/// text comes to is a matter of its encoding, and how many pieces there were is not.
pub fn estimate_stream(guess: u64, pieces: u64) -> u64 {
    match guess <= pieces.saturating_mul(PIECE_TOKENS_MAX) {
        true => pieces,
        false => guess,
    }
}

/// An estimate of a text that arrives in pieces.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Estimate {
    /// In twentieths of a token.
    weight: u64,
    in_space: bool,
}

/// Parts of a token that [`Estimate`] counts in.
const TOKEN: u64 = 20;

impl Estimate {
    pub(super) fn push(&mut self, text: &str) {
        if text.is_ascii() {
            for byte in text.bytes() {
                self.add_character(ASCII[usize::from(byte)].into());
            }
        } else {
            for c in text.chars() {
                let known = ASCII.get(c as usize);
                self.add_character(known.map_or_else(|| wide(c), |weight| u64::from(*weight)));
            }
        }
    }

    fn add_character(&mut self, weight: u64) {
        let space = weight == SPACE;
        // A run of spaces is a token or goes with the word after it.
        let counts = !(space && self.in_space);
        self.weight += weight * u64::from(counts);
        self.in_space = space;
    }

    /// Adds text that has been counted.
    pub(super) fn add(&mut self, tokens: u64) {
        self.weight += tokens * TOKEN;
    }

    pub(super) fn tokens(&self) -> u64 {
        self.weight.div_ceil(TOKEN)
    }
}

/// What space adds in ASCII, and nothing else does.
const SPACE: u64 = 3;

// What a character adds, in twentieths of a token. Measured on `o200k_base` and rounded up.

/// The first 128, which most of what models write is made of.
const ASCII: [u8; 0x80] = {
    let mut weights = [11; 0x80];
    let mut c = 0;
    while c < weights.len() {
        let byte = c as u8;
        if byte.is_ascii_digit() {
            weights[c] = 8; // three digits a token
        } else if byte.is_ascii_alphabetic() {
            weights[c] = 4;
        } else if byte.is_ascii_whitespace() {
            weights[c] = SPACE as u8;
        }
        c += 1;
    }
    weights
};

/// All others.
fn wide(c: char) -> u64 {
    match u32::from(c) {
        ..0x800 => 8,          // European, Cyrillic, Greek, Hebrew, Arabic
        0x0800..0x2000 => 9,   // the scripts of South and South-East Asia
        0x2000..0x2e80 => 16,  // punctuation, symbols
        0x2e80..0xa000 => 15,  // Chinese, Japanese
        0xac00..0xd7b0 => 14,  // Korean
        0xf900..0xfb00 => 20,  // rare ideographs
        0xff00..0x10000 => 18, // full-width forms
        0xa000..0x10000 => 20,
        0x20000..0x40000 => 40, // ideographs outside the common plane
        _ => 45,                // emoji
    }
}
