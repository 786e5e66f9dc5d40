//! The table, as calls and the writer use it.

mod damage;
mod file;
mod recovery;
mod written;

use super::*;
use crate::{
    domain::{Endpoint, KeyId, Outcome, Usage},
    ledger::entry::Source,
};
use map::{HEADER_BYTES, SLOT_BYTES};

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
