use super::{
    super::round::{Ask, Flow, Meter, Need, Of, Round, Verdict},
    Server,
};
use proptest::prelude::*;

const MINUTE: u64 = 60_000_000;
const DAY: u64 = 24 * 60 * MINUTE;

fn meter(key: &str, amount: u64, burst: u64, span_micros: u64, back: i64) -> Meter {
    Meter {
        key: key.to_owned(),
        amount,
        ahead: 0,
        parts: 16,
        of: Of::Flow(Flow {
            burst,
            span_micros,
            back,
        }),
    }
}

fn asks(costs: &[u64]) -> Vec<Ask> {
    let ask = |least: &u64| ask(vec![need(0, *least)]);
    costs.iter().map(ask).collect()
}

fn ask(needs: Vec<Need>) -> Ask {
    Ask {
        needs,
        has_begun: false,
    }
}

fn need(meter: usize, least: u64) -> Need {
    Need {
        meter,
        least,
        want: least,
    }
}

fn passed(verdicts: &[Verdict]) -> usize {
    let passed = |verdict: &&Verdict| matches!(verdict, Verdict::Granted);
    verdicts.iter().filter(passed).count()
}

/// A bucket as the documentation has it, in units of a token in a microsecond.
struct Bucket {
    amount: i128,
    burst: i128,
    span: i128,
    level: i128,
    at: i128,
}

impl Bucket {
    fn go_on(&mut self, at: u64, back: i64) {
        let time = (i128::from(at) - self.at).max(0);
        self.at = at.into();
        self.level = self.level + self.amount * time + i128::from(back) * self.span;
        self.level = self.level.min(self.burst * self.span);
    }

    fn ask(&mut self, cost: u64) -> bool {
        let has = self.level >= i128::from(cost).min(self.burst) * self.span;
        if has {
            self.level -= i128::from(cost) * self.span;
        }
        has
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_bucket_in_redis_is_exact(
        amount in prop_oneof![1..200_u64, 1..10_000_000_000_u64],
        part in 1..=100_u64,
        of_day in any::<bool>(),
        steps in prop::collection::vec((0..100_u8, 0..MINUTE, -5..20_i64, prop::collection::vec(1..100_u64, 0..4)), 1..40),
    ) {
        let Some(mut server) = Server::find() else { return Ok(()) };
        let burst = (amount * part / 100).max(1);
        let span = if of_day { DAY } else { MINUTE };
        let mut model = Bucket {
            amount: amount.into(),
            burst: burst.into(),
            span: span.into(),
            level: i128::from(burst) * i128::from(span),
            at: server.micros.into(),
        };
        let mut at = server.micros;
        for (number, (how, step, back, costs)) in (1..).zip(steps) {
            // Now and then the clock is set: a minute back, an hour ahead, or there is a long pause.
            at = match how {
                0..5 => at - MINUTE,
                5..10 => at + 60 * MINUTE,
                10..13 => at + 3 * DAY,
                _ => at + step,
            };
            let costs: Vec<_> = costs.iter().map(|cost| (cost * burst / 50).max(1)).collect();
            let back = if number == 1 { 0 } else { back };
            let round = Round {
                node: "one".to_owned(),
                number,
                at: Some(at),
                meters: vec![meter("f", amount, burst, span, back)],
                asks: asks(&costs),
                ..Round::default()
            };
            let reply = server.run(&round);
            model.go_on(at, back);
            let mut taken = 0;
            for (cost, verdict) in costs.iter().zip(&reply.verdicts) {
                let has = model.ask(*cost);
                prop_assert_eq!(has, matches!(verdict, Verdict::Granted));
                taken += if has { *cost } else { 0 };
                if let Verdict::Refused { wait_micros: Some(wait), .. } = verdict {
                    let then = model.level + i128::from(*wait) * model.amount;
                    prop_assert!(then >= i128::from(*cost).min(model.burst) * model.span);
                }
            }
            let told = reply.meters[0];
            prop_assert_eq!(told.granted, taken);
            prop_assert_eq!(i128::from(told.left), model.level.div_euclid(model.span));
        }
    }
}

#[test]
fn exactly_a_hundred_of_ten_thousand_pass_over_three_nodes() {
    let Some(mut server) = Server::find() else {
        return;
    };
    let mut all = 0;
    for number in 1..=10 {
        for node in ["a", "b", "c"] {
            let round = Round {
                node: node.to_owned(),
                number,
                at: Some(server.micros),
                meters: vec![meter("f", 100, 100, MINUTE, 0)],
                asks: asks(&[1; 334]),
                ..Round::default()
            };
            all += passed(&server.run(&round).verdicts);
        }
    }
    assert_eq!(all, 100);
}

#[test]
fn whoever_waits_as_long_as_told_passes() {
    let Some(mut server) = Server::find() else {
        return;
    };
    let round = |number, at, count| Round {
        node: "one".to_owned(),
        number,
        at: Some(at),
        meters: vec![meter("f", 6000, 100, MINUTE, 0)],
        asks: asks(&vec![1; count]),
        ..Round::default()
    };
    let start = server.micros;
    let reply = server.run(&round(1, start, 1100));
    assert_eq!(passed(&reply.verdicts), 100);
    let waits: Vec<u64> = reply
        .verdicts
        .iter()
        .filter_map(|verdict| match verdict {
            Verdict::Refused { wait_micros, .. } => Some(wait_micros.unwrap()),
            _ => None,
        })
        .collect();
    assert_eq!(waits.len(), 1000);
    for (number, wait) in (2..).zip(waits) {
        let reply = server.run(&round(number, start + wait, 1));
        assert_eq!(reply.verdicts, [Verdict::Granted], "after {wait}");
    }
}

#[test]
fn who_has_begun_waits_for_nobody_who_was_refused() {
    let Some(mut server) = Server::find() else {
        return;
    };
    let round = |number, asks| Round {
        node: "one".to_owned(),
        number,
        at: Some(server.micros),
        meters: vec![meter("f", 6000, 6000, MINUTE, 0)],
        asks,
        ..Round::default()
    };
    let begun = Ask {
        has_begun: true,
        ..ask(vec![need(0, 1)])
    };
    let late = [begun.clone(), begun].into_iter().chain(asks(&[1]));
    let (full, late) = (round(1, asks(&[6000, 3000])), round(2, late.collect()));
    assert_eq!(passed(&server.run(&full).verdicts), 1);
    let reply = server.run(&late);
    // One flows in in a hundredth of a second. The last one comes after three thousand that were promised.
    let refused = |micros| Verdict::Refused {
        by: 0,
        wait_micros: Some(micros),
    };
    let one = MINUTE / 6000;
    let expected = [one + 1, one + 1, 3001 * one + 1].map(refused);
    assert_eq!(reply.verdicts, expected);
}

#[test]
fn all_meters_of_an_ask_give_or_none_does() {
    let Some(mut server) = Server::find() else {
        return;
    };
    let reply = server.run(&Round {
        node: "one".to_owned(),
        number: 1,
        at: Some(server.micros),
        meters: vec![
            meter("requests", 10, 10, MINUTE, 0),
            meter("tokens", 100, 100, MINUTE, 0),
        ],
        asks: vec![
            ask(vec![need(0, 1), need(1, 60)]),
            ask(vec![need(0, 1), need(1, 60)]),
            ask(vec![need(0, 1), need(1, 40)]),
        ],
        ..Round::default()
    });
    let refused = Verdict::Refused {
        by: 1,
        wait_micros: Some(MINUTE / 5 + 1),
    };
    assert_eq!(
        reply.verdicts,
        [Verdict::Granted, refused, Verdict::Granted]
    );
    let granted: Vec<_> = reply.meters.iter().map(|told| told.granted).collect();
    assert_eq!(granted, [2, 100]);
}

#[test]
fn what_is_drawn_ahead_is_a_part_of_plenty() {
    let Some(mut server) = Server::find() else {
        return;
    };
    let round = |number, costs: &[u64]| {
        let mut meter = meter("f", 1600, 1600, MINUTE, 0);
        meter.ahead = 500;
        Round {
            node: "one".to_owned(),
            number,
            at: Some(server.micros),
            meters: vec![meter],
            asks: asks(costs),
            ..Round::default()
        }
    };
    let (rich, poor, idle) = (round(1, &[1]), round(2, &[1485]), round(3, &[]));
    assert_eq!(server.run(&rich).meters[0].granted, 1 + 99);
    assert_eq!(server.run(&poor).meters[0].granted, 1485);
    assert_eq!(server.run(&idle).meters[0].granted, 0);
}
