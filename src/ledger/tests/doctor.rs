//! What does not agree is named.

use super::{Act, three};
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
