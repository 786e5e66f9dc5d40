//! An upstream that takes so many requests at a time: turns by weight, bounded queues, and nobody waits in vain.

use crate::support::{
    Conn, END, FakeUpstream, Feed, Gateway, Reply, Response, Setup, chat, chat_stream, error_event,
    event,
};
use serde_json::json;
use std::collections::VecDeque;

const CHAT: &str = "/v1/chat/completions";
const WAITING: &str = "weir_queue_waiting{upstream=\"up\"}";
const TAKEN: &str = "weir_queue_turns_taken{upstream=\"up\"}";

/// An upstream that holds its answers until the test gives them, in the order of the requests.
struct Holding {
    upstream: FakeUpstream,
    answers: VecDeque<Feed>,
}

impl Holding {
    async fn start() -> Self {
        let (replies, answers): (Vec<_>, _) = (0..32).map(|_| Reply::fed_raw()).unzip();
        let upstream = FakeUpstream::with(replies).await;
        Self { upstream, answers }
    }

    /// Who comes next, by the user that the request names.
    async fn next(&self) -> String {
        let request: serde_json::Value =
            serde_json::from_str(&self.upstream.request().await.text().await).unwrap();
        request["user"].as_str().unwrap_or_default().to_owned()
    }

    /// Answers the oldest request that has no answer yet.
    fn answer(&mut self) {
        let feed = self.answers.pop_front().unwrap();
        let body = "{\"object\":\"chat.completion\"}";
        let length = body.len();
        let answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        // Nobody may want it any more.
        let _ = feed.send(answer.into_bytes());
    }

    /// A gateway before it, for which it has a bound of 1.
    fn gateway(&self, lines: &str) -> Setup {
        Gateway::setup()
            .config(&format!("[queue]\n{lines}"))
            .upstream("up", &self.upstream, "concurrency = 1")
    }
}

/// Sends a request that names `user`, and does not wait for its answer.
async fn send(gateway: &Gateway, key: &str, user: &str) -> Conn {
    let mut conn = Conn::open(gateway.data).await;
    let mut body = chat("up");
    body["user"] = json!(user);
    conn.post(CHAT, key, body.to_string()).await;
    conn
}

/// Takes the only turn.
async fn hold(gateway: &Gateway, upstream: &Holding) -> Conn {
    let conn = send(gateway, &gateway.key, "holder").await;
    assert_eq!(upstream.next().await, "holder");
    conn
}

/// The same, and then so many wait.
async fn line_up(gateway: &Gateway, users: &[(&str, &str)]) -> Vec<Conn> {
    let mut conns = Vec::new();
    for (key, user) in users {
        conns.push(send(gateway, key, user).await);
        gateway.metric(WAITING, conns.len() as u64).await;
    }
    conns
}

/// Asserts that there was no turn, and that what is said of coming back makes sense; returns the milliseconds.
#[track_caller]
fn saturated(response: &Response) -> u64 {
    let error = response.refused(503, "upstream_saturated");
    assert_eq!(error["type"], "server_error");
    let number = |name| response.header(name).unwrap().parse::<u64>().unwrap();
    let (seconds, millis) = (number("retry-after"), number("retry-after-ms"));
    assert_eq!(
        seconds,
        millis.div_ceil(1000),
        "one is the other rounded up"
    );
    assert!((100..=59_000).contains(&millis), "{millis}");
    millis
}

#[tokio::test]
async fn projects_share_a_saturated_upstream_by_weight() {
    let mut upstream = Holding::start().await;
    let gateway = upstream
        .gateway("weights = { proj_heavy = 3 }")
        .start()
        .await;
    for project in ["proj_heavy", "proj_light"] {
        gateway.make_project(project).await;
    }
    let heavy = gateway
        .make_known_key(&["--project", "proj_heavy"])
        .await
        .key;
    let light = gateway
        .make_known_key(&["--project", "proj_light"])
        .await
        .key;
    let holder = hold(&gateway, &upstream).await;
    let light = [(light.as_str(), "l"); 4];
    let heavy = [(heavy.as_str(), "h"); 6];
    let mut conns = line_up(&gateway, &[&light[..], &heavy[..]].concat()).await;
    conns.push(holder);
    let mut turns = String::new();
    for _ in 0..10 {
        upstream.answer();
        turns += &upstream.next().await;
    }
    assert_eq!(turns, "lhhhlhhhll", "not `llllhhhhhh`, as they came");
    upstream.answer();
    for mut conn in conns {
        assert_eq!(conn.response().await.status(), 200);
    }
    gateway.metric(TAKEN, 0).await;
    gateway.metric(WAITING, 0).await;
    let waits = "weir_queue_wait_seconds_count{upstream=\"up\",result=\"turn\"}";
    gateway.metric(waits, 10).await;
}

#[tokio::test]
async fn a_full_queue_says_when_to_come_back_and_shuts_nobody_out() {
    let mut upstream = Holding::start().await;
    let gateway = upstream.gateway("max = 2").start().await;
    gateway.make_project("proj_other").await;
    let other = gateway
        .make_known_key(&["--project", "proj_other"])
        .await
        .key;
    let flood = gateway.key.clone();
    let mut holder = hold(&gateway, &upstream).await;
    let mut waits = line_up(&gateway, &[(&flood, "1"), (&flood, "2")]).await;
    let mut refused = send(&gateway, &flood, "3").await;
    saturated(&refused.response().await);
    let mut other = send(&gateway, &other, "other").await;
    saturated(&waits.pop().unwrap().response().await);
    gateway.metric(WAITING, 2).await;
    let refusals = "weir_queue_refusals_total{upstream=\"up\",reason=\"full\"}";
    gateway.metric(refusals, 2).await;
    upstream.answer();
    assert_eq!(upstream.next().await, "1");
    upstream.answer();
    assert_eq!(upstream.next().await, "other");
    upstream.answer();
    for conn in [&mut holder, &mut waits[0], &mut other] {
        assert_eq!(conn.response().await.status(), 200);
    }
    gateway
        .log_line(|line| line.contains("status=503 outcome=rejected"))
        .await;
}

#[tokio::test]
async fn a_wait_that_runs_out_is_refused_the_same() {
    let upstream = Holding::start().await;
    let gateway = upstream.gateway("wait = \"1s\"").start().await;
    let _holder = hold(&gateway, &upstream).await;
    let mut conn = send(&gateway, &gateway.key, "late").await;
    let millis = saturated(&conn.response().await);
    assert!(millis >= 1000, "no place came free in a second: {millis}");
    let refusals = "weir_queue_refusals_total{upstream=\"up\",reason=\"ran_out\"}";
    gateway.metric(refusals, 1).await;
    gateway.metric(WAITING, 0).await;
}

#[tokio::test]
async fn who_leaves_is_not_waited_for() {
    for policy in ["cancel", "finish"] {
        let mut upstream = Holding::start().await;
        let gateway = upstream
            .gateway("")
            .server(&format!("on_hangup = \"{policy}\""))
            .start()
            .await;
        let mut holder = hold(&gateway, &upstream).await;
        let key = &gateway.key;
        let users = [(key.as_str(), "goes"), (key, "stays")];
        let mut waits = line_up(&gateway, &users).await;
        drop(waits.remove(0));
        gateway.metric(WAITING, 1).await;
        let gone = "weir_queue_wait_seconds_count{upstream=\"up\",result=\"gone\"}";
        gateway.metric(gone, 1).await;
        gateway
            .log_line(|line| line.contains("status=499 outcome=client_gone"))
            .await;
        upstream.answer();
        assert_eq!(upstream.next().await, "stays", "{policy}");
        upstream.answer();
        assert_eq!(holder.response().await.status(), 200);
        assert_eq!(waits[0].response().await.status(), 200);
        gateway.metric(TAKEN, 0).await;
    }
}

#[tokio::test]
async fn the_turn_of_who_leaves_passes_on() {
    let upstream = Holding::start().await;
    let gateway = upstream.gateway("").start().await;
    let holder = hold(&gateway, &upstream).await;
    let _waits = line_up(&gateway, &[(&gateway.key, "next")]).await;
    drop(holder);
    assert_eq!(upstream.next().await, "next");
    gateway.metric(TAKEN, 1).await;
}

#[tokio::test]
async fn an_answer_that_is_read_on_keeps_its_turn() {
    let mut upstream = Holding::start().await;
    let gateway = upstream
        .gateway("")
        .server("on_hangup = \"finish\"")
        .start()
        .await;
    let holder = hold(&gateway, &upstream).await;
    let _waits = line_up(&gateway, &[(&gateway.key, "next")]).await;
    drop(holder);
    gateway.metric("weir_connections{plane=\"data\"}", 1).await;
    gateway.metric(TAKEN, 1).await;
    gateway.metric(WAITING, 1).await;
    assert!(upstream.upstream.is_untouched().await);
    upstream.answer();
    assert_eq!(upstream.next().await, "next");
}

#[tokio::test]
async fn urgent_keys_of_a_project_go_first() {
    let mut upstream = Holding::start().await;
    let gateway = upstream.gateway("").start().await;
    let low = gateway.make_known_key(&["--priority", "low"]).await.key;
    let high = gateway.make_known_key(&["--priority", "high"]).await.key;
    let _holder = hold(&gateway, &upstream).await;
    let users = [
        (low.as_str(), "low"),
        (&gateway.key, "normal"),
        (&high, "high"),
    ];
    let _waits = line_up(&gateway, &users).await;
    for expected in ["high", "normal", "low"] {
        upstream.answer();
        assert_eq!(upstream.next().await, expected);
    }
}

#[tokio::test]
async fn a_reload_that_raises_the_bound_admits_who_waits() {
    let upstream = Holding::start().await;
    let setup = || Gateway::setup();
    let with = |lines: &str| setup().upstream("up", &upstream.upstream, lines);
    let gateway = with("concurrency = 1").start().await;
    let _holder = hold(&gateway, &upstream).await;
    let users = [
        (gateway.key.as_str(), "1"),
        (&gateway.key, "2"),
        (&gateway.key, "3"),
    ];
    let _waits = line_up(&gateway, &users).await;
    gateway.rewrite(&with("concurrency = 2").text());
    assert_eq!(upstream.next().await, "1");
    gateway.metric(WAITING, 2).await;
    gateway.rewrite(&with("").text());
    let mut both = [upstream.next().await, upstream.next().await];
    both.sort(); // each on a connection of its own, so that either may be there first
    assert_eq!(both, ["2", "3"]);
}

#[tokio::test]
async fn nobody_waits_where_there_is_no_bound() {
    let mut upstream = Holding::start().await;
    let gateway = Gateway::before(&upstream.upstream).await;
    let mut conns = Vec::new();
    for i in 0..8 {
        let user = i.to_string();
        conns.push(send(&gateway, &gateway.key, &user).await);
        assert_eq!(upstream.next().await, user);
    }
    for mut conn in conns {
        upstream.answer();
        assert_eq!(conn.response().await.status(), 200);
    }
    assert!(!gateway.metrics().await.contains("weir_queue_"));
}

#[tokio::test]
async fn a_full_queue_before_one_target_sends_a_call_to_the_next() {
    let mut upstream = Holding::start().await;
    let other = FakeUpstream::with([Reply::json(200, "{\"other\":true}")]).await;
    let gateway = upstream
        .gateway("max = 1")
        .upstream("other", &other, "")
        .config("[[model]]\nname = \"both\"\nto = [\"up\", \"other\"]")
        .start()
        .await;
    let mut holder = hold(&gateway, &upstream).await;
    let mut first = Conn::open(gateway.data).await;
    first
        .post(CHAT, &gateway.key, chat("both").to_string())
        .await;
    gateway.metric(WAITING, 1).await;
    assert!(
        other.is_untouched().await,
        "it waits for the one that it prefers"
    );
    let second = gateway.chat(chat("both")).await;
    assert_eq!(second.json()["other"], true);
    upstream.answer();
    assert_eq!(upstream.next().await, "");
    upstream.answer();
    assert_eq!(holder.response().await.status(), 200);
    assert_eq!(first.response().await.json()["object"], "chat.completion");
}

#[tokio::test]
async fn a_stream_has_its_turn_until_it_ends_and_beats_while_it_waits() {
    let (one, first) = Reply::fed();
    let (two, second) = Reply::fed();
    let upstream = FakeUpstream::with([one, two]).await;
    let gateway = Gateway::setup()
        .server("heartbeat = \"20ms\"")
        .upstream("up", &upstream, "concurrency = 1")
        .start()
        .await;
    let mut early = gateway.stream(chat_stream("up")).await;
    upstream.request().await;
    first.send(event("one").into()).unwrap();
    let mut late = gateway.stream(chat_stream("up")).await;
    assert_eq!(late.chunk().await.unwrap().unwrap(), b": ping\n");
    gateway.metric(WAITING, 1).await;
    assert!(upstream.is_untouched().await);
    first.send(END.into()).unwrap();
    drop(first);
    upstream.request().await;
    second.send(END.into()).unwrap();
    drop(second);
    for conn in [&mut early, &mut late] {
        let mut all = Vec::new();
        while let Some(chunk) = conn.chunk().await.unwrap() {
            all.extend(chunk);
        }
        assert!(all.ends_with(END.as_bytes()));
    }
    gateway.metric(TAKEN, 0).await;
}

#[tokio::test]
async fn who_waits_is_told_that_the_gateway_stops() {
    let upstream = Holding::start().await;
    let gateway = upstream
        .gateway("")
        .server("shutdown_grace = \"300ms\"\nheartbeat = \"50ms\"")
        .start()
        .await;
    let _holder = hold(&gateway, &upstream).await;
    let mut waits = line_up(&gateway, &[(&gateway.key, "waits")]).await;
    let mut stream = gateway.stream(chat_stream("up")).await;
    gateway.metric(WAITING, 2).await;
    gateway.terminate();
    waits[0].response().await.refused(503, "draining");
    let mut last = Vec::new();
    while let Some(chunk) = stream.chunk().await.expect("a proper end") {
        last = chunk;
    }
    assert_eq!(error_event(&last)["code"], "draining");
    assert_eq!(gateway.exited().await.0, Some(0));
}

#[tokio::test]
async fn an_upload_that_had_to_wait_is_not_slow() {
    let mut upstream = Holding::start().await;
    let gateway = upstream
        .gateway("")
        .server("body_timeout = \"1s\"")
        .start()
        .await;
    let _holder = hold(&gateway, &upstream).await;
    let begun = |path: &str, body: &str| {
        let key = &gateway.key;
        format!(
            "POST {path} HTTP/1.1\r\nhost: w\r\nauthorization: Bearer {key}\r\ncontent-length: 4\r\n\r\n{body}"
        )
    };
    let mut upload = Conn::open(gateway.data).await;
    upload.send(begun("/v1/files", "ab")).await;
    gateway.metric(WAITING, 1).await;
    // By the time that this is refused, the upload has waited for longer than a client may be silent.
    let mut slow = Conn::open(gateway.data).await;
    slow.send(begun(CHAT, "{\"")).await;
    slow.response().await.refused(408, "request_timeout");
    upstream.answer();
    let mut received = upstream.upstream.request().await;
    upload.send("cd").await;
    assert_eq!(received.text().await, "abcd");
    upstream.answer();
    assert_eq!(upload.response().await.status(), 200);
}
