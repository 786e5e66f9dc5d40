//! How the limits of a holder stand, for people.

use super::{
    ask::MeterView,
    holder::Holder,
    meter::{Gauge, Meter},
    period::Now,
};
use crate::{domain::Kind, limits::bucket::Speed};
use std::time::Duration;

impl Holder {
    /// How its limits stand.
    pub fn view(&self, now: Now) -> Vec<MeterView> {
        let mut state = self.state();
        state.turn(now);
        let leases = state.leases;
        let views = state.in_force().map(|meter| view(meter, leases, now));
        views.collect()
    }
}

fn view(meter: &Meter, leases: u32, now: Now) -> MeterView {
    let left = match meter.kind() {
        Kind::Rate(..) => meter.remaining().into(),
        Kind::InFlight | Kind::Budget(..) => meter.left(leases, now.wall),
    };
    let (used, held) = meter.used(leases, now.wall);
    MeterView {
        kind: meter.kind(),
        amount: meter.rule().amount,
        used,
        held,
        left: u64::try_from(left.max(0)).unwrap_or(u64::MAX),
        resets_in: meter.resets_in(now.wall, now),
        is_unknown: meter.unknown(now.wall).is_some(),
    }
}

impl Meter {
    /// When it is whole again, for a call that began at `wall`.
    pub(super) fn resets_in(&self, wall: u64, now: Now) -> Option<Duration> {
        match &self.gauge {
            Gauge::Budget(_, budget) => {
                let end = budget.find(wall)?.end()?;
                Some(Duration::from_millis(end.saturating_sub(now.wall)))
            }
            _ => self.full_in(),
        }
    }

    /// How long until a rate is full, if nobody uses it.
    pub(super) fn full_in(&self) -> Option<Duration> {
        match &self.gauge {
            Gauge::Rate(bucket) => Speed::of(&self.rule).full_in(bucket.units()),
            Gauge::Share(units, elsewhere) => {
                let speed = Speed::of(&self.rule);
                speed.full_in(units + speed.units(*elsewhere))
            }
            Gauge::InFlight(_) | Gauge::Budget(..) => None,
        }
    }

    /// How much is used, debts included; and of that, what is held by calls in the air, where that is known.
    pub(super) fn used(&self, leases: u32, wall: u64) -> (u64, u64) {
        match &self.gauge {
            Gauge::Rate(bucket) => (Speed::of(&self.rule).used(bucket.units()), 0),
            Gauge::Share(..) => (self.rule.burst.saturating_sub(self.remaining()), 0),
            Gauge::InFlight(_) => (leases.into(), leases.into()),
            Gauge::Budget(_, budget) => budget.find(wall).map_or((0, 0), |account| {
                let used = account.spent.saturating_add(account.held);
                (used, account.held)
            }),
        }
    }

    /// How many are left of a rate, wherever they are.
    pub(super) fn remaining(&self) -> u64 {
        let here = self.left(0, 0);
        let elsewhere = match self.gauge {
            Gauge::Share(_, elsewhere) => elsewhere,
            _ => 0,
        };
        u64::try_from(here).unwrap_or(0).saturating_add(elsewhere)
    }
}
