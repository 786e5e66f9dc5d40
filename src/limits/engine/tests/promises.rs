//! A refusal says when the same call passes, and it does: also when it comes a little late.

use super::super::*;
use super::{MINUTE, clock, holder, rate, start};
use crate::{
    domain::{Flow, Kind, Pace, Rule},
    limits::EASE,
};
use proptest::prelude::*;

fn wait(engine: &Engine, holders: &Holders, ask: &Ask, mono: u64) -> u64 {
    match engine.admit(holders, ask, clock(mono)) {
        Admitted::Refused(refusal) => {
            let wait = refusal.wait.expect("a rate says when");
            mono + wait.as_nanos() as u64
        }
        other => panic!("{other:?}"),
    }
}

/// The latest that whoever was promised anything is told, by the header.
const LATEST: u64 = MINUTE;
const EASE_NANOS: u64 = EASE.as_nanos() as u64;

/// Has everybody refused at one instant, and then come back when the header told them, or up to an ease later, as
/// `late` says in parts of 256.
fn all_pass(rules: &[Rule], asks: &[(Ask, u8)], at: u64) -> Result<usize, TestCaseError> {
    let engine = Engine::new(Source::Own);
    let holders = holder(&engine, Level::Key, rules);
    let mut told = Vec::new();
    for (ask, late) in asks {
        match engine.admit(&holders, ask, clock(at)) {
            // A small one that passes before the larger ones that wait would take what is theirs.
            Admitted::Granted(lease, _) if !told.is_empty() => lease.cancel(),
            Admitted::Granted(lease, _) => {
                let used = Used {
                    input: ask.input,
                    output: lease.covered(),
                    cost: None,
                };
                lease.settle(used, clock(at));
            }
            Admitted::Refused(refusal) => {
                let wait = refusal.wait.expect("a rate says when");
                prop_assert!(wait > std::time::Duration::ZERO);
                let header = wait.as_nanos() as u64 + EASE_NANOS;
                let late = EASE_NANOS * u64::from(*late) / 255;
                if header <= LATEST {
                    told.push((at + header + late, *ask));
                }
            }
            other => panic!("{other:?}"),
        }
    }
    told.sort_by_key(|(due, _)| *due);
    let count = told.len();
    for (due, ask) in told {
        let admitted = engine.admit(&holders, &ask, clock(due));
        let Admitted::Granted(lease, _) = admitted else {
            return Err(TestCaseError::fail(format!("{admitted:?} at {due}")));
        };
        let used = Used {
            input: ask.input,
            output: lease.covered(),
            cost: None,
        };
        lease.settle(used, clock(due));
    }
    Ok(count)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn whoever_waits_as_told_passes(
        figures in prop::collection::vec((1..5_000_u64, 1..300_u64), 6),
        asks in prop::collection::vec((0..100_u64, 0..100_u64, 0..100_u64, any::<u8>()), 1..150),
        used in 0..5_000_000_000_u64,
    ) {
        let flows = [Flow::Requests, Flow::Tokens, Flow::Input, Flow::Output];
        let kinds = flows.map(|flow| Kind::Rate(flow, Pace::Minute));
        let rules: Vec<Rule> = kinds
            .into_iter()
            .chain([Kind::Rate(Flow::Requests, Pace::Day), Kind::Rate(Flow::Tokens, Pace::Day)])
            .zip(figures)
            .map(|(kind, (amount, burst))| {
                let scale = match kind {
                    Kind::Rate(_, Pace::Day) => 1440,
                    _ => 1,
                };
                // Nothing larger than a burst: that waits for a full bucket, and leaves a debt.
                let burst = match kind {
                    Kind::Rate(Flow::Requests, _) => burst,
                    _ => burst + 200,
                };
                let amount = (amount * scale).max(burst);
                Rule { kind, amount, burst }
            })
            .collect();
        let ask = |(input, output, least, late): (u64, u64, u64, u8)| {
            let ask = Ask {
                input: input.max(1),
                output,
                output_least: least.min(output),
                ..Ask::default()
            };
            (ask, late)
        };
        let asks: Vec<_> = asks.into_iter().map(ask).collect();
        all_pass(&rules, &asks, used)?;
    }

    #[test]
    fn whoever_waits_as_told_passes_whatever_the_burst(
        amount in prop::sample::select(vec![1, 7, 60, 600, 2_000, 100_000_u64]),
        burst in prop::sample::select(vec![1, 2, 5, u64::MAX]),
        late in prop::collection::vec(any::<u8>(), 605),
    ) {
        let burst = burst.min(amount);
        let rule = Rule { burst, ..rate(Flow::Requests, amount) };
        let asks: Vec<_> = late.into_iter().map(|late| (Ask::default(), late)).collect();
        all_pass(&[rule], &asks, 0)?;
    }
}

#[test]
fn nobody_is_promised_less_than_the_rate() {
    for (amount, burst) in [(600, 5), (60, 60), (1000, 1000)] {
        let rule = Rule {
            burst,
            ..rate(Flow::Requests, amount)
        };
        let asks = vec![(Ask::default(), u8::MAX); (amount + burst) as usize];
        // All but those of the last tenth of a second.
        let least = amount - amount.div_ceil(600);
        assert!(all_pass(&[rule], &asks, 0).unwrap() as u64 >= least);
    }
}

#[test]
fn a_thousand_refused_at_once_come_back_one_after_another() {
    let engine = Engine::new(Source::Own);
    let holders = holder(&engine, Level::Key, &[rate(Flow::Requests, 1000)]);
    let ask = Ask::default();
    for _ in 0..1000 {
        start(&engine, &holders, &ask, 0).settle(Used::default(), clock(0));
    }
    let told: Vec<u64> = (0..1000)
        .map(|_| wait(&engine, &holders, &ask, 0))
        .collect();
    assert!(told.is_sorted_by(|one, next| one < next));
    assert_eq!((told[0], told[997]), (MINUTE / 1000, MINUTE * 998 / 1000));
    // The last two are promised nothing, and told a minute: it is there by then.
    for due in told {
        let header = (due + EASE_NANOS).min(LATEST);
        start(&engine, &holders, &ask, header).settle(Used::default(), clock(header));
    }
}

#[test]
fn a_promise_keeps_nobody_out_and_is_forgotten() {
    let engine = Engine::new(Source::Own);
    let holders = holder(&engine, Level::Key, &[rate(Flow::Requests, 60)]);
    let ask = Ask::default();
    for _ in 0..60 {
        start(&engine, &holders, &ask, 0).settle(Used::default(), clock(0));
    }
    let second = MINUTE / 60;
    assert_eq!(wait(&engine, &holders, &ask, 0), second);
    assert_eq!(wait(&engine, &holders, &ask, 0), 2 * second);
    // Somebody else is there first.
    start(&engine, &holders, &ask, second).settle(Used::default(), clock(second));
    assert_eq!(wait(&engine, &holders, &ask, second), 3 * second);
    // Nobody has come back.
    let later = 10 * MINUTE;
    for _ in 0..60 {
        start(&engine, &holders, &ask, later).settle(Used::default(), clock(later));
    }
    assert_eq!(wait(&engine, &holders, &ask, later), later + second);
}

#[test]
fn who_has_begun_goes_before_all_who_were_refused() {
    let engine = Engine::new(Source::Own);
    let rule = rate(Flow::Tokens, 100_000);
    let holders = holder(&engine, Level::Key, &[rule]);
    let all = Ask {
        input: 90_000,
        output: 10_000,
        output_least: 10_000,
        ..Ask::default()
    };
    let mut lease = start(&engine, &holders, &all, 0);
    let half = Ask {
        input: 50_000,
        ..Ask::default()
    };
    assert_eq!(wait(&engine, &holders, &half, 0), MINUTE / 2);
    let token = std::time::Duration::from_nanos(MINUTE / 100_000);
    // However often it asks, it pushes nobody away, itself included.
    for _ in 0..100 {
        let denied = lease.extend(10_001, 256, clock(0)).unwrap_err();
        let Denied::Refused(refusal) = denied else {
            panic!("{denied:?}")
        };
        assert_eq!(refusal.wait, Some(token));
    }
    assert_eq!(wait(&engine, &holders, &half, 0), MINUTE);
    lease.extend(10_001, 256, clock(MINUTE / 100_000)).unwrap();
    // No more than it needs while others wait.
    assert_eq!(lease.covered(), 10_001);
}

#[test]
fn who_never_waits_pushes_nobody_further_than_the_horizon() {
    let engine = Engine::new(Source::Own);
    let holders = holder(&engine, Level::Key, &[rate(Flow::Requests, 60)]);
    let ask = Ask::default();
    for _ in 0..60 {
        start(&engine, &holders, &ask, 0).settle(Used::default(), clock(0));
    }
    let told = (0..100_000).map(|_| wait(&engine, &holders, &ask, 0)).max();
    assert_eq!(told, Some(MINUTE - EASE_NANOS + MINUTE / 60));
}
