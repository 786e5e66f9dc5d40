//! What a lease may hold something of.

use crate::domain::Kind;

/// What was there of a holder when a lease was given.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Given {
    /// The holder's number then.
    pub(super) epoch: u32,
    /// The kinds that were in force, a bit each.
    kinds: u32,
}

impl Given {
    pub(super) fn new(epoch: u32, kinds: impl Iterator<Item = Kind>) -> Self {
        let kinds = kinds.fold(0, |all, kind| all | bit(kind));
        Self { epoch, kinds }
    }

    /// Whether a kind was in force.
    pub(super) fn has(self, kind: Kind) -> bool {
        self.kinds & bit(kind) != 0
    }
}

fn bit(kind: Kind) -> u32 {
    1 << match kind {
        Kind::InFlight => 0,
        Kind::Rate(flow, pace) => 1 + 2 * flow as u32 + pace as u32,
        Kind::Budget(coin, span) => 9 + 4 * coin as u32 + span as u32,
    }
}
