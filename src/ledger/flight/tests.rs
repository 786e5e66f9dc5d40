use super::*;
use crate::{
    domain::{Endpoint, KeyId, Outcome, Usage},
    ledger::entry::Source,
};
use std::os::unix::fs::{FileExt, PermissionsExt};

fn open(dir: &tempfile::TempDir) -> (Table, Leftovers) {
    Table::open(&dir.path().join("flight.table"), 16, 7).unwrap()
}

fn admission<'a>(request: &'a str, model: &'a str) -> Admission<'a> {
    Admission {
        started: 1_700_000_000_000,
        key: KeyId::parse(b"0123456789abcdef").unwrap(),
        endpoint: Endpoint::Chat,
        stream: true,
        request,
        model,
    }
}

const ANSWER: Answer<'_> = Answer {
    status: 200,
    stream: true,
    upstream: "up",
    provider: "openai",
};

fn settlement(usage: Option<Usage>) -> Settlement<'static> {
    Settlement {
        outcome: Outcome::Completed,
        status: 200,
        usage,
        usage_refused: false,
        counted: None,
        attempts: 2,
        first_us: Some(3),
        duration_us: 9,
        served_model: Some("gpt-5-2026"),
        finish_reason: Some("stop"),
        upstream_request: Some("req_up"),
    }
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
    assert!(!table.settle(slot, &settlement(Some(usage))));
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
            ..ANSWER
        },
    );
    table.settle(
        slot,
        &Settlement {
            served_model: Some(&long),
            finish_reason: Some(&long),
            upstream_request: Some(&long),
            ..settlement(None)
        },
    );
    let entry = &settled(&table)[0];
    assert_eq!(entry.model, "ß".repeat(64));
    assert_eq!(entry.upstream_request, Some("ß".repeat(48)));
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
        table.settle(slot, &settlement(Some(usage))),
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
    table.answer(answered, &ANSWER);
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
    assert_eq!(
        (entries[0].first_us, entries[0].duration_us),
        (Some(50), 70)
    );
    assert_eq!((entries[0].status, entries[1].status), (Some(200), None));
    assert_eq!(entries[1].source, None, "nothing was seen of it");
}

#[test]
fn a_full_table_gives_no_slot_until_one_is_free() {
    let dir = tempfile::tempdir().unwrap();
    let (table, _) = open(&dir);
    let slots: Vec<_> = (0..16)
        .map(|_| table.admit(&admission("r", "m")).unwrap())
        .collect();
    assert_eq!(table.admit(&admission("r", "m")), None);
    table.settle(slots[3], &settlement(None));
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
    table.settle(slot, &settlement(None));
    table.admit(&admission("whole", "m")).unwrap();
    drop(table);
    let path = dir.path().join("flight.table");
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    let at = HEADER_BYTES + slot as usize * SLOT_BYTES + 100;
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
