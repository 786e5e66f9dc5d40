//! One limit of one holder, with what is used of it.

use super::{
    ask::{Reason, Source},
    budget::{Account, Budget},
    given::Given,
    period::Now,
};
use crate::{
    domain::{Coin, Kind, Rule, Span},
    limits::bucket::{Bucket, Speed},
};

/// A limit.
#[derive(Debug)]
pub(super) struct Meter {
    pub(super) rule: Rule,
    /// Leases before this hold nothing of it.
    born: u32,
    /// The rules in force have none of its kind. It asks nobody for anything, and is kept for those who hold some of it
    /// and in case it comes back: somebody with two sets of rules would otherwise find each of them new every time.
    pub(super) rests: bool,
    pub(super) gauge: Gauge,
}

/// How a limit is counted.
#[derive(Debug)]
pub(super) enum Gauge {
    Rate(Bucket),
    /// A rate that is drawn from a shared store: units that were granted and not taken, and how many more the store
    /// had when it was last asked.
    Share(i128, u64),
    /// Calls in the air are counted by their holder, and places by the shared store, if there is one.
    InFlight(Option<i64>),
    Budget(Source, Box<Budget>),
}

impl Meter {
    pub(super) fn new(rule: Rule, source: Source, born: u32, now: Now) -> Self {
        let gauge = match (rule.kind, source) {
            (Kind::Rate(..), Source::Own) => Gauge::Rate(Bucket::full(Speed::of(&rule), now.mono)),
            (Kind::Rate(..), Source::Drawn) => Gauge::Share(0, 0),
            (Kind::InFlight, Source::Own) => Gauge::InFlight(None),
            (Kind::InFlight, Source::Drawn) => Gauge::InFlight(Some(0)),
            (Kind::Budget(..), source) => Gauge::Budget(source, Box::new(Budget::new(now.wall))),
        };
        Self {
            rule,
            born,
            rests: false,
            gauge,
        }
    }

    pub(super) fn rule(&self) -> &Rule {
        &self.rule
    }

    pub(super) fn kind(&self) -> Kind {
        self.rule.kind
    }

    /// Another rule of the same kind. What was used stays used.
    pub(super) fn change(&mut self, rule: Rule) {
        if let Gauge::Rate(bucket) = &mut self.gauge {
            bucket.change(Speed::of(&self.rule), Speed::of(&rule));
        }
        self.rule = rule;
        self.rests = false;
    }

    /// Brings it to a moment: what has flowed in, and the account of the period. `born` numbers the accounts of its
    /// holder.
    pub(super) fn turn(&mut self, now: Now, born: &mut u32) {
        self.refill(now.mono);
        if let Gauge::Budget(source, _) = self.gauge
            && let Some((span, budget)) = self.budget()
        {
            budget.open(span, now.wall, born, source == Source::Drawn);
        }
    }

    /// Lets a rate flow, and opens no account.
    pub(super) fn refill(&mut self, mono: u64) {
        if let Gauge::Rate(bucket) = &mut self.gauge {
            bucket.refill(Speed::of(&self.rule), mono);
        }
    }

    /// Whether a lease that was `given` holds something of it.
    pub(super) fn is_held(&self, given: Given, wall: u64) -> bool {
        let born = match &self.gauge {
            Gauge::Budget(_, budget) => budget.find(wall).map(|account| account.born),
            _ => Some(self.born),
        };
        given.has(self.kind()) && born.is_some_and(|born| born <= given.epoch)
    }

    /// The account of a moment, if nobody has told what was spent before in its period.
    pub(super) fn unknown(&self, wall: u64) -> Option<&Account> {
        match &self.gauge {
            Gauge::Budget(_, budget) => budget.find(wall).filter(|account| !account.is_known()),
            _ => None,
        }
    }

    /// What is left: whole ones, and below nothing where more is used than there is.
    pub(super) fn left(&self, leases: u32, wall: u64) -> i128 {
        match &self.gauge {
            Gauge::Rate(bucket) => {
                let speed = Speed::of(&self.rule);
                speed.whole(bucket.units()).into()
            }
            Gauge::Share(units, _) => Speed::of(&self.rule).whole(*units).into(),
            Gauge::InFlight(granted) => {
                let places = granted.map_or(self.rule.amount.into(), i128::from);
                places - i128::from(leases)
            }
            Gauge::Budget(source, budget) => budget.find(wall).map_or(0, |account| {
                account.left(match source {
                    Source::Own => self.rule.amount.into(),
                    Source::Drawn => account.granted.into(),
                })
            }),
        }
    }

    /// Whether `count` may be taken.
    pub(super) fn fits(&self, count: u64, leases: u32, wall: u64) -> bool {
        match &self.gauge {
            _ if count == 0 => true,
            Gauge::Rate(bucket) => bucket.fits(Speed::of(&self.rule), count),
            Gauge::Share(units, _) => *units >= Speed::of(&self.rule).units(count),
            _ => self.left(leases, wall) >= i128::from(count),
        }
    }

    /// How much must be granted before `count` fits.
    pub(super) fn lacks(&self, count: u64, leases: u32, wall: u64) -> u64 {
        let lacking = match &self.gauge {
            Gauge::Share(units, _) => {
                let speed = Speed::of(&self.rule);
                return speed.begun(speed.units(count) - units);
            }
            _ => i128::from(count) - self.left(leases, wall),
        };
        u64::try_from(lacking.max(0)).unwrap_or(u64::MAX)
    }

    /// Why `count` does not fit.
    pub(super) fn reason(&self, count: u64) -> Reason {
        let never = match self.gauge {
            // A larger call waits for a full bucket.
            Gauge::Rate(..) | Gauge::Share(..) => self.rule.amount == 0,
            Gauge::InFlight(_) | Gauge::Budget(..) => count > self.rule.amount,
        };
        match never {
            true => Reason::TooLarge,
            false => Reason::Short,
        }
    }

    /// Whether calls in the air hold a part of a budget.
    pub(super) fn has_held(&self, wall: u64) -> bool {
        let Gauge::Budget(_, budget) = &self.gauge else {
            return false;
        };
        budget.find(wall).is_some_and(|account| account.held > 0)
    }

    /// Whether a budget would have room for `count` but for what others hold, who may use less; `own` is the asker's.
    pub(super) fn is_only_held(&self, count: u64, own: u64, wall: u64) -> bool {
        let Gauge::Budget(Source::Own, budget) = &self.gauge else {
            return false;
        };
        budget.find(wall).is_some_and(|account| {
            let used = account.spent.saturating_add(own).saturating_add(count);
            account.held > own && used <= self.rule.amount
        })
    }

    /// Takes `count` for a call, whether it fits or not.
    pub(super) fn take(&mut self, count: u64, wall: u64) {
        match &mut self.gauge {
            Gauge::Rate(bucket) => bucket.take(Speed::of(&self.rule), count),
            Gauge::Share(units, _) => *units -= Speed::of(&self.rule).units(count),
            Gauge::InFlight(_) => {}
            Gauge::Budget(_, budget) => {
                if let Some(account) = budget.find_mut(wall) {
                    account.held = account.held.saturating_add(count);
                }
            }
        }
    }

    /// Gives back what a call holds.
    pub(super) fn give(&mut self, count: u64, wall: u64) {
        match &mut self.gauge {
            Gauge::Rate(bucket) => bucket.give(Speed::of(&self.rule), count),
            Gauge::Share(units, _) => *units += Speed::of(&self.rule).units(count),
            Gauge::InFlight(_) => {}
            Gauge::Budget(_, budget) => {
                if let Some(account) = budget.find_mut(wall) {
                    account.held = account.held.saturating_sub(count);
                }
            }
        }
    }

    /// Ends a call that held `held` and has come to `used`.
    pub(super) fn settle(&mut self, held: u64, used: u64, wall: u64, mono: Option<u64>) {
        if self.is_budget() {
            self.give(held, wall);
            self.spend(used, wall);
        } else if used > held {
            // What has flowed in by now is whole before a debt is made.
            self.refill(mono.unwrap_or(0));
            self.take(used - held, wall);
        } else {
            self.give(held - used, wall);
        }
    }

    /// Notes what a call has spent; of a rate it was taken before.
    pub(super) fn spend(&mut self, count: u64, wall: u64) {
        if let Gauge::Budget(_, budget) = &mut self.gauge
            && let Some(account) = budget.find_mut(wall)
        {
            account.spent = account.spent.saturating_add(count);
        }
    }

    /// The rate that refills here.
    pub(super) fn bucket(&self) -> Option<(Speed, &Bucket)> {
        match &self.gauge {
            Gauge::Rate(bucket) => Some((Speed::of(&self.rule), bucket)),
            _ => None,
        }
    }

    /// The same, to promise from.
    pub(super) fn bucket_mut(&mut self) -> Option<(Speed, &mut Bucket)> {
        match &mut self.gauge {
            Gauge::Rate(bucket) => Some((Speed::of(&self.rule), bucket)),
            _ => None,
        }
    }

    /// What a budget has.
    pub(super) fn budget(&mut self) -> Option<(Span, &mut Budget)> {
        match (&mut self.gauge, self.rule.kind) {
            (Gauge::Budget(_, budget), Kind::Budget(_, span)) => Some((span, budget)),
            _ => None,
        }
    }

    /// What was granted of a rate and not taken, and how much more the store has.
    pub(super) fn share(&mut self) -> Option<(Speed, &mut i128, &mut u64)> {
        match &mut self.gauge {
            Gauge::Share(units, elsewhere) => Some((Speed::of(&self.rule), units, elsewhere)),
            _ => None,
        }
    }

    /// How many places were granted.
    pub(super) fn places(&mut self) -> Option<&mut i64> {
        match &mut self.gauge {
            Gauge::InFlight(granted) => granted.as_mut(),
            _ => None,
        }
    }

    /// Whether it is spent, rather than coming back.
    pub(super) fn is_budget(&self) -> bool {
        matches!(self.kind(), Kind::Budget(..))
    }

    /// Whether what it counts is money.
    pub(super) fn is_in_dollars(&self) -> bool {
        matches!(self.kind(), Kind::Budget(Coin::Dollars, _))
    }

    /// Whether a new one in its place would be the same, but for what a budget has spent.
    pub(super) fn is_idle(&self) -> bool {
        match &self.gauge {
            Gauge::Rate(bucket) => bucket.is_untouched(Speed::of(&self.rule)),
            Gauge::Share(units, _) => *units == 0,
            Gauge::InFlight(granted) => granted.unwrap_or(0) == 0,
            Gauge::Budget(Source::Drawn, budget) => budget.is_drained(),
            Gauge::Budget(Source::Own, _) => true,
        }
    }
}
