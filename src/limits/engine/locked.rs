//! All holders of a call, locked together: looked at, and then taken from as one.

use super::{
    ask::{Charge, Source, Unknown, Unready},
    given::Given,
    holder::{Holder, Holders, State},
    load::Load,
    meter::Meter,
    period::{Now, Period},
};
use crate::domain::{Coin, Flow, Kind, Level, Side, Standing};
use std::{
    sync::{Arc, MutexGuard},
    time::Duration,
};

/// In how many parts what is left is cut at least, so that many calls still find something when it gets short.
const PARTS_MIN: i128 = 16;
/// Parts for each call in the air: all of them may go on, and as many may come.
const PARTS_A_CALL: i128 = 2;
const MILLION: u128 = 1_000_000;

/// What was there of each holder when a lease was given.
pub(super) type Givens = [Given; Level::COUNT];

/// Holders that nobody else can change.
pub(super) struct Locked<'a> {
    holders: &'a Holders,
    states: [Option<MutexGuard<'a, State>>; Level::COUNT],
    /// What a lease does not hold it is not asked for. None is yet to be given: it is asked for all that is in force.
    given: Option<Givens>,
    /// When the call began: budgets are those of that time.
    wall: u64,
}

/// Which meter of which holder.
pub(super) type Place = (usize, usize);

impl<'a> Locked<'a> {
    /// In the order of levels, as everybody locks them.
    pub(super) fn new(holders: &'a Holders, given: Option<Givens>, wall: u64) -> Self {
        let lock = |at: usize| holders.0[at].as_deref().map(|holder| holder.state());
        Self {
            holders,
            states: std::array::from_fn(lock),
            given,
            wall,
        }
    }

    pub(super) fn has_gone(&self) -> bool {
        self.states.iter().flatten().any(|state| state.is_gone)
    }

    /// What is there of them now.
    pub(super) fn given(&self) -> Givens {
        std::array::from_fn(|at| {
            let state = self.states[at].as_ref();
            state.map_or_else(Given::default, |state| state.given())
        })
    }

    /// Brings all to a moment.
    pub(super) fn turn(&mut self, now: Now) {
        for state in self.states.iter_mut().flatten() {
            state.turn(now);
        }
    }

    /// Lets rates flow, and leaves budgets as they are.
    pub(super) fn refill(&mut self, mono: u64) {
        for state in self.states.iter_mut().flatten() {
            state.meters.iter_mut().for_each(|meter| meter.refill(mono));
        }
    }

    /// The meters in force that the call is asked for, with the calls in the air of their holder.
    pub(super) fn meters(&self) -> impl Iterator<Item = (Place, u32, &Meter)> {
        self.states
            .iter()
            .enumerate()
            .flat_map(move |(level, state)| {
                let (leases, meters) = match state {
                    Some(state) => (state.leases, &*state.meters),
                    None => (0, &[][..]),
                };
                let is_asked = move |meter: &Meter| {
                    let given = self.given.map(|given| given[level]);
                    !meter.rests && given.is_none_or(|given| meter.is_held(given, self.wall))
                };
                let meters = meters.iter().enumerate();
                let asked = meters.filter(move |(_, meter)| is_asked(meter));
                asked.map(move |(at, meter)| ((level, at), leases, meter))
            })
    }

    /// Those that the call holds something of, or is to hold: also those that rest, for what it holds of them goes on.
    pub(super) fn meters_mut(&mut self) -> impl Iterator<Item = &mut Meter> {
        let (given, wall) = (self.given, self.wall);
        self.states
            .iter_mut()
            .enumerate()
            .flat_map(move |(level, state)| {
                let meters = match state {
                    Some(state) => &mut *state.meters,
                    None => &mut [],
                };
                let given = given.map(|given| given[level]);
                let is_held = move |meter: &&mut Meter| match given {
                    Some(given) => meter.is_held(given, wall),
                    None => !meter.rests,
                };
                meters.iter_mut().filter(is_held)
            })
    }

    pub(super) fn meter(&self, (level, at): Place) -> &Meter {
        let state = self.states[level].as_ref();
        &state.expect("it was found under this lock").meters[at]
    }

    /// Whether nobody has told the base of some budget.
    pub(super) fn is_unready(&self) -> bool {
        self.meters()
            .any(|(_, _, meter)| meter.unknown(self.wall).is_some())
    }

    /// Which budgets those are.
    pub(super) fn unready(&self) -> Option<Unready> {
        let unknown = |((level, _), _, meter): (Place, u32, &Meter)| {
            let Kind::Budget(_, span) = meter.kind() else {
                return None;
            };
            Some(Unknown {
                holder: self.holder(level)?,
                kind: meter.kind(),
                period: Period::of(span, self.wall),
                mark: meter.unknown(self.wall)?.mark(),
            })
        };
        let budgets: Vec<Unknown> = self.meters().filter_map(unknown).collect();
        (!budgets.is_empty()).then_some(Unready { budgets })
    }

    /// How many tokens of the answer one slice should be at most, once `load` is taken: a part of what is left. An
    /// answer that comes as a whole is not cut for a budget: it has all that is left of one if it is alone there, and
    /// otherwise what it asks for, or it waits.
    pub(super) fn slice(&self, load: &Load, price: Option<Charge>, is_whole: bool) -> u64 {
        let room = |(_, leases, meter): (Place, u32, &Meter)| {
            let is_counted = match meter.kind() {
                Kind::Rate(flow, _) => matches!(flow, Flow::Tokens | Flow::Output),
                Kind::Budget(..) => true,
                Kind::InFlight => false,
            };
            let left = || meter.left(leases, self.wall) - i128::from(load.of(meter.kind()));
            let is_promised = meter
                .bucket()
                .is_some_and(|(_, bucket)| bucket.is_promised());
            let tokens = match (meter.kind(), price) {
                _ if !is_counted => return None,
                _ if is_promised && !is_whole => 0,
                (Kind::Budget(..), _) if is_whole && meter.has_held(self.wall) => return None,
                (Kind::Budget(Coin::Dollars, _), Some(price)) => {
                    let nanos = left().max(0) * MILLION as i128;
                    nanos.checked_div(price.output_rate.into())?
                }
                (Kind::Budget(Coin::Dollars, _), None) => return None,
                _ => left(),
            };
            // What was drawn is small already; the shared store decides how small.
            let parts = match self.source() {
                Source::Own if !is_whole => PARTS_MIN.max(PARTS_A_CALL * i128::from(leases)),
                Source::Own | Source::Drawn => 1,
            };
            Some(u64::try_from((tokens / parts).max(0)).unwrap_or(u64::MAX))
        };
        self.meters().filter_map(room).min().unwrap_or(u64::MAX)
    }

    pub(super) fn source(&self) -> Source {
        let first = self.holders.iter().next();
        first.map_or(Source::Own, |holder| holder.source())
    }

    /// Takes `load` from all, whether it fits or not.
    pub(super) fn take(&mut self, load: &Load) {
        let wall = self.wall;
        for meter in self.meters_mut() {
            match load.of(meter.kind()) {
                0 => {}
                count => meter.take(count, wall),
            }
        }
    }

    /// Gives `load` back to all.
    pub(super) fn give(&mut self, load: &Load) {
        let wall = self.wall;
        for meter in self.meters_mut() {
            meter.give(load.of(meter.kind()), wall);
        }
    }

    /// Notes that a call has begun.
    pub(super) fn begin(&mut self, mono: u64) {
        for state in self.states.iter_mut().flatten() {
            state.leases += 1;
            state.used_at = state.used_at.max(mono);
        }
    }

    /// How the tightest rates stand.
    pub(super) fn standing(&self) -> Standing {
        let mut standing = Standing::default();
        for (_, _, meter) in self.meters() {
            let side = match meter.kind() {
                Kind::Rate(Flow::Requests, _) => &mut standing.requests,
                Kind::Rate(..) => &mut standing.tokens,
                Kind::InFlight | Kind::Budget(..) => continue,
            };
            let remaining = meter.remaining();
            if side.is_none_or(|known| remaining < known.remaining) {
                *side = Some(Side {
                    limit: meter.rule().amount,
                    remaining,
                    // One that lets nothing through is never full.
                    reset: meter.full_in().unwrap_or(Duration::ZERO),
                });
            }
        }
        standing
    }

    /// When the call began.
    pub(super) fn wall(&self) -> u64 {
        self.wall
    }

    pub(super) fn holder(&self, level: usize) -> Option<Arc<Holder>> {
        self.holders.0[level].clone()
    }

    pub(super) fn leases(&self, level: usize) -> u32 {
        self.states[level].as_ref().map_or(0, |state| state.leases)
    }
}
