//! Whoever has limits.

use super::{
    ask::{Source, Unknown},
    budget::Account,
    given::Given,
    load::Load,
    meter::Meter,
    period::{Now, Period},
};
use crate::domain::{Flow, Kind, Level, Rule, Rules};
use std::{
    any::Any,
    borrow::Borrow,
    hash::{Hash, Hasher},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

/// How long nobody asks about a holder whose budgets are then forgotten until somebody does.
const IDLE: Duration = Duration::from_secs(600);
/// For how long a holder whose rules have changed may have been asked about by nobody, and still have seen all calls.
/// Not less: with two sets of rules in turn, its budgets would be read with every call.
const UNNOTICED: Duration = Duration::from_secs(1);

/// What rules were made of. Two are equal if they are of one generation and of the very same object, which it keeps
/// alive so that no other can take its place in memory.
#[derive(Clone, Default)]
pub struct Origin {
    /// Of the config.
    pub generation: u64,
    /// The object that was agreed with the holder, if there is one.
    pub of: Option<Arc<dyn Any + Send + Sync>>,
}

impl PartialEq for Origin {
    fn eq(&self, other: &Self) -> bool {
        self.generation == other.generation
            && match (&self.of, &other.of) {
                (Some(one), Some(another)) => Arc::ptr_eq(one, another),
                (None, None) => true,
                _ => false,
            }
    }
}

impl Eq for Origin {}

impl std::fmt::Debug for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Origin({})", self.generation)
    }
}

/// One that has limits: a project, a key, a model, with what it has used.
#[derive(Debug)]
pub struct Holder {
    level: Level,
    name: Box<str>,
    source: Source,
    /// Held for as long as it takes to look at a handful of numbers. Who locks several does so in the order of levels.
    state: Mutex<State>,
}

/// What changes of a holder.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) meters: Box<[Meter]>,
    /// Calls in the air.
    pub(super) leases: u32,
    /// Numbers what was added here, so that a lease knows what was there when it began.
    pub(super) epoch: u32,
    /// When it was last used, by the monotonic clock.
    pub(super) used_at: u64,
    /// Nobody finds it any more; whoever still has it must find it anew.
    pub(super) is_gone: bool,
}

impl Holder {
    pub(super) fn new(
        level: Level,
        name: &str,
        source: Source,
        rules: impl Iterator<Item = Rule>,
        now: Now,
    ) -> Self {
        let meters = rules.map(|rule| Meter::new(rule, source, 0, now)).collect();
        let state = State {
            meters,
            used_at: now.mono,
            ..State::default()
        };
        Self {
            level,
            name: name.into(),
            source,
            state: Mutex::new(state),
        }
    }

    /// A new one with the same rules.
    pub(super) fn anew(&self, now: Now) -> Self {
        let state = self.state();
        let rules = state.in_force().map(|meter| *meter.rule());
        Self::new(self.level, &self.name, self.source, rules, now)
    }

    /// What it is.
    pub fn level(&self) -> Level {
        self.level
    }

    /// Which one.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn source(&self) -> Source {
        self.source
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it is held")
    }
}

impl Unknown {
    /// Tells what was spent, as somebody found it who asked after this was looked at, and after all that was settled
    /// by then was committed.
    pub fn tell(&self, spent: u64) {
        let mut state = self.holder.state();
        let budget = state.meter(self.kind).and_then(Meter::budget);
        let account = budget.and_then(|(_, budget)| budget.find_mut(self.period.start()));
        if let Some(account) = account {
            account.learn(self.mark, spent);
        }
    }
}

impl State {
    /// Brings every meter to a moment.
    pub(super) fn turn(&mut self, now: Now) {
        for meter in &mut self.meters {
            meter.turn(now, &mut self.epoch);
        }
    }

    /// The meters that are not at rest.
    pub(super) fn in_force(&self) -> impl Iterator<Item = &Meter> {
        self.meters.iter().filter(|meter| !meter.rests)
    }

    /// What is there for a lease that is given now.
    pub(super) fn given(&self) -> Given {
        Given::new(self.epoch, self.in_force().map(Meter::kind))
    }

    /// The meter of a kind, in force or at rest.
    pub(super) fn meter(&mut self, kind: Kind) -> Option<&mut Meter> {
        self.meters.iter_mut().find(|meter| meter.kind() == kind)
    }

    /// The account of a drawn budget in a period, if it is kept.
    pub(super) fn account(&mut self, kind: Kind, period: Period) -> Option<&mut Account> {
        let mut meters = self.meters.iter_mut();
        let meter = meters.find(|meter| meter.kind() == kind)?;
        let (span, budget) = meter.budget()?;
        match span == period.span() {
            true => budget.of_period(period, &mut self.epoch),
            false => None,
        }
    }

    /// Has budgets read again that nobody asked about of late: for all that is known here, they were not in force, and
    /// what was spent passed them by.
    pub(super) fn doubt(&mut self, now: Now) {
        let silence = now.mono.saturating_sub(self.used_at);
        if silence > UNNOTICED.as_nanos() as u64 {
            let budgets = self.meters.iter_mut().filter_map(Meter::budget);
            budgets.for_each(|(_, budget)| budget.doubt());
        }
    }

    /// Puts other rules in force. What was used is kept, that of other kinds at rest while there is anything to keep.
    pub(super) fn change(&mut self, rules: &Rules, source: Source, now: Now) {
        if self.in_force().map(Meter::rule).eq(rules.iter()) {
            return;
        }
        self.turn(now);
        self.epoch += 1;
        let epoch = self.epoch;
        let mut known = std::mem::take(&mut self.meters).into_vec();
        let meter = |rule: &Rule| {
            let place = known.iter().position(|meter| meter.kind() == rule.kind);
            match place.map(|place| known.swap_remove(place)) {
                Some(mut meter) => {
                    meter.change(*rule);
                    meter
                }
                None => Meter::new(*rule, source, epoch, now),
            }
        };
        let mut meters: Vec<Meter> = rules.iter().map(meter).collect();
        let is_held = self.leases > 0;
        // What a budget has spent could be had again, but who changes rules often should not have it read as often.
        let is_spent = |meter: &Meter| meter.is_budget() && source == Source::Own;
        known.retain(|meter| is_held || is_spent(meter) || !meter.is_idle());
        known.iter_mut().for_each(|meter| meter.rests = true);
        meters.append(&mut known);
        self.meters = meters.into();
    }

    /// Ends a call whose lease was `given` and that began at `wall`: what it held is given back, and what it has used is
    /// taken.
    pub(super) fn end(
        &mut self,
        given: Given,
        wall: u64,
        held: &Load,
        used: &Load,
        mono: Option<u64>,
    ) {
        self.leases = self.leases.saturating_sub(1);
        if let Some(mono) = mono {
            self.used_at = self.used_at.max(mono);
        }
        for meter in &mut self.meters {
            let (held, used) = (held.of(meter.kind()), used.of(meter.kind()));
            match meter.is_held(given, wall) {
                true => meter.settle(held, used, wall, mono),
                // It came while the call was in the air, which is spent all the same.
                false => meter.spend(used, wall),
            }
        }
    }

    /// Whether a new one in its place would be the same, or could be made to be. What budgets have spent
    /// `can_be_reloaded`, if that is so, but not while somebody may still come back for it.
    pub(super) fn is_idle(&mut self, can_be_reloaded: bool, now: Now) -> bool {
        for meter in &mut self.meters {
            meter.refill(now.mono);
        }
        let is_long_ago = now.mono.saturating_sub(self.used_at) > IDLE.as_nanos() as u64;
        let may_forget = can_be_reloaded && is_long_ago;
        let mut meters = self.meters.iter();
        self.leases == 0
            && meters.all(|meter| meter.is_idle() && (may_forget || !meter.is_budget()))
    }
}

/// A holder, found by its name.
#[derive(Debug)]
pub(super) struct Named(pub(super) Arc<Holder>);

impl Borrow<str> for Named {
    fn borrow(&self) -> &str {
        &self.0.name
    }
}

impl Hash for Named {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.name.hash(state);
    }
}

impl PartialEq for Named {
    fn eq(&self, other: &Self) -> bool {
        self.0.name == other.0.name
    }
}

impl Eq for Named {}

/// Those who are asked about a call: at most one a level, in the order of levels.
#[derive(Clone, Debug, Default)]
pub struct Holders(pub(super) [Option<Arc<Holder>>; Level::COUNT]);

impl Holders {
    /// Adds one, in place of another of its level.
    pub fn push(&mut self, holder: Arc<Holder>) {
        let at = holder.level as usize;
        self.0[at] = Some(holder);
    }

    /// Whether nobody is asked.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }

    /// Whether tokens or dollars are limited of one of them, and not only requests.
    pub fn limit_use(&self) -> bool {
        let limits_use = |holder: &Arc<Holder>| {
            let state = holder.state();
            state.in_force().any(|meter| match meter.kind() {
                Kind::Rate(Flow::Requests, _) | Kind::InFlight => false,
                Kind::Rate(..) | Kind::Budget(..) => true,
            })
        };
        self.iter().any(limits_use)
    }

    /// They, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Holder>> {
        self.0.iter().flatten()
    }
}
