//! A part of a slot that is written once in a call's life: how it is put together, sealed with a checksum, and read.

use std::sync::atomic::{AtomicU64, Ordering};

/// A slot or a section whose content cannot be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Torn;

/// Words before a section's content: the checksum, and which call wrote it, over the length in bytes.
pub(super) const PREFIX: usize = 2;
/// Bits of that length.
const LEN_BITS: u32 = 16;

const SEED: u64 = 0x5765_6972_2077_6569;

/// The words of one section, and what its checksum begins with.
#[derive(Clone, Copy)]
pub(super) struct Section<'a> {
    words: &'a [AtomicU64],
    sequence: u64,
    place: usize,
}

impl<'a> Section<'a> {
    /// The section in `words` of the `sequence`th call; `place` differs from section to section.
    ///
    /// So no section passes for one of another call, nor for another one of the same.
    pub(super) fn new(words: &'a [AtomicU64], sequence: u64, place: usize) -> Self {
        Self {
            words,
            sequence,
            place,
        }
    }

    /// Writes the content, and its checksum last. What is longer than the section has room for is a mistake.
    pub(super) fn write(self, content: &[u8]) {
        let used = content.len().div_ceil(8);
        self.words[0].store(0, Ordering::Release);
        let label = self.sequence << LEN_BITS | content.len() as u64;
        self.words[1].store(label, Ordering::Relaxed);
        let (whole, rest) = content.as_chunks();
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        let eights = whole.iter().chain([&last]);
        for (word, eight) in self.words[PREFIX..PREFIX + used].iter().zip(eights) {
            word.store(u64::from_le_bytes(*eight), Ordering::Relaxed);
        }
        self.words[0].store(self.checksum(self.sequence, used), Ordering::Release);
    }

    /// Whether its label says that it was written in this call.
    pub(super) fn is_own(self) -> bool {
        let label = self.words[1].load(Ordering::Relaxed);
        label >> LEN_BITS == self.sequence & (u64::MAX >> LEN_BITS)
    }

    /// The content: none if nothing was written in this call, whatever another one left.
    ///
    /// What another one left is as whole as what is this one's: a label that was damaged makes nobody else's of it.
    pub(super) fn read(self) -> Result<Option<Vec<u8>>, Torn> {
        let checksum = self.words[0].load(Ordering::Acquire);
        if checksum == 0 {
            return Ok(None);
        }
        let label = self.words[1].load(Ordering::Relaxed);
        let len = (label & ((1 << LEN_BITS) - 1)) as usize;
        let used = len.div_ceil(8);
        if PREFIX + used > self.words.len() {
            return Err(Torn);
        }
        let is_own = self.is_own();
        let whose = match is_own {
            true => self.sequence,
            false => label >> LEN_BITS,
        };
        if self.checksum(whose, used) != checksum {
            return Err(Torn);
        }
        if !is_own {
            return Ok(None);
        }
        let mut content = vec![0; used * 8];
        let words = &self.words[PREFIX..PREFIX + used];
        for (bytes, word) in content.chunks_exact_mut(8).zip(words) {
            bytes.copy_from_slice(&word.load(Ordering::Relaxed).to_le_bytes());
        }
        content.truncate(len);
        Ok(Some(content))
    }

    /// Over the length and the content, if the `sequence`th call wrote it; never zero, which stands for none.
    fn checksum(self, sequence: u64, used: usize) -> u64 {
        let seed = mix(SEED, sequence ^ (self.place as u64) << 56);
        let sum = self.words[1..PREFIX + used]
            .iter()
            .fold(seed, |sum, word| mix(sum, word.load(Ordering::Relaxed)));
        sum.max(1)
    }
}

/// Multiply and fold: every bit of the word reaches all of the sum. Against tearing, not against forgery.
fn mix(sum: u64, word: u64) -> u64 {
    let wide = u128::from(sum.rotate_left(23) ^ word ^ 0x2545_f491_4f6c_dd1d)
        * u128::from(0x9e37_79b9_7f4a_7c15_u64);
    (wide >> 64) as u64 ^ wide as u64
}

/// Bytes of the longest section.
const DRAFT_MAX: usize = 720;

/// A section that is being put together. Fields are bounded so that all of them fit the largest section.
pub(super) struct Draft {
    buffer: [u8; DRAFT_MAX],
    len: usize,
}

impl Default for Draft {
    fn default() -> Self {
        Self {
            buffer: [0; DRAFT_MAX],
            len: 0,
        }
    }
}

impl Draft {
    pub(super) fn content(&self) -> &[u8] {
        &self.buffer[..self.len]
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.buffer[self.len..self.len + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }

    pub(super) fn byte(&mut self, byte: u8) {
        self.bytes(&[byte]);
    }

    pub(super) fn word(&mut self, word: u64) {
        self.bytes(&word.to_le_bytes());
    }

    pub(super) fn option(&mut self, word: Option<u64>) {
        self.word(word.unwrap_or(u64::MAX));
    }

    /// A text of up to `max` bytes; a longer one is cut, at a character. One that is empty stands for none.
    pub(super) fn text(&mut self, text: &str, max: usize) {
        let end = (0..=max.min(text.len())).rfind(|end| text.is_char_boundary(*end));
        let text = &text[..end.expect("zero is one")];
        self.len_of(text.len());
        self.bytes(text.as_bytes());
    }

    fn len_of(&mut self, len: usize) {
        let len = u16::try_from(len).expect("texts are bounded far below this");
        self.bytes(&len.to_le_bytes());
    }
}

/// What is left of a section that is being read.
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl Fields<'_> {
    fn bytes(&mut self, len: usize) -> Result<&[u8], Torn> {
        let (bytes, rest) = self.0.split_at_checked(len).ok_or(Torn)?;
        self.0 = rest;
        Ok(bytes)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Torn> {
        Ok(self.bytes(N)?.try_into().expect("as many as asked for"))
    }

    pub(super) fn byte(&mut self) -> Result<u8, Torn> {
        Ok(self.array::<1>()?[0])
    }

    pub(super) fn word(&mut self) -> Result<u64, Torn> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn option(&mut self) -> Result<Option<u64>, Torn> {
        Ok(Some(self.word()?).filter(|word| *word != u64::MAX))
    }

    pub(super) fn text(&mut self) -> Result<String, Torn> {
        let len = u16::from_le_bytes(self.array()?);
        let bytes = self.bytes(len.into())?.to_vec();
        String::from_utf8(bytes).map_err(|_| Torn)
    }

    /// A text, or none if it is empty.
    pub(super) fn maybe(&mut self) -> Result<Option<String>, Torn> {
        Ok(Some(self.text()?).filter(|text| !text.is_empty()))
    }
}
