//! What can happen to calls, their rules and the clocks.

use super::super::{Ask, Charge, Used};
use crate::domain::{Coin, Flow, Kind, Pace, Span};
use proptest::prelude::*;

/// Everything that can be limited.
fn kinds() -> Vec<Kind> {
    let mut kinds = vec![Kind::InFlight];
    for pace in [Pace::Minute, Pace::Day] {
        for flow in [Flow::Requests, Flow::Tokens, Flow::Input, Flow::Output] {
            kinds.push(Kind::Rate(flow, pace));
        }
    }
    for coin in [Coin::Dollars, Coin::Tokens] {
        kinds.push(Kind::Budget(coin, Span::Hour));
        kinds.push(Kind::Budget(coin, Span::Life));
    }
    kinds
}

/// What can happen.
#[derive(Clone, Debug)]
pub(super) enum Act {
    Admit(u8, Ask),
    Extend(usize, u64, u64),
    Correct(usize, u64, Option<u64>),
    Reprice(usize, Charge),
    Settle(usize, Used),
    Cancel(usize),
    Crash(usize),
    Pass(u64),
    /// How far the clock on the wall is from the truth.
    Jump(i64),
    Rule(usize, Kind, Option<(u64, u64)>),
}

/// A limit of somebody: how much, and how much at once.
pub(super) fn rule() -> impl Strategy<Value = (usize, Kind, (u64, u64))> {
    let kind = proptest::sample::select(kinds());
    (0..3_usize, kind, (0..400_u64, 1..400_u64)).prop_map(|(who, kind, (amount, burst))| {
        let unit = match kind {
            Kind::Budget(Coin::Dollars, _) => 100,
            Kind::InFlight => return (who, kind, (amount / 50, 1)),
            _ => 1,
        };
        (who, kind, (amount * unit, burst))
    })
}

fn charge() -> impl Strategy<Value = Charge> {
    let figures = (0..5_000_u64, 0..200_000_000_u64);
    figures.prop_map(|(input_nanos, output_rate)| Charge {
        input_nanos,
        output_rate,
    })
}

pub(super) fn act() -> impl Strategy<Value = Act> {
    let price = proptest::option::of(charge());
    let ask = (0..60_u64, 0..60_u64, 0..8_u64, price, any::<[bool; 2]>()).prop_map(
        |(input, output, least, price, [allows_unpriced, is_whole])| Ask {
            input,
            output,
            output_least: least.min(output),
            price,
            allows_unpriced,
            is_whole,
        },
    );
    let used = (0..90_u64, 0..90_u64, proptest::option::of(0..20_000_u64)).prop_map(
        |(input, output, cost)| Used {
            input,
            output,
            cost,
        },
    );
    let call = 0..12_usize;
    prop_oneof![
        8 => (0..8_u8, ask).prop_map(|(who, ask)| Act::Admit(who, ask)),
        4 => (call.clone(), 0..40_u64, 0..40_u64).prop_map(|(at, more, ahead)| Act::Extend(at, more, ahead)),
        2 => (call.clone(), 0..90_u64, proptest::option::of(0..9_000_u64))
            .prop_map(|(at, tokens, nanos)| Act::Correct(at, tokens, nanos)),
        3 => (call.clone(), used).prop_map(|(at, used)| Act::Settle(at, used)),
        1 => (call.clone(), charge()).prop_map(|(at, price)| Act::Reprice(at, price)),
        1 => call.clone().prop_map(Act::Cancel),
        1 => call.prop_map(Act::Crash),
        4 => (0..2_000_000_000_u64).prop_map(Act::Pass),
        1 => prop_oneof![Just(0), Just(-60_000_i64), Just(1_800_000)].prop_map(Act::Jump),
        1 => (rule(), proptest::bool::weighted(0.8))
            .prop_map(|((who, kind, rule), is_set)| Act::Rule(who, kind, is_set.then_some(rule))),
    ]
}
