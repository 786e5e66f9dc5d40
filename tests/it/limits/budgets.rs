//! Budgets: ceilings under many calls at once, inside a stream, and over a crash.

use super::{CENT_A_TOKEN, begin};
use crate::{
    ledger::{row, rows, rows_in, says},
    support::{END, FakeUpstream, Gateway, Reply, chat, chat_stream, error_event, event, until},
};
use serde_json::{Value, json};
use std::sync::Arc;

const CENT: i64 = 10_000_000;

async fn gateway(upstream: &FakeUpstream) -> Gateway {
    let setup = Gateway::setup().upstream("up", upstream, "stream_usage = false\n");
    setup.config(CENT_A_TOKEN).start().await
}

fn spent(rows: &[Value]) -> i64 {
    rows.iter()
        .map(|row| row["cost"].as_i64().unwrap_or(0))
        .sum()
}

#[tokio::test]
async fn a_stream_ends_with_the_last_event_that_its_budget_pays() {
    let (reply, feed) = Reply::fed();
    let upstream = FakeUpstream::with([reply]).await;
    let gateway = gateway(&upstream).await;
    let key = gateway.make_known_key(&["--budget", "5"]).await;
    let (mut conn, head) = begin(&gateway, &key.key, &chat_stream("up")).await;
    assert_eq!(head.status, 200);
    let one = event("Hi");
    for _ in 0..5 {
        feed.send(one.clone().into()).unwrap();
        assert_eq!(conn.chunks(one.len()).await, one.as_bytes());
    }
    feed.send(one.clone().into()).unwrap();
    let (rest, is_whole) = conn.body(&head).await;
    assert!(is_whole, "the body has its proper end");
    let error = error_event(&rest);
    assert_eq!(error["code"], "insufficient_quota");
    assert_eq!(error["type"], "insufficient_quota");
    assert!(
        error["message"].as_str().unwrap().contains("$0.05"),
        "{error}"
    );
    assert!(
        !String::from_utf8_lossy(&rest).contains("Hi"),
        "the sixth did not pass"
    );
    upstream.request().await.closed().await;
    let expected =
        json!({"outcome": "cut_by_budget", "output": 5, "cost": 5 * CENT, "status": 200});
    says(&row(&gateway).await, &expected);
    // And the next call is not even begun.
    let response = gateway
        .post_with(&key.key, "/v1/chat/completions", chat("up").to_string())
        .await;
    response.refused(429, "insufficient_quota");
    assert_eq!(response.header("x-should-retry"), Some("false"));
    assert_eq!(response.header("retry-after"), None);
    assert_eq!(response.header("retry-after-ms"), None);
    assert_eq!(rows(&gateway).len(), 1);
}

#[tokio::test]
async fn whose_budget_it_was_is_told_in_openai_s_words() {
    let upstream = FakeUpstream::start().await;
    let gateway = gateway(&upstream).await;
    gateway.make_project("proj_a").await;
    let key = gateway.make_known_key(&["--project", "proj_a"]).await;
    let limits: [(&[&str], &str); 2] = [
        (&["--project", "proj_a"], "project_spend_limit_exceeded"),
        (&[], "organization_spend_limit_exceeded"),
    ];
    for (scope, code) in limits {
        let exit = gateway
            .weir(&[&["limit", "spend", "1"], scope].concat())
            .await;
        assert_eq!(exit.code, Some(0), "{exit:?}");
        // More than a cent: the next call finds nothing left.
        until(code, async || {
            upstream.now([Reply::json(
                200,
                json!({"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2}})
                    .to_string(),
            )]);
            let path = "/v1/chat/completions";
            let response = gateway
                .post_with(&key.key, path, chat("up").to_string())
                .await;
            (response.status() == 429 && response.text().contains(code))
                .then(|| response.refused(429, code))
        })
        .await;
        let exit = gateway
            .weir(&[&["limit", "spend", "none"], scope].concat())
            .await;
        assert_eq!(exit.code, Some(0), "{exit:?}");
    }
}

#[tokio::test]
async fn many_streams_at_once_spend_what_there_is_and_no_more() {
    const STREAMS: usize = 60;
    // A hundred tokens for all of them, and each would have twenty.
    let events: Vec<_> = (0..20).map(|_| event("Hi")).chain([END.into()]).collect();
    let upstream = FakeUpstream::with((0..STREAMS).map(|_| Reply::streams(&events))).await;
    let gateway = Arc::new(gateway(&upstream).await);
    let key = gateway.make_known_key(&["--budget", "100"]).await;
    let key: Arc<str> = key.key.into();
    let clients = (0..STREAMS).map(|i| {
        let (gateway, key) = (Arc::clone(&gateway), Arc::clone(&key));
        tokio::spawn(async move {
            let (mut conn, head) = begin(&gateway, &key, &chat_stream("up")).await;
            match head.status {
                200 if i % 5 == 0 => drop(conn), // some leave at once
                200 => assert!(conn.body(&head).await.1),
                status => assert_eq!(status, 429),
            }
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.unwrap();
    }
    let path = "/v1/chat/completions";
    let last = until("all is spent", async || {
        upstream.now([Reply::streams(&events)]);
        let response = gateway
            .post_with(&key, path, chat_stream("up").to_string())
            .await;
        (response.status() == 429).then_some(response)
    })
    .await;
    last.refused(429, "insufficient_quota");
    let dir = Arc::into_inner(gateway).unwrap();
    dir.terminate();
    let dir = dir.dir_after_exit().await;
    let spent = spent(&rows_in(&dir));
    assert!((98 * CENT..=100 * CENT).contains(&spent), "{spent}");
}

#[tokio::test]
async fn what_was_spent_is_remembered_over_a_crash() {
    let (reply, feed) = Reply::fed();
    let usage = json!({"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 4}});
    let upstream = FakeUpstream::with([Reply::json(200, usage.to_string()), reply]).await;
    let setup = || {
        let setup = Gateway::setup().upstream("up", &upstream, "stream_usage = false\n");
        setup.config(CENT_A_TOKEN)
    };
    let gateway = setup().start().await;
    let key = gateway
        .make_known_key(&["--budget", "10", "--budget-interval", "life"])
        .await;
    let path = "/v1/chat/completions";
    let response = gateway
        .post_with(&key.key, path, chat("up").to_string())
        .await;
    assert_eq!(response.status(), 200, "{}", response.text());
    let (mut conn, head) = begin(&gateway, &key.key, &chat_stream("up")).await;
    assert_eq!(head.status, 200);
    let one = event("Hi");
    for _ in 0..3 {
        feed.send(one.clone().into()).unwrap();
        conn.chunks(one.len()).await;
    }
    let gateway = setup().start_in(gateway.killed()).await;
    // Seven of ten are gone, so that three are left.
    let (reply, feed) = Reply::fed();
    upstream.now([reply]);
    let (mut conn, head) = begin(&gateway, &key.key, &chat_stream("up")).await;
    assert_eq!(head.status, 200);
    for _ in 0..3 {
        feed.send(one.clone().into()).unwrap();
        assert_eq!(conn.chunks(one.len()).await, one.as_bytes());
    }
    feed.send(one.clone().into()).unwrap();
    let (rest, _) = conn.body(&head).await;
    assert_eq!(error_event(&rest)["code"], "insufficient_quota");
}

#[tokio::test]
async fn what_nobody_has_priced_no_budget_holds() {
    let answer = json!({"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 1}});
    let upstream = FakeUpstream::with([Reply::json(200, answer.to_string())]).await;
    let setup = Gateway::setup().upstream("up", &upstream, "");
    let gateway = setup.start().await;
    let key = gateway.make_known_key(&["--budget", "5"]).await;
    let path = "/v1/chat/completions";
    let response = gateway
        .post_with(&key.key, path, chat("up").to_string())
        .await;
    response.refused(403, "model_not_priced");
    assert!(upstream.is_untouched().await);
    let setup = Gateway::setup().upstream("up", &upstream, "");
    gateway.rewrite(&setup.config("[limits]\nunpriced = \"allow\"\n").text());
    gateway.signal(rustix::process::Signal::HUP);
    gateway
        .log_line(|line| line.contains("took up the changed configuration"))
        .await;
    let response = gateway
        .post_with(&key.key, path, chat("up").to_string())
        .await;
    assert_eq!(response.status(), 200, "{}", response.text());
}
