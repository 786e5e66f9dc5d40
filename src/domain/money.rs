//! Money, without floats.

use super::digits::put_digits;
use std::fmt;

/// Decimals of an amount: a billionth is as fine as price lists get.
const DECIMALS: usize = 9;
const BILLION: u64 = 1_000_000_000;

/// An amount in billionths of a dollar. Never negative, and never more than a signed column of a database holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NanoDollars(i64);

impl NanoDollars {
    /// The largest amount, some nine billion dollars. What would be more is this.
    pub const MAX: Self = Self(i64::MAX);

    /// So many billionths of a dollar.
    pub const fn new(nanos: u128) -> Self {
        if nanos > i64::MAX as u128 {
            return Self::MAX;
        }
        Self(nanos as i64)
    }

    /// Reads dollars, such as `2.50`, exactly. None for a sign, an exponent, a tenth decimal, or more than there can be.
    pub fn parse(text: &str) -> Option<Self> {
        let nanos = parse_billionths(text)?;
        i64::try_from(nanos).ok().map(Self)
    }

    /// Billionths of a dollar; not negative.
    pub fn nanos(self) -> i64 {
        self.0
    }
}

/// In dollars: `0.0000125`.
impl fmt::Display for NanoDollars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_billionths(f, self.0.unsigned_abs())
    }
}

/// Reads a plain decimal, such as `2.50`, exactly. None for a sign, an exponent, or a tenth decimal.
pub(super) fn parse_billionths(text: &str) -> Option<u64> {
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    if !is_digits(whole) || !is_digits(fraction) || fraction.len() > DECIMALS {
        return None;
    }
    let fraction: u64 = format!("{fraction:0<DECIMALS$}").parse().ok()?;
    let whole: u64 = whole.parse().ok()?;
    whole.checked_mul(BILLION)?.checked_add(fraction)
}

/// Writes the shortest decimal that [`parse_billionths`] reads as the same.
pub(super) fn write_billionths(f: &mut fmt::Formatter<'_>, amount: u64) -> fmt::Result {
    const POINT: usize = 11; // digits before it that 64 bits can need
    let mut text = *b"00000000000.000000000";
    let (whole, fraction) = text.split_at_mut(POINT);
    put_digits(whole, amount / BILLION);
    put_digits(&mut fraction[1..], amount % BILLION);
    let is_needed = |byte: &u8| *byte != b'0';
    let from = whole[..POINT - 1].iter().position(is_needed);
    let last = text.iter().rposition(is_needed).unwrap_or(POINT);
    let end = last + usize::from(last != POINT);
    let text = &text[from.unwrap_or(POINT - 1)..end];
    // At once, for every call's price is written out on its way.
    f.write_str(std::str::from_utf8(text).expect("digits are ASCII"))
}

#[cfg(test)]
mod tests {
    use super::{NanoDollars, parse_billionths};
    use proptest::prelude::proptest;

    #[test]
    fn decimals_are_read_exactly() {
        assert_eq!(parse_billionths("2.50"), Some(2_500_000_000));
        assert_eq!(parse_billionths("0"), Some(0));
        assert_eq!(parse_billionths("0.1"), Some(100_000_000));
        assert_eq!(parse_billionths("0.000000001"), Some(1));
        for wrong in [
            "",
            ".",
            "1.",
            ".5",
            "-1",
            "+1",
            "1e3",
            "1,5",
            "1_000",
            " 1",
            "0.0000000001",
            "inf",
            "99999999999999999999",
        ] {
            assert_eq!(parse_billionths(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn too_much_is_the_largest_amount() {
        assert_eq!(NanoDollars::new(u128::MAX), NanoDollars::MAX);
        assert_eq!(NanoDollars::MAX.to_string(), "9223372036.854775807");
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_back(nanos in 0..i64::MAX) {
            let amount = NanoDollars::new(nanos.unsigned_abs().into());
            assert_eq!(parse_billionths(&amount.to_string()), Some(nanos.unsigned_abs()));
        }
    }
}
