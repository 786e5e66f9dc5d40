//! The file of a table: whose it is, and how long.

use super::*;
use std::os::unix::fs::PermissionsExt;

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
fn a_header_that_promises_more_slots_than_there_can_be_is_not_believed() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(&dir));
    let path = dir.path().join("flight.table");
    let mut bytes = std::fs::read(&path).unwrap();
    for word in [24, 32] {
        bytes[word..word + 8].copy_from_slice(&(1_u64 << 40).to_le_bytes());
    }
    std::fs::write(&path, &bytes).unwrap();
    assert!(matches!(
        Table::open(&path, 16, 7),
        Err(Error::Foreign { .. })
    ));
    assert!(matches!(view(&path), Err(Error::Foreign { .. })));
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
    assert!(!path.with_extension("lost").exists());
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
