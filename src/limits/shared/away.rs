//! What stands in for Redis while it is away: to each node its share of every limit.

use super::stake::Stake;
use crate::{
    domain::{Kind, Rule},
    limits::EASE,
};
use std::time::Duration;

/// A share of one limit.
pub(super) enum Share {
    Flow(Bucket),
    /// What may still be spent here.
    Budget(i64),
    /// How many more may be in the air here, and how many of this share are.
    Places {
        left: i64,
        taken: u64,
    },
}

/// What comes of asking it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Enough,
    /// How many nanoseconds until there is, if it comes back.
    Short(Option<u64>),
}

/// A rate that this node alone takes from. Units are a request or a token in a nanosecond, so nothing is rounded.
pub(super) struct Bucket {
    amount: i128,
    span: i128,
    burst: i128,
    level: i128,
    at: u64,
    /// What was promised to those who were refused, so that they are told different times.
    promised: i128,
}

impl Share {
    /// What `nodes` nodes leave to each: of what was left when the server last spoke, or of what the ledger leaves.
    /// None if neither is known. Of a limit that is smaller than the number of nodes each has one, but no money.
    pub(super) fn new(stake: &Stake, nodes: u64, mono: u64) -> Option<Self> {
        let rule = stake.rule();
        let nodes = i64::try_from(nodes.max(1)).unwrap_or(i64::MAX);
        let amount = i64::try_from(rule.amount).unwrap_or(i64::MAX);
        let least_of_all = amount.min(1);
        if let Kind::Rate(_, pace) = stake.kind {
            let left = stake.left.unwrap_or(i64::MAX) / nodes;
            return Some(Self::Flow(Bucket::new(
                rule,
                pace.seconds(),
                nodes,
                left,
                mono,
            )));
        }
        if !stake.is_budget() {
            let left = (stake.left.unwrap_or(amount) / nodes).max(least_of_all);
            return Some(Self::Places { left, taken: 0 });
        }
        let by_ledger = || {
            let spent = stake.base?.spent;
            Some(amount.saturating_sub_unsigned(spent))
        };
        let left = stake.left.or_else(by_ledger)?;
        Some(Self::Budget(left.max(0) / nodes))
    }

    /// Whether there is as much as `least`. Who `has_begun` waits for nobody who was promised something.
    pub(super) fn look(&mut self, least: u64, has_begun: bool, mono: u64) -> Part {
        match self {
            Self::Flow(bucket) => bucket.look(least, has_begun, mono),
            Self::Budget(left) | Self::Places { left, .. } => {
                match u64::try_from(*left).is_ok_and(|left| left >= least) {
                    true => Part::Enough,
                    false => Part::Short(None),
                }
            }
        }
    }

    /// Takes at least `least`, and up to `want` if one of so many `parts` of what is left is as much; says how much.
    pub(super) fn take(&mut self, least: u64, want: u64, parts: u64) -> u64 {
        let plenty = u64::try_from(self.left()).unwrap_or(0) / parts.max(1);
        let taken = least.max(want.min(plenty));
        match self {
            Self::Flow(bucket) => bucket.level -= i128::from(taken) * bucket.span,
            Self::Budget(left) => *left = left.saturating_sub_unsigned(taken),
            Self::Places { left, taken: all } => {
                (*left, *all) = (left.saturating_sub_unsigned(taken), *all + taken);
            }
        }
        taken
    }

    /// Nobody is on these places any more; as many of them as came from here may be taken again.
    pub(super) fn free(&mut self, places: u64) {
        if let Self::Places { left, taken } = self {
            let back = places.min(*taken);
            (*left, *taken) = (left.saturating_add_unsigned(back), *taken - back);
        }
    }

    /// Whoever is refused is told a later time than those before.
    pub(super) fn promise(&mut self, count: u64) {
        if let Self::Flow(bucket) = self {
            let more = i128::from(count) * bucket.span;
            bucket.promised = (bucket.promised + more).min(bucket.amount * bucket.horizon());
        }
    }

    /// How long until it is as full as it can be.
    pub(super) fn full_in(&self) -> Duration {
        match self {
            Self::Flow(bucket) if bucket.amount > 0 => {
                let nanos = (bucket.burst - bucket.level) / bucket.amount;
                Duration::from_nanos(u64::try_from(nanos).unwrap_or(0))
            }
            Self::Flow(_) | Self::Budget(_) | Self::Places { .. } => Duration::ZERO,
        }
    }

    pub(super) fn left(&self) -> i64 {
        match self {
            Self::Flow(bucket) => {
                i64::try_from(bucket.level.div_euclid(bucket.span)).unwrap_or(i64::MAX)
            }
            Self::Budget(left) | Self::Places { left, .. } => *left,
        }
    }
}

const NANOS: i128 = 1_000_000_000;

impl Bucket {
    fn new(rule: &Rule, seconds: u64, nodes: i64, left: i64, mono: u64) -> Self {
        let part = |of: u64| (i128::from(of) / i128::from(nodes)).max(i128::from(of.min(1)));
        let (amount, burst) = (part(rule.amount), part(rule.burst.min(rule.amount)));
        let span = i128::from(seconds) * NANOS;
        Self {
            amount,
            span,
            burst: burst * span,
            level: (i128::from(left) * span).min(burst * span),
            at: mono,
            promised: 0,
        }
    }

    fn horizon(&self) -> i128 {
        // Callers are told a little more, and a minute at most.
        let ease = i128::try_from(EASE.as_nanos()).unwrap_or(0);
        self.span.min(60 * NANOS - ease)
    }

    fn look(&mut self, least: u64, has_begun: bool, mono: u64) -> Part {
        let flowed = self.amount * i128::from(mono.saturating_sub(self.at));
        self.at = self.at.max(mono);
        self.level = self.burst.min(self.level + flowed);
        self.promised = (self.promised - flowed).max(0);
        let needed = (i128::from(least) * self.span).min(self.burst);
        if self.level >= needed {
            return Part::Enough;
        }
        if self.amount == 0 {
            return Part::Short(None);
        }
        let promised = if has_begun { 0 } else { self.promised };
        let missing = needed + promised - self.level;
        let wait = (missing + self.amount - 1) / self.amount;
        Part::Short(u64::try_from(wait).ok())
    }
}

#[cfg(test)]
mod tests {
    use super::{Bucket, Part, Share};
    use crate::domain::{Flow, Kind, Pace, Rule};

    const SECOND: u64 = 1_000_000_000;

    fn share(amount: u64, nodes: i64) -> Share {
        let rule = Rule::new(Kind::Rate(Flow::Requests, Pace::Minute), amount);
        Share::Flow(Bucket::new(&rule, 60, nodes, i64::MAX, 0))
    }

    #[test]
    fn a_share_of_a_rate_is_a_rate() {
        let mut share = share(120, 2);
        assert_eq!(share.look(60, false, 0), Part::Enough);
        assert_eq!(share.take(60, 60, 16), 60);
        for seconds in 1..=3 {
            assert_eq!(share.look(1, false, 0), Part::Short(Some(seconds * SECOND)));
            share.promise(1);
        }
        assert_eq!(share.look(1, true, 0), Part::Short(Some(SECOND)));
        assert_eq!(share.look(2, false, 2 * SECOND), Part::Enough);
        assert_eq!(share.left(), 2);
    }

    #[test]
    fn nodes_have_one_each_of_what_is_smaller_than_they_are_many() {
        let mut share = share(1, 3);
        assert_eq!(share.look(1, false, 0), Part::Enough);
        assert_eq!(share.take(1, 1, 16), 1);
        assert_eq!(share.look(1, false, 0), Part::Short(Some(60 * SECOND)));
    }
}
