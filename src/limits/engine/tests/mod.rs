//! The engine, held to what it promises.

mod acts;
mod budgets;
mod drawn;
mod model;
mod promises;
mod rates;
mod rules;
mod world;

use super::{Admitted, Ask, Engine, Holders, Lease, Now, Origin, Used};
use crate::domain::{Flow, Kind, Level, Pace, Rule, Rules};

const MINUTE: u64 = 60_000_000_000;
const MINUTE_MS: u64 = 60_000;
const HOUR_MS: u64 = 60 * MINUTE_MS;
/// The beginning of an hour.
const START_MS: u64 = 500_000 * HOUR_MS;

/// A moment, by a clock on the wall that goes as the other one does.
fn clock(mono: u64) -> Now {
    Now {
        mono,
        wall: START_MS + mono / 1_000_000,
    }
}

/// A moment by the clock on the wall alone.
fn wall(wall: u64) -> Now {
    Now { mono: 0, wall }
}

fn rules(rules: &[Rule]) -> Rules {
    let mut all = Rules::default();
    rules.iter().for_each(|rule| all.add(*rule));
    all
}

fn rate(flow: Flow, amount: u64) -> Rule {
    Rule::new(Kind::Rate(flow, Pace::Minute), amount)
}

/// One that has these limits, and no other.
fn holder(engine: &Engine, level: Level, limits: &[Rule]) -> Holders {
    let mut holders = Holders::default();
    let holder = engine.set(level, "one", Origin::default(), &rules(limits), clock(0));
    holders.push(holder);
    holders
}

/// What an answer of tokens without a price has used.
fn used(input: u64, output: u64) -> Used {
    Used {
        input,
        output,
        cost: None,
    }
}

/// What is used and left of each limit of the holder.
fn view(engine: &Engine, level: Level, mono: u64) -> Vec<(u64, u64)> {
    let views = engine.view(level, "one", clock(mono)).unwrap();
    views.iter().map(|view| (view.used, view.left)).collect()
}

/// A call that passes.
#[track_caller]
fn start(engine: &Engine, holders: &Holders, ask: &Ask, mono: u64) -> Lease {
    granted(engine.admit(holders, ask, clock(mono)))
}

#[track_caller]
fn granted(admitted: Admitted) -> Lease {
    match admitted {
        Admitted::Granted(lease, _) => lease,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn refused(admitted: Admitted) -> super::Refusal {
    match admitted {
        Admitted::Refused(refusal) => refusal,
        other => panic!("{other:?}"),
    }
}
