//! A limit at the command line, or that there is none.

use crate::auth::NUMBER_MAX;

/// The word for no limit.
pub(super) const NONE: &str = "none";

/// A limit, or that there is none.
#[derive(Clone, Copy)]
pub(super) struct Amount(pub(super) Option<u64>);

/// Reads one, for `clap`.
pub(super) fn amount(text: &str) -> Result<Amount, String> {
    if text == NONE {
        return Ok(Amount(None));
    }
    let number = text.parse().ok().filter(|number| *number < NUMBER_MAX);
    number
        .map(|number| Amount(Some(number)))
        .ok_or_else(|| "expected a number below 2^53, or none".to_owned())
}
