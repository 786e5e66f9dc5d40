//! What a call leaves on the ledger, and what an operator sees of it.

use crate::support::{
    Conn, Database, Dir, END, FakeUpstream, Gateway, Reply, chat, chat_stream, event, until, weir,
    within,
};
use serde_json::{Value, json};
use weir::{domain::Place, store};

/// All rows, oldest first, as objects.
pub(crate) fn rows(gateway: &Gateway) -> Vec<Value> {
    rows_in(&gateway.dir)
}

/// The same of a gateway that ran in `dir`.
pub(crate) fn rows_in(dir: &Dir) -> Vec<Value> {
    let value = |value: &store::Value| match value {
        store::Value::Int(number) => json!(number),
        store::Value::Text(text) => json!(text),
        store::Value::Null | store::Value::Bytes(_) => Value::Null,
    };
    let object = |row: store::Row| {
        let members = row.columns().iter().cloned();
        members.zip(row.values().iter().map(value)).collect()
    };
    let rows = dir.query("SELECT * FROM entry ORDER BY id");
    rows.into_iter().map(object).collect()
}

/// Waits for the row that a test is about.
pub(crate) async fn row(gateway: &Gateway) -> Value {
    until("a row", async || rows(gateway).pop()).await
}

/// The members of `row` that `expected` has.
#[track_caller]
pub(crate) fn says(row: &Value, expected: &Value) {
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&row[name], value, "{name} of {row}");
    }
}

#[tokio::test]
async fn a_whole_answer_is_one_row_with_what_its_provider_said() {
    let answer = json!({
        "id": "c", "model": "gpt-5-2026", "choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 20, "completion_tokens": 0, "prompt_tokens_details": {"cached_tokens": 8}},
    });
    let headers = [
        ("content-type", "application/json"),
        ("x-request-id", "req_up"),
    ];
    let reply = Reply::with(200, &headers, answer.to_string());
    let upstream = FakeUpstream::with([reply]).await;
    let gateway = Gateway::before(&upstream).await;
    assert_eq!(gateway.chat(chat("up")).await.status(), 200);
    let expected = json!({
        "endpoint": "chat", "model": "up", "served_model": "gpt-5-2026", "provider": "openai", "upstream": "up",
        "stream": 0, "input": 20, "cached": 8, "output": 0, "reasoning": null, "source": "provider", "cost": null,
        "attempts": 1, "outcome": "completed", "status": 200, "finish_reason": "stop",
        "upstream_request_id": "req_up",
    });
    let row = row(&gateway).await;
    says(&row, &expected);
    assert!(gateway.key.contains(row["key_id"].as_str().unwrap()));
}

#[tokio::test]
async fn an_answer_is_read_whatever_its_server_calls_it() {
    let answer = json!({"choices": [], "usage": {"prompt_tokens": 20, "completion_tokens": 3}});
    let unnamed = Reply::with(200, &[], answer.to_string());
    let text = Reply::with(200, &[("content-type", "text/plain")], answer.to_string());
    let image = json!({"data": [{"url": "x"}]}).to_string();
    let upstream = FakeUpstream::with([unnamed, text, Reply::with(200, &[], image)]).await;
    let gateway = Gateway::before(&upstream).await;
    for _ in 0..2 {
        assert_eq!(gateway.chat(chat("up")).await.status(), 200);
    }
    let image = json!({"model": "up", "prompt": "x"}).to_string();
    let made = gateway.post("/v1/images/generations", image).await;
    assert_eq!(made.status(), 200);
    gateway.metric("weir_ledger_slots_used", 0).await;
    let rows = rows(&gateway);
    for row in &rows[..2] {
        says(
            row,
            &json!({"input": 20, "output": 3, "source": "provider"}),
        );
    }
    says(
        &rows[2],
        &json!({"endpoint": "image_generations", "quantity": 1}),
    );
}

#[tokio::test]
async fn an_answer_without_a_body_is_complete_and_charges_nothing() {
    let upstream = FakeUpstream::with([
        Reply::raw("HTTP/1.1 204 No Content\r\n\r\n"),
        Reply::with(302, &[("location", "/elsewhere")], ""),
        Reply::with(500, &[], ""),
        Reply::json(200, ""),
        Reply::raw("HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n"),
    ])
    .await;
    let gateway = Gateway::before(&upstream).await;
    let delete = gateway.send("DELETE", "/v1/files/file-1", &[]).await;
    assert_eq!(delete.status(), 204);
    assert_eq!(gateway.get("/v1/files/file-1").await.status(), 302);
    assert_eq!(gateway.post("/v1/responses", "{}").await.status(), 500);
    assert_eq!(gateway.chat(chat("up")).await.text(), "");
    let key = &gateway.key;
    let mut conn = Conn::open(gateway.data).await;
    conn.send(format!(
        "HEAD /v1/files/file-1 HTTP/1.1\r\nhost: w\r\nauthorization: Bearer {key}\r\n\r\n"
    ))
    .await;
    assert_eq!(conn.head().await.get("content-length"), Some("500"));
    let rows = until("five rows", async || {
        Some(rows(&gateway)).filter(|rows| rows.len() == 5)
    })
    .await;
    for (row, status) in rows.iter().zip([204, 302, 500, 200, 200]) {
        says(
            row,
            &json!({"outcome": "completed", "status": status, "input": null}),
        );
    }
}

#[tokio::test]
async fn a_stream_that_is_cut_by_its_client_is_estimated_from_what_went_by() {
    let (reply, feed) = Reply::fed();
    let upstream = FakeUpstream::with([reply]).await;
    let gateway = Gateway::before(&upstream).await;
    let mut conn = gateway.stream(chat_stream("up")).await;
    for _ in 0..3 {
        feed.send(event("x").into()).unwrap();
        conn.chunks(event("x").len()).await;
    }
    drop(conn);
    let expected =
        json!({"outcome": "client_gone", "output": 3, "source": "estimated", "stream": 1});
    says(&row(&gateway).await, &expected);
}

#[tokio::test]
async fn a_stream_is_settled_before_its_client_reads_the_last_word() {
    let usage =
        "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":2}}\n\n";
    let (reply, feed) = Reply::fed();
    let upstream = FakeUpstream::with([reply]).await;
    let gateway = Gateway::before(&upstream).await;
    let mut conn = gateway.stream(chat_stream("up")).await;
    let end = END.replace("data: [DONE]", &format!("{usage}data: [DONE]"));
    feed.send(end.into()).unwrap();
    conn.chunks(END.len()).await;
    // The upstream's connection is still open.
    let expected = json!({"outcome": "completed", "input": 5, "output": 2, "source": "provider"});
    says(&row(&gateway).await, &expected);
    drop(feed);
    assert_eq!(conn.chunk().await, Ok(None));
    assert_eq!(rows(&gateway).len(), 1);
}

#[tokio::test]
async fn nonsense_in_usage_is_refused_and_reported() {
    let answer = json!({"choices": [{"message": {"content": "Hi"}}], "usage": {"prompt_tokens": 4, "completion_tokens": -3}});
    let upstream = FakeUpstream::with([Reply::json(200, answer.to_string())]).await;
    let gateway = Gateway::before(&upstream).await;
    gateway.chat(chat("up")).await;
    says(
        &row(&gateway).await,
        &json!({"input": 4, "source": "estimated"}),
    );
    gateway.metric("weir_ledger_usage_refused_total", 1).await;
}

#[tokio::test]
async fn a_call_that_no_upstream_answers_is_a_row_too() {
    let upstream = FakeUpstream::with([Reply::reset()]).await;
    let gateway = Gateway::before(&upstream).await;
    gateway
        .chat(chat("up"))
        .await
        .refused(502, "upstream_unreachable");
    let expected =
        json!({"outcome": "upstream_failed", "status": 502, "upstream": null, "source": null});
    says(&row(&gateway).await, &expected);
}

#[tokio::test]
async fn without_a_slot_a_call_is_refused_and_never_served_unmetered() {
    let upstream = FakeUpstream::with([Reply::silence()]).await;
    let gateway = Gateway::setup()
        .config("[ledger]\nslots = 16")
        .upstream("up", &upstream, "")
        .start()
        .await;
    let mut conns = Vec::new();
    for _ in 0..16 {
        let mut conn = Conn::open(gateway.data).await;
        conn.post("/v1/chat/completions", &gateway.key, chat("up").to_string())
            .await;
        upstream.request().await;
        conns.push(conn);
    }
    let refused = gateway.chat(chat("up")).await;
    refused.refused(503, "ledger_full");
    assert_eq!(refused.header("retry-after"), Some("1"));
    gateway.metric("weir_ledger_slots_used", 16).await;
    drop(conns);
    gateway.metric("weir_ledger_slots_used", 0).await;
    assert_eq!(rows(&gateway).len(), 16);
}

#[tokio::test]
async fn a_store_that_is_locked_delays_rows_and_loses_none() {
    let answer = json!({"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2}});
    let upstream = FakeUpstream::with([Reply::json(200, answer.to_string())]).await;
    let gateway = Gateway::before(&upstream).await;
    let (unlock, until) = std::sync::mpsc::channel::<()>();
    let (locked, is_locked) = tokio::sync::oneshot::channel();
    let place = gateway.dir.place().clone();
    let lock = std::thread::spawn(move || {
        let mut conn = store::connect(&place).unwrap();
        conn.transact(store::Mode::Write, |tx| {
            // SQLite's writers lock all there is.
            if let Place::Postgres(_) = place {
                tx.run("LOCK TABLE entry IN EXCLUSIVE MODE")?;
            }
            locked.send(()).unwrap();
            until.recv().unwrap();
            Ok::<_, store::Error>(())
        })
    });
    is_locked.await.unwrap();
    for _ in 0..20 {
        assert_eq!(gateway.chat(chat("up")).await.status(), 200);
    }
    assert!(rows(&gateway).is_empty());
    gateway.metric("weir_ledger_slots_waiting", 20).await;
    unlock.send(()).unwrap();
    lock.join().unwrap().unwrap();
    gateway.metric("weir_ledger_slots_used", 0).await;
    assert_eq!(rows(&gateway).len(), 20);
}

#[tokio::test]
async fn two_processes_cannot_share_a_flight_table() {
    let gateway = Gateway::setup().start().await;
    let arguments = [
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--control-listen",
        "127.0.0.1:0",
    ];
    let second = weir(gateway.dir.path(), &arguments, &[]).await;
    assert_eq!(second.code, Some(2), "{second:?}");
    assert!(
        second.stderr.contains("in use by another weir"),
        "{second:?}"
    );
}

#[tokio::test]
async fn an_operator_sees_usage_and_that_all_agree() {
    let answer = json!({"choices": [], "usage": {"prompt_tokens": 10, "completion_tokens": 2}});
    let upstream = FakeUpstream::with([Reply::json(200, answer.to_string())]).await;
    let gateway = Gateway::before(&upstream).await;
    for _ in 0..3 {
        gateway.chat(chat("up")).await;
    }
    gateway.metric("weir_ledger_slots_used", 0).await;
    let usage = async |arguments: &[&str]| {
        let exit = gateway.weir(&[&["usage"], arguments].concat()).await;
        assert_eq!(exit.code, Some(0), "{exit:?}");
        exit.stdout
    };
    let csv = usage(&["--by", "model", "--format", "csv"]).await;
    assert_eq!(csv.lines().nth(1), Some("up,3,30,0,6,0,0,0,3"), "{csv}");
    let json = usage(&["--by", "key", "--since", "1h", "--format", "json"]).await;
    let line: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&line["requests"], &line["input"]), (&json!(3), &json!(30)));
    let table = usage(&["--by", "day", "--since", "2020-01-01"]).await;
    assert!(table.lines().nth(1).unwrap().contains('█'), "{table}");
    let wrong = gateway.weir(&["usage", "--since", "tomorrow"]).await;
    assert_eq!(wrong.code, Some(2), "{wrong:?}");

    let doctor = gateway.weir(&["doctor"]).await;
    assert_eq!(doctor.code, Some(0), "{doctor:?}");
    assert!(
        doctor.stdout.contains("a gateway has it open"),
        "{doctor:?}"
    );
    assert!(doctor.stdout.ends_with("all agree\n"), "{doctor:?}");
}

#[tokio::test]
async fn what_is_settled_is_committed_before_a_clean_end() {
    let answer = json!({"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2}});
    let upstream = FakeUpstream::with([Reply::json(200, answer.to_string())]).await;
    let gateway = Gateway::before(&upstream).await;
    gateway.chat(chat("up")).await;
    gateway.terminate();
    let dir = within("the end", gateway.dir_after_exit()).await;
    let count: i64 = dir.query("SELECT count(*) FROM entry")[0].get(0).unwrap();
    assert_eq!(count, 1);
}

#[tokio::test]
async fn where_no_store_is_a_question_about_it_is_a_mistake_and_makes_none() {
    let Some(dir) = Dir::on(Database::Sqlite) else {
        return;
    };
    for command in [&["doctor"][..], &["usage"], &["usage", "--export"]] {
        let exit = weir(dir.path(), command, &[]).await;
        assert_eq!(exit.code, Some(2), "{exit:?}");
        assert!(exit.stderr.contains("there is no store at"), "{exit:?}");
        assert!(!dir.path().join("data").exists(), "{command:?}");
    }
}
