//! A budget that several nodes spend, while one of them dies.

use super::{
    away::until,
    forget,
    nodes::{DOLLARS, Ledger, Node, Said, fallback, server},
    proxy::{Proxy, Way},
};
use crate::{
    config::WithoutRedis,
    domain::Rule,
    limits::{Ask, Charge},
};
use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

const DOLLAR: u64 = 1_000_000_000;
const TOKEN: u64 = 10_000; // ten dollars for a million of them
const PROMPT: u64 = 100_000;
const SLICE: u64 = 256;

/// A node, and what is known of it when it dies.
struct Mortal {
    node: Node,
    is_dead: AtomicBool,
    /// What its calls have cost that were in the air when it died.
    in_the_air: AtomicU64,
}

/// What became of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    Paid,
    Refused,
    Dead,
}

/// Answers of many lengths, one after another, until there is no money. True if the node has died.
async fn spend(mortal: Arc<Mortal>, ledger: Ledger, mut length: u64) -> bool {
    loop {
        length = length * 7 % 1999 + 1;
        match answer(&mortal, &ledger, length).await {
            Ended::Paid => {}
            ended => return ended == Ended::Dead,
        }
    }
}

/// One answer, paid as it passes.
async fn answer(mortal: &Mortal, ledger: &Ledger, length: u64) -> Ended {
    let ask = Ask {
        output: SLICE,
        output_least: 1,
        price: Some(Charge {
            input_nanos: PROMPT,
            output_rate: TOKEN * 1_000_000,
        }),
        ..Ask::default()
    };
    let mut lease = match mortal.node.admit(&ask).await {
        Said::Yes(lease) => lease,
        Said::Away if mortal.is_dead.load(Ordering::SeqCst) => return Ended::Dead,
        Said::No(_) | Said::Away => return Ended::Refused,
    };
    let mut passed = 0;
    while passed < length {
        let next = passed + 16;
        if next > lease.covered() && !mortal.node.extend(&mut lease, next, SLICE).await {
            break;
        }
        passed = next;
        tokio::task::yield_now().await;
        if mortal.is_dead.load(Ordering::SeqCst) {
            let cost = PROMPT + passed * TOKEN;
            mortal.in_the_air.fetch_add(cost, Ordering::SeqCst);
            return Ended::Dead;
        }
    }
    mortal.node.settle(lease, ledger, PROMPT + passed * TOKEN);
    Ended::Paid
}

#[tokio::test]
async fn a_thousand_answers_at_once_spend_nearly_all_of_a_dollar_and_no_more() {
    let Some(at) = server().await else { return };
    let ledger = Ledger::default();
    let limits = [Rule::new(DOLLARS, DOLLAR)];
    let nodes = [(); 3].map(|()| {
        Arc::new(Mortal {
            node: Node::start(&at, &ledger, fallback(WithoutRedis::Closed), &limits),
            is_dead: AtomicBool::new(false),
            in_the_air: AtomicU64::new(0),
        })
    });
    let mut answers = tokio::task::JoinSet::new();
    for number in 0..1000 {
        let (node, ledger) = (Arc::clone(&nodes[number % 3]), ledger.clone());
        // Short and long ones: what all want is nine times as much.
        let length = number as u64 * 7919 % 1800 + 1;
        answers.spawn(async move { answer(&node, &ledger, length).await });
    }
    answers.join_all().await;
    let spent = ledger.spent();
    assert!(
        (DOLLAR / 100 * 98..=DOLLAR).contains(&spent),
        "{spent} of {DOLLAR}"
    );
    forget(&at, &at.prefix).await;
}

#[tokio::test]
async fn three_nodes_spend_a_dollar_and_no_more_though_one_dies() {
    let Some(at) = server().await else { return };
    let (ledger, proxy) = (Ledger::default(), Proxy::to(&at).await);
    let limits = [Rule::new(DOLLARS, DOLLAR)];
    let start = |at| {
        Arc::new(Mortal {
            node: Node::start(at, &ledger, fallback(WithoutRedis::Closed), &limits),
            is_dead: AtomicBool::new(false),
            in_the_air: AtomicU64::new(0),
        })
    };
    let nodes = [start(&proxy.at), start(&at), start(&at)];
    let mut streams = tokio::task::JoinSet::new();
    for number in 0..60 {
        let node = Arc::clone(&nodes[number % 3]);
        streams.spawn(spend(node, ledger.clone(), number as u64 * 31));
    }
    until(async || ledger.spent() > DOLLAR / 3).await;
    proxy.set(Way::Cut);
    nodes[0].is_dead.store(true, Ordering::SeqCst);
    let mut died = 0;
    while let Some(has_died) = streams.join_next().await {
        died += u32::from(has_died.unwrap());
    }
    assert!(died > 0);
    // The flight table of the one that died is read when it starts again.
    let lost = nodes[0].in_the_air.load(Ordering::SeqCst);
    ledger.add(lost);
    let [dead, ..] = nodes;
    let again = Arc::new(Mortal {
        node: dead
            .node
            .again(&at, &ledger, fallback(WithoutRedis::Closed), &limits),
        is_dead: AtomicBool::new(false),
        in_the_air: AtomicU64::new(0),
    });
    until(async || {
        spend(Arc::clone(&again), ledger.clone(), 5).await;
        ledger.spent() >= DOLLAR / 100 * 98
    })
    .await;
    // What it had settled in its last moments, the others did not hear of.
    let bound = DOLLAR + DOLLAR / 50;
    let spent = ledger.spent();
    assert!(spent <= bound, "{spent}");
    forget(&at, &at.prefix).await;
}
