//! A node that has what it was granted by a store that several share.

use super::super::*;
use super::{MINUTE, clock, granted, refused, rules};
use crate::domain::{Coin, Flow, Kind, Pace, Rule, Span};

const REQUESTS: Kind = Kind::Rate(Flow::Requests, Pace::Minute);
const RATE: Kind = Kind::Rate(Flow::Tokens, Pace::Minute);
const BUDGET: Kind = Kind::Budget(Coin::Tokens, Span::Day);

fn node() -> (Engine, Holders, Arc<Holder>) {
    let engine = Engine::new(Source::Drawn);
    let limits = [
        Rule::new(REQUESTS, 10),
        Rule::new(RATE, 1000),
        Rule::new(Kind::InFlight, 5),
        Rule::new(BUDGET, 5000),
    ];
    let holder = engine.set(
        Level::Key,
        "k",
        Origin::default(),
        &rules(&limits),
        clock(0),
    );
    let mut holders = Holders::default();
    holders.push(Arc::clone(&holder));
    (engine, holders, holder)
}

fn ask(input: u64, output: u64) -> Ask {
    Ask {
        input,
        output,
        output_least: output.min(1),
        ..Ask::default()
    }
}

/// What is lacking: at least, and to have plenty.
fn short(admitted: Admitted) -> Vec<(Kind, u64, u64)> {
    let Admitted::Short(shortage) = admitted else {
        panic!("{admitted:?}")
    };
    let meters = shortage.meters.iter();
    let lacks = meters.map(|short| (short.kind, short.needed, short.wanted));
    lacks.collect()
}

fn grant(holder: &Holder, kind: Kind, amount: u64) -> bool {
    let period = match kind {
        Kind::Budget(_, span) => Some(Period::of(span, clock(0).wall)),
        _ => None,
    };
    holder.grant(kind, period, amount)
}

#[test]
fn a_node_draws_what_it_lacks_and_gives_back_what_it_can_spare() {
    let (engine, holders, holder) = node();
    let ask = ask(20, 100);
    let lacking = short(engine.admit(&holders, &ask, clock(0)));
    assert_eq!(
        lacking,
        [
            (REQUESTS, 1, 1),
            (RATE, 21, 120),
            (Kind::InFlight, 1, 1),
            (BUDGET, 21, 120)
        ]
    );
    for (kind, _, wanted) in lacking {
        assert!(grant(&holder, kind, wanted + 2));
    }
    let mut lease = granted(engine.admit(&holders, &ask, clock(0)));
    assert_eq!(lease.covered(), 100);
    // Time brings nothing here.
    let denied = lease.extend(110, 50, clock(MINUTE)).unwrap_err();
    let Denied::Short(shortage) = denied else {
        panic!("{denied:?}")
    };
    let lacking: Vec<_> = shortage
        .meters
        .iter()
        .map(|short| (short.kind, short.needed))
        .collect();
    assert_eq!(lacking, [(RATE, 8), (BUDGET, 8)]);
    for short in shortage.meters {
        assert!(short.holder.grant(short.kind, short.period, short.wanted));
    }
    lease.extend(110, 50, clock(MINUTE)).unwrap();
    assert_eq!(lease.covered(), 160);
    let used = Used {
        input: 20,
        output: 130,
        cost: None,
    };
    lease.settle(used, clock(MINUTE));
    let day = Period::of(Span::Day, clock(0).wall);
    assert_eq!(holder.take_settled(BUDGET, day), 150);
    assert_eq!(holder.take_settled(BUDGET, day), 0);
    let spare = |kind, period, keep| holder.take_back(kind, period, keep);
    assert_eq!(spare(BUDGET, Some(day), 10), 20);
    assert_eq!(spare(BUDGET, Some(day), 0), 10);
    assert_eq!(spare(BUDGET, Some(day), 0), 0);
    assert_eq!(spare(RATE, None, 0), 30);
    assert_eq!(spare(REQUESTS, None, 0), 2);
    assert_eq!(spare(Kind::InFlight, None, 0), 3);
    // Nothing is here any more that belongs to the store.
    assert_eq!(engine.sweep(true, clock(20 * MINUTE)).gone, 1);
}

#[test]
fn a_debt_is_drawn_too() {
    let (engine, holders, holder) = node();
    for (kind, amount) in [(REQUESTS, 9), (RATE, 10), (Kind::InFlight, 9), (BUDGET, 10)] {
        assert!(grant(&holder, kind, amount));
    }
    let lease = granted(engine.admit(&holders, &ask(10, 0), clock(0)));
    let used = Used {
        input: 40,
        output: 0,
        cost: None,
    };
    lease.settle(used, clock(0));
    let lacking = short(engine.admit(&holders, &ask(5, 0), clock(0)));
    assert_eq!(lacking, [(RATE, 35, 35), (BUDGET, 35, 35)]);
    let day = Period::of(Span::Day, clock(0).wall);
    assert_eq!(holder.take_settled(BUDGET, day), 40);
    assert_eq!(
        short(engine.admit(&holders, &ask(5, 0), clock(0)))[1],
        (BUDGET, 35, 35)
    );
}

#[test]
fn what_can_never_be_drawn_is_refused() {
    let (engine, holders, _) = node();
    let refusal = refused(engine.admit(&holders, &ask(5001, 0), clock(0)));
    assert_eq!((refusal.kind, refusal.reason), (BUDGET, Reason::TooLarge));
}

#[test]
fn a_grant_for_a_limit_that_is_gone_is_returned() {
    let (engine, _, holder) = node();
    engine.set(
        Level::Key,
        "k",
        Origin::default(),
        &Rules::default(),
        clock(0),
    );
    for kind in [REQUESTS, Kind::InFlight, BUDGET] {
        assert!(!grant(&holder, kind, 1));
    }
}

#[test]
fn callers_are_told_what_the_store_has_too() {
    let (engine, holders, holder) = node();
    for (kind, amount) in [
        (REQUESTS, 2),
        (RATE, 100),
        (Kind::InFlight, 1),
        (BUDGET, 100),
    ] {
        assert!(grant(&holder, kind, amount) || kind == BUDGET);
    }
    holder.note_elsewhere(REQUESTS, 5);
    let standing = engine.standing(&holders, clock(0)).requests.unwrap();
    assert_eq!((standing.limit, standing.remaining), (10, 7));
    assert_eq!(standing.reset.as_secs(), 18);
}
