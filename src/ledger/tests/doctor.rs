//! What does not agree is named.

use super::{super::rows, Act, complete, three, world::START};
use crate::store::{Mode, fixture::fixture};

#[test]
fn the_doctor_names_sums_that_are_not_those_of_their_entries() {
    let mut world = three(fixture!());
    assert_eq!(world.differences(), [""; 0]);
    let spoil = "UPDATE rollup_day SET output = output + 1 WHERE project_id = ''";
    world
        .conn
        .transact(Mode::Write, |tx| tx.execute(spoil, &[]))
        .unwrap();
    let found = world.differences();
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(
        found[0].starts_with("rollup_day of 2023-11-14"),
        "{found:?}"
    );
}

#[test]
fn the_doctor_names_days_that_are_not_their_hours_where_no_entries_are_left() {
    let mut world = three(fixture!());
    rows::prune(&mut world.conn, START + 3 * 86_400_000).unwrap();
    assert_eq!(world.differences(), [""; 0]);
    for table in ["rollup_day", "rollup_day_key"] {
        for change in ["+", "-"] {
            let spoil = format!("UPDATE {table} SET cost = cost {change} 1");
            world
                .conn
                .transact(Mode::Write, |tx| tx.execute(&spoil, &[]))
                .unwrap();
            let found = world.differences();
            let is_named = |line: &String| line.starts_with(table) && line.contains("its hours");
            assert_eq!(found.is_empty(), change == "-", "{found:?}");
            assert!(found.iter().all(is_named), "{found:?}");
        }
    }
}

#[test]
fn the_doctor_names_entries_that_contradict_themselves() {
    let priced = "SELECT id FROM entry WHERE price IS NOT NULL ORDER BY id DESC LIMIT 1";
    for (change, expected) in [
        ("output = output - 1, cached = 1", "its cost is not"),
        ("output = -1", "its cost is not"),
        ("price = 'i1 o11'", "its cost is not"),
        ("price = 'i1'", "its cost is not"),
        ("price = NULL", "its cost is not"),
        ("started_at = started_at + 1", "its id is of another time"),
    ] {
        let mut world = three(fixture!());
        let spoil = format!("UPDATE entry SET {change} WHERE id = ({priced})");
        let changed = world
            .conn
            .transact(Mode::Write, |tx| tx.execute(&spoil, &[]));
        assert_eq!(changed.unwrap(), 1);
        let found = world.differences();
        let is_named = |line: &String| line.starts_with("entry ") && line.contains(expected);
        assert!(found.iter().any(is_named), "{change}: {found:?}");
    }
}

#[test]
fn the_doctor_names_twenty_of_a_kind_and_counts_the_rest() {
    let mut world = three(fixture!());
    for _ in 0..2 {
        complete(&mut world, 10);
    }
    let spoil = "UPDATE entry SET started_at = started_at + 1";
    let changed = (world.conn).transact(Mode::Write, |tx| tx.execute(spoil, &[]));
    assert_eq!(changed.unwrap(), 23);
    let found = world.differences();
    assert_eq!(found.len(), 21, "{found:?}");
    assert_eq!(found[20], "entry: 3 more");
}

#[test]
fn the_doctor_names_a_clock_that_had_entries_deleted_too_early() {
    let mut world = three(fixture!());
    rows::prune(&mut world.conn, u64::MAX >> 20).unwrap();
    let found = world.differences();
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("a clock was ahead"), "{found:?}");
}

#[test]
fn the_doctor_names_calls_that_wait_for_a_start() {
    let mut world = three(fixture!());
    world.act(&Act::Admit);
    assert_eq!(world.differences(), [""; 0], "it runs");
    world.table = None;
    let found = world.differences();
    assert!(
        found[0].contains("1 calls of a gateway that ended"),
        "{found:?}"
    );
}
