//! Rates, and requests in the air.

use super::{begin, told};
use crate::support::{END, FakeUpstream, Gateway, Reply, chat, chat_stream, event, until};
use serde_json::json;
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// An answer of seven tokens to a prompt of five.
fn answer() -> Reply {
    let usage = json!({"prompt_tokens": 5, "completion_tokens": 7});
    let body = json!({"choices": [{"message": {"content": "Hi"}}], "usage": usage});
    Reply::json(200, body.to_string())
}

async fn gateway(upstream: &FakeUpstream, more: &str) -> Gateway {
    let setup = Gateway::setup().upstream("up", upstream, "");
    setup.config(more).start().await
}

#[tokio::test]
async fn what_is_over_the_rate_is_refused_with_when_to_come_back() {
    let upstream = FakeUpstream::with((0..3).map(|_| answer())).await;
    let gateway = gateway(&upstream, "").await;
    let key = gateway
        .make_known_key(&["--requests-per-minute", "120"])
        .await;
    // Two a second come back, so that the third of three in a row is not among them.
    let path = "/v1/chat/completions";
    let body = chat("up").to_string();
    let slow = gateway
        .make_known_key(&["--requests-per-minute", "2"])
        .await;
    for left in ["1", "0"] {
        let response = gateway.post_with(&slow.key, path, &body).await;
        assert_eq!(response.status(), 200, "{}", response.text());
        assert_eq!(response.header("x-ratelimit-limit-requests"), Some("2"));
        assert_eq!(
            response.header("x-ratelimit-remaining-requests"),
            Some(left)
        );
        assert!(
            response
                .header("x-ratelimit-reset-requests")
                .unwrap()
                .ends_with('s')
        );
    }
    let response = gateway.post_with(&slow.key, path, &body).await;
    let error = response.refused(429, "rate_limit_exceeded");
    assert_eq!(error["type"], "requests");
    let message = error["message"].as_str().unwrap();
    assert!(
        message.contains("limit 2, left 0") && !message.contains("sk-"),
        "{message}"
    );
    assert_eq!(response.header("x-should-retry"), None);
    assert_eq!(response.header("x-ratelimit-remaining-requests"), Some("0"));
    let wait = told(&response);
    assert!(
        Duration::from_secs(20) < wait && wait <= Duration::from_secs(32),
        "{wait:?}"
    );
    // Another key is not concerned.
    let response = gateway.post_with(&key.key, path, &body).await;
    assert_eq!(response.status(), 200, "{}", response.text());
    let refused = "weir_limited_total{level=\"key\",limit=\"requests_per_minute\"}";
    gateway.metric(refused, 1).await;
}

#[tokio::test]
async fn whoever_waits_as_long_as_told_is_let_in() {
    const CALLERS: usize = 60;
    let upstream = FakeUpstream::with((0..2 * CALLERS).map(|_| answer())).await;
    let tier = "[[tier]]\nname = \"brisk\"\nrequests_per_minute = 1200\nrequests_burst = 20\n";
    let gateway = Arc::new(gateway(&upstream, tier).await);
    let key = Arc::new(gateway.make_known_key(&["--tier", "brisk"]).await);
    let call = async |gateway: &Gateway, key: &str| {
        let path = "/v1/chat/completions";
        gateway.post_with(key, path, chat("up").to_string()).await
    };
    let callers = (0..CALLERS).map(|_| {
        let (gateway, key) = (Arc::clone(&gateway), Arc::clone(&key));
        tokio::spawn(async move {
            let first = call(&gateway, &key.key).await;
            if first.status() == 200 {
                return 0;
            }
            let again = Instant::now() + told(&first);
            tokio::time::sleep_until(again).await; // it is what the client was told to do
            let second = call(&gateway, &key.key).await;
            assert_eq!(second.status(), 200, "{}", second.text());
            1
        })
    });
    let mut waited = 0;
    for caller in callers.collect::<Vec<_>>() {
        waited += caller.await.unwrap();
    }
    assert!(waited > 0, "all of them at once were let in");
}

#[tokio::test]
async fn whoever_is_late_by_a_little_is_let_in_even_where_nothing_is_saved() {
    const CALLERS: usize = 8;
    /// So late anybody may be.
    const EASE: Duration = Duration::from_millis(100);
    let upstream = FakeUpstream::with((0..CALLERS).map(|_| answer())).await;
    let tier = "[[tier]]\nname = \"single\"\nrequests_per_minute = 300\nrequests_burst = 1\n";
    let gateway = Arc::new(gateway(&upstream, tier).await);
    let key = Arc::new(gateway.make_known_key(&["--tier", "single"]).await);
    let callers = (0..CALLERS).map(|number| {
        let (gateway, key) = (Arc::clone(&gateway), Arc::clone(&key));
        tokio::spawn(async move {
            let path = "/v1/chat/completions";
            let call = || gateway.post_with(&key.key, path, chat("up").to_string());
            let first = call().await;
            if first.status() == 200 {
                return (0, Duration::ZERO);
            }
            let again = Instant::now() + told(&first);
            // Every other one comes a little later than it was told.
            let late = EASE / 2 * (number as u32 % 2);
            tokio::time::sleep_until(again + late).await;
            let second = call().await;
            (usize::from(second.status() != 200), again.elapsed())
        })
    });
    let (mut refused, mut latest) = (0, Duration::ZERO);
    for caller in callers.collect::<Vec<_>>() {
        let (again, late) = caller.await.unwrap();
        refused += again;
        latest = latest.max(late);
    }
    // On a machine that is too busy to come in time, nobody was promised anything.
    assert!(
        refused == 0 || latest > EASE,
        "{refused} were refused again"
    );
}

#[tokio::test]
async fn of_many_at_once_exactly_as_many_pass_as_may() {
    const CALLERS: usize = 200;
    let upstream = FakeUpstream::with((0..50).map(|_| answer())).await;
    let gateway = Arc::new(gateway(&upstream, "").await);
    // 50 in 24 hours: none comes back while the test runs.
    let key = gateway.make_known_key(&["--requests-per-day", "50"]).await;
    let key: Arc<str> = key.key.into();
    let callers = (0..CALLERS).map(|_| {
        let (gateway, key) = (Arc::clone(&gateway), Arc::clone(&key));
        tokio::spawn(async move {
            let path = "/v1/chat/completions";
            let response = gateway.post_with(&key, path, chat("up").to_string()).await;
            response.status()
        })
    });
    let mut passed = 0;
    for caller in callers.collect::<Vec<_>>() {
        let status = caller.await.unwrap();
        assert!([200, 429].contains(&status), "{status}");
        passed += usize::from(status == 200);
    }
    assert_eq!(passed, 50);
}

#[tokio::test]
async fn so_many_are_in_the_air_and_no_more() {
    let (first, feed) = Reply::fed();
    let upstream = FakeUpstream::with([first, answer()]).await;
    let gateway = gateway(&upstream, "").await;
    let key = gateway
        .make_known_key(&["--concurrent-requests", "1"])
        .await;
    let (mut conn, head) = begin(&gateway, &key.key, &chat_stream("up")).await;
    assert_eq!(head.status, 200);
    let path = "/v1/chat/completions";
    let body = chat("up").to_string();
    let response = gateway.post_with(&key.key, path, &body).await;
    let error = response.refused(429, "rate_limit_exceeded");
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("at the same time")
    );
    feed.send(END.into()).unwrap();
    drop(feed);
    assert!(conn.body(&head).await.1);
    // The place is free once the stream is over, and the client may know that a moment earlier.
    let response = until("the place is free", async || {
        let response = gateway.post_with(&key.key, path, &body).await;
        (response.status() == 200).then_some(response)
    });
    response.await;
}

#[tokio::test]
async fn a_client_that_leaves_gives_its_place_back() {
    let upstream = FakeUpstream::with([Reply::silence(), answer()]).await;
    let gateway = gateway(&upstream, "").await;
    let key = gateway
        .make_known_key(&["--concurrent-requests", "1"])
        .await;
    let mut conn = crate::support::Conn::open(gateway.data).await;
    conn.post("/v1/chat/completions", &key.key, chat("up").to_string())
        .await;
    upstream.request().await;
    drop(conn);
    let path = "/v1/chat/completions";
    until("the place is free", async || {
        let response = gateway
            .post_with(&key.key, path, chat("up").to_string())
            .await;
        (response.status() == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn tokens_are_corrected_to_what_was_used() {
    let upstream = FakeUpstream::with((0..2).map(|_| answer())).await;
    let gateway = gateway(&upstream, "").await;
    let key = gateway
        .make_known_key(&["--tokens-per-day", "100000"])
        .await;
    let path = "/v1/chat/completions";
    let body = chat("up").to_string();
    let first = gateway.post_with(&key.key, path, &body).await;
    assert_eq!(first.header("x-ratelimit-limit-tokens"), Some("100000"));
    let held = |response: &crate::support::Response| {
        let left: u64 = response
            .header("x-ratelimit-remaining-tokens")
            .unwrap()
            .parse()
            .unwrap();
        100_000 - left
    };
    assert!(held(&first) > 4096, "the prompt, and room for an answer");
    // Twelve were used; a token comes back every 0.9 seconds, which may have happened.
    let second = until("settled", async || {
        let response = gateway.post_with(&key.key, path, &body).await;
        Some(response)
    })
    .await;
    let more = held(&second) - held(&first);
    assert!((10..=12).contains(&more), "{more}");
}

#[tokio::test]
async fn a_stream_that_is_faster_than_its_rate_is_slowed_down() {
    let events: Vec<_> = (0..40).map(|_| event("Hi")).chain([END.into()]).collect();
    let expected: usize = events.iter().map(String::len).sum();
    let upstream = FakeUpstream::with([Reply::streams(events)]).await;
    // A token of the answer every 50 ms after the first ten.
    let tier = "[[tier]]\nname = \"slow\"\noutput_tokens_per_minute = 1200\ntokens_burst = 10\n";
    let gateway = gateway(&upstream, tier).await;
    let key = gateway.make_known_key(&["--tier", "slow"]).await;
    let begun = Instant::now();
    let (mut conn, head) = begin(&gateway, &key.key, &chat_stream("up")).await;
    let (body, is_whole) = conn.body(&head).await;
    assert!(
        is_whole && body.len() == expected,
        "{}",
        String::from_utf8_lossy(&body)
    );
    assert!(
        begun.elapsed() >= Duration::from_millis(1400),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test]
async fn a_stream_is_not_cut_for_those_who_were_refused() {
    let (reply, feed) = Reply::fed();
    let upstream = FakeUpstream::with([reply]).await;
    // 20 tokens a second after the first two hundred.
    let tier = "[[tier]]\nname = \"slow\"\ntokens_per_minute = 1200\ntokens_burst = 200\n";
    let gateway = gateway(&upstream, tier).await;
    let key = gateway.make_known_key(&["--tier", "slow"]).await;
    let (mut conn, head) = begin(&gateway, &key.key, &chat_stream("up")).await;
    assert_eq!(head.status, 200);
    let part = event("Hi").repeat(100);
    feed.send(part.clone().into()).unwrap();
    assert_eq!(conn.chunks(part.len()).await, part.as_bytes());
    // Each of them is told more than a minute.
    let mut large = chat("up");
    large["messages"][0]["content"] = "a word ".repeat(2000).into();
    for _ in 0..3 {
        let path = "/v1/chat/completions";
        let response = gateway.post_with(&key.key, path, large.to_string()).await;
        response.refused(429, "rate_limit_exceeded");
    }
    let rest = event("Hi").repeat(110) + END;
    feed.send(rest.clone().into()).unwrap();
    drop(feed);
    let (body, is_whole) = conn.body(&head).await;
    let body = String::from_utf8_lossy(&body);
    assert!(is_whole && body == rest, "{body}");
}

#[tokio::test]
async fn a_project_s_limit_on_a_pattern_is_one_for_all_models_under_it() {
    let upstream = FakeUpstream::start().await;
    let setup = Gateway::setup().upstream("up", &upstream, "");
    let more = "[[model]]\nname = \"m-*\"\nto = [\"up\"]\n";
    let gateway = setup.config(more).start().await;
    gateway.make_project("proj_a").await;
    let rate = [
        "limit",
        "rate",
        "m-*",
        "--project",
        "proj_a",
        "--requests-per-minute",
        "2",
    ];
    let exit = gateway.weir(&rate).await;
    assert_eq!(exit.code, Some(0), "{exit:?}");
    let key = gateway.make_known_key(&["--project", "proj_a"]).await;
    let path = "/v1/chat/completions";
    // The limit is in force within a second of its change; and no model is asked for twice.
    let mut count = 0;
    let refused = until("the limit is in force", async || {
        upstream.now([answer()]);
        count += 1;
        let body = chat(&format!("m-{count}")).to_string();
        let response = gateway.post_with(&key.key, path, body).await;
        (response.status() == 429).then_some(response)
    });
    let error = refused.await.refused(429, "rate_limit_exceeded");
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("model in its project")
    );
}

#[tokio::test]
async fn an_address_that_guesses_is_told_to_stop() {
    let upstream = FakeUpstream::with([answer()]).await;
    let limit = "[[limit]]\non = \"address\"\nrequests_per_day = 3\n";
    let gateway = gateway(&upstream, limit).await;
    let path = "/v1/chat/completions";
    let body = chat("up").to_string();
    for _ in 0..3 {
        let response = gateway.post_with("sk-weir-nonsense", path, &body).await;
        response.refused(401, "invalid_api_key");
    }
    let response = gateway.post_with("sk-weir-nonsense", path, &body).await;
    let error = response.refused(429, "rate_limit_exceeded");
    assert!(error["message"].as_str().unwrap().contains("address"));
    // Who has a key is not kept out by a neighbour.
    assert_eq!(gateway.chat(chat("up")).await.status(), 200);
}
