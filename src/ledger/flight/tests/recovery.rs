//! What a start finds of calls that nobody settled.

use super::*;
use crate::{
    domain::{NanoDollars, PriceTag},
    ledger::entry::METADATA_MAX_BYTES,
};
use std::{fs::OpenOptions, os::unix::fs::FileExt};

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
fn a_call_that_nobody_settled_is_interrupted_with_its_last_counts() {
    let dir = tempfile::tempdir().unwrap();
    let (table, _) = open(&dir);
    let answered = table.admit(&admission("a", "m")).unwrap();
    let price: PriceTag = "i1 o10".parse().unwrap();
    let price = Some(&price);
    table.answer(answered, &Answer { price, ..ANSWER });
    table.passing(answered).count(1, 20, 50);
    table.passing(answered).count(2, 40, 70);
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
        table.passing(slot).count(5, 100, 1);
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
fn an_end_that_outlived_its_beginning_is_nobody_elses() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("flight.table");
    let pass = |table: &Table, request: &str| {
        let slot = table.admit(&admission(request, "m")).unwrap();
        table.answer(slot, &ANSWER);
        settle(table, slot, &settlement(None));
        assert_eq!(settled(table).len(), 1);
        table.free(slot);
        slot as usize
    };
    let (table, _) = open(&dir);
    let slot = pass(&table, "before");
    let before = std::fs::read(&path).unwrap();
    assert_eq!(pass(&table, "lost"), slot);
    drop(table);
    // The machine lost power, and of the second call no more had been written to the disk than its end.
    let tail = HEADER_BYTES + map::halves(slot)[1];
    let mut left = std::fs::read(&path).unwrap();
    left[..tail].copy_from_slice(&before[..tail]);
    std::fs::write(&path, left).unwrap();

    let (table, found) = Table::open(&path, 16, 8).unwrap();
    assert_eq!(found, Leftovers::default());
    table.admit(&admission("after", "m")).unwrap();
    drop(table);
    let (table, found) = Table::open(&path, 16, 9).unwrap();
    assert_eq!((found.interrupted, found.settled, found.torn), (1, 0, 0));
    let entry = &settled(&table)[0];
    assert_eq!(
        (entry.request.as_str(), entry.outcome),
        ("after", Outcome::Interrupted)
    );
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
