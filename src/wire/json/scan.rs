//! What the lexer looks for in bytes, many of them at a time.

/// The end of the number at `from`, if it is the usual kind, a row of digits, and does not reach to the piece's end.
#[inline]
pub(super) fn integer_end(piece: &[u8], from: usize) -> Option<usize> {
    let digits = piece[from..].iter().position(|b| !b.is_ascii_digit())?;
    let end = from + digits;
    let is_whole = !matches!(piece[end], b'.' | b'e' | b'E');
    let is_plain = digits == 1 || digits > 1 && piece[from] != b'0';
    (is_whole && is_plain).then_some(end)
}

#[inline]
pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\r' | b'\t')
}

/// The index of the first quote, backslash or control character at or after `from`, or the length.
///
/// Looks at eight bytes at a time, and at more once a string has turned out to be long: string contents are most of
/// what Weir ever reads.
#[inline]
pub(super) fn plain_run(bytes: &[u8], from: usize) -> usize {
    const SHORT_WORDS: usize = 4;
    let mut rest = &bytes[from..];
    let mut words = 0;
    while let Some((word, behind)) = rest.split_first_chunk() {
        let found = special(u64::from_le_bytes(*word));
        if found != 0 {
            return bytes.len() - rest.len() + found.trailing_zeros() as usize / 8;
        }
        rest = behind;
        words += 1;
        if words == SHORT_WORDS {
            rest = behind_plain_blocks(rest);
        }
    }
    let is_special = |&b: &u8| b == b'"' || b == b'\\' || b < 0x20;
    let plain = rest.iter().position(is_special).unwrap_or(rest.len());
    bytes.len() - rest.len() + plain
}

/// The high bit of each byte that is a quote, a backslash or a control character; only the lowest can be relied on,
/// for a false one can stand above a true one.
#[inline]
fn special(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    // Taking one from a byte sets its high bit if it was zero, and else only if it had it before.
    let quote = (word ^ (ONES * u64::from(b'"'))).wrapping_sub(ONES);
    let backslash = (word ^ (ONES * u64::from(b'\\'))).wrapping_sub(ONES);
    let control = word.wrapping_sub(ONES * 0x20);
    (quote | backslash | control) & !word & HIGH
}

/// What is left behind whole blocks in which nothing is special. Without a branch for each byte, so that the compiler
/// makes a few wide instructions of a block.
#[inline(never)]
fn behind_plain_blocks(bytes: &[u8]) -> &[u8] {
    const BLOCK: usize = 64;
    let is_special = |b: u8| (b == b'"') | (b == b'\\') | (b < 0x20);
    let mut rest = bytes;
    while let Some((block, behind)) = rest.split_first_chunk::<BLOCK>()
        && !block.iter().fold(false, |any, &b| any | is_special(b))
    {
        rest = behind;
    }
    rest
}
