//! What a caller is told of its limits with every answer.

use std::time::Duration;

/// How the tightest rates of a call stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The rate of requests with the fewest left.
    pub requests: Option<Side>,
    /// The rate of tokens with the fewest left, whichever tokens it counts.
    pub tokens: Option<Side>,
}

/// One rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Side {
    /// How much it allows in its span.
    pub limit: u64,
    /// How much is left.
    pub remaining: u64,
    /// How long until it is full if nobody uses it.
    pub reset: Duration,
}
