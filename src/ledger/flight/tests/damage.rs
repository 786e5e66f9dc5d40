//! What a stranger did to the files is found, and told.

use super::*;
use crate::ledger::Tokens;
use std::{
    fs::{self, OpenOptions},
    os::unix::fs::FileExt,
};

/// A table with a call in the air and settled ones, each with metadata, and its path.
fn left(dir: &tempfile::TempDir, settled: usize) -> PathBuf {
    let (table, _) = open(dir);
    for number in 0..=settled {
        let request = format!("r{number}");
        let noted = Admission {
            metadata: Some("{}"),
            ..admission(&request, "m")
        };
        let slot = table.admit(&noted).unwrap();
        table.answer(slot, &ANSWER);
        let tokens = Tokens {
            count: 10,
            exact: true,
        };
        table.passing(slot).tokens(tokens);
        if number < settled {
            settle(&table, slot, &settlement(None));
        }
    }
    dir.path().join("flight.table")
}

/// Turns one bit of the file.
fn flip(path: &Path, at: usize) {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at as u64).unwrap();
    file.write_all_at(&[byte[0] ^ 16], at as u64).unwrap();
}

fn at_word(slot: usize, word: usize) -> usize {
    HEADER_BYTES + map::halves(slot)[0] + word * 8
}

#[test]
fn a_table_that_was_cut_short_says_how_many_slots_are_lost() {
    for (len, lost, torn) in [
        (0, 16, 0),
        (1, 16, 0),
        (2048, 6, 0),
        (4096, 6, 0),
        // The first four heads, and a tail that is whole.
        (4096 + 5 * 1024, 2, 3),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let path = left(&dir, 5);
        let file = OpenOptions::new().write(true).open(&path).unwrap();
        file.set_len(len).unwrap();
        let seen = view(&path).unwrap().unwrap();
        assert_eq!((seen.lost, seen.torn), (lost, torn), "{len}");

        let (table, found) = open(&dir);
        assert_eq!((found.lost, found.torn), (lost, torn), "{len}");
        assert_eq!(found.settled, usize::from(torn > 0));
        drop(table);
        let (_, found) = open(&dir);
        assert_eq!(found.lost, 0, "it is whole again");
        assert!(view(&path).unwrap().unwrap().has_lost, "and told still");
        let told = fs::read_to_string(path.with_extension("lost")).unwrap();
        assert_eq!(
            told,
            format!("{lost} slots that may have held calls were gone\n")
        );
    }
}

#[test]
fn a_table_without_its_header_is_settled_all_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let path = left(&dir, 5);
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    file.write_all_at(&[0; HEADER_BYTES], 0).unwrap();
    assert_eq!(view(&path).unwrap().unwrap().settled.len(), 5);
    let (_, found) = open(&dir);
    assert_eq!((found.settled, found.interrupted, found.lost), (5, 1, 0));
}

#[test]
fn every_bit_of_a_section_counts() {
    let dir = tempfile::tempdir().unwrap();
    let path = left(&dir, 1);
    let whole = fs::read(&path).unwrap();
    // Of the one that is settled: the answer's checksum, its label and its content.
    let answer = slot::ANSWER.start;
    let bytes = (at_word(0, answer)..at_word(0, answer + 3)).step_by(3);
    for at in bytes {
        fs::write(&path, &whole).unwrap();
        flip(&path, at);
        let (_, found) = open(&dir);
        assert_eq!((found.torn, found.settled), (1, 0), "{at}");
    }
    // Of the one in the air: what its text came to so far.
    for byte in 0..8 {
        fs::write(&path, &whole).unwrap();
        flip(&path, at_word(1, 7) + byte);
        let (_, found) = open(&dir);
        assert_eq!((found.torn, found.interrupted), (1, 0), "{byte}");
    }
}

#[test]
fn what_an_earlier_call_left_in_a_slot_is_no_damage() {
    let dir = tempfile::tempdir().unwrap();
    let (table, _) = open(&dir);
    let slot = table.admit(&admission("first", "m")).unwrap();
    let asked = Asked {
        model: Some("tts-1".into()),
        ..Asked::default()
    };
    table.ask(slot, table.sequence(slot), &asked);
    table.answer(slot, &ANSWER);
    settle(&table, slot, &settlement(None));
    assert_eq!(settled(&table).len(), 1);
    table.free(slot);
    assert_eq!(table.admit(&admission("second", "m")), Some(slot));
    drop(table);

    let (table, found) = open(&dir);
    assert_eq!((found.interrupted, found.torn), (1, 0));
    let entry = &settled(&table)[0];
    assert_eq!(
        (entry.model.as_str(), entry.upstream.as_deref()),
        ("m", None)
    );
}

#[test]
fn metadata_that_is_gone_is_told_and_its_call_is_settled() {
    let dir = tempfile::tempdir().unwrap();
    let path = left(&dir, 3);
    let (_, found) = open(&dir);
    assert_eq!(found.notes_lost, 0);
    fs::remove_file(path.with_extension("notes")).unwrap();
    let (table, found) = open(&dir);
    assert_eq!((found.settled, found.notes_lost), (4, 4));
    assert!(settled(&table).iter().all(|entry| entry.metadata.is_none()));
}
