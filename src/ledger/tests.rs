//! Any order of chunks, ends, crashes and replays leaves one entry a call, and sums that are theirs.

use super::{Admission, Answer, Settlement, doctor, entry::Entry, flight::Table, rows};
use crate::{
    domain::{Endpoint, KeyId, Outcome, PriceTag, Usage},
    store::{
        self, Connection, Mode, Row,
        fixture::{Fixture, fixture},
    },
};
use proptest::prelude::*;
use std::{collections::BTreeMap, path::Path};

const START: u64 = 1_700_000_000_000;

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

/// What the ledger must say of one call in the end.
#[derive(Clone, Debug, Default, PartialEq)]
struct Expected {
    outcome: String,
    output: Option<u64>,
    source: Option<String>,
    cost: Option<u64>,
    price: Option<String>,
    project: Option<String>,
    metadata: Option<String>,
}

impl Expected {
    /// With what all calls of the same name have in common.
    fn of(name: &str, outcome: Outcome, output: Option<u64>, source: Option<&str>) -> Self {
        let cost = output.filter(|_| is_priced(name)).map(|output| output * 10);
        Self {
            outcome: outcome.as_str().to_owned(),
            output,
            source: source.map(str::to_owned),
            cost,
            price: cost.map(|_| PRICE.to_owned()),
            project: project(name).map(str::to_owned),
            metadata: metadata(name),
        }
    }
}

/// Free for the prompt, so that what the provider says and what is estimated cost the same.
const PRICE: &str = "i0 o0.01";

// What a call is given tells by the number in its name.
fn number(name: &str) -> usize {
    name.rsplit(' ').next().unwrap().parse().unwrap()
}

fn is_priced(name: &str) -> bool {
    !number(name).is_multiple_of(3)
}

fn project(name: &str) -> Option<&'static str> {
    [None, Some("p"), Some("q")][number(name) % 3]
}

fn metadata(name: &str) -> Option<String> {
    let is_noted = number(name).is_multiple_of(2);
    is_noted.then(|| format!(r#"{{"of":"{name}"}}"#))
}

/// A call in the air, as the model sees it.
struct Call {
    name: String,
    slot: u32,
    answered: bool,
    chunks: u64,
}

struct World {
    fixture: Fixture,
    table: Option<Table>,
    conn: Connection,
    air: Vec<Call>,
    expected: BTreeMap<String, Expected>,
    starts: u64,
}

impl World {
    fn new(fixture: Fixture) -> Self {
        let conn = store::connect(fixture.place()).unwrap();
        let mut world = Self {
            fixture,
            table: None,
            conn,
            air: Vec::new(),
            expected: BTreeMap::new(),
            starts: 0,
        };
        world.start();
        world
    }

    fn path(&self) -> std::path::PathBuf {
        self.fixture.dir().join("flight.table")
    }

    fn start(&mut self) {
        self.table = None;
        self.starts += 1;
        let (table, found) = Table::open(&self.path(), 16, self.starts).unwrap();
        assert_eq!(found.torn, 0);
        self.table = Some(table);
    }

    fn table(&self) -> &Table {
        self.table.as_ref().unwrap()
    }

    fn crash(&mut self) {
        for call in std::mem::take(&mut self.air) {
            let output = call.answered.then_some(call.chunks);
            let source = call.answered.then_some("estimated");
            let expected = Expected::of(&call.name, Outcome::Interrupted, output, source);
            self.expected.insert(call.name, expected);
        }
        self.start();
    }

    fn commit(&mut self, at_most: usize, is_freed: bool) {
        let mut slots = Vec::new();
        self.table().take_settled(&mut slots);
        for batch in slots.chunks(at_most.max(1)) {
            let entries: Vec<Entry> = batch
                .iter()
                .map(|slot| self.table.as_ref().unwrap().entry(*slot).unwrap().unwrap())
                .collect();
            rows::write(&mut self.conn, &entries).unwrap();
            if is_freed {
                batch.iter().for_each(|slot| self.table().free(*slot));
            }
        }
    }

    fn act(&mut self, act: &Act) {
        match *act {
            Act::Admit => {
                let name = format!("call {}", self.expected.len() + self.air.len());
                let metadata = metadata(&name);
                let admission = Admission {
                    started: START + self.air.len() as u64 * 1_800_000,
                    key: KeyId::parse(b"0123456789abcdef").unwrap(),
                    project: project(&name),
                    user: None,
                    endpoint: Endpoint::Chat,
                    stream: true,
                    request: &name,
                    model: "m",
                    metadata: metadata.as_deref(),
                };
                if let Some(slot) = self.table().admit(&admission) {
                    self.air.push(Call {
                        name,
                        slot,
                        answered: false,
                        chunks: 0,
                    });
                }
            }
            Act::Answer(which) => {
                if let Some(call) = pick(&mut self.air, which).filter(|call| !call.answered) {
                    call.answered = true;
                    let price: PriceTag = PRICE.parse().unwrap();
                    let answer = Answer {
                        status: 200,
                        stream: true,
                        upstream: "up",
                        provider: "openai",
                        upstream_request: None,
                        price: is_priced(&call.name).then_some(&price),
                    };
                    self.table.as_ref().unwrap().answer(call.slot, &answer);
                }
            }
            Act::Chunk(which) => {
                if let Some(call) = pick(&mut self.air, which).filter(|call| call.answered) {
                    call.chunks += 1;
                    let table = self.table.as_ref().unwrap();
                    table.count(call.slot, call.chunks, call.chunks * 10, call.chunks);
                }
            }
            Act::Settle(which, said) => {
                if self.air.is_empty() {
                    return;
                }
                let call = self.air.remove(which % self.air.len());
                self.settle(call, said);
            }
            Act::Commit(at_most) => self.commit(at_most, true),
            Act::CommitAndCrash => {
                self.commit(usize::MAX, false);
                self.crash();
            }
            Act::Crash => self.crash(),
        }
    }

    fn settle(&mut self, call: Call, said: Option<u64>) {
        let outcome = if call.answered {
            Outcome::Completed
        } else {
            Outcome::ClientGone
        };
        let said = said.filter(|_| call.answered);
        let price: PriceTag = PRICE.parse().unwrap();
        let settlement = Settlement {
            outcome,
            status: 200,
            usage: said.map(|output| Usage {
                input: Some(1),
                output: Some(output),
                ..Usage::default()
            }),
            usage_is_running: false,
            usage_refused: false,
            counted: None,
            attempts: 1,
            first_us: None,
            duration_us: 1,
            served_model: None,
            finish_reason: None,
            price: is_priced(&call.name).then_some(&price),
            quantity: None,
        };
        let answer = call.answered.then_some((200, true));
        self.table()
            .settle(call.slot, Endpoint::Chat, answer, &settlement);
        let estimate = call.answered.then_some(call.chunks);
        let source = match said {
            Some(_) => Some("provider"),
            None => estimate.map(|_| "estimated"),
        };
        let expected = Expected::of(&call.name, outcome, said.or(estimate), source);
        self.expected.insert(call.name, expected);
    }

    fn on_the_ledger(&mut self) -> Vec<(String, Expected)> {
        let sql = "SELECT request_id, outcome, output, source, cost, price, project_id, metadata
            FROM entry ORDER BY request_id";
        let rows = self.conn.query(sql, &[]).unwrap();
        let read = |row: &Row| {
            let expected = Expected {
                outcome: row.get(1)?,
                output: row.get(2)?,
                source: row.get(3)?,
                cost: row.get(4)?,
                price: row.get(5)?,
                project: row.get(6)?,
                metadata: row.get(7)?,
            };
            Ok((row.get(0)?, expected))
        };
        rows.iter()
            .map(read)
            .collect::<Result<_, store::Error>>()
            .unwrap()
    }
}

fn pick(air: &mut [Call], which: usize) -> Option<&mut Call> {
    let count = air.len();
    air.get_mut(which.checked_rem(count)?)
}

impl World {
    /// Requests and tokens of answers, by the sums of days.
    fn summed_up(&mut self) -> (i64, i64) {
        let sql = "SELECT coalesce(sum(requests), 0), coalesce(sum(output), 0) FROM rollup_day";
        let row = &self.conn.query(sql, &[]).unwrap()[0];
        (row.get(0).unwrap(), row.get(1).unwrap())
    }
}

fn differences(conn: &mut Connection, table: &Path) -> Vec<String> {
    doctor::examine(conn, table).unwrap().differences
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
        let path = world.path();
        assert_eq!(differences(&mut world.conn, &path), [""; 0]);
        assert_eq!(world.summed_up().0, expected.len() as i64);
    }
}

/// A world with three completed calls on the ledger.
fn three(fixture: Fixture) -> World {
    let mut world = World::new(fixture);
    for _ in 0..3 {
        world.act(&Act::Admit);
        world.act(&Act::Answer(0));
        world.act(&Act::Settle(0, Some(7)));
    }
    world.commit(9, true);
    world
}

#[test]
fn the_doctor_names_sums_that_are_not_those_of_their_entries() {
    let mut world = three(fixture!());
    let path = world.path();
    assert_eq!(differences(&mut world.conn, &path), [""; 0]);
    let spoil = "UPDATE rollup_day SET output = output + 1 WHERE project_id = ''";
    world
        .conn
        .transact(Mode::Write, |tx| tx.execute(spoil, &[]))
        .unwrap();
    let found = differences(&mut world.conn, &path);
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
    let path = world.path();
    assert_eq!(differences(&mut world.conn, &path), [""; 0], "it runs");
    world.table = None;
    let found = differences(&mut world.conn, &path);
    assert!(
        found[0].contains("1 calls of a gateway that ended"),
        "{found:?}"
    );
}

#[test]
fn entries_beyond_their_retention_go_and_their_sums_stay() {
    let mut world = three(fixture!());
    assert_eq!(rows::prune(&mut world.conn, START).unwrap(), 0);
    let later = START + 3_600_000;
    assert_eq!(rows::prune(&mut world.conn, later).unwrap(), 3);
    assert!(world.on_the_ledger().is_empty());
    assert_eq!(world.summed_up(), (3, 21));
    let path = world.path();
    assert_eq!(differences(&mut world.conn, &path), [""; 0]);
}
