//! What stands in for Redis while it is away: to each node its share of every limit.

use super::stake::Stake;
use crate::{
    domain::Rule,
    limits::bucket::{Bucket, Speed, until},
};
use std::time::Duration;

/// A share of one limit.
pub(super) enum Share {
    /// A rate that this node alone takes from.
    Flow(Speed, Bucket),
    /// What may still be spent here.
    Budget(i64),
    /// How many more may be in the air here, and how many of this share are.
    Places { left: i64, taken: u64 },
}

/// What comes of asking it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Enough,
    /// How long until there is, if it comes back.
    Short(Option<Duration>),
}

impl Share {
    /// What `nodes` nodes leave to each: of what was left when the server last spoke, or of what the ledger leaves.
    /// None if neither is known. Of a limit that is smaller than the number of nodes each has one, but no money.
    pub(super) fn new(stake: &Stake, nodes: u64, mono: u64) -> Option<Self> {
        let rule = stake.rule();
        let nodes = nodes.clamp(1, i64::MAX as u64);
        let each = |of: i64| of / nodes as i64;
        let amount = i64::try_from(rule.amount).unwrap_or(i64::MAX);
        let least_of_all = amount.min(1);
        if stake.is_rate() {
            let speed = Speed::of(&part(rule, nodes));
            let left = each(stake.left.unwrap_or(i64::MAX));
            return Some(Self::Flow(speed, Bucket::holding(left, speed, mono)));
        }
        if !stake.is_budget() {
            let left = each(stake.left.unwrap_or(amount)).max(least_of_all);
            return Some(Self::Places { left, taken: 0 });
        }
        let by_ledger = || {
            let spent = stake.base?.spent;
            Some(amount.saturating_sub_unsigned(spent))
        };
        let left = stake.left.or_else(by_ledger)?;
        Some(Self::Budget(each(left.max(0))))
    }

    /// Whether there is as much as `least`. Who `has_begun` waits for nobody who was promised something.
    pub(super) fn look(&mut self, least: u64, has_begun: bool, mono: u64) -> Part {
        match self {
            Self::Flow(speed, bucket) => {
                bucket.refill(*speed, mono);
                if bucket.fits(*speed, least) {
                    return Part::Enough;
                }
                let due = match has_begun {
                    true => bucket.filled(*speed, least),
                    false => bucket.due(*speed, least),
                };
                Part::Short(due.map(|due| until(due, mono)))
            }
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
            Self::Flow(speed, bucket) => bucket.take(*speed, taken),
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
        if let Self::Flow(speed, bucket) = self
            && let Some(due) = bucket.due(*speed, count)
        {
            bucket.promise(*speed, count, due);
        }
    }

    /// How long until it is as full as it can be.
    pub(super) fn full_in(&self) -> Duration {
        match self {
            Self::Flow(speed, bucket) => speed.full_in(bucket.units()).unwrap_or_default(),
            Self::Budget(_) | Self::Places { .. } => Duration::ZERO,
        }
    }

    pub(super) fn left(&self) -> i64 {
        match self {
            Self::Flow(speed, bucket) => {
                i64::try_from(speed.whole(bucket.units())).unwrap_or(i64::MAX)
            }
            Self::Budget(left) | Self::Places { left, .. } => *left,
        }
    }
}

/// The part of a rate that one of so many nodes has: at least one, if it lets anybody pass at all.
fn part(rule: &Rule, nodes: u64) -> Rule {
    let part = |of: u64| (of / nodes).max(of.min(1));
    Rule {
        amount: part(rule.amount),
        burst: part(rule.burst),
        ..*rule
    }
}

#[cfg(test)]
mod tests {
    use super::{Bucket, Part, Share, Speed, part};
    use crate::domain::{Flow, Kind, Pace, Rule};
    use std::time::Duration;

    const SECOND: u64 = 1_000_000_000;

    fn share(amount: u64, nodes: u64) -> Share {
        let rule = Rule::new(Kind::Rate(Flow::Requests, Pace::Minute), amount);
        let speed = Speed::of(&part(&rule, nodes));
        Share::Flow(speed, Bucket::full(speed, 0))
    }

    fn short(seconds: u64) -> Part {
        Part::Short(Some(Duration::from_secs(seconds)))
    }

    #[test]
    fn a_share_of_a_rate_is_a_rate() {
        let mut share = share(120, 2);
        assert_eq!(share.look(60, false, 0), Part::Enough);
        assert_eq!(share.take(60, 60, 16), 60);
        for seconds in 1..=3 {
            assert_eq!(share.look(1, false, 0), short(seconds));
            share.promise(1);
        }
        assert_eq!(share.look(1, true, 0), short(1));
        assert_eq!(share.look(2, false, 2 * SECOND), Part::Enough);
        assert_eq!(share.left(), 2);
    }

    #[test]
    fn nodes_have_one_each_of_what_is_smaller_than_they_are_many() {
        let mut share = share(1, 3);
        assert_eq!(share.look(1, false, 0), Part::Enough);
        assert_eq!(share.take(1, 1, 16), 1);
        assert_eq!(share.look(1, false, 0), short(60));
    }
}
