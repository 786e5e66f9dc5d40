//! Rates, places, and who holds them.

use super::super::*;
use super::{MINUTE, clock, granted, holder, rate, refused, rules, start, used, view};
use crate::domain::{Flow, Kind, Pace, Rule};
use std::time::Duration;

#[test]
fn of_many_at_once_exactly_as_many_pass_as_there_are() {
    let engine = Engine::new(Source::Own);
    let mut holders = holder(&engine, Level::Key, &[rate(Flow::Requests, 100)]);
    let place = Rule::new(Kind::InFlight, 1_000_000);
    holders.push(engine.set(
        Level::Project,
        "p",
        Origin::default(),
        &rules(&[place]),
        clock(0),
    ));
    let passed: usize = std::thread::scope(|scope| {
        let ask_often = || {
            let admit = |_: &u32| match engine.admit(&holders, &Ask::default(), clock(5)) {
                Admitted::Granted(lease, standing) => {
                    assert!(standing.requests.is_some_and(|side| side.remaining < 100));
                    lease.settle(used(1, 1), clock(5));
                    true
                }
                _ => false,
            };
            (0..10_000).filter(admit).count()
        };
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(ask_often)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .sum()
    });
    assert_eq!(passed, 100);
    assert_eq!(view(&engine, Level::Key, 5), [(100, 0)]);
}

#[test]
fn what_passes_in_a_minute_is_the_rate_and_the_burst() {
    let engine = Engine::new(Source::Own);
    let rule = Rule {
        burst: 7,
        ..rate(Flow::Requests, 60)
    };
    let holders = holder(&engine, Level::Key, &[rule]);
    let admit = |step: &u64| {
        let mono = step * MINUTE / 600;
        matches!(
            engine.admit(&holders, &Ask::default(), clock(mono)),
            Admitted::Granted(..)
        )
    };
    // Ten times as often as it allows, the first minute's end included.
    let passed: Vec<u64> = (0..=600).filter(admit).collect();
    assert_eq!(passed.len(), 60 + 7);
    // Evenly: one a second after the burst.
    assert!(passed[7..].windows(2).all(|pair| pair[1] - pair[0] == 10));
}

#[test]
fn all_are_taken_or_none() {
    let engine = Engine::new(Source::Own);
    let mut holders = holder(&engine, Level::Key, &[rate(Flow::Requests, 10)]);
    let limits = rules(&[Rule::new(Kind::InFlight, 2), rate(Flow::Tokens, 100)]);
    holders.push(engine.set(Level::Project, "p", Origin::default(), &limits, clock(0)));
    let ask = Ask {
        input: 60,
        ..Ask::default()
    };
    let first = start(&engine, &holders, &ask, 0);
    let refusal = refused(engine.admit(&holders, &ask, clock(0)));
    assert_eq!(refusal.level, Level::Project);
    assert_eq!(refusal.kind, Kind::Rate(Flow::Tokens, Pace::Minute));
    assert_eq!((refusal.amount, refusal.left), (100, 40));
    assert_eq!(refusal.wait, Some(Duration::from_secs(12)));
    assert_eq!(refusal.resets_in, Some(Duration::from_secs(36)));
    assert_eq!(refusal.standing.requests.unwrap().remaining, 9);
    assert_eq!(view(&engine, Level::Key, 0), [(1, 9)]);
    let second = start(&engine, &holders, &Ask::default(), 0);
    let refusal = refused(engine.admit(&holders, &Ask::default(), clock(0)));
    assert_eq!((refusal.kind, refusal.wait), (Kind::InFlight, None));
    drop((first, second));
    // Its tokens and its place are back, its request is not.
    assert_eq!(view(&engine, Level::Key, 0), [(2, 8)]);
    let _third = start(&engine, &holders, &ask, 0);
}

#[test]
fn a_call_that_was_not_made_gives_its_request_back() {
    let engine = Engine::new(Source::Own);
    let holders = holder(&engine, Level::Key, &[rate(Flow::Requests, 2)]);
    start(&engine, &holders, &Ask::default(), 0).cancel();
    assert_eq!(view(&engine, Level::Key, 0), [(0, 2)]);
}

#[test]
fn what_was_not_foreseen_is_a_debt_and_what_was_not_used_is_given_back() {
    let engine = Engine::new(Source::Own);
    let holders = holder(&engine, Level::Key, &[rate(Flow::Tokens, 100)]);
    let ask = Ask {
        input: 40,
        output: 20,
        output_least: 20,
        ..Ask::default()
    };
    start(&engine, &holders, &ask, 0).settle(used(50, 60), clock(0));
    assert_eq!(view(&engine, Level::Key, 0), [(110, 0)]);
    let refusal = refused(engine.admit(&holders, &ask, clock(0)));
    assert_eq!(refusal.wait, Some(Duration::from_secs(42)));
    start(&engine, &holders, &ask, MINUTE).settle(used(10, 0), clock(MINUTE));
    assert_eq!(view(&engine, Level::Key, MINUTE), [(20, 80)]);
}

#[test]
fn a_call_larger_than_the_burst_waits_until_it_is_full_and_leaves_a_debt() {
    let engine = Engine::new(Source::Own);
    let holders = holder(&engine, Level::Key, &[rate(Flow::Tokens, 100)]);
    let large = Ask {
        input: 250,
        ..Ask::default()
    };
    let small = Ask {
        input: 50,
        ..Ask::default()
    };
    start(&engine, &holders, &small, 0).settle(used(50, 0), clock(0));
    let refusal = refused(engine.admit(&holders, &large, clock(0)));
    assert_eq!(refusal.reason, Reason::Short);
    assert_eq!(refusal.wait, Some(Duration::from_secs(30)));
    let half = MINUTE / 2;
    start(&engine, &holders, &large, half).settle(used(250, 0), clock(half));
    let refusal = refused(engine.admit(&holders, &small, clock(half)));
    assert_eq!(refusal.wait, Some(Duration::from_secs(120)));
}

#[test]
fn slices_get_smaller_as_it_gets_short() {
    let engine = Engine::new(Source::Own);
    let holders = holder(&engine, Level::Key, &[rate(Flow::Tokens, 1600)]);
    let ask = Ask {
        output: 256,
        output_least: 1,
        ..Ask::default()
    };
    let mut lease = start(&engine, &holders, &ask, 0);
    assert_eq!(lease.covered(), 100);
    lease.extend(100, 256, clock(0)).unwrap();
    assert_eq!(lease.covered(), 193);
    lease.extend(1590, 256, clock(0)).unwrap();
    assert_eq!(lease.covered(), 1590);
    let denied = lease.extend(1601, 256, clock(0)).unwrap_err();
    let Denied::Refused(refusal) = denied else {
        panic!("{denied:?}")
    };
    assert_eq!(refusal.wait, Some(Duration::from_nanos(MINUTE / 1600)));
    assert_eq!(lease.covered(), 1590);
    lease.extend(1601, 256, clock(MINUTE / 1600)).unwrap();
}

#[test]
fn nothing_may_be_the_limit() {
    let engine = Engine::new(Source::Own);
    for rule in [rate(Flow::Requests, 0), Rule::new(Kind::InFlight, 0)] {
        let holders = holder(&engine, Level::Key, &[rule]);
        let refusal = refused(engine.admit(&holders, &Ask::default(), clock(0)));
        assert_eq!((refusal.reason, refusal.wait), (Reason::TooLarge, None));
    }
}

#[test]
fn amounts_beyond_all_measure_do_no_harm() {
    let engine = Engine::new(Source::Own);
    let flows = [Flow::Requests, Flow::Tokens, Flow::Input, Flow::Output];
    let mut limits: Vec<Rule> = Vec::new();
    for pace in [Pace::Minute, Pace::Day] {
        limits.extend(flows.map(|flow| Rule::new(Kind::Rate(flow, pace), u64::MAX)));
    }
    let holders = holder(&engine, Level::Key, &limits);
    let ask = Ask {
        input: u64::MAX,
        output: u64::MAX,
        output_least: u64::MAX,
        ..Ask::default()
    };
    let far = Now {
        mono: u64::MAX,
        wall: u64::MAX,
    };
    let lease = granted(engine.admit(&holders, &ask, clock(0)));
    refused(engine.admit(&holders, &ask, clock(1)));
    lease.settle(used(u64::MAX, u64::MAX), far);
    granted(engine.admit(&holders, &Ask::default(), far)).cancel();
}

#[test]
fn idle_holders_are_given_back_and_found_anew() {
    let engine = Engine::new(Source::Own);
    let holders = holder(&engine, Level::Key, &[rate(Flow::Requests, 10)]);
    let lease = start(&engine, &holders, &Ask::default(), 0);
    assert_eq!(engine.sweep(false, clock(0)).gone, 0);
    lease.settle(used(0, 0), clock(0));
    assert_eq!(engine.sweep(false, clock(MINUTE / 20)).gone, 0);
    let swept = engine.sweep(false, clock(MINUTE));
    assert_eq!(swept, Swept { seen: 1, gone: 1 });
    assert_eq!(engine.holders(), 0);
    // Two who had it in hand count together.
    for _ in 0..5 {
        start(&engine, &holders, &Ask::default(), MINUTE).settle(used(0, 0), clock(MINUTE));
    }
    assert_eq!(view(&engine, Level::Key, MINUTE), [(5, 5)]);
    // Nobody knows any more what its rules were made of.
    assert!(
        engine
            .holder(Level::Key, "one", &Origin::default())
            .is_none()
    );
    let again = holder(&engine, Level::Key, &[rate(Flow::Requests, 10)]);
    assert_eq!(view(&engine, Level::Key, MINUTE), [(5, 5)]);
    assert!(again.iter().map(|holder| holder.name()).eq(["one"]));
}

#[test]
fn a_holder_that_is_swept_while_somebody_asks_for_it_is_one_all_the_same() {
    use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
    let engine = Engine::new(Source::Own);
    let limits = rules(&[Rule::new(Kind::InFlight, 1)]);
    let (in_air, passed) = (AtomicU32::new(0), AtomicU32::new(0));
    let is_over = AtomicBool::new(false);
    let ask_often = || {
        for _ in 0..5_000 {
            let mut holders = Holders::default();
            for level in [Level::Organization, Level::Key] {
                let known = engine.holder(level, "one", &Origin::default());
                let set = || engine.set(level, "one", Origin::default(), &limits, clock(0));
                holders.push(known.unwrap_or_else(set));
            }
            if let Admitted::Granted(lease, _) = engine.admit(&holders, &Ask::default(), clock(0)) {
                assert_eq!(in_air.fetch_add(1, SeqCst), 0);
                passed.fetch_add(1, SeqCst);
                in_air.fetch_sub(1, SeqCst);
                lease.settle(used(0, 0), clock(0));
            }
        }
    };
    std::thread::scope(|scope| {
        let asking: Vec<_> = (0..3).map(|_| scope.spawn(ask_often)).collect();
        let sweeping = scope.spawn(|| {
            while !is_over.load(SeqCst) {
                engine.sweep(false, clock(0));
            }
        });
        let asked: Vec<_> = asking.into_iter().map(|thread| thread.join()).collect();
        is_over.store(true, SeqCst);
        sweeping.join().unwrap();
        assert!(asked.iter().all(Result::is_ok));
    });
    assert!(passed.into_inner() > 0);
    engine.sweep(false, clock(0));
    assert_eq!(engine.holders(), 0);
}

#[test]
fn a_sweep_does_a_bounded_amount_of_work() {
    let engine = Engine::new(Source::Own);
    let limits = rules(&[rate(Flow::Requests, 10)]);
    for number in 0..5_000 {
        let name = number.to_string();
        engine.set(Level::Key, &name, Origin::default(), &limits, clock(0));
    }
    let gone = || engine.sweep(false, clock(0)).gone;
    assert_eq!([gone(), gone(), gone(), gone()], [2000, 2000, 1000, 0]);
    assert_eq!(engine.holders(), 0);
}

#[test]
fn an_origin_is_the_very_same_object() {
    let object = || -> Option<Arc<dyn std::any::Any + Send + Sync>> { Some(Arc::new(1_u8)) };
    let of = object();
    let origin = Origin {
        generation: 1,
        of: of.clone(),
    };
    assert_eq!(origin, Origin { generation: 1, of });
    for (generation, of) in [(1, object()), (1, None), (2, origin.of.clone())] {
        assert_ne!(origin, Origin { generation, of });
    }
}
