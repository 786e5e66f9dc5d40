//! Any order of chunks, ends, crashes and replays leaves one entry a call, and sums that are theirs.

mod doctor;
mod rows;
mod world;

use crate::store::fixture::Fixture;
use proptest::prelude::*;
use world::World;

/// What may happen next. Numbers choose among the calls in the air.
#[derive(Clone, Debug)]
enum Act {
    Admit,
    Answer(usize),
    Chunk(usize),
    /// The end, with the provider's word or without.
    Settle(usize, Option<u64>),
    /// The writer commits some of what waits.
    Commit(usize),
    /// The writer commits, and the process dies before a slot is given back.
    CommitAndCrash,
    Crash,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        4 => Just(Act::Admit),
        4 => any::<usize>().prop_map(Act::Answer),
        8 => any::<usize>().prop_map(Act::Chunk),
        4 => (any::<usize>(), proptest::option::of(0..1000_u64)).prop_map(|(call, said)| Act::Settle(call, said)),
        2 => (0..4_usize).prop_map(Act::Commit),
        1 => Just(Act::CommitAndCrash),
        1 => Just(Act::Crash),
    ];
    proptest::collection::vec(act, 1..80)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_order_of_events_leaves_one_entry_a_call(acts in acts()) {
        let Some(fixture) = Fixture::of(module_path!()) else {
            return Ok(());
        };
        let mut world = World::new(fixture);
        for act in &acts {
            world.act(act);
        }
        world.crash();
        world.commit(5, false);
        // What was not given back is found again, and written no second time.
        world.crash();
        world.commit(5, true);
        let expected: Vec<_> = world.expected.clone().into_iter().collect();
        assert_eq!(world.on_the_ledger(), expected);
        assert_eq!(world.table().used(), 0);
        assert_eq!(world.differences(), [""; 0]);
        assert_eq!(world.summed_up().0, expected.len() as i64);
    }
}

/// A world with three completed calls on the ledger.
fn three(fixture: Fixture) -> World {
    let mut world = World::new(fixture);
    complete(&mut world, 3);
    world
}

/// Puts completed calls on the ledger.
fn complete(world: &mut World, calls: usize) {
    for _ in 0..calls {
        world.act(&Act::Admit);
        world.act(&Act::Answer(0));
        world.act(&Act::Settle(0, Some(7)));
    }
    world.commit(calls, true);
}
