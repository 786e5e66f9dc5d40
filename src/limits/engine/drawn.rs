//! What a node has drawn from a store that several share: given, taken back, and accounted for.

use super::{
    holder::{Holder, State},
    meter::Meter,
    period::Period,
};
use crate::domain::{Kind, Rule};

impl Holder {
    /// Gives a drawn meter more. Where there is no such meter any more, or a budget has moved on to other periods,
    /// nothing happens and it is false.
    pub fn grant(&self, kind: Kind, period: Option<Period>, amount: u64) -> bool {
        let mut state = self.state();
        if let Some((speed, units, _)) = state.meter(kind).and_then(Meter::share) {
            *units += speed.units(amount);
            return true;
        }
        let Some(granted) = state.granted(kind, period) else {
            return false;
        };
        *granted = granted.saturating_add(signed(amount));
        true
    }

    /// Takes from a drawn meter what it can spare beyond `keep`, and says how much that is.
    pub fn take_back(&self, kind: Kind, period: Option<Period>, keep: u64) -> u64 {
        let mut state = self.state();
        let leases = state.leases;
        let Some(meter) = state.meter(kind) else {
            return 0;
        };
        let wall = period.map_or(0, |period| period.start());
        let spare = meter.left(leases, wall) - i128::from(keep);
        let spare = u64::try_from(spare.max(0)).unwrap_or(u64::MAX);
        if let Some((speed, units, _)) = meter.share() {
            *units -= speed.units(spare);
            return spare;
        }
        let Some(granted) = state.granted(kind, period) else {
            return 0;
        };
        *granted = granted.saturating_sub(signed(spare));
        spare
    }

    /// Takes what a drawn budget has spent since it was last asked: out of what was granted, for good.
    pub fn take_settled(&self, kind: Kind, period: Period) -> u64 {
        let mut state = self.state();
        let Some(account) = state.account(kind, period) else {
            return 0;
        };
        let spent = std::mem::take(&mut account.spent);
        account.granted = account.granted.saturating_sub(signed(spent));
        spent
    }

    /// Notes how much of a rate the store has beyond what was drawn, for what callers are told is left.
    pub fn note_elsewhere(&self, kind: Kind, left: u64) {
        let mut state = self.state();
        if let Some((_, _, elsewhere)) = state.meter(kind).and_then(Meter::share) {
            *elsewhere = left;
        }
    }

    /// The limit of a kind.
    pub fn rule(&self, kind: Kind) -> Option<Rule> {
        self.state().meter(kind).map(|meter| *meter.rule())
    }

    /// How many calls are in the air.
    pub fn calls(&self) -> u64 {
        self.state().leases.into()
    }

    /// What calls in the air hold of a drawn budget; none where it has moved on to other periods, or is no more.
    pub fn held(&self, kind: Kind, period: Period) -> Option<u64> {
        let mut state = self.state();
        let (span, budget) = state.meter(kind)?.budget()?;
        if span != period.span() {
            return None;
        }
        Some(budget.find_mut(period.start())?.held)
    }

    /// What calls took of a drawn rate beyond what was granted. It counts as granted from here on.
    pub fn take_debt(&self, kind: Kind) -> u64 {
        let mut state = self.state();
        let Some((speed, units, _)) = state.meter(kind).and_then(Meter::share) else {
            return 0;
        };
        let debt = speed.begun(-*units);
        *units += speed.units(debt);
        debt
    }
}

impl State {
    /// What was granted of a budget or of places.
    fn granted(&mut self, kind: Kind, period: Option<Period>) -> Option<&mut i64> {
        match period {
            Some(period) => {
                let account = self.account(kind, period)?;
                Some(&mut account.granted)
            }
            None => self.meter(kind)?.places(),
        }
    }
}

fn signed(amount: u64) -> i64 {
    i64::try_from(amount).unwrap_or(i64::MAX)
}
