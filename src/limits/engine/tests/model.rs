//! Any interleaving, against a model that keeps every call and adds up.

use super::{
    super::*,
    acts::{Act, act, rule},
    world::{Call, LEVELS, Sum, World, nanos, output_cost, period},
};
use crate::domain::{Coin, Kind, Rule};
use proptest::prelude::*;
use std::{collections::BTreeSet, time::Duration};

impl World {
    fn rule(&mut self, who: usize, kind: Kind, amounts: Option<(u64, u64)>) {
        self.rules[who].remove(&kind);
        if let Some((amount, burst)) = amounts {
            let burst = burst.min(amount).max(1);
            let rule = Rule {
                kind,
                amount,
                burst,
            };
            self.rules[who].insert(kind, rule);
            let old = self.known.insert((who, kind), rule);
            if let Kind::Rate(_, pace) = kind {
                let full = |rule: &Rule| i128::from(rule.burst.min(rule.amount)) * nanos(pace);
                let level = self.levels.entry((who, kind)).or_insert(0);
                *level += full(&rule) - old.as_ref().map_or(0, full);
            }
        }
        self.put(who);
    }

    fn admit(&mut self, who: u8, ask: &Ask) {
        let mut holders = Holders::default();
        let who: Vec<usize> = (0..3).filter(|at| who & (1 << at) != 0).collect();
        for at in &who {
            let found = self.engine.holder(LEVELS[*at], "one", &Origin::default());
            holders.push(found.expect("it was set"));
        }
        let now = self.now();
        let admitted = match self.engine.admit(&holders, ask, now) {
            Admitted::Unready => {
                let unready = self.engine.unready(&holders, now);
                for unknown in unready.expect("some budget").budgets {
                    let at = LEVELS
                        .iter()
                        .position(|level| *level == unknown.holder.level());
                    let at = at.expect("one of three");
                    let period = period(unknown.kind, now.wall);
                    let base = self.on_ledger(at, unknown.kind, period);
                    unknown.tell(base);
                    self.spent.insert((at, unknown.kind, period), base);
                }
                self.engine.admit(&holders, ask, now)
            }
            admitted => admitted,
        };
        let load = |kind, output| {
            let input = ask.price.map_or(0, |price| price.input_nanos);
            let nanos = input + output_cost(ask.price, output);
            Self::cost(kind, 1, ask.input, output, nanos)
        };
        let fits = |world: &Self, output| {
            who.iter().all(|at| {
                let mut rules = world.rules[*at].values();
                rules.all(|rule| {
                    let is_dollars = matches!(rule.kind, Kind::Budget(Coin::Dollars, _));
                    let is_unpriced = is_dollars && ask.price.is_none() && !ask.allows_unpriced;
                    !is_unpriced && world.fits(*at, rule, load(rule.kind, output), now.wall)
                })
            })
        };
        match admitted {
            Admitted::Granted(lease, _) => {
                let covered = lease.covered();
                assert!((ask.output_least..=ask.output).contains(&covered));
                assert!(fits(self, covered), "what does not fit was granted");
                let mut held = BTreeSet::new();
                for at in &who {
                    for kind in self.rules[*at].keys().copied().collect::<Vec<_>>() {
                        self.flow(*at, kind, load(kind, covered).into());
                        held.insert((*at, kind));
                    }
                }
                self.calls.push(Call {
                    lease,
                    wall: now.wall,
                    who,
                    held,
                    input: ask.input,
                    covered,
                    price: ask.price,
                });
            }
            Admitted::Refused(refusal) => {
                // An answer that comes as a whole waits for what others hold.
                let waits = ask.is_whole
                    && matches!(refusal.kind, Kind::Budget(..))
                    && refusal.wait.is_some();
                // And none of it is an answer to somebody who wants one.
                let least = match ask.is_whole {
                    true => ask.output.min(ask.output_least.max(1)),
                    false => ask.output_least,
                };
                assert!(waits || !fits(self, least), "{refusal:?} though it fits");
            }
            other => panic!("{other:?}"),
        }
    }

    fn extend(&mut self, at: usize, more: u64, ahead: u64) {
        let now = self.now();
        let Some(call) = self.calls.get_mut(at) else {
            return;
        };
        let before = call.covered;
        let to = (before + more).saturating_sub(5);
        let done = call.lease.extend(to, ahead, now);
        let covered = call.lease.covered();
        let (held, price, wall) = (call.held.clone(), call.price, call.wall);
        let in_force = |(who, kind): &&(usize, Kind)| self.rules[*who].contains_key(kind);
        let asked: BTreeSet<_> = held.iter().filter(in_force).copied().collect();
        let cost = |kind, covered| {
            let nanos = output_cost(price, covered) - output_cost(price, before);
            Self::cost(kind, 0, 0, covered - before, nanos)
        };
        let fits = |world: &Self, covered: u64| {
            asked.iter().all(|(who, kind)| {
                let rule = &world.rules[*who][kind];
                world.fits(*who, rule, cost(*kind, covered), wall)
            })
        };
        match done {
            Ok(()) => {
                assert!(covered >= to.max(before) && covered <= before.max(to + ahead));
                assert!(fits(self, covered), "what does not fit was granted");
                for (who, kind) in &held {
                    self.flow(*who, *kind, cost(*kind, covered).into());
                }
                self.calls[at].covered = covered;
            }
            Err(denied) => {
                assert_eq!(covered, before, "{denied:?} took something");
                if let Denied::Refused(refusal) = &denied
                    && let (Kind::Rate(..), Reason::Short) = (refusal.kind, refusal.reason)
                {
                    let lacks = |(who, kind): &(usize, Kind)| {
                        self.missing(*who, *kind, cost(*kind, to.max(before)))
                    };
                    let wait = asked
                        .iter()
                        .filter_map(lacks)
                        .max()
                        .map(Duration::from_nanos);
                    assert_eq!(refusal.wait, wait, "others were promised something");
                }
                assert!(!fits(self, to.max(before)), "{denied:?} though it fits");
            }
        }
    }

    fn correct(&mut self, at: usize, tokens: u64, nanos: Option<u64>) {
        let now = self.now();
        let Some(call) = self.calls.get_mut(at) else {
            return;
        };
        call.lease.correct_input(tokens, nanos, now);
        let before = std::mem::replace(&mut call.input, tokens);
        if let (Some(price), Some(nanos)) = (&mut call.price, nanos) {
            price.input_nanos = nanos;
        }
        for (who, kind) in call.held.clone() {
            let more = |tokens| i128::from(Self::cost(kind, 0, tokens, 0, 0));
            self.flow(who, kind, more(tokens) - more(before));
        }
    }

    fn end(&mut self, at: usize, how: impl FnOnce(Lease, Now), requests: u64, used: Option<Used>) {
        if at >= self.calls.len() {
            return;
        }
        let call = self.calls.swap_remove(at);
        let input = call.price.map_or(0, |price| price.input_nanos);
        let sum = used.map(|used| {
            let guess = input + output_cost(call.price, used.output);
            let nanos = used.cost.unwrap_or(guess);
            (used, nanos)
        });
        for (who, kind) in &call.held {
            let held = Self::cost(*kind, requests, call.input, call.covered, 0);
            let used = sum.map_or(0, |(used, _)| {
                Self::cost(*kind, 0, used.input, used.output, 0)
            });
            self.flow(*who, *kind, i128::from(used) - i128::from(held));
        }
        if let Some((used, nanos)) = sum {
            for ((who, kind, at), spent) in &mut self.spent {
                if call.who.contains(who) && period(*kind, call.wall) == *at {
                    *spent += Self::cost(*kind, 0, used.input, used.output, nanos);
                }
            }
            let tokens = used.input + used.output;
            let sum = Sum { tokens, nanos };
            self.ledger.push((call.who.clone(), call.wall, sum));
        }
        how(call.lease, self.now());
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Admit(who, ask) => self.admit(who, &ask),
            Act::Extend(at, more, ahead) => self.extend(at, more, ahead),
            Act::Correct(at, tokens, nanos) => self.correct(at, tokens, nanos),
            Act::Settle(at, used) => {
                self.end(at, |lease, now| lease.settle(used, now), 0, Some(used));
            }
            Act::Reprice(at, price) => {
                let now = self.now();
                if let Some(call) = self.calls.get_mut(at) {
                    call.lease.reprice(price, now);
                    call.price = Some(price);
                }
            }
            Act::Cancel(at) => self.end(at, |lease, _| lease.cancel(), 1, None),
            Act::Crash(at) => self.end(at, |lease, _| drop(lease), 0, None),
            Act::Pass(elapsed) => self.pass(elapsed),
            Act::Jump(offset) => self.offset = offset,
            Act::Rule(who, kind, amounts) => self.rule(who, kind, amounts),
        }
    }

    /// What is taken and what is left make up the limit, for each of them.
    fn compare(&self) {
        let now = self.now();
        for (who, level) in LEVELS.iter().enumerate() {
            let views = self.engine.view(*level, "one", now).expect("it is known");
            assert_eq!(views.len(), self.rules[who].len());
            for view in views {
                let rule = self.rules[who][&view.kind];
                let (used, size) = match view.kind {
                    Kind::InFlight => (self.in_air(who).into(), rule.amount),
                    Kind::Rate(_, pace) => {
                        let size = rule.burst.min(rule.amount);
                        let left = self.levels[&(who, view.kind)].div_euclid(nanos(pace));
                        (i128::from(size) - left, size)
                    }
                    Kind::Budget(..) => match self.used(who, view.kind, now.wall) {
                        None => continue,
                        Some((settled, held)) => {
                            assert_eq!(view.held, held, "{view:?}");
                            ((settled + held).into(), rule.amount)
                        }
                    },
                };
                let left = (i128::from(size) - used).max(0);
                assert_eq!(
                    (view.used.into(), view.left.into()),
                    (used, left),
                    "{view:?}"
                );
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_is_taken_and_what_is_left_is_the_limit(
        rules in prop::collection::vec(rule(), 1..14),
        acts in prop::collection::vec(act(), 1..120),
    ) {
        let mut world = World::new();
        for (who, kind, amounts) in rules {
            world.rule(who, kind, Some(amounts));
        }
        for act in acts {
            world.act(act);
            world.compare();
        }
    }
}
