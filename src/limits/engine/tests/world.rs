//! What a model of the limits keeps: every call, and what that adds up to.

use super::super::*;
use crate::domain::{Coin, Flow, Kind, Pace, Rule, Span};
use std::collections::{BTreeMap, BTreeSet};

const SECOND: u64 = 1_000_000_000;
const HOUR_MS: u64 = 3_600_000;
/// Half a minute before an hour ends.
const START: u64 = 500_000 * HOUR_MS - 30_000;

pub(super) const LEVELS: [Level; 3] = [Level::Organization, Level::Project, Level::Key];

/// A call in the air.
pub(super) struct Call {
    pub(super) lease: Lease,
    pub(super) wall: u64,
    pub(super) who: Vec<usize>,
    /// The limits that it holds something of: those that were there when it began.
    pub(super) held: BTreeSet<(usize, Kind)>,
    pub(super) input: u64,
    pub(super) covered: u64,
    pub(super) price: Option<Charge>,
}

#[derive(Clone, Copy, Default)]
pub(super) struct Sum {
    pub(super) tokens: u64,
    pub(super) nanos: u64,
}

pub(super) struct World {
    pub(super) engine: Engine,
    pub(super) mono: u64,
    pub(super) offset: i64,
    pub(super) rules: [BTreeMap<Kind, Rule>; 3],
    /// What was last said of each limit, also of those that are not in force any more.
    pub(super) known: BTreeMap<(usize, Kind), Rule>,
    /// Whole buckets, in parts as fine as an amount in a nanosecond.
    pub(super) levels: BTreeMap<(usize, Kind), i128>,
    /// What a budget whose base is known has settled, by period.
    pub(super) spent: BTreeMap<(usize, Kind, u64), u64>,
    /// What was ever settled: by whom, when, how much.
    pub(super) ledger: Vec<(Vec<usize>, u64, Sum)>,
    pub(super) calls: Vec<Call>,
}

pub(super) fn nanos(pace: Pace) -> i128 {
    i128::from(pace.seconds()) * i128::from(SECOND)
}

pub(super) fn output_cost(price: Option<Charge>, tokens: u64) -> u64 {
    price.map_or(0, |price| (tokens * price.output_rate).div_ceil(1_000_000))
}

pub(super) fn period(kind: Kind, wall: u64) -> u64 {
    match kind {
        Kind::Budget(_, Span::Hour) => wall / HOUR_MS,
        _ => 0,
    }
}

impl World {
    pub(super) fn new() -> Self {
        let world = Self {
            engine: Engine::new(Source::Own),
            mono: 17,
            offset: 0,
            rules: Default::default(),
            known: BTreeMap::new(),
            levels: BTreeMap::new(),
            spent: BTreeMap::new(),
            ledger: vec![(
                vec![0, 1, 2],
                START,
                Sum {
                    tokens: 30,
                    nanos: 400,
                },
            )],
            calls: Vec::new(),
        };
        (0..3).for_each(|who| world.put(who));
        world
    }

    pub(super) fn now(&self) -> Now {
        Now {
            mono: self.mono,
            wall: (START + self.mono / 1_000_000).wrapping_add_signed(self.offset),
        }
    }

    pub(super) fn put(&self, who: usize) {
        let mut rules = Rules::default();
        self.rules[who].values().for_each(|rule| rules.add(*rule));
        let origin = Origin::default();
        self.engine
            .set(LEVELS[who], "one", origin, &rules, self.now());
    }

    pub(super) fn pass(&mut self, elapsed: u64) {
        self.mono += elapsed;
        for ((who, kind), level) in &mut self.levels {
            let rule = self.known[&(*who, *kind)];
            let Kind::Rate(_, pace) = *kind else { continue };
            let full = i128::from(rule.burst.min(rule.amount)) * nanos(pace);
            *level = full.min(*level + i128::from(elapsed) * i128::from(rule.amount));
        }
    }

    /// What a call with these figures is to a limit.
    pub(super) fn cost(kind: Kind, requests: u64, input: u64, output: u64, nanos: u64) -> u64 {
        match kind {
            Kind::InFlight | Kind::Rate(Flow::Requests, _) => requests,
            Kind::Rate(Flow::Tokens, _) | Kind::Budget(Coin::Tokens, _) => input + output,
            Kind::Rate(Flow::Input, _) => input,
            Kind::Rate(Flow::Output, _) => output,
            Kind::Budget(Coin::Dollars, _) => nanos,
        }
    }

    pub(super) fn hold(call: &Call, kind: Kind) -> u64 {
        let input = call.price.map_or(0, |price| price.input_nanos);
        let nanos = input + output_cost(call.price, call.covered);
        Self::cost(kind, 0, call.input, call.covered, nanos)
    }

    /// Of a budget: settled, and held.
    pub(super) fn used(&self, who: usize, kind: Kind, wall: u64) -> Option<(u64, u64)> {
        let at = period(kind, wall);
        let settled = *self.spent.get(&(who, kind, at))?;
        let is_of =
            |call: &&Call| call.held.contains(&(who, kind)) && period(kind, call.wall) == at;
        let calls = self.calls.iter().filter(is_of);
        Some((settled, calls.map(|call| Self::hold(call, kind)).sum()))
    }

    pub(super) fn in_air(&self, who: usize) -> u64 {
        self.calls
            .iter()
            .filter(|call| call.who.contains(&who))
            .count() as u64
    }

    pub(super) fn fits(&self, who: usize, rule: &Rule, count: u64, wall: u64) -> bool {
        let (kind, amount) = (rule.kind, rule.amount);
        count == 0
            || match kind {
                Kind::InFlight => self.in_air(who) + count <= amount,
                Kind::Rate(_, pace) => {
                    let needed = count.min(rule.burst.min(amount));
                    amount > 0 && self.levels[&(who, kind)] >= i128::from(needed) * nanos(pace)
                }
                Kind::Budget(..) => {
                    let (settled, held) = self.used(who, kind, wall).expect("it is known");
                    settled + held + count <= amount
                }
            }
    }

    /// How many nanoseconds it takes until a rate has what is missing of `count`.
    pub(super) fn missing(&self, who: usize, kind: Kind, count: u64) -> Option<u64> {
        let Kind::Rate(_, pace) = kind else {
            return None;
        };
        let rule = &self.known[&(who, kind)];
        let needed = i128::from(count.min(rule.burst.min(rule.amount))) * nanos(pace);
        let units = needed - self.levels[&(who, kind)];
        let amount = i128::from(rule.amount);
        (count > 0 && units > 0).then(|| ((units + amount - 1) / amount) as u64)
    }

    /// Takes from rates; what budgets hold is added up from the calls.
    pub(super) fn flow(&mut self, who: usize, kind: Kind, taken: i128) {
        if let Kind::Rate(_, pace) = kind {
            let rule = self.known[&(who, kind)];
            let full = i128::from(rule.burst.min(rule.amount)) * nanos(pace);
            let level = self
                .levels
                .get_mut(&(who, kind))
                .expect("a rate has a level");
            *level = full.min(*level - taken * nanos(pace));
        }
    }

    pub(super) fn on_ledger(&self, who: usize, kind: Kind, at: u64) -> u64 {
        let of = |(whose, wall, sum): &(Vec<usize>, u64, Sum)| {
            let is_of = whose.contains(&who) && period(kind, *wall) == at;
            let sum = match kind {
                Kind::Budget(Coin::Tokens, _) => sum.tokens,
                _ => sum.nanos,
            };
            if is_of { sum } else { 0 }
        };
        self.ledger.iter().map(of).sum()
    }
}
