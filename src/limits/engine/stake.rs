//! What a node that draws has to tell of a meter.

use super::{holder::Holder, period::Period};
use crate::domain::{Kind, Rule};

impl Holder {
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
        let Some((speed, units, _)) = state.meter(kind).and_then(super::meter::Meter::share) else {
            return 0;
        };
        let debt = speed.begun(-*units);
        *units += speed.units(debt);
        debt
    }
}
