//! What is written into a slot is read again, as far as it can be true.

use super::*;
use crate::domain::{NanoDollars, PriceTag};

#[test]
fn an_entry_is_read_as_it_was_written() {
    let dir = tempfile::tempdir().unwrap();
    let (table, _) = open(&dir);
    let slot = table.admit(&admission("req_1", "gpt-5")).unwrap();
    table.answer(slot, &ANSWER);
    let usage = Usage {
        input: Some(12),
        output: Some(0),
        cached: Some(4),
        ..Usage::default()
    };
    let settled_as = settle(&table, slot, &settlement(Some(usage)));
    assert_eq!(
        (settled_as.usage_refused, settled_as.unpriced),
        (false, true)
    );
    let [entry] = &settled(&table)[..] else {
        panic!("one entry");
    };
    assert_eq!(
        (entry.request.as_str(), entry.model.as_str()),
        ("req_1", "gpt-5")
    );
    assert_eq!(entry.usage, usage, "an explicit zero stays one");
    assert_eq!(entry.source, Some(Source::Provider));
    assert_eq!(entry.upstream.as_deref(), Some("up"));
    assert_eq!(entry.served_model.as_deref(), Some("gpt-5-2026"));
    assert_eq!(
        (entry.status, entry.attempts, entry.duration_us),
        (Some(200), 2, 9)
    );
    assert_eq!(&entry.id.0[..6], &1_700_000_000_000_u64.to_be_bytes()[2..]);
}

#[test]
fn the_longest_texts_fit_and_longer_ones_are_cut_at_a_character() {
    let dir = tempfile::tempdir().unwrap();
    let (table, _) = open(&dir);
    let long = "ß".repeat(300);
    let slot = table.admit(&admission(&long, &long)).unwrap();
    table.answer(
        slot,
        &Answer {
            upstream: &long,
            provider: &long,
            upstream_request: Some(&long),
            ..ANSWER
        },
    );
    settle(
        &table,
        slot,
        &Settlement {
            served_model: Some(&long),
            finish_reason: Some(&long),
            ..settlement(None)
        },
    );
    let entry = &settled(&table)[0];
    assert_eq!(entry.model, "ß".repeat(64));
    assert_eq!(entry.upstream_request, Some("ß".repeat(48)));
}

#[test]
fn the_longest_price_fits_and_makes_the_cost() {
    let dir = tempfile::tempdir().unwrap();
    let (table, _) = open(&dir);
    let rate = "999999.123456789";
    let rates = format!("i{rate} c{rate} w{rate} a{rate} o{rate} r{rate} s{rate}");
    let text = format!("{rates} p{rate} l{} {rates}", u64::MAX);
    let price: PriceTag = text.parse().unwrap();
    let slot = table.admit(&admission("r", "m")).unwrap();
    let price = Some(&price);
    table.answer(slot, &Answer { price, ..ANSWER });
    let usage = Usage {
        input: Some(1),
        output: Some(1),
        ..Usage::default()
    };
    let settlement = Settlement {
        price,
        ..settlement(Some(usage))
    };
    assert!(!settle(&table, slot, &settlement).unpriced);
    let entry = &settled(&table)[0];
    assert_eq!(entry.price.as_deref(), Some(&*text));
    assert_eq!(entry.cost, Some(NanoDollars::new(1_999_998_247)));
}

#[test]
fn a_cost_that_no_call_can_have_is_none() {
    let dir = tempfile::tempdir().unwrap();
    let (table, _) = open(&dir);
    let slot = table.admit(&admission("r", "m")).unwrap();
    let price: PriceTag = "i1000000 o0".parse().unwrap();
    let usage = Usage {
        input: Some(1 << 40),
        output: Some(0),
        ..Usage::default()
    };
    let settlement = Settlement {
        price: Some(&price),
        ..settlement(Some(usage))
    };
    assert!(settle(&table, slot, &settlement).unpriced);
    let entry = &settled(&table)[0];
    assert_eq!((entry.cost, entry.price.as_deref()), (None, None));
}

#[test]
fn what_a_passing_request_asks_is_noted_for_its_own_call_only() {
    let dir = tempfile::tempdir().unwrap();
    let (table, _) = open(&dir);
    let forwarded = Admission {
        endpoint: Endpoint::Speech,
        ..admission("a", "other")
    };
    let slot = table.admit(&forwarded).unwrap();
    let sequence = table.sequence(slot);
    let asked = Asked {
        model: Some("tts-1".into()),
        image_size: None,
        characters: Some(7),
    };
    table.ask(slot, sequence, &Asked::default());
    table.ask(slot, sequence, &asked);
    table.answer(slot, &ANSWER);
    assert_eq!(table.asked(slot), asked);
    settle(&table, slot, &settlement(None));
    let entry = &settled(&table)[0];
    assert_eq!((entry.model.as_str(), entry.quantity), ("tts-1", Some(7)));
    table.free(slot);

    assert_eq!(table.admit(&forwarded), Some(slot));
    table.ask(slot, sequence, &asked);
    assert_eq!(table.asked(slot), Asked::default(), "that call is over");
}

#[test]
fn what_a_provider_says_must_be_able_to_be() {
    let dir = tempfile::tempdir().unwrap();
    let (table, _) = open(&dir);
    let slot = table.admit(&admission("r", "m")).unwrap();
    table.answer(slot, &ANSWER);
    table.passing(slot).count(5, 100, 1);
    let usage = Usage {
        input: Some(10),
        cached: Some(11),
        output: Some(u64::MAX),
        ..Usage::default()
    };
    assert!(
        settle(&table, slot, &settlement(Some(usage))).usage_refused,
        "it is reported"
    );
    let entry = &settled(&table)[0];
    assert_eq!((entry.usage.input, entry.usage.cached), (Some(10), None));
    assert_eq!(entry.usage.output, Some(5), "a chunk is about a token");
    assert_eq!(entry.source, Some(Source::Estimated));
}
