//! Budgets, their periods, and what was spent before.

use super::super::*;
use super::{HOUR_MS, MINUTE_MS, START_MS, clock, granted, refused, rules, wall};
use crate::domain::{Coin, Kind, Rule, Span};
use std::time::Duration;

const DOLLARS: Kind = Kind::Budget(Coin::Dollars, Span::Hour);
const TOKENS: Kind = Kind::Budget(Coin::Tokens, Span::Hour);

/// One with a budget that was there long before `now`, and has spent nothing.
fn holder(engine: &Engine, limits: &[Rule], now: Now) -> Holders {
    let mut holders = Holders::default();
    let before = wall(now.wall - HOUR_MS);
    let holder = engine.set(
        Level::Project,
        "p",
        Origin::default(),
        &rules(limits),
        before,
    );
    holders.push(holder);
    tell(engine, &holders, now, 0);
    holders
}

/// Tells what was spent of all budgets of which nobody has.
fn tell(engine: &Engine, holders: &Holders, now: Now, spent: u64) {
    let unready = engine.unready(holders, now).into_iter();
    let budgets = unready.flat_map(|unready| unready.budgets);
    budgets.for_each(|unknown| unknown.tell(spent));
}

fn ask(output: u64, output_least: u64) -> Ask {
    Ask {
        input: 10,
        output,
        output_least,
        // A thousandth of a dollar for the prompt, and as much for a token.
        price: Some(Charge {
            input_nanos: 1_000_000,
            output_rate: 1_000_000_000_000,
        }),
        allows_unpriced: false,
        is_whole: false,
    }
}

fn view(holders: &Holders, now: Now) -> (u64, u64, u64) {
    let holder = holders.iter().next().unwrap();
    let view = holder.view(now)[0];
    (view.used, view.held, view.left)
}

#[test]
fn a_budget_is_a_ceiling_in_the_stream() {
    let engine = Engine::new(Source::Own);
    let now = clock(0);
    let holders = holder(&engine, &[Rule::new(DOLLARS, 100_000_000)], now);
    let mut lease = granted(engine.admit(&holders, &ask(256, 1), now));
    // A sixteenth of what is left.
    assert_eq!(lease.covered(), 6);
    assert_eq!(view(&holders, now), (7_000_000, 7_000_000, 93_000_000));
    lease.extend(99, 256, now).unwrap();
    assert_eq!(view(&holders, now).2, 0);
    let denied = lease.extend(100, 0, now).unwrap_err();
    let Denied::Refused(refusal) = denied else {
        panic!("{denied:?}")
    };
    assert_eq!((refusal.kind, refusal.wait), (DOLLARS, None));
    assert_eq!(refusal.resets_in, Some(Duration::from_millis(HOUR_MS)));
    assert_eq!(refusal.reason, Reason::Short);
    lease.settle(
        Used {
            input: 10,
            output: 99,
            cost: Some(60_000_000),
        },
        now,
    );
    assert_eq!(view(&holders, now), (60_000_000, 0, 40_000_000));
    refused(engine.admit(&holders, &ask(40, 40), now));
    granted(engine.admit(&holders, &ask(39, 39), now)).cancel();
    assert_eq!(view(&holders, now), (60_000_000, 0, 40_000_000));
}

#[test]
fn a_cost_that_nobody_knows_is_what_was_held() {
    let engine = Engine::new(Source::Own);
    let now = clock(0);
    let holders = holder(&engine, &[Rule::new(DOLLARS, 1_000_000_000)], now);
    let mut lease = granted(engine.admit(&holders, &ask(50, 1), now));
    lease.correct_input(20, Some(3_000_000), now);
    let used = Used {
        input: 20,
        output: 4,
        cost: None,
    };
    lease.settle(used, now);
    assert_eq!(view(&holders, now), (7_000_000, 0, 993_000_000));
}

#[test]
fn what_has_no_price_passes_a_budget_only_if_it_may() {
    let engine = Engine::new(Source::Own);
    let now = clock(0);
    let holders = holder(&engine, &[Rule::new(DOLLARS, 1_000)], now);
    let mut unpriced = Ask {
        price: None,
        ..ask(5, 5)
    };
    let refusal = refused(engine.admit(&holders, &unpriced, now));
    assert_eq!((refusal.reason, refusal.wait), (Reason::Unpriced, None));
    unpriced.allows_unpriced = true;
    granted(engine.admit(&holders, &unpriced, now)).settle(Used::default(), now);
    let refusal = refused(engine.admit(&holders, &ask(5, 5), now));
    assert_eq!(refusal.reason, Reason::TooLarge);
}

#[test]
fn a_budget_waits_for_what_was_spent_before() {
    let engine = Engine::new(Source::Own);
    let limits = rules(&[Rule::new(TOKENS, 100), Rule::new(DOLLARS, 1_000_000_000)]);
    let mut holders = Holders::default();
    let now = clock(0);
    holders.push(engine.set(Level::Project, "p", Origin::default(), &limits, now));
    let admitted = engine.admit(&holders, &ask(0, 0), now);
    assert!(matches!(admitted, Admitted::Unready));
    let unready = engine.unready(&holders, now).unwrap();
    let kinds: Vec<Kind> = unready.budgets.iter().map(|unknown| unknown.kind).collect();
    assert_eq!(kinds, [TOKENS, DOLLARS]);
    for unknown in &unready.budgets {
        assert_eq!(unknown.period, Period::of(Span::Hour, now.wall));
        // The second one to find out is not believed.
        for spent in [80, 99] {
            unknown.tell(spent);
        }
    }
    granted(engine.admit(&holders, &ask(0, 0), now)).cancel();
    refused(engine.admit(&holders, &ask(11, 11), now));
}

#[test]
fn a_period_that_began_meanwhile_has_nothing_before_it() {
    let engine = Engine::new(Source::Own);
    let limits = rules(&[Rule::new(TOKENS, 100)]);
    let mut holders = Holders::default();
    let now = wall(START_MS + 50 * MINUTE_MS);
    let project = engine.set(Level::Project, "p", Origin::default(), &limits, now);
    holders.push(project);
    tell(&engine, &holders, now, 95);
    refused(engine.admit(&holders, &ask(0, 0), now));
    let next = wall(START_MS + HOUR_MS);
    let lease = granted(engine.admit(&holders, &ask(30, 30), next));
    // The next one is over when it ends; it belongs where it began.
    let later = wall(START_MS + 2 * HOUR_MS);
    let mut cut = granted(engine.admit(&holders, &ask(20, 20), next));
    let denied = cut
        .extend(60, 0, wall(START_MS + 2 * HOUR_MS - 1))
        .unwrap_err();
    let Denied::Refused(refusal) = denied else {
        panic!("{denied:?}")
    };
    assert_eq!(refusal.resets_in, Some(Duration::from_millis(1)));
    drop(cut);
    granted(engine.admit(&holders, &ask(60, 60), later)).cancel();
    let used = Used {
        input: 10,
        output: 25,
        cost: None,
    };
    lease.settle(used, later);
    assert_eq!(view(&holders, next), (35, 0, 65));
    assert_eq!(view(&holders, later), (0, 0, 100));
}

#[test]
fn who_came_just_before_the_border_asks_again_behind_it() {
    let engine = Engine::new(Source::Own);
    let limits = rules(&[Rule::new(TOKENS, 100)]);
    let mut holders = Holders::default();
    let now = wall(START_MS - MINUTE_MS);
    let project = engine.set(Level::Project, "p", Origin::default(), &limits, now);
    holders.push(project);
    tell(&engine, &holders, now, 0);
    granted(engine.admit(&holders, &ask(0, 0), now)).cancel();
    let admitted = engine.admit(&holders, &ask(0, 0), wall(START_MS));
    assert!(matches!(admitted, Admitted::Unready));
}

#[test]
fn a_clock_that_jumps_and_comes_back_loses_nothing() {
    let engine = Engine::new(Source::Own);
    let now = wall(START_MS + 30_000);
    let holders = holder(&engine, &[Rule::new(TOKENS, 100)], now);
    let spend = |now: Now, output: u64| {
        let lease = granted(engine.admit(&holders, &ask(output, output), now));
        let used = Used {
            input: 10,
            output,
            cost: None,
        };
        lease.settle(used, now);
    };
    spend(now, 20);
    let held = granted(engine.admit(&holders, &ask(10, 10), now));
    // An hour ahead, and back: both hours are as they were.
    let ahead = wall(now.wall + HOUR_MS);
    spend(ahead, 30);
    assert_eq!(view(&holders, now), (50, 20, 50));
    assert_eq!(view(&holders, ahead), (40, 0, 60));
    drop(held);
    assert_eq!(view(&holders, now), (30, 0, 70));
    // A minute back, over the border: nobody knows that hour, or the one that it put away.
    let back = wall(START_MS - 30_000);
    let mut admitted = engine.admit(&holders, &ask(0, 0), back);
    if let Some(unready) = engine.unready(&holders, back) {
        let unknown = &unready.budgets[0];
        assert_eq!(unknown.period.start(), START_MS - HOUR_MS);
        unknown.tell(5);
        admitted = engine.admit(&holders, &ask(0, 0), back);
    }
    granted(admitted).cancel();
    assert_eq!(view(&holders, now), (30, 0, 70));
    assert_eq!(view(&holders, back), (5, 0, 95));
}

#[test]
fn what_comes_back_to_a_forgotten_period_is_not_given_back_to_others() {
    let engine = Engine::new(Source::Own);
    let now = wall(START_MS);
    let holders = holder(&engine, &[Rule::new(TOKENS, 100)], now);
    let old = granted(engine.admit(&holders, &ask(20, 20), now));
    for hours in [1, 2] {
        granted(engine.admit(&holders, &ask(0, 0), wall(START_MS + hours * HOUR_MS))).cancel();
    }
    let unready = engine.unready(&holders, now).expect("it was forgotten");
    unready.budgets[0].tell(0);
    let new = granted(engine.admit(&holders, &ask(30, 30), now));
    assert_eq!(view(&holders, now), (40, 40, 60));
    old.settle(
        Used {
            input: 10,
            output: 20,
            cost: None,
        },
        now,
    );
    assert_eq!(view(&holders, now), (70, 40, 30));
    drop(new);
    assert_eq!(view(&holders, now), (30, 0, 70));
}

#[test]
fn a_budget_that_comes_while_calls_are_in_the_air_is_charged_for_them() {
    let engine = Engine::new(Source::Own);
    let now = clock(0);
    let holders = holder(&engine, &[], now);
    let lease = || granted(engine.admit(&holders, &ask(20, 20), now));
    let (first, second) = (lease(), lease());
    holder(&engine, &[], now);
    let limits = rules(&[Rule::new(TOKENS, 100)]);
    engine.set(Level::Project, "p", Origin::default(), &limits, now);
    let used = Used {
        input: 10,
        output: 15,
        cost: None,
    };
    // This one is committed before somebody asks what was spent; the other one is not.
    first.settle(used, now);
    let unready = engine.unready(&holders, now).unwrap();
    second.settle(used, now);
    unready.budgets[0].tell(25);
    assert_eq!(view(&holders, now), (50, 0, 50));
}

#[test]
fn whoever_asks_what_was_spent_is_believed_with_what_was_settled_since() {
    let engine = Engine::new(Source::Own);
    let now = clock(0);
    let used = Used {
        input: 10,
        output: 15,
        cost: None,
    };
    // Of two who ask, the one who asked before a call was settled and the one who asked after it.
    for teller in [0, 1] {
        let mut holders = Holders::default();
        let name = teller.to_string();
        let set =
            |limits: &[Rule]| engine.set(Level::Key, &name, Origin::default(), &rules(limits), now);
        holders.push(set(&[]));
        let lease = || granted(engine.admit(&holders, &ask(20, 20), now));
        let leases = [lease(), lease(), lease()];
        set(&[Rule::new(TOKENS, 1000)]);
        let mut ledger = 0;
        let mut told = Vec::new();
        for lease in leases {
            lease.settle(used, now);
            ledger += 25;
            told.push((engine.unready(&holders, now).unwrap(), ledger));
        }
        let (unready, spent) = &told[teller];
        unready.budgets[0].tell(*spent);
        assert_eq!(view(&holders, now), (75, 0, 925));
        // The other one comes too late.
        let (unready, spent) = &told[1 - teller];
        unready.budgets[0].tell(*spent);
        assert_eq!(view(&holders, now), (75, 0, 925));
    }
}

#[test]
fn budgets_are_forgotten_only_if_they_can_be_had_again() {
    let engine = Engine::new(Source::Own);
    let now = clock(0);
    let holders = holder(&engine, &[Rule::new(TOKENS, 100)], now);
    granted(engine.admit(&holders, &ask(0, 0), now)).settle(Used::default(), now);
    let later = clock(11 * super::MINUTE);
    assert_eq!(engine.sweep(false, later).gone, 0);
    assert_eq!(engine.sweep(true, now).gone, 0);
    assert_eq!(engine.sweep(true, later).gone, 1);
    let admitted = engine.admit(&holders, &ask(0, 0), later);
    assert!(matches!(admitted, Admitted::Unready));
}

#[test]
fn an_answer_that_comes_as_a_whole_waits_for_what_others_hold() {
    let engine = Engine::new(Source::Own);
    let now = clock(0);
    let holders = holder(&engine, &[Rule::new(DOLLARS, 100_000_000)], now);
    let whole = |output| Ask {
        is_whole: true,
        ..ask(output, 1)
    };
    // Alone it has all that is left: 99 thousandths, after one for its prompt.
    let alone = granted(engine.admit(&holders, &whole(4096), now));
    assert_eq!(alone.covered(), 99);
    let refusal = refused(engine.admit(&holders, &ask(5, 1), now));
    assert_eq!((refusal.reason, refusal.left), (Reason::Short, 0));
    assert!(refusal.wait.is_some(), "nothing is spent");
    let used = Used {
        input: 10,
        output: 59,
        cost: Some(60_000_000),
    };
    alone.settle(used, now);
    // Beside others, which hold 3 of 40, it has what it asks for, or waits.
    let stream = granted(engine.admit(&holders, &ask(2, 1), now));
    assert_eq!(
        granted(engine.admit(&holders, &whole(36), now)).covered(),
        36
    );
    assert!(
        refused(engine.admit(&holders, &whole(37), now))
            .wait
            .is_some()
    );
    drop(stream);
    assert_eq!(
        granted(engine.admit(&holders, &whole(50), now)).covered(),
        39
    );
}
