//! A rate: a bucket that refills continuously, in whole numbers.

use crate::domain::{Kind, Rule};
use std::time::Duration;

/// How much later than they may pass those who were refused should be told to come, and how much later than that they
/// may come: nobody's clock and nobody's network is exact, and a newcomer may be quicker at the very moment.
pub const EASE: Duration = Duration::from_millis(100);
/// How far ahead refused callers are told different times. Who asks again and again without waiting would otherwise
/// push away the time that everybody is told. With the ease it is the minute that clients believe.
const HORIZON: i64 = (60 * NANOS) as i64 - EASE_NANOS;
const EASE_NANOS: i64 = EASE.as_nanos() as i64;
const NANOS: u64 = 1_000_000_000;

/// How a bucket fills. One that it counts is as many units as its span has nanoseconds, so that `amount` of units flow
/// in every nanosecond, and nothing is ever rounded.
#[derive(Clone, Copy)]
pub(super) struct Speed {
    amount: i128,
    full: i128,
    one: i128,
}

impl Speed {
    /// That of a rate; means nothing of another limit.
    pub(super) fn of(rule: &Rule) -> Self {
        let seconds = match rule.kind {
            Kind::Rate(_, pace) => pace.seconds(),
            Kind::InFlight | Kind::Budget(..) => 1,
        };
        // Half of what 64 bits hold, so that sums of units stay far from what 128 hold.
        let amount = rule.amount.min(i64::MAX as u64);
        let one = i128::from(seconds * NANOS);
        Self {
            amount: amount.into(),
            full: i128::from(rule.burst.max(1).min(amount)) * one,
            one,
        }
    }

    /// How many units `count` are.
    pub(super) fn units(self, count: u64) -> i128 {
        i128::from(count) * self.one
    }

    /// How many there are in `units`: the whole ones.
    pub(super) fn whole(self, units: i128) -> u64 {
        let units = units.max(0);
        match (u64::try_from(units), u64::try_from(self.one)) {
            // The usual case, without a division of 128 bits.
            (Ok(units), Ok(one)) => units / one,
            _ => u64::try_from(units / self.one).unwrap_or(u64::MAX),
        }
    }

    /// The same with the one that is begun.
    pub(super) fn begun(self, units: i128) -> u64 {
        self.whole(units + self.one - 1)
    }

    /// How many are used where `units` are left.
    pub(super) fn used(self, units: i128) -> u64 {
        self.begun(self.full - units)
    }

    /// How many nanoseconds it takes until so many units have flowed in; never too few.
    fn time(self, units: i128) -> i64 {
        i64::try_from((units + self.amount - 1).div_euclid(self.amount)).unwrap_or(FAR)
    }

    /// What must be there for `count` to pass: all of them, but never more than there can be. What is larger than the
    /// bucket waits until it is full, and leaves a debt.
    fn needed(self, count: u64) -> i128 {
        self.units(count).min(self.full)
    }

    /// How long until `units` have become a full bucket.
    pub(super) fn full_in(self, units: i128) -> Option<Duration> {
        (self.amount > 0).then(|| nanoseconds(self.time((self.full - units).max(0))))
    }
}

/// Later than anybody waits for: a century or two.
const FAR: i64 = i64::MAX / 2;

fn nanoseconds(count: i64) -> Duration {
    Duration::from_nanos(u64::try_from(count).unwrap_or(0))
}

/// A moment of the monotonic clock, which stays below what 63 bits hold for 290 years.
fn moment(mono: u64) -> i64 {
    i64::try_from(mono).unwrap_or(FAR)
}

/// How long it is until `due`.
pub(super) fn until(due: i64, mono: u64) -> Duration {
    nanoseconds(due.saturating_sub(moment(mono)))
}

/// What is left of a rate, and since when.
#[derive(Debug)]
pub(super) struct Bucket {
    /// In units; below nothing while there is a debt.
    level: i128,
    /// When that was.
    at: u64,
    /// When all who were refused will have passed, if each comes back when it was told. They pass one after another,
    /// as if each took its share at that time; whoever is refused after them is told a later one. It keeps nobody out:
    /// who may pass is decided by the level alone.
    promised: i64,
    /// When the last of them has come back, however late.
    awaited: i64,
}

impl Bucket {
    pub(super) fn full(speed: Speed, mono: u64) -> Self {
        Self::holding(i64::MAX, speed, mono)
    }

    /// One in which so much is left, as far as there is room for it.
    pub(super) fn holding(left: i64, speed: Speed, mono: u64) -> Self {
        Self {
            level: speed.full.min(i128::from(left) * speed.one),
            at: mono,
            promised: -FAR,
            awaited: -FAR,
        }
    }

    /// Takes in what has flowed since the last time. A moment before that changes nothing.
    pub(super) fn refill(&mut self, speed: Speed, mono: u64) {
        let elapsed = mono.saturating_sub(self.at).min(i64::MAX as u64);
        if elapsed > 0 {
            self.at = mono;
            self.level = speed
                .full
                .min(self.level + i128::from(elapsed) * speed.amount);
        }
    }

    pub(super) fn fits(&self, speed: Speed, count: u64) -> bool {
        speed.amount > 0 && self.level >= speed.needed(count)
    }

    pub(super) fn take(&mut self, speed: Speed, count: u64) {
        self.level = self.level.saturating_sub(speed.units(count));
    }

    /// Gives back. What a full bucket has no room for is gone, as it would be had it never been taken.
    pub(super) fn give(&mut self, speed: Speed, count: u64) {
        self.level = speed.full.min(self.level + speed.units(count));
    }

    pub(super) fn units(&self) -> i128 {
        self.level
    }

    /// What was used stays used.
    pub(super) fn change(&mut self, from: Speed, to: Speed) {
        self.level += to.full - from.full;
    }

    /// When `count` pass if nobody else takes what was promised; it may be long ago. None if they never do.
    pub(super) fn due(&self, speed: Speed, count: u64) -> Option<i64> {
        let known = speed.amount > 0;
        known.then(|| {
            let needed = speed.time(speed.needed(count));
            self.free_from(speed).saturating_add(needed)
        })
    }

    /// When the level alone lets `count` pass, whatever was promised. None if it never does.
    pub(super) fn filled(&self, speed: Speed, count: u64) -> Option<i64> {
        let known = speed.amount > 0;
        known.then(|| moment(self.at).saturating_add(speed.time(speed.needed(count) - self.level)))
    }

    /// Keeps for a refused caller what it will take at `due`, when all of its limits let it pass.
    pub(super) fn promise(&mut self, speed: Speed, count: u64, due: i64) {
        let whole = i64::try_from(speed.full.div_euclid(speed.amount)).unwrap_or(FAR);
        // By then it cannot have saved more than it holds.
        let from = self.free_from(speed).max(due.saturating_sub(whole));
        // What flows in while a caller is late is lost where the bucket has no room for it.
        let room = whole.saturating_sub(due.saturating_sub(from));
        let lost = EASE_NANOS.saturating_sub(room).max(0);
        let until = from
            .saturating_add(speed.time(speed.units(count)))
            .saturating_add(lost);
        let horizon = moment(self.at).saturating_add(HORIZON);
        self.promised = until.min(horizon).max(self.promised);
        let last = due.min(horizon).saturating_add(2 * EASE_NANOS);
        self.awaited = last.max(self.awaited);
    }

    /// Whether somebody was told to come back. Until they have, nobody should take more than they need.
    pub(super) fn is_promised(&self) -> bool {
        self.awaited >= moment(self.at)
    }

    /// From when on what flows in belongs to nobody yet: when it was empty, had it always been filling, or when the
    /// last promise is kept.
    fn free_from(&self, speed: Speed) -> i64 {
        let saved = i64::try_from(self.level.div_euclid(speed.amount)).unwrap_or(-FAR);
        moment(self.at).saturating_sub(saved).max(self.promised)
    }

    /// Whether a new one would be the same.
    pub(super) fn is_untouched(&self, speed: Speed) -> bool {
        self.level >= speed.full && self.promised <= moment(self.at) && !self.is_promised()
    }
}
