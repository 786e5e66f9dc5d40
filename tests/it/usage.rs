//! What was used, as operators, keys and accountants read it.

use crate::support::{FakeUpstream, Gateway, Reply, Response, chat, error_of};
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

const DAY: u64 = 86_400;

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs()
}

/// The midnight before yesterday: a test that runs over midnight sees all of its calls.
fn lately() -> u64 {
    now() / DAY * DAY - DAY
}

/// What an upstream answers that used this much.
fn answer(input: u64, cached: u64, output: u64) -> Reply {
    let body = json!({
        "model": "up-2026-11-01", "choices": [],
        "usage": {
            "prompt_tokens": input, "completion_tokens": output,
            "prompt_tokens_details": {"cached_tokens": cached},
        },
    });
    Reply::json(200, body.to_string())
}

/// A gateway after three chats and one embedding.
async fn used() -> Gateway {
    let upstream = FakeUpstream::with([
        answer(100, 40, 7),
        answer(100, 40, 7),
        answer(100, 40, 7),
        Reply::json(
            200,
            json!({"data": [], "usage": {"prompt_tokens": 9}}).to_string(),
        ),
    ])
    .await;
    let gateway = Gateway::before(&upstream).await;
    for _ in 0..3 {
        assert_eq!(gateway.chat(chat("up")).await.status(), 200);
    }
    let embed = json!({"model": "up", "input": "x"});
    assert_eq!(gateway.post("/v1/embeddings", embed).await.status(), 200);
    gateway.metric("weir_ledger_slots_used", 0).await;
    gateway
}

async fn admin(gateway: &Gateway, path: &str) -> Response {
    let authorization = format!("Bearer {}", gateway.admin);
    gateway.control_with(path, &authorization).await
}

/// All results on a page, whatever their bucket.
fn results(page: &Value) -> Vec<Value> {
    assert_eq!(page["object"], "page");
    let buckets = page["data"].as_array().unwrap();
    let of = |bucket: &Value| bucket["results"].as_array().unwrap().clone();
    buckets.iter().flat_map(of).collect()
}

fn key_id(gateway: &Gateway) -> &str {
    let key = gateway.key.strip_prefix("sk-weir-").unwrap();
    key.split('_').next().unwrap()
}

#[tokio::test]
async fn usage_is_told_in_openais_shape() {
    let gateway = used().await;
    let start = lately();
    let usage = async |rest: &str| {
        let path = format!("/v1/organization/usage/{rest}");
        let page = admin(&gateway, &path).await;
        assert_eq!(page.status(), 200, "{}", page.text());
        page.json()
    };
    let page = usage(&format!(
        "completions?start_time={start}&group_by[]=model&group_by=api_key_id&group_by=batch"
    ))
    .await;
    let expected = json!({
        "object": "organization.usage.completions.result", "num_model_requests": 3,
        "input_tokens": 300, "input_cached_tokens": 120, "input_uncached_tokens": 180,
        "input_cache_write_tokens": 0, "output_tokens": 21,
        "input_audio_tokens": 0, "output_audio_tokens": 0,
        "api_key_id": format!("key_{}", key_id(&gateway)), "model": "up", "batch": false,
        "project_id": null, "user_id": null, "service_tier": null,
    });
    assert_eq!(results(&page), [expected]);
    assert_eq!(page["has_more"], false);
    assert_eq!(page["next_page"], Value::Null);
    let buckets = page["data"].as_array().unwrap();
    assert_eq!(buckets[0]["start_time"], start);
    assert_eq!(buckets[0]["end_time"], start + DAY);

    for width in ["1m", "1h", "1d"] {
        let since = now() - 600;
        let page = usage(&format!(
            "completions?start_time={since}&bucket_width={width}"
        ))
        .await;
        let results = results(&page);
        let requests = results
            .iter()
            .map(|result| result["num_model_requests"].as_u64());
        assert_eq!(requests.sum::<Option<u64>>(), Some(3), "{width}: {page}");
    }
    let page = usage(&format!("embeddings?start_time={start}")).await;
    assert_eq!(results(&page)[0]["input_tokens"], 9);
    let key = key_id(&gateway);
    for nothing in [
        "moderations",
        "images",
        "audio_speeches",
        "audio_transcriptions",
    ] {
        let page = usage(&format!("{nothing}?start_time={start}")).await;
        assert_eq!(results(&page), [json!(null); 0]);
    }
    for (filter, found) in [
        (format!("api_key_ids={key}"), 1),
        (format!("api_key_ids=key_{key}"), 1),
        ("api_key_ids=nobody".to_owned(), 0),
        ("models[]=down&models[]=up".to_owned(), 1),
        ("project_ids=p".to_owned(), 0),
        ("batch=true".to_owned(), 0),
        ("batch=false".to_owned(), 1),
    ] {
        let page = usage(&format!("completions?start_time={start}&{filter}")).await;
        assert_eq!(results(&page).len(), found, "{filter}");
    }
    for filter in [
        "sizes=1024x1024&group_by=size",
        "sources=image.edit&group_by=source",
    ] {
        let page = usage(&format!("images?start_time={start}&{filter}")).await;
        assert_eq!(results(&page).len(), 0, "{filter}");
    }
}

#[tokio::test]
async fn pages_follow_one_another_with_a_bucket_for_every_day() {
    let gateway = used().await;
    let start = lately() - 40 * DAY;
    let mut path = format!("/v1/organization/usage/completions?start_time={start}&limit=31");
    let mut days = Vec::new();
    let mut requests = 0;
    loop {
        let page = admin(&gateway, &path).await.json();
        for bucket in page["data"].as_array().unwrap() {
            days.push(bucket["start_time"].as_u64().unwrap());
        }
        requests += results(&page).len();
        match page["next_page"].as_str() {
            Some(next) => {
                assert_eq!(page["has_more"], true);
                path = format!(
                    "/v1/organization/usage/completions?start_time={start}&limit=31&page={next}"
                );
            }
            None => break,
        }
    }
    let expected: Vec<u64> = (0..days.len() as u64)
        .map(|day| start + day * DAY)
        .collect();
    assert_eq!(days, expected);
    assert!((42..=43).contains(&days.len()), "{days:?}");
    assert_eq!(requests, 1);
}

#[tokio::test]
async fn costs_are_exact_to_the_last_digit() {
    let upstream = FakeUpstream::with([answer(100, 40, 7)]).await;
    let gateway = Gateway::setup()
        .upstream("up", &upstream, "")
        .config(
            "[[price]]\nmodel = \"up-2026-11-01\"\ninput = 1.25\ncached_input = 0.125\noutput = 10",
        )
        .config("[[price]]\nmodel = \"up\"\ninput = 1.25\ncached_input = 0.125\noutput = 10")
        .start()
        .await;
    gateway.chat(chat("up")).await;
    gateway.metric("weir_ledger_slots_used", 0).await;
    let path = format!(
        "/v1/organization/costs?start_time={}&group_by=line_item",
        lately()
    );
    let page = admin(&gateway, &path).await;
    // 60 * 1250 + 40 * 125 + 7 * 10000 nano-dollars.
    assert!(
        page.text()
            .contains(r#""amount":{"value":0.00015,"currency":"usd"}"#),
        "{}",
        page.text()
    );
    let [cost] = &results(&page.json())[..] else {
        panic!("{}", page.text());
    };
    assert_eq!(
        (&cost["line_item"], &cost["project_id"]),
        (&json!("up"), &Value::Null)
    );
    let table = gateway.weir(&["usage", "--by", "model"]).await;
    assert!(table.stdout.contains("$0.0002"), "{table:?}");
    let json = gateway.weir(&["usage", "--format", "json"]).await;
    let line: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(line["cost"], "0.00015");
}

#[tokio::test]
async fn only_admins_are_told_and_mistakes_are_named() {
    let gateway = Gateway::setup().start().await;
    for path in [
        "/v1/organization/usage/completions?start_time=1",
        "/v1/organization/costs?start_time=1",
        "/admin/usage/export",
    ] {
        gateway.control(path).await.refused(401, "invalid_api_key");
        let of_a_key = format!("Bearer {}", gateway.key);
        let refused = gateway.control_with(path, &of_a_key).await;
        refused.refused(401, "invalid_api_key");
    }
    let usage = "/v1/organization/usage/completions";
    let costs = "/v1/organization/costs";
    for (path, query, param, code) in [
        (usage, "", "start_time", "missing_required_parameter"),
        (usage, "start_time=soon", "start_time", "invalid_value"),
        (
            usage,
            "start_time=9&end_time=9",
            "end_time",
            "invalid_value",
        ),
        (
            usage,
            "start_time=9&start_time=9",
            "start_time",
            "duplicate_parameter",
        ),
        (
            usage,
            "start_time=9&bucket_width=1w",
            "bucket_width",
            "invalid_value",
        ),
        (usage, "start_time=9&limit=32", "limit", "invalid_value"),
        (
            usage,
            "start_time=9&group_by=size",
            "group_by",
            "invalid_value",
        ),
        (usage, "start_time=9&page=2", "page", "invalid_value"),
        (
            usage,
            "start_time=9&project_id=p",
            "project_id",
            "unknown_parameter",
        ),
        (usage, "start_time=9&models=", "models", "invalid_value"),
        (
            costs,
            "start_time=9&bucket_width=1h",
            "bucket_width",
            "invalid_value",
        ),
        (costs, "start_time=9&limit=181", "limit", "invalid_value"),
        (
            costs,
            "start_time=9&group_by=model",
            "group_by",
            "invalid_value",
        ),
        ("/admin/usage/export", "after=x", "after", "invalid_value"),
        (
            "/admin/usage/export",
            "format=xml",
            "format",
            "invalid_value",
        ),
        (
            "/admin/usage/export",
            "outcomes=fine",
            "outcomes",
            "invalid_value",
        ),
    ] {
        let refused = admin(&gateway, &format!("{path}?{query}")).await;
        refused.refused(400, code);
        assert_eq!(error_of(&refused.body)["param"], param, "{query}");
    }
    let unknown = admin(&gateway, "/v1/organization/usage/thoughts?start_time=1").await;
    unknown.refused(404, "unknown_url");
}

#[tokio::test]
async fn a_key_sees_its_own_use_and_no_other() {
    let gateway = used().await;
    let own = gateway.get("/v1/usage").await;
    assert_eq!(own.status(), 200, "{}", own.text());
    let own = own.json();
    assert_eq!(own["object"], "usage");
    assert_eq!(own["api_key_id"], format!("key_{}", key_id(&gateway)));
    let days = own["days"].as_array().unwrap();
    assert_eq!(days.len(), 30);
    let sum = |name: &str| -> u64 { days.iter().map(|day| day[name].as_u64().unwrap()).sum() };
    assert_eq!((sum("requests"), sum("input_tokens")), (4, 309));
    assert_eq!(own["models"][0]["model"], "up");
    assert_eq!(own["models"][0]["output_tokens"], 21);
    assert_eq!(own["this_month"]["cost"]["currency"], "usd");
    assert_eq!(days[29]["start_time"], own["today"]["start_time"]);

    let other = gateway.make_known_key(&[]).await;
    let authorization = format!("Bearer {}", other.key);
    let headers = [("authorization", authorization.as_str())];
    let of_other = gateway.bare("GET", "/v1/usage", &headers).await.json();
    assert_eq!(of_other["today"]["requests"], 0);
    assert_eq!(of_other["models"], json!([]));
    let refused = gateway.bare("GET", "/v1/usage", &[]).await;
    refused.refused(401, "invalid_api_key");
    gateway
        .post("/v1/usage", "{}")
        .await
        .refused(405, "method_not_allowed");
}

#[tokio::test]
async fn the_ledger_is_exported_call_by_call_and_goes_on_where_it_ended() {
    let gateway = used().await;
    let path = "/admin/usage/export";
    let all = admin(&gateway, path).await;
    assert!(all.is_whole);
    assert_eq!(
        all.header("content-type"),
        Some("application/jsonl; charset=utf-8")
    );
    let calls = all.text();
    let calls: Vec<Value> = calls
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(calls.len(), 4);
    assert_eq!(calls[0]["served_model"], "up-2026-11-01");
    assert_eq!(
        (&calls[0]["input"], &calls[0]["stream"]),
        (&json!(100), &json!(false))
    );
    assert_eq!(calls[3]["endpoint"], "embeddings");

    let id = calls[1]["id"].as_str().unwrap();
    let rest = admin(&gateway, &format!("{path}?after={id}")).await.text();
    assert_eq!(rest.lines().count(), 2);
    let by_hand = gateway.weir(&["usage", "--export", "--after", id]).await;
    assert_eq!(by_hand.stdout, rest, "{by_hand:?}");
    let csv = gateway
        .weir(&["usage", "--export", "--format", "csv", "--model", "up"])
        .await;
    assert_eq!(csv.stdout.lines().count(), 5, "{csv:?}");
    assert!(csv.stdout.starts_with("id,started_at,"), "{csv:?}");
    let of_admin = admin(&gateway, &format!("{path}?format=csv&models=up")).await;
    assert_eq!(of_admin.text(), csv.stdout);
    for none in [
        "models=down",
        "outcomes=rejected",
        "end_time=5",
        "api_key_ids=x",
    ] {
        assert_eq!(admin(&gateway, &format!("{path}?{none}")).await.text(), "");
    }
    let wrong = gateway.weir(&["usage", "--export", "--after", "x"]).await;
    assert_eq!(wrong.code, Some(2), "{wrong:?}");
}

#[tokio::test]
async fn people_read_usage_by_what_they_pay_for() {
    let gateway = used().await;
    let usage = async |arguments: &[&str]| {
        let exit = gateway.weir(&[&["usage"], arguments].concat()).await;
        assert_eq!(exit.code, Some(0), "{exit:?}");
        exit.stdout
    };
    let csv = usage(&["--by", "key", "--format", "csv"]).await;
    let expected = format!(
        "key,name,requests,input,cached,output,reasoning,cost,unreported,unpriced\n{},first key,4,309,120,21,0,0,0,4\n",
        key_id(&gateway)
    );
    assert_eq!(csv, expected);
    let by_endpoint = usage(&["--by", "endpoint", "--since", "1h", "--format", "json"]).await;
    let lines: Vec<Value> = by_endpoint
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(
        (&lines[0]["endpoint"], &lines[0]["requests"]),
        (&json!("chat"), &json!(3))
    );
    let table = usage(&["--by", "endpoint"]).await;
    assert!(table.lines().nth(1).unwrap().contains('█'), "{table}");
    assert!(
        table.lines().last().unwrap().starts_with("TOTAL"),
        "{table}"
    );
    assert_eq!(
        usage(&["--until", "2020-01-02", "--since", "2020-01-01"])
            .await
            .lines()
            .count(),
        1
    );
    assert_eq!(usage(&["--key", "nobody"]).await.lines().count(), 1);
    for wrong in [
        ["--since", "tomorrow"],
        ["--until", "2026-02-30"],
        ["--outcome", "fine"],
    ] {
        let exit = gateway.weir(&["usage", wrong[0], wrong[1]]).await;
        assert_eq!(exit.code, Some(2), "{exit:?}");
    }
}

#[tokio::test]
async fn a_providers_figures_are_laid_beside_the_ledgers() {
    let gateway = used().await;
    let file = gateway.dir.path().join("export");
    let reconcile = async |text: String| {
        std::fs::write(&file, text).unwrap();
        gateway
            .weir(&["usage", "--reconcile", file.to_str().unwrap()])
            .await
    };
    // Two days, so that it may be any time of the day.
    let page = |input: u64| {
        let result = json!({
            "object": "organization.usage.completions.result", "model": "up-2026-11-01",
            "num_model_requests": 3, "input_tokens": input, "input_cached_tokens": 120, "output_tokens": 21,
        });
        let today = now() / DAY * DAY;
        let bucket = json!({"object": "bucket", "start_time": today, "end_time": today + DAY, "results": [result]});
        json!({"object": "page", "data": [bucket], "has_more": false, "next_page": null})
            .to_string()
    };
    let agree = reconcile(page(300)).await;
    assert_eq!(agree.code, Some(0), "{agree:?}");
    let differ = reconcile(page(301)).await;
    assert_eq!(differ.code, Some(1), "{differ:?}");
    let line = differ.stdout.lines().nth(1).unwrap();
    for word in ["up-2026-11-01", "input", "301", "300", "-1"] {
        assert!(line.contains(word), "{line}");
    }
    let today = now() / DAY * DAY;
    let header = "start_time,end_time,num_model_requests,model,input_tokens,input_cached_tokens,output_tokens";
    let csv = format!(
        "{header}\n{today},{},3,up-2026-11-01,300,120,21\n",
        today + DAY
    );
    let agree = reconcile(csv.clone()).await;
    assert_eq!(agree.code, Some(0), "{agree:?}");
    let missing = reconcile(csv.replace("300,120,21", "0,0,0").replace(",3,", ",0,")).await;
    assert_eq!(missing.code, Some(1), "{missing:?}");
    let broken = reconcile(format!("{csv}{today},x,1,m,1,1,1\n")).await;
    assert_eq!(broken.code, Some(2), "{broken:?}");
    assert!(
        broken.stderr.contains("line 3: end_time is no number"),
        "{broken:?}"
    );
}
