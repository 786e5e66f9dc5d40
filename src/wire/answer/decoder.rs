//! What a string of an answer says without its escapes, while it comes in pieces.

use memchr::memchr;

/// Stands for what is no character: half of one that two escapes make, bytes that are not UTF-8.
pub(super) const REPLACEMENT: &str = "\u{fffd}";

/// Resolves the escapes of a string that comes in pieces, cut anywhere.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    /// A character that is not complete: two escapes of six bytes at most.
    held: [u8; 12],
    len: usize,
    text: String,
}

/// The first of the two escapes that a character is written by.
pub(super) type Half = [u8; 6];

impl Decoder {
    /// Gives away what is not complete, if that is half of a character which what comes elsewhere may complete.
    pub(super) fn take_half(&mut self) -> Option<Half> {
        let held = &self.held[..self.len];
        // Nothing else is held of which six bytes are there.
        let half = held
            .try_into()
            .ok()
            .filter(|half: &Half| half.starts_with(b"\\u"))?;
        self.len = 0;
        Some(half)
    }

    /// Goes on with such a half.
    pub(super) fn resume(&mut self, half: Half) {
        self.held[..half.len()].copy_from_slice(&half);
        self.len = half.len();
    }

    /// Whether nothing is left that is not complete.
    pub(super) fn is_idle(&self) -> bool {
        self.len == 0
    }

    /// Forgets what is not complete.
    pub(super) fn clear(&mut self) {
        self.len = 0;
    }

    pub(super) fn push(&mut self, raw: &[u8], tell: impl FnOnce(&str)) {
        if self.len == 0
            && memchr(b'\\', raw).is_none()
            && let Ok(text) = std::str::from_utf8(raw)
        {
            return tell(text);
        }
        self.text.clear();
        let mut rest = raw;
        while let Some((&byte, behind)) = rest.split_first() {
            if self.len > 0 || byte == b'\\' {
                self.held[self.len] = byte;
                self.len += 1;
                rest = behind;
                self.resolve();
            } else {
                let run = memchr(b'\\', rest).unwrap_or(rest.len());
                let left = self.plain(&rest[..run]);
                rest = &rest[run - left..];
                if left > 0 {
                    self.held[..left].copy_from_slice(&rest[..left]);
                    self.len = left;
                    rest = &rest[left..];
                }
            }
        }
        tell(&self.text);
    }

    /// Takes bytes without escapes; returns how many at their end are an incomplete character.
    fn plain(&mut self, bytes: &[u8]) -> usize {
        let mut left = 0;
        let mut chunks = bytes.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            self.text.push_str(chunk.valid());
            let broken = chunk.invalid();
            let may_go_on = std::str::from_utf8(broken).is_err_and(|e| e.error_len().is_none());
            if chunks.peek().is_none() && may_go_on {
                left = broken.len();
            } else if !broken.is_empty() {
                self.text.push_str(REPLACEMENT);
            }
        }
        left
    }

    /// Turns what is held into characters, as far as they are complete.
    fn resolve(&mut self) {
        while let Some((taken, c)) = character(&self.held[..self.len]) {
            self.text.push(c);
            self.held.copy_within(taken..self.len, 0);
            self.len -= taken;
        }
    }
}

/// The character that `held` begins with, and its bytes; none if it is not complete. Escapes are known to be sound.
fn character(held: &[u8]) -> Option<(usize, char)> {
    const BROKEN: char = char::REPLACEMENT_CHARACTER;
    match held {
        [] | [b'\\'] => None,
        [b'\\', b'u', hex @ ..] => {
            let first = code(hex)?;
            if !(0xd800..0xdc00).contains(&first) {
                return Some((6, char::from_u32(first).unwrap_or(BROKEN)));
            }
            match &hex[4..] {
                [] | [b'\\'] => None,
                [b'\\', b'u', hex @ ..] => match code(hex)? {
                    second @ 0xdc00..0xe000 => {
                        let both = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                        Some((12, char::from_u32(both).unwrap_or(BROKEN)))
                    }
                    _ => Some((6, BROKEN)),
                },
                _ => Some((6, BROKEN)),
            }
        }
        [b'\\', escape, ..] => {
            let c = match escape {
                b'b' => '\u{8}',
                b'f' => '\u{c}',
                b'n' => '\n',
                b'r' => '\r',
                b't' => '\t',
                other => char::from(*other),
            };
            Some((2, c))
        }
        _ => {
            let chunk = held.utf8_chunks().next()?;
            if let Some(c) = chunk.valid().chars().next() {
                return Some((c.len_utf8(), c));
            }
            let broken = chunk.invalid();
            let error = std::str::from_utf8(broken).err()?;
            let is_all = broken.len() == held.len();
            (!is_all || error.error_len().is_some()).then_some((broken.len(), BROKEN))
        }
    }
}

/// The number that four hex digits write; none while some are missing.
fn code(hex: &[u8]) -> Option<u32> {
    let digits = std::str::from_utf8(hex.get(..4)?).ok()?;
    u32::from_str_radix(digits, 16).ok()
}
