//! What is said to be spent is what was settled, for whoever pays and in every period, in both databases.

use super::{Ask, Payer, Payers, Reports, Spent, Sum, Width};
use crate::{
    domain::Owner,
    ledger::fixture::{Call, NANOS_A_TOKEN, admit, open, settle},
    store::{Db, fixture::fixture},
};

const HOUR: u64 = 3_600_000;
const DAY: u64 = 24 * HOUR;
/// The first of a month, 2026-03-01.
const MONTH: u64 = 20_513 * DAY;
const KEYS: [&str; 2] = ["spentkey00000001", "spentkey00000002"];

/// Tokens, by whom they were spent.
type Each = &'static [(&'static str, u64)];

fn call(started: u64, input: u64) -> Call {
    Call {
        started,
        key: KEYS[0],
        project: None,
        user: None,
        model: "gpt-5",
        input,
    }
}

/// One a month before, then some in the month; every input is a power of two, so that a sum says which are in it.
fn calls() -> Vec<Call> {
    vec![
        call(MONTH - 1, 1),
        call(MONTH, 2),
        Call {
            project: Some(Owner::DEFAULT_PROJECT),
            ..call(MONTH + HOUR, 4)
        },
        Call {
            project: Some("north"),
            user: Some("ana"),
            ..call(MONTH + DAY, 8)
        },
        Call {
            key: KEYS[1],
            project: Some("north"),
            model: "o3",
            ..call(MONTH + DAY + HOUR, 16)
        },
        Call {
            key: KEYS[1],
            user: Some("ana"),
            ..call(MONTH + 31 * DAY, 32)
        },
    ]
}

fn spent(tokens: u64) -> Spent {
    Spent {
        nanos: tokens * NANOS_A_TOKEN,
        tokens,
    }
}

#[tokio::test]
async fn whoever_pays_has_spent_what_their_calls_cost() {
    let fixture = fixture!();
    let (ledger, threads) = open(&fixture);
    let reports = Reports::new(Db::open(fixture.place()).unwrap());
    let all = (0, u64::MAX);
    let payer = Payer::Key(KEYS[0].to_owned());
    let nobody = reports.spent(&payer, all.0, all.1).await;
    assert_eq!(nobody.unwrap(), spent(0));
    calls().iter().for_each(|call| settle(&ledger, call));
    ledger.settled().await;

    let project = |id: &str| Payer::Project(id.to_owned());
    let key = |at: usize| Payer::Key(KEYS[at].to_owned());
    let ana = || Payer::User("ana".to_owned());
    let month = (MONTH, MONTH + 31 * DAY);
    let day = (MONTH + DAY, MONTH + 2 * DAY);
    let hour = (MONTH + DAY + HOUR, MONTH + DAY + 2 * HOUR);
    let expected = [
        (Payer::Organization, all, 63),
        (Payer::Organization, month, 30),
        (Payer::Organization, day, 24),
        (Payer::Organization, hour, 16),
        (project(Owner::DEFAULT_PROJECT), all, 39),
        (project(Owner::DEFAULT_PROJECT), month, 6),
        (project("north"), month, 24),
        (project("north"), hour, 16),
        (project("nowhere"), all, 0),
        (ana(), all, 40),
        (ana(), month, 8),
        (key(0), all, 15),
        (key(0), month, 14),
        (key(0), day, 8),
        (key(0), hour, 0),
        (key(1), all, 48),
        (key(1), month, 16),
        (key(1), hour, 16),
    ];
    for (payer, (from, until), tokens) in expected {
        let found = reports.spent(&payer, from, until).await.unwrap();
        assert_eq!(found, spent(tokens), "{payer:?} from {from} until {until}");
    }
    let models = reports.spent_on_models(month.0, month.1).await.unwrap();
    let named = |name: &str, tokens| (name.to_owned(), spent(tokens));
    assert_eq!(models, [named("gpt-5", 14), named("o3", 16)]);
    let projects = reports.spent_by_projects(month.0, month.1).await.unwrap();
    assert_eq!(projects, [named("north", 24), named("proj_default", 6)]);
    threads.close();
}

#[tokio::test]
async fn each_of_many_has_spent_their_own() {
    let fixture = fixture!();
    let (ledger, threads) = open(&fixture);
    let reports = Reports::new(Db::open(fixture.place()).unwrap());
    calls().iter().for_each(|call| settle(&ledger, call));
    ledger.settled().await;

    let names = |all: &[&str]| all.iter().map(|&name| name.to_owned()).collect();
    // More than one statement takes.
    let many = (0..250).map(|number| format!("nokey{number:011}"));
    let keys = Payers::Keys(many.chain(KEYS.map(str::to_owned)).collect());
    let users = Payers::Users(names(&["ana", "nobody"]));
    let projects = Payers::Projects(names(&[Owner::DEFAULT_PROJECT, "north", "nowhere"]));
    let (all, month) = ((0, u64::MAX), (MONTH, MONTH + 31 * DAY));
    let hour = (MONTH + DAY + HOUR, MONTH + DAY + 2 * HOUR);
    let expected: [(&Payers, (u64, u64), Each); 7] = [
        (&keys, all, &[(KEYS[0], 15), (KEYS[1], 48)]),
        (&keys, month, &[(KEYS[0], 14), (KEYS[1], 16)]),
        (&keys, hour, &[(KEYS[1], 16)]),
        (&users, all, &[("ana", 40)]),
        (&users, hour, &[]),
        (
            &projects,
            all,
            &[("north", 24), (Owner::DEFAULT_PROJECT, 39)],
        ),
        (&projects, hour, &[("north", 16)]),
    ];
    for (payers, (from, until), each) in expected {
        let mut found = reports
            .spent_each(payers.clone(), from, until)
            .await
            .unwrap();
        found.sort_by(|one, other| one.0.cmp(&other.0));
        let each = each
            .iter()
            .map(|(name, tokens)| ((*name).to_owned(), spent(*tokens)));
        assert_eq!(
            found,
            each.collect::<Vec<_>>(),
            "{payers:?} from {from} until {until}"
        );
    }
    threads.close();
}

#[tokio::test]
async fn what_was_settled_before_is_committed_after() {
    let fixture = fixture!();
    let (ledger, threads) = open(&fixture);
    let reports = Reports::new(Db::open(fixture.place()).unwrap());
    for number in 1..=20 {
        settle(&ledger, &call(MONTH, 1));
        ledger.settled().await;
        let spent = reports.spent(&Payer::Organization, 0, u64::MAX).await;
        assert_eq!(spent.unwrap().tokens, number);
    }
    // With nothing to commit it is over too.
    ledger.settled().await;
    threads.close();
}

#[tokio::test]
async fn what_an_earlier_process_left_is_waited_for_too() {
    let fixture = fixture!();
    let (ledger, threads) = open(&fixture);
    let flight = admit(&ledger, &call(MONTH, 1));
    threads.close();
    drop((flight, ledger));
    let (ledger, threads) = open(&fixture);
    ledger.settled().await;
    let reports = Reports::new(Db::open(fixture.place()).unwrap());
    let ask = Ask {
        from: 0,
        until: MONTH + DAY,
        width: Width::Whole,
        by: Vec::new(),
        only: Vec::new(),
        sums: &[Sum::Requests],
        lines_max: 10,
    };
    let lines = reports.usage(&ask).await.unwrap().lines;
    assert_eq!(lines[0].sums.requests, 1);
    threads.close();
}
