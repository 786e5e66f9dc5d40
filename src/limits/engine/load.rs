//! What a call is to its limits.

use crate::domain::{Coin, Flow, Kind};

/// What a call takes, holds, or gives back.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Load {
    pub(super) requests: u64,
    pub(super) input: u64,
    pub(super) output: u64,
    /// Unknown where nobody knows the price.
    pub(super) nanos: Option<u64>,
}

impl Load {
    /// What it is to a limit.
    pub(super) fn of(&self, kind: Kind) -> u64 {
        let tokens = self.input.saturating_add(self.output);
        match kind {
            Kind::Rate(Flow::Requests, _) | Kind::InFlight => self.requests,
            Kind::Rate(Flow::Tokens, _) | Kind::Budget(Coin::Tokens, _) => tokens,
            Kind::Rate(Flow::Input, _) => self.input,
            Kind::Rate(Flow::Output, _) => self.output,
            Kind::Budget(Coin::Dollars, _) => self.nanos.unwrap_or(0),
        }
    }
}
