//! Entries go when their time is over.

use super::{super::rows, three, world::START};
use crate::store::fixture::fixture;

#[test]
fn entries_beyond_their_retention_go_and_their_sums_stay() {
    let mut world = three(fixture!());
    assert_eq!(rows::prune(&mut world.conn, START).unwrap(), 0);
    let later = START + 3_600_000;
    assert_eq!(rows::prune(&mut world.conn, later).unwrap(), 3);
    assert!(world.on_the_ledger().is_empty());
    assert_eq!(world.summed_up(), (3, 21));
    assert_eq!(world.differences(), [""; 0]);
}
