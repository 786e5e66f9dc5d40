//! Rules that change, and come back.

use super::super::*;
use super::{MINUTE, clock, holder, rate, refused, rules, start, used, view};
use crate::domain::{Coin, Flow, Kind, Rule, Span};

#[test]
fn other_rules_are_in_force_at_once_and_what_was_used_stays_used() {
    let engine = Engine::new(Source::Own);
    let holders = holder(&engine, Level::Key, &[rate(Flow::Requests, 100)]);
    for _ in 0..50 {
        start(&engine, &holders, &Ask::default(), 0).settle(used(0, 0), clock(0));
    }
    let change = |limits: &[Rule], generation| {
        let origin = Origin {
            generation,
            ..Origin::default()
        };
        engine.set(Level::Key, "one", origin, &rules(limits), clock(0));
    };
    change(&[rate(Flow::Requests, 200)], 1);
    assert_eq!(view(&engine, Level::Key, 0), [(50, 150)]);
    change(&[rate(Flow::Requests, 20), Rule::new(Kind::InFlight, 1)], 2);
    assert_eq!(view(&engine, Level::Key, 0), [(50, 0), (0, 1)]);
    refused(engine.admit(&holders, &Ask::default(), clock(0)));
    assert!(
        engine
            .holder(Level::Key, "one", &Origin::default())
            .is_none()
    );
    change(&[], 3);
    let lease = start(&engine, &holders, &Ask::default(), 0);
    // What came while it was in the air counts its place, and gives it nothing else.
    change(&[rate(Flow::Tokens, 10), Rule::new(Kind::InFlight, 1)], 4);
    assert_eq!(view(&engine, Level::Key, 0), [(0, 10), (1, 0)]);
    lease.settle(used(5, 5), clock(0));
    assert_eq!(view(&engine, Level::Key, 0), [(0, 10), (0, 1)]);
}

#[test]
fn two_sets_of_rules_in_turn_are_not_new_each_time() {
    let engine = Engine::new(Source::Own);
    let (free, gold) = (rate(Flow::Tokens, 100), rate(Flow::Requests, 5));
    let holders = holder(&engine, Level::Key, &[free]);
    let ask = Ask {
        input: 20,
        output: 30,
        output_least: 30,
        ..Ask::default()
    };
    let lease = start(&engine, &holders, &ask, 0);
    assert_eq!(view(&engine, Level::Key, 0), [(50, 50)]);
    for left in [4, 3, 2] {
        holder(&engine, Level::Key, &[gold]);
        start(&engine, &holders, &ask, 0).settle(used(20, 30), clock(0));
        assert_eq!(view(&engine, Level::Key, 0), [(5 - left, left)]);
        holder(&engine, Level::Key, &[free]);
        assert_eq!(view(&engine, Level::Key, 0), [(50, 50)]);
    }
    // What is held of a set is settled with it, whichever is in force.
    holder(&engine, Level::Key, &[gold]);
    lease.settle(used(20, 0), clock(0));
    holder(&engine, Level::Key, &[free]);
    assert_eq!(view(&engine, Level::Key, 0), [(20, 80)]);
    // It comes back as if it had never gone, and then there is nothing to keep.
    holder(&engine, Level::Key, &[gold]);
    assert_eq!(engine.sweep(false, clock(MINUTE / 100)).gone, 0);
    assert_eq!(engine.sweep(false, clock(MINUTE)).gone, 1);
}

#[test]
fn a_budget_that_rests_keeps_what_is_held_and_spent() {
    let engine = Engine::new(Source::Own);
    let budget = Rule::new(Kind::Budget(Coin::Tokens, Span::Life), 100);
    let holders = holder(&engine, Level::Key, &[budget]);
    engine.unready(&holders, clock(0)).unwrap().budgets[0].tell(10);
    let ask = Ask {
        input: 20,
        output: 30,
        output_least: 30,
        ..Ask::default()
    };
    let lease = start(&engine, &holders, &ask, 0);
    holder(&engine, Level::Key, &[]);
    start(&engine, &holders, &ask, 0).settle(used(5, 5), clock(0));
    holder(&engine, Level::Key, &[budget]);
    assert!(engine.unready(&holders, clock(0)).is_none());
    assert_eq!(view(&engine, Level::Key, 0), [(70, 30)]);
    lease.settle(used(20, 10), clock(0));
    assert_eq!(view(&engine, Level::Key, 0), [(50, 50)]);
}

#[test]
fn the_rules_of_a_config_that_is_past_change_nothing() {
    let engine = Engine::new(Source::Own);
    let set = |generation, limits: &[Rule]| {
        let origin = Origin {
            generation,
            ..Origin::default()
        };
        engine.set(Level::Key, "one", origin, &rules(limits), clock(0))
    };
    let new = rate(Flow::Tokens, 100);
    let known = set(2, &[new]);
    let late = set(1, &[rate(Flow::Requests, 5)]);
    assert!(Arc::ptr_eq(&known, &late));
    assert_eq!(view(&engine, Level::Key, 0), [(0, 100)]);
}

#[test]
fn a_budget_that_comes_back_is_told_what_passed_it_by() {
    const SECOND: u64 = MINUTE / 60;
    let engine = Engine::new(Source::Own);
    let tokens = Rule::new(Kind::Budget(Coin::Tokens, Span::Month), 100);
    let holders = holder(&engine, Level::Key, &[tokens]);
    let told = |spent, mono| {
        let unready = engine.unready(&holders, clock(mono)).unwrap();
        unready.budgets.iter().for_each(|budget| budget.tell(spent));
    };
    told(0, 0);
    let again = |generation, mono| {
        let origin = Origin {
            generation,
            ..Origin::default()
        };
        engine.set(Level::Key, "one", origin, &rules(&[tokens]), clock(mono));
    };
    let ask = Ask {
        input: 10,
        ..Ask::default()
    };
    start(&engine, &holders, &ask, 0).settle(used(10, 0), clock(0));
    let in_the_air = start(&engine, &holders, &ask, 0);
    // At once: nothing can have passed it by.
    again(1, SECOND);
    start(&engine, &holders, &ask, SECOND).settle(used(10, 0), clock(SECOND));
    again(2, 3 * SECOND);
    assert!(matches!(
        engine.admit(&holders, &ask, clock(3 * SECOND)),
        Admitted::Unready
    ));
    told(75, 3 * SECOND);
    assert_eq!(view(&engine, Level::Key, 3 * SECOND), [(85, 15)]);
    in_the_air.settle(used(20, 0), clock(3 * SECOND));
    assert_eq!(view(&engine, Level::Key, 3 * SECOND), [(95, 5)]);
}
