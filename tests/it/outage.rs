//! Postgres goes away and comes back: no request fails for it, and no row is missing or doubled afterwards.

use crate::support::{Dir, FakeUpstream, Gateway, Reply, chat, until};
use serde_json::json;
use std::net::SocketAddr;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// What the way to the server does with those who come by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Open,
    /// Cuts them off.
    Closed,
    /// Lets nothing through, and says nothing.
    Silent,
}

/// A way to the server that can be closed.
struct Detour {
    way: watch::Sender<Way>,
    dir: Dir,
}

impl Detour {
    /// None if there is no server for tests.
    async fn new() -> Option<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own = listener.local_addr().unwrap();
        let mut server = None;
        let dir = Dir::by(|host| {
            server = Some(host.to_owned());
            own.to_string()
        })?;
        let way = watch::Sender::new(Way::Open);
        tokio::spawn(forward(listener, server.unwrap(), way.subscribe()));
        Some(Self { way, dir })
    }
}

async fn forward(listener: TcpListener, server: String, way: watch::Receiver<Way>) {
    while let Ok((mut client, _)) = listener.accept().await {
        let (mut way, server) = (way.clone(), server.clone());
        tokio::spawn(async move {
            let begins = *way.borrow_and_update();
            match begins {
                Way::Closed => return,
                Way::Silent => return drop(way.changed().await),
                Way::Open => {}
            }
            let mut server = TcpStream::connect(server).await.unwrap();
            let closed = tokio::select! {
                _ = copy_bidirectional(&mut client, &mut server) => true,
                _ = way.changed() => false,
            };
            let is_silent = *way.borrow_and_update() == Way::Silent;
            if !closed && is_silent {
                // Both ends stay open and hear nothing until it is over; the test may end first.
                let _ = way.changed().await;
            }
        });
    }
}

async fn gateway(detour: &mut Detour, upstream: &FakeUpstream) -> Gateway {
    let dir = std::mem::take(&mut detour.dir);
    let setup = Gateway::setup().upstream("up", upstream, "");
    setup.start_in(dir).await
}

async fn upstream() -> FakeUpstream {
    let answer = json!({"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2}});
    FakeUpstream::with([Reply::json(200, answer.to_string())]).await
}

async fn ask(gateway: &Gateway, times: usize) {
    for _ in 0..times {
        assert_eq!(gateway.chat(chat("up")).await.status(), 200);
    }
}

/// Waits until the gateway says of its store what it should, and is in service all the while.
async fn store_is(gateway: &Gateway, expected: bool) {
    until("news of the store", async || {
        let told = gateway.control("/readyz").await;
        assert_eq!(told.status(), 200);
        (told.json()["checks"]["store"] == expected).then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_outage_of_the_store_costs_no_request_and_no_row() {
    let Some(mut detour) = Detour::new().await else {
        return;
    };
    let upstream = upstream().await;
    let gateway = gateway(&mut detour, &upstream).await;
    ask(&gateway, 20).await;
    store_is(&gateway, true).await;

    detour.way.send_replace(Way::Closed);
    ask(&gateway, 40).await;
    store_is(&gateway, false).await;
    ask(&gateway, 40).await;
    // Whatever of the first ones was committed, these are not.
    until("calls that wait", async || {
        let metrics = gateway.metrics().await;
        let mut lines = metrics.lines().filter_map(|line| line.split_once(' '));
        let waiting = lines.find(|(name, _)| *name == "weir_ledger_slots_waiting")?;
        (waiting.1.parse::<u64>().unwrap() >= 80).then_some(())
    })
    .await;
    let revoked = gateway.weir(&["key", "list"]).await;
    assert_eq!(revoked.code, Some(2), "{revoked:?}");
    assert!(revoked.stderr.contains("cannot connect"), "{revoked:?}");

    detour.way.send_replace(Way::Silent);
    ask(&gateway, 40).await;
    detour.way.send_replace(Way::Open);
    ask(&gateway, 20).await;
    gateway.metric("weir_ledger_slots_used", 0).await;
    store_is(&gateway, true).await;
    let counts = "SELECT count(*), count(DISTINCT request_id) FROM entry";
    let counts = &gateway.dir.query(counts)[0];
    assert_eq!(counts.values(), [160_i64.into(), 160_i64.into()]);
    let doctor = gateway.weir(&["doctor"]).await;
    assert_eq!(doctor.code, Some(0), "{doctor:?}");

    let made = gateway.make_key(&[]).await;
    until("the new key", async || {
        let response = gateway
            .post_with(&made.key, "/v1/chat/completions", chat("up").to_string())
            .await;
        (response.status() == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_waits_when_weir_ends_is_written_by_the_next_start() {
    let Some(mut detour) = Detour::new().await else {
        return;
    };
    let upstream = upstream().await;
    let gateway = gateway(&mut detour, &upstream).await;
    ask(&gateway, 5).await;
    detour.way.send_replace(Way::Closed);
    ask(&gateway, 30).await;
    gateway.terminate();
    let dir = gateway.dir_after_exit().await;
    detour.way.send_replace(Way::Open);
    let setup = Gateway::setup().upstream("up", &upstream, "");
    let gateway = setup.start_in(dir).await;
    gateway.metric("weir_ledger_slots_used", 0).await;
    let count: i64 = gateway.dir.query("SELECT count(*) FROM entry")[0]
        .get(0)
        .unwrap();
    assert_eq!(count, 35);
}

#[tokio::test]
async fn without_its_store_weir_does_not_start_and_says_why() {
    let closed = crate::support::free_port().await;
    let Some(dir) = Dir::by(|_| closed.to_string()) else {
        return;
    };
    let exit = crate::support::weir(dir.path(), &["serve", "--listen", "127.0.0.1:0"], &[]).await;
    assert_eq!(exit.code, Some(2), "{exit:?}");
    let place = format!("store.url: postgres://{closed}/");
    assert!(exit.stderr.contains(&place), "{exit:?}");
    assert!(exit.stderr.contains("cannot connect"), "{exit:?}");
}

#[tokio::test]
async fn two_gateways_on_one_store_share_keys_and_sums() {
    let Some(dir) = Dir::on(crate::support::Database::Postgres) else {
        return;
    };
    let upstream = upstream().await;
    let one = Gateway::setup()
        .upstream("up", &upstream, "")
        .start_in(dir)
        .await;
    let beside = Dir::beside(&one.dir);
    let two = Gateway::setup()
        .upstream("up", &upstream, "")
        .start_in(beside)
        .await;
    assert!(two.key.is_empty(), "only the very first start makes keys");
    let nodes: [SocketAddr; 2] = [one.data, two.data];
    let made = one.make_key(&[]).await;
    let status = async |node: SocketAddr| {
        let mut conn = crate::support::Conn::open(node).await;
        conn.post("/v1/chat/completions", &made.key, chat("up").to_string())
            .await;
        conn.response().await.status()
    };
    let becomes = async |wanted: u16| {
        for node in nodes {
            until("both to know", async || {
                (status(node).await == wanted).then_some(())
            })
            .await;
        }
    };
    becomes(200).await;
    let both = async |gateway: &Gateway| {
        for _ in 0..30 {
            let sent = gateway.post_with(&one.key, "/v1/chat/completions", chat("up").to_string());
            assert_eq!(sent.await.status(), 200);
        }
    };
    tokio::join!(both(&one), both(&two));
    two.weir(&["key", "revoke", &made.id]).await;
    becomes(401).await;
    for gateway in [&one, &two] {
        gateway.metric("weir_ledger_slots_used", 0).await;
    }
    let sql = format!(
        "SELECT sum(requests) FROM rollup_day WHERE key_id <> '{}'",
        made.id
    );
    assert_eq!(one.dir.query(&sql)[0].get::<i64>(0).unwrap(), 60);
    let doctor = one.weir(&["doctor"]).await;
    assert_eq!(doctor.code, Some(0), "{doctor:?}");
}
