//! What happens while Redis cannot be reached.

use super::{
    forget,
    nodes::{DOLLARS, Ledger, Node, REQUESTS, Said, fallback, server},
    proxy::{Proxy, Way},
};
use crate::{
    config::WithoutRedis,
    domain::{Kind, Rule},
    limits::{Ask, Charge, shared::Fallback},
};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Waits for something that comes about by itself.
pub(super) async fn until(mut is_so: impl AsyncFnMut() -> bool) {
    let since = Instant::now();
    while !is_so().await {
        assert!(
            since.elapsed() < Duration::from_secs(20),
            "it does not come about"
        );
        sleep(Duration::from_millis(5)).await;
    }
}

/// A call that costs so much.
pub(super) fn cents(cost: u64) -> Ask {
    Ask {
        price: Some(Charge {
            input_nanos: cost,
            output_rate: 0,
        }),
        ..Ask::default()
    }
}

#[tokio::test]
async fn closed_is_closed_and_opens_by_itself() {
    let Some(at) = server().await else { return };
    for cut in [Way::Cut, Way::Silent] {
        let (ledger, proxy) = (Ledger::default(), Proxy::to(&at).await);
        let limits = [Rule::new(REQUESTS, 1000)];
        let node = Node::start(&proxy.at, &ledger, fallback(WithoutRedis::Closed), &limits);
        assert!(matches!(node.admit(&Ask::default()).await, Said::Yes(_)));
        until(async || node.shared.is_there()).await;
        proxy.set(cut);
        assert!(matches!(node.admit(&Ask::default()).await, Said::Away));
        assert!(!node.shared.is_there());
        // Nobody waits for it any more.
        let since = Instant::now();
        assert!(matches!(node.admit(&Ask::default()).await, Said::Away));
        assert!(since.elapsed() < Duration::from_millis(200));
        proxy.set(Way::Open);
        until(async || node.shared.is_there()).await;
        assert!(matches!(node.admit(&Ask::default()).await, Said::Yes(_)));
    }
    forget(&at, &at.prefix).await;
}

#[tokio::test]
async fn a_node_without_redis_has_its_share() {
    let Some(at) = server().await else { return };
    let (ledger, proxy) = (Ledger::default(), Proxy::to(&at).await);
    ledger.add(100);
    let limits = [
        Rule::new(DOLLARS, 1000),
        Rule::new(REQUESTS, 1000),
        Rule::new(Kind::InFlight, 100),
    ];
    let shares = Fallback {
        without: WithoutRedis::Share,
        nodes: 3,
    };
    let node = Node::start(&proxy.at, &ledger, shares, &limits);
    let Said::Yes(lease) = node.admit(&cents(300)).await else {
        panic!("there is plenty")
    };
    node.settle(lease, &ledger, 300);
    until(async || node.shared.is_there()).await;
    proxy.set(Way::Cut);
    until(async || !node.shared.is_there()).await;
    // 600 were left, which makes 200 for each.
    for _ in 0..2 {
        let Said::Yes(lease) = node.admit(&cents(100)).await else {
            panic!("a share is left")
        };
        node.settle(lease, &ledger, 100);
    }
    let Said::No(refusal) = node.admit(&cents(100)).await else {
        panic!("the share is spent")
    };
    assert_eq!(
        (refusal.kind, refusal.left, refusal.wait),
        (DOLLARS, 0, None)
    );
    proxy.set(Way::Open);
    until(async || node.shared.is_there()).await;
    // What was spent meanwhile counts, and counts once.
    let other = Node::start(&at, &ledger, shares, &limits);
    let Said::Yes(lease) = other.admit(&cents(400)).await else {
        panic!("400 are left")
    };
    assert!(matches!(node.admit(&cents(1)).await, Said::No(_)));
    other.settle(lease, &ledger, 400);
    assert_eq!(ledger.spent(), 1000);
    forget(&at, &at.prefix).await;
}

#[tokio::test]
async fn a_server_that_lets_in_and_refuses_every_round_gives_no_second_share() {
    let Some(at) = server().await else { return };
    let (ledger, proxy) = (Ledger::default(), Proxy::to(&at).await);
    let limits = [Rule::new(DOLLARS, 1000)];
    let shares = Fallback {
        without: WithoutRedis::Share,
        nodes: 3,
    };
    let node = Node::start(&proxy.at, &ledger, shares, &limits);
    let Said::Yes(lease) = node.admit(&cents(100)).await else {
        panic!("there is plenty")
    };
    node.settle(lease, &ledger, 100);
    until(async || node.shared.is_there()).await;
    proxy.set(Way::Full);
    until(async || !node.shared.is_there()).await;
    // 900 were left, which makes 300 for each, however often it is let in.
    let rounds = proxy.rounds();
    until(async || {
        if let Said::Yes(lease) = node.admit(&cents(10)).await {
            node.settle(lease, &ledger, 10);
        }
        proxy.rounds() >= rounds + 4
    })
    .await;
    assert_eq!(ledger.spent(), 400);
    proxy.set(Way::Open);
    until(async || node.shared.is_there()).await;
    let Said::Yes(lease) = node.admit(&cents(600)).await else {
        panic!("600 are left")
    };
    drop(lease);
    forget(&at, &at.prefix).await;
}

#[tokio::test]
async fn a_node_that_starts_without_redis_asks_the_ledger_for_its_share() {
    let Some(at) = server().await else { return };
    let (ledger, proxy) = (Ledger::default(), Proxy::to(&at).await);
    ledger.add(400);
    proxy.set(Way::Cut);
    let limits = [Rule::new(DOLLARS, 1000), Rule::new(REQUESTS, 2)];
    let shares = Fallback {
        without: WithoutRedis::Share,
        nodes: 2,
    };
    let node = Node::start(&proxy.at, &ledger, shares, &limits);
    let Said::No(refusal) = node.admit(&cents(301)).await else {
        panic!("it is more than a half")
    };
    assert_eq!((refusal.kind, refusal.left), (DOLLARS, 300));
    let Said::Yes(lease) = node.admit(&cents(200)).await else {
        panic!("it is less than a half")
    };
    node.settle(lease, &ledger, 200);
    let Said::No(refusal) = node.admit(&cents(1)).await else {
        panic!("of the requests it has one")
    };
    assert_eq!((refusal.kind, refusal.amount), (REQUESTS, 2));
    let wait = refusal.wait.unwrap();
    assert!(wait > Duration::from_secs(50), "{wait:?}");
    forget(&at, &at.prefix).await;
}

#[tokio::test]
async fn a_place_in_the_air_is_free_for_others_at_once() {
    let Some(at) = server().await else { return };
    let ledger = Ledger::default();
    let limits = [Rule::new(Kind::InFlight, 1)];
    let start = || Node::start(&at, &ledger, fallback(WithoutRedis::Closed), &limits);
    let nodes = [start(), start(), start()];
    for at in 0..9 {
        let mut lease = None;
        let since = Instant::now();
        until(async || {
            if let Said::Yes(given) = nodes[at % 3].admit(&Ask::default()).await {
                lease = Some(given);
            }
            lease.is_some()
        })
        .await;
        assert!(since.elapsed() < Duration::from_secs(1));
        let other = nodes[(at + 1) % 3].admit(&Ask::default()).await;
        let Said::No(refusal) = other else {
            panic!("there is one place")
        };
        assert_eq!((refusal.kind, refusal.wait), (Kind::InFlight, None));
    }
    forget(&at, &at.prefix).await;
}
