//! Whatever is asked, the answer is what the entries add up to.

use super::{Ask, Column, Format, Line, ReportError, Reports, Sum, Sums, Wanted, Width};
use crate::{
    domain::{Day, Endpoint, KeyId, Outcome, Place, PriceTag, Usage},
    ledger::{Admission, Answer, Ledger, Options, Settlement},
    store::Db,
};
use proptest::prelude::*;
use std::{collections::BTreeMap, sync::OnceLock, time::Duration};
use tempfile::TempDir;

const HOUR: u64 = 3_600_000;
const DAY: u64 = 24 * HOUR;
const START: u64 = 20_000 * DAY;
const SPAN: u64 = 5 * DAY;
const CALLS: u64 = 600;
const KEYS: [&str; 3] = ["reportkey0000001", "reportkey0000002", "reportkey0000003"];
const MODELS: [&str; 2] = ["gpt-5", "o3"];
const ENDPOINTS: [Endpoint; 3] = [Endpoint::Chat, Endpoint::Embeddings, Endpoint::Responses];

/// A call by its number: all that is told of it follows from that.
struct Call {
    started: u64,
    key: &'static str,
    project: Option<&'static str>,
    model: &'static str,
    served: &'static str,
    upstream: Option<&'static str>,
    endpoint: Endpoint,
    outcome: Outcome,
    input: Option<u64>,
}

fn call(number: u64) -> Call {
    let dice = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
    let pick = |of: usize, at: u64| (dice >> at) as usize % of;
    Call {
        started: START + dice % SPAN,
        key: KEYS[pick(3, 3)],
        project: [None, Some("north"), Some("south")][pick(3, 3)],
        model: MODELS[pick(2, 7)],
        served: ["gpt-5-2026", "o3"][pick(2, 7)],
        upstream: Some("up").filter(|_| pick(5, 9) > 0),
        endpoint: ENDPOINTS[pick(3, 11)],
        outcome: [Outcome::Completed, Outcome::ClientGone][pick(2, 13)],
        input: Some(dice % 1000).filter(|_| pick(4, 17) > 0),
    }
}

impl Call {
    fn column(&self, column: Column) -> Option<&str> {
        match column {
            Column::Project => self.project,
            Column::User | Column::ImageSize => None,
            Column::Key => Some(self.key),
            Column::Model => Some(self.model),
            Column::Served => Some(self.served),
            Column::Upstream => self.upstream,
            Column::Provider => self.upstream.map(|_| "openai"),
            Column::Endpoint => Some(self.endpoint.as_str()),
            Column::Outcome => Some(self.outcome.as_str()),
            // All of them have an error's status.
            Column::Refused => Some(match self.outcome {
                Outcome::Completed => "yes",
                _ => "no",
            }),
        }
    }

    fn sums(&self) -> Sums {
        let said = self.input.is_some();
        Sums {
            requests: 1,
            unreported: (!said).into(),
            unpriced: 0,
            input: self.input.unwrap_or(0),
            output: if said { 7 } else { 0 },
            cost: self.input.map_or(0, |input| input * 1000 + 7 * 2000),
            ..Sums::default()
        }
    }
}

/// A ledger with all calls; made once, since no test changes it.
fn reports() -> &'static Reports {
    static KEPT: OnceLock<(TempDir, Reports)> = OnceLock::new();
    let (_, reports) = KEPT.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let store = Place::Sqlite(dir.path().join("weir.db"));
        let options = Options {
            table: dir.path().join("flight.table"),
            store: store.clone(),
            slots: 1024,
            flush: Duration::ZERO,
            retention: Duration::ZERO,
        };
        let (ledger, threads) = Ledger::open(options).unwrap();
        (0..CALLS).for_each(|number| settle(&ledger, &call(number)));
        threads.close();
        let reports = Reports::new(Db::open(&store).unwrap());
        (dir, reports)
    });
    reports
}

fn settle(ledger: &Ledger, call: &Call) {
    let price: PriceTag = "i1 o2".parse().unwrap();
    let admission = Admission {
        started: call.started,
        key: KeyId::parse(call.key.as_bytes()).unwrap(),
        project: call.project,
        user: None,
        endpoint: call.endpoint,
        stream: false,
        request: "req, \"1\"",
        model: call.model,
        metadata: Some(r#"{"of":"test"}"#),
    };
    let flight = ledger.admit(&admission).ok().unwrap();
    if let Some(upstream) = call.upstream {
        flight.answered(&Answer {
            status: 400,
            stream: false,
            upstream,
            provider: "openai",
            upstream_request: None,
            price: Some(&price),
        });
    }
    flight.settle(&Settlement {
        outcome: call.outcome,
        status: 400,
        usage: call.input.map(|input| Usage {
            input: Some(input),
            output: Some(7),
            ..Usage::default()
        }),
        usage_is_running: false,
        usage_refused: false,
        counted: None,
        attempts: 1,
        first_us: None,
        duration_us: 5,
        served_model: Some(call.served),
        finish_reason: None,
        price: Some(&price),
        quantity: None,
    });
}

/// The answer, the slow way.
fn added_up(ask: &Ask) -> Vec<Line> {
    let mut lines: BTreeMap<(u64, Vec<Option<String>>), Sums> = BTreeMap::new();
    for call in (0..CALLS).map(call) {
        let fits = |(column, values): &(Column, Vec<String>)| {
            values
                .iter()
                .any(|value| value == call.column(*column).unwrap_or_default())
        };
        if (ask.from..ask.until).contains(&call.started) && ask.only.iter().all(fits) {
            let start = ask
                .width
                .millis()
                .map_or(0, |span| call.started / span * span);
            let group = ask.by.iter().map(|by| call.column(*by).map(str::to_owned));
            lines
                .entry((start, group.collect()))
                .or_default()
                .add(call.sums());
        }
    }
    let line = |((start, group), sums)| Line { start, group, sums };
    lines.into_iter().map(line).collect()
}

fn columns() -> impl Strategy<Value = Vec<Column>> {
    use Column::{Endpoint, Key, Model, Outcome, Project, Provider, Served, Upstream};
    let all = vec![
        Key, Project, Endpoint, Model, Upstream, Outcome, Served, Provider,
    ];
    // Mostly those of one kind, so that each table is asked.
    prop_oneof![
        prop::sample::subsequence(all[..3].to_vec(), 0..3),
        prop::sample::subsequence(all[..6].to_vec(), 0..4),
        prop::sample::subsequence(all, 0..3),
    ]
}

fn filter() -> impl Strategy<Value = Vec<(Column, Vec<String>)>> {
    let names = |names: &[&str]| {
        names
            .iter()
            .map(|name| (*name).to_owned())
            .collect::<Vec<_>>()
    };
    prop::sample::subsequence(
        vec![
            (Column::Key, names(&KEYS[..2])),
            (Column::Model, names(&MODELS[..1])),
            (Column::Endpoint, names(&["chat", "responses"])),
            (Column::Outcome, names(&["completed"])),
            (Column::Project, names(&["north", "nowhere"])),
            (Column::Refused, names(&["no"])),
        ],
        0..3,
    )
}

fn asks() -> impl Strategy<Value = Ask> {
    let widths = vec![Width::Minute, Width::Hour, Width::Day, Width::Whole];
    let time = || 0..SPAN + 2 * DAY;
    (
        prop::sample::select(widths),
        columns(),
        filter(),
        time(),
        time(),
    )
        .prop_map(|(width, by, only, one, other)| Ask {
            from: START - DAY + one.min(other),
            until: START - DAY + one.max(other),
            width,
            by,
            only,
            sums: &Sum::ALL,
            lines_max: 10_000,
        })
}

fn answer(ask: &Ask) -> Result<super::Usage, ReportError> {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.unwrap().block_on(reports().usage(ask))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]
    #[test]
    fn sums_of_any_time_and_group_are_those_of_the_entries(ask in asks()) {
        let mut lines = answer(&ask).unwrap().lines;
        lines.sort_by(|one, other| (one.start, &one.group).cmp(&(other.start, &other.group)));
        prop_assert_eq!(lines, added_up(&ask));
    }

    #[test]
    fn an_answer_that_is_too_long_ends_with_a_bucket_and_the_next_begins_there(lines_max in 6..40_usize) {
        let mut ask = Ask {
            from: START,
            until: START + SPAN,
            width: Width::Day,
            by: vec![Column::Key, Column::Endpoint],
            only: Vec::new(),
            sums: &Sum::ALL,
            lines_max: 10_000,
        };
        let whole = answer(&ask).unwrap().lines;
        ask.lines_max = lines_max;
        let mut pieces = Vec::new();
        while ask.from < ask.until {
            match answer(&ask) {
                Ok(piece) => {
                    prop_assert!(piece.lines.len() <= lines_max);
                    prop_assert!(piece.until > ask.from);
                    pieces.extend(piece.lines);
                    ask.from = piece.until;
                }
                // Nine lines a day.
                Err(error) => {
                    prop_assert!(lines_max < 9 && matches!(error, ReportError::TooMany(_)));
                    return Ok(());
                }
            }
        }
        prop_assert_eq!(pieces, whole);
    }
}

#[tokio::test]
async fn a_key_is_told_its_days_by_model() {
    let key = KeyId::parse(KEYS[1].as_bytes()).unwrap();
    let first = Day::of_millis(START);
    let lines = reports()
        .days_of_key(key, first, first.next())
        .await
        .unwrap();
    let ask = Ask {
        from: START,
        until: START + 2 * DAY,
        width: Width::Day,
        by: vec![Column::Model],
        only: vec![(Column::Key, vec![KEYS[1].to_owned()])],
        sums: &Sum::ALL,
        lines_max: 100,
    };
    assert_eq!(lines, added_up(&ask));
}

#[tokio::test]
async fn an_export_has_every_entry_once_and_goes_on_behind_any() {
    let all = Wanted {
        since: 0,
        until: u64::MAX,
        after: None,
        only: Vec::new(),
    };
    let text = reports()
        .export(all.clone(), Format::JsonLines)
        .await
        .unwrap()
        .text;
    let lines: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len() as u64, CALLS);
    let mut expected: Vec<u64> = (0..CALLS).map(|number| call(number).started).collect();
    expected.sort_unstable();
    let started: Vec<u64> = lines
        .iter()
        .map(|line| line["started_at"].as_u64().unwrap())
        .collect();
    assert_eq!(started, expected);
    assert_eq!(lines[0]["metadata"]["of"], "test");
    assert_eq!(lines[0]["stream"], false);

    let rest = Wanted {
        after: lines[399]["id"].as_str().map(str::to_owned),
        ..all.clone()
    };
    let csv = reports().export(rest, Format::Csv).await.unwrap().text;
    assert_eq!(csv.lines().count() as u64, CALLS - 400);
    assert!(
        csv.lines().all(|line| line.contains(r#""req, ""1""""#)),
        "{csv}"
    );

    for (since, until, expected) in [(0, 1 << 48, CALLS), (1 << 48, u64::MAX, 0)] {
        let far = Wanted {
            since,
            until,
            ..all.clone()
        };
        let far = reports().export(far, Format::Csv).await.unwrap().text;
        assert_eq!(far.lines().count() as u64, expected);
    }

    let one = Wanted {
        since: START + DAY,
        until: START + 2 * DAY,
        only: vec![(Column::Key, vec![KEYS[0].to_owned()])],
        ..all
    };
    let text = reports().export(one, Format::JsonLines).await.unwrap().text;
    let fits =
        |call: &Call| (START + DAY..START + 2 * DAY).contains(&call.started) && call.key == KEYS[0];
    let expected = (0..CALLS).map(call).filter(fits).count();
    assert_eq!(text.lines().count(), expected);
}
