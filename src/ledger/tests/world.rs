//! A ledger beside what must be on it.

use super::{
    super::{Admission, Answer, Settlement, doctor, entry::Entry, flight::Table, rows},
    Act,
};
use crate::{
    domain::{Endpoint, KeyId, Outcome, PriceTag, Usage},
    store::{self, Connection, Row, fixture::Fixture},
};
use std::{collections::BTreeMap, path::PathBuf};

pub(super) const START: u64 = 1_700_000_000_000;

/// What the ledger must say of one call in the end.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Expected {
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

pub(super) struct World {
    fixture: Fixture,
    pub(super) table: Option<Table>,
    pub(super) conn: Connection,
    air: Vec<Call>,
    pub(super) expected: BTreeMap<String, Expected>,
    starts: u64,
}

impl World {
    pub(super) fn new(fixture: Fixture) -> Self {
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

    fn path(&self) -> PathBuf {
        self.fixture.dir().join("flight.table")
    }

    fn start(&mut self) {
        self.table = None;
        self.starts += 1;
        let (table, found) = Table::open(&self.path(), 16, self.starts).unwrap();
        assert_eq!(found.torn, 0);
        self.table = Some(table);
    }

    pub(super) fn table(&self) -> &Table {
        self.table.as_ref().unwrap()
    }

    pub(super) fn crash(&mut self) {
        for call in std::mem::take(&mut self.air) {
            let output = call.answered.then_some(call.chunks);
            let source = call.answered.then_some("estimated");
            let expected = Expected::of(&call.name, Outcome::Interrupted, output, source);
            self.expected.insert(call.name, expected);
        }
        self.start();
    }

    pub(super) fn commit(&mut self, at_most: usize, is_freed: bool) {
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

    pub(super) fn act(&mut self, act: &Act) {
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
                    table
                        .passing(call.slot)
                        .count(call.chunks, call.chunks * 10, call.chunks);
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

    pub(super) fn on_the_ledger(&mut self) -> Vec<(String, Expected)> {
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

    /// Requests and tokens of answers, by the sums of days.
    pub(super) fn summed_up(&mut self) -> (i64, i64) {
        let sql = "SELECT coalesce(sum(requests), 0), coalesce(sum(output), 0) FROM rollup_day";
        let row = &self.conn.query(sql, &[]).unwrap()[0];
        (row.get(0).unwrap(), row.get(1).unwrap())
    }

    /// What the doctor finds.
    pub(super) fn differences(&mut self) -> Vec<String> {
        let path = self.path();
        doctor::examine(&mut self.conn, &path).unwrap().differences
    }
}

fn pick(air: &mut [Call], which: usize) -> Option<&mut Call> {
    let count = air.len();
    air.get_mut(which.checked_rem(count)?)
}
