use super::*;
use crate::{
    domain::{Endpoint, KeyId, NanoDollars, Outcome, PriceTag, Usage},
    ledger::entry::{METADATA_MAX_BYTES, Source},
};
use map::{HEADER_BYTES, SLOT_BYTES};
use std::{
    fs::OpenOptions,
    os::unix::fs::{FileExt, PermissionsExt},
};

mod damage;

fn open(dir: &tempfile::TempDir) -> (Table, Leftovers) {
    Table::open(&dir.path().join("flight.table"), 16, 7).unwrap()
}

fn admission<'a>(request: &'a str, model: &'a str) -> Admission<'a> {
    Admission {
        started: 1_700_000_000_000,
        key: KeyId::parse(b"0123456789abcdef").unwrap(),
        project: None,
        user: None,
        endpoint: Endpoint::Chat,
        stream: true,
        request,
        model,
        metadata: None,
    }
}

const ANSWER: Answer<'_> = Answer {
    status: 200,
    stream: true,
    upstream: "up",
    provider: "openai",
    upstream_request: Some("req_up"),
    price: None,
};

fn settlement(usage: Option<Usage>) -> Settlement<'static> {
    Settlement {
        outcome: Outcome::Completed,
        status: 200,
        usage,
        usage_is_running: false,
        usage_refused: false,
        counted: None,
        attempts: 2,
        first_us: Some(3),
        duration_us: 9,
        served_model: Some("gpt-5-2026"),
        finish_reason: Some("stop"),
        price: None,
        quantity: None,
    }
}

/// Settles a call as what its slot says it is.
fn settle(table: &Table, index: u32, settlement: &Settlement<'_>) -> Settled {
    let slot = table.slot(index);
    let endpoint = slot.admission().map(|call| call.endpoint);
    let answer = slot.answered().unwrap_or_default();
    let answer = answer.map(|answer| (answer.status, answer.stream));
    table.settle(
        index,
        endpoint.unwrap_or(Endpoint::Chat),
        answer,
        settlement,
    )
}

fn settled(table: &Table) -> Vec<Entry> {
    let mut slots = Vec::new();
    table.take_settled(&mut slots);
    let entry = |slot| table.entry(slot).unwrap().unwrap();
    slots.into_iter().map(entry).collect()
}

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
fn whose_a_call_is_and_what_its_client_notes_survive_a_crash() {
    let dir = tempfile::tempdir().unwrap();
    let (table, _) = open(&dir);
    let note = "m".repeat(METADATA_MAX_BYTES);
    let noted = Admission {
        project: Some("p"),
        user: Some("u"),
        metadata: Some(&note),
        ..admission("a", "m")
    };
    table.admit(&noted).unwrap();
    let too_long = format!("{note}!");
    let admission = Admission {
        metadata: Some(&too_long),
        ..admission("b", "m")
    };
    table.admit(&admission).unwrap();
    drop(table);

    let (table, _) = open(&dir);
    let mut entries = settled(&table);
    entries.sort_by(|a, b| a.request.cmp(&b.request));
    assert_eq!(entries[0].project.as_deref(), Some("p"));
    assert_eq!(entries[0].user.as_deref(), Some("u"));
    assert_eq!(entries[0].metadata, Some(note));
    assert_eq!(entries[1].project, None);
    assert_eq!(entries[1].metadata, None, "left out, not cut");
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
    table.count(slot, 5, 100, 1);
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

#[test]
fn a_call_that_nobody_settled_is_interrupted_with_its_last_counts() {
    let dir = tempfile::tempdir().unwrap();
    let (table, _) = open(&dir);
    let answered = table.admit(&admission("a", "m")).unwrap();
    let price: PriceTag = "i1 o10".parse().unwrap();
    let price = Some(&price);
    table.answer(answered, &Answer { price, ..ANSWER });
    table.count(answered, 1, 20, 50);
    table.count(answered, 2, 40, 70);
    table.admit(&admission("b", "m")).unwrap();
    drop(table);

    let (table, found) = open(&dir);
    assert_eq!((found.interrupted, found.settled, found.torn), (2, 0, 0));
    let mut entries = settled(&table);
    entries.sort_by(|a, b| a.request.cmp(&b.request));
    assert!(
        entries
            .iter()
            .all(|entry| entry.outcome == Outcome::Interrupted)
    );
    assert_eq!(entries[0].usage.output, Some(2));
    assert_eq!(entries[0].cost, Some(NanoDollars::new(20_000)));
    assert_eq!(entries[0].price.as_deref(), Some("i1 o10"));
    assert_eq!(entries[0].upstream_request.as_deref(), Some("req_up"));
    assert_eq!(
        (entries[0].first_us, entries[0].duration_us),
        (Some(50), 70)
    );
    assert_eq!((entries[0].status, entries[1].status), (Some(200), None));
    assert_eq!(entries[1].source, None, "nothing was seen of it");
}

#[test]
fn what_is_only_read_uses_nothing_also_after_a_crash() {
    let dir = tempfile::tempdir().unwrap();
    let (table, _) = open(&dir);
    for request in ["a", "b"] {
        let read = Admission {
            endpoint: Endpoint::Stored,
            ..admission(request, "other")
        };
        let slot = table.admit(&read).unwrap();
        table.answer(slot, &ANSWER);
        table.count(slot, 5, 100, 1);
    }
    let usage = Usage {
        input: Some(10),
        output: Some(5),
        ..Usage::default()
    };
    settle(&table, 0, &settlement(Some(usage)));
    drop(table);
    let (table, _) = open(&dir);
    let entries = settled(&table);
    assert_eq!(entries.len(), 2);
    for entry in entries {
        assert_eq!((entry.usage, entry.source), (Usage::default(), None));
        assert_eq!((entry.endpoint, entry.cost), (Endpoint::Stored, None));
    }
}

#[test]
fn a_full_table_gives_no_slot_until_one_is_free() {
    let dir = tempfile::tempdir().unwrap();
    let (table, _) = open(&dir);
    let slots: Vec<_> = (0..16)
        .map(|_| table.admit(&admission("r", "m")).unwrap())
        .collect();
    assert_eq!(table.admit(&admission("r", "m")), None);
    settle(&table, slots[3], &settlement(None));
    assert_eq!(table.admit(&admission("r", "m")), None, "not committed yet");
    table.take_settled(&mut Vec::new());
    table.free(slots[3]);
    assert_eq!(table.admit(&admission("r", "m")), Some(slots[3]));
}

#[test]
fn a_torn_slot_is_set_aside_and_never_guessed() {
    let dir = tempfile::tempdir().unwrap();
    let (table, _) = open(&dir);
    let slot = table.admit(&admission("r", "m")).unwrap();
    settle(&table, slot, &settlement(None));
    table.admit(&admission("whole", "m")).unwrap();
    drop(table);
    let path = dir.path().join("flight.table");
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    let at = HEADER_BYTES + map::halves(slot as usize)[0] + 96;
    file.write_all_at(b"x", at as u64).unwrap();

    let (table, found) = open(&dir);
    assert_eq!((found.torn, found.interrupted), (1, 1));
    let aside = std::fs::metadata(path.with_extension("torn")).unwrap();
    assert_eq!(aside.len() as usize, SLOT_BYTES);
    assert_eq!(settled(&table)[0].request, "whole");
    assert_eq!(table.used(), 1, "the torn one is free again");
}

#[test]
fn a_table_is_for_one_process_and_for_its_owner() {
    let dir = tempfile::tempdir().unwrap();
    let (table, _) = open(&dir);
    let path = dir.path().join("flight.table");
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(matches!(
        Table::open(&path, 16, 7),
        Err(Error::InUse { .. })
    ));
    assert!(view(&path).unwrap().unwrap().in_use);
    drop(table);
    assert!(!view(&path).unwrap().unwrap().in_use);
}

#[test]
fn another_file_is_not_taken_for_a_table() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("flight.table");
    std::fs::write(&path, [b'x'; 5000]).unwrap();
    assert!(matches!(
        Table::open(&path, 16, 7),
        Err(Error::Foreign { .. })
    ));
    assert_eq!(std::fs::read(&path).unwrap(), [b'x'; 5000]);
}

#[test]
fn a_table_grows_and_what_is_beyond_a_smaller_one_is_still_settled() {
    let dir = tempfile::tempdir().unwrap();
    let (table, _) = open(&dir);
    for _ in 0..16 {
        table.admit(&admission("r", "m")).unwrap();
    }
    drop(table);
    let path = dir.path().join("flight.table");
    let (table, found) = Table::open(&path, 4, 8).unwrap();
    assert_eq!(found.interrupted, 16);
    assert_eq!(settled(&table).len(), 16);
    drop(table);
    let (table, _) = Table::open(&path, 40, 9).unwrap();
    assert_eq!(
        (0..24)
            .filter_map(|_| table.admit(&admission("r", "m")))
            .count(),
        24
    );
}

#[test]
fn a_file_that_was_never_finished_is_begun_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("flight.table");
    std::fs::write(&path, [0; 9000]).unwrap();
    assert!(Table::open(&path, 16, 7).is_ok());
}
