//! How limits stand, for operators, at the prompt, and for whoever has a key.

use super::{CENT_A_TOKEN, GOLD};
use crate::{
    errors::next_event,
    support::{Conn, FakeUpstream, Gateway, Key, Reply, chat, until},
};
use serde_json::{Value, json};

const LIMITS: &str = r#"
[[limit]]
on = "project"
name = "proj_*"
requests_per_day = 1000

[[limit]]
on = "key"
budgets = [{ tokens = 1000, per = "total" }]
"#;

/// A gateway with one call of four cents and five tokens, by a key of a project.
async fn gateway() -> (Gateway, Key) {
    let usage = json!({"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 4}});
    let upstream = FakeUpstream::with([Reply::json(200, usage.to_string())]).await;
    let setup = Gateway::setup().upstream("up", &upstream, "");
    let gateway = setup
        .config(CENT_A_TOKEN)
        .config(GOLD)
        .config(LIMITS)
        .start()
        .await;
    gateway.make_project("proj_a").await;
    let arguments = ["--project", "proj_a", "--tier", "gold", "--name", "k"];
    let key = gateway.make_known_key(&arguments).await;
    let call = chat("up").to_string();
    let answer = gateway.post_with(&key.key, "/v1/chat/completions", call);
    assert_eq!(answer.await.status(), 200);
    (gateway, key)
}

async fn limits(gateway: &Gateway, query: &str) -> Value {
    let admin = format!("Bearer {}", gateway.admin);
    let path = format!("/admin/limits{query}");
    let answer = gateway.control_with(&path, &admin).await;
    assert_eq!(answer.status(), 200, "{}", answer.text());
    answer.json()["data"].take()
}

/// What is said of one limit, without the time that is left.
fn figures(limit: &Value) -> Value {
    let members = [
        "level", "id", "model", "limit", "per", "amount", "used", "held", "left",
    ];
    members.iter().map(|name| limit[*name].clone()).collect()
}

/// Waits until what is said of a list's limits is this.
async fn are(gateway: &Gateway, query: &str, expected: Value) {
    until("the limits", async || {
        let found = limits(gateway, query).await;
        let found: Value = found.as_array().unwrap().iter().map(figures).collect();
        (found == expected).then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_operator_sees_what_is_used_and_left() {
    let (gateway, key) = gateway().await;
    let id = format!("key_{}", key.id);
    let organization = json!([
        [
            "organization",
            null,
            null,
            "dollars",
            "month",
            3,
            0.04,
            0,
            2.96
        ],
        ["model", null, "u*", "concurrent_requests", null, 5, 0, 0, 5],
    ]);
    are(&gateway, "?organization=true", organization).await;
    let project = json!([[
        "project",
        "proj_a",
        null,
        "requests_per_day",
        null,
        1000,
        1,
        null,
        999
    ]]);
    are(&gateway, "?project=proj_a", project).await;
    let of_key = json!([
        ["key", id, null, "tokens", "total", 1000, 5, 0, 995],
        ["key", id, null, "concurrent_requests", null, 3, 0, 0, 3],
    ]);
    are(&gateway, &format!("?key={id}"), of_key.clone()).await;
    are(&gateway, "?user=nobody", json!([])).await;

    // The key itself sees its own and nobody else's.
    let authorization = format!("Bearer {}", key.key);
    let headers = [("authorization", authorization.as_str())];
    let own = gateway.bare("GET", "/v1/usage", &headers).await;
    let own = own.json()["limits"].take();
    let own: Value = own.as_array().unwrap().iter().map(figures).collect();
    assert_eq!(own, of_key);
}

#[tokio::test]
async fn only_who_may_see_usage_sees_limits() {
    let gateway = Gateway::setup().config(GOLD).config(LIMITS).start().await;
    let refused = async |query: &str, status, code| {
        let admin = format!("Bearer {}", gateway.admin);
        let path = format!("/admin/limits{query}");
        let answer = gateway.control_with(&path, &admin).await;
        answer.refused(status, code);
    };
    let nobody = gateway.control("/admin/limits").await;
    nobody.refused(401, "invalid_api_key");
    let key = format!("Bearer {}", gateway.key);
    let key = gateway.control_with("/admin/limits", &key).await;
    key.refused(401, "invalid_api_key");
    refused("?project=proj_none", 404, "not_found").await;
    refused("?key=key_none", 404, "not_found").await;
    refused("?key=key_0123456789abcdef", 404, "not_found").await;
    refused("?project=a&user=b", 400, "invalid_value").await;
    refused("?team=a", 400, "unknown_parameter").await;
    refused("?user=", 400, "invalid_value").await;
    let long = format!("?key={}", "k".repeat(257));
    refused(&long, 400, "invalid_value").await;
}

#[tokio::test]
async fn the_command_asks_the_gateway_or_says_what_it_does_not_know() {
    let (gateway, key) = gateway().await;
    let url = format!("http://{}", gateway.control);
    let asking = ["--url", &url, "--admin-key", &gateway.admin];
    let list = async |arguments: &[&str]| {
        let exit = gateway
            .weir(&[&["limit", "list"], arguments].concat())
            .await;
        assert_eq!(exit.code, Some(0), "{exit:?}");
        exit
    };
    let told = async |arguments: &[&str]| -> Value {
        let exit = list(&[arguments, &["--json"]].concat()).await;
        serde_json::from_str(&exit.stdout).unwrap()
    };
    let of_key = ["--key", &key.id];
    let live = told(&[&of_key[..], &asking].concat()).await;
    assert_eq!(live["is_live"], true);
    assert_eq!(figures(&live["limits"][1])[8], 3);
    let live = told(&[&["--project", "proj_a"], &asking[..]].concat()).await;
    assert_eq!(
        (&live["is_live"], &live["spend_limit"]),
        (&json!(true), &Value::Null)
    );
    assert_eq!(live["limits"][0]["left"], 999);
    let table = list(&[&["--project", "proj_a"], &asking[..]].concat()).await;
    assert!(table.stdout.contains("requests_per_day"), "{table:?}");
    assert!(
        table.stdout.contains("999") && table.stderr.is_empty(),
        "{table:?}"
    );

    until("the ledger", async || {
        let stored = told(&of_key).await;
        assert_eq!(stored["is_live"], false);
        assert_eq!(stored["limits"][1]["used"], Value::Null);
        (stored["limits"][0]["left"] == 995).then_some(())
    })
    .await;
    let stored = list(&[]).await;
    assert!(stored.stdout.contains("dollars a month"), "{stored:?}");
    assert!(stored.stderr.contains("WEIR_ADMIN_KEY"), "{stored:?}");
    let wrong = list(&["--url", &url, "--admin-key", "nonsense-of-16-or-more"]).await;
    assert!(wrong.stderr.contains("does not tell"), "{wrong:?}");
    for mistake in [&["--key", "key_none"][..], &["--project", "proj_none"]] {
        let exit = gateway.weir(&[&["limit", "list"], mistake].concat()).await;
        assert_eq!(exit.code, Some(2), "{exit:?}");
    }
}

#[tokio::test]
async fn an_alert_goes_off_as_an_event_and_is_shown() {
    let (gateway, _) = gateway().await;
    let mut watcher = Conn::open(gateway.control).await;
    watcher
        .send(format!(
            "GET /admin/events?kinds=alert.* HTTP/1.1\r\nhost: weir\r\nauthorization: Bearer {}\r\n\r\n",
            gateway.admin
        ))
        .await;
    assert_eq!(watcher.head().await.status, 200);
    watcher.chunk().await.unwrap();
    for cents in ["3", "500"] {
        let arguments = [
            "limit",
            "alert",
            "create",
            cents,
            "--to",
            "a@b.c",
            "--project",
            "proj_a",
        ];
        let exit = gateway.weir(&arguments).await;
        assert_eq!(exit.code, Some(0), "{exit:?}");
    }
    // A commit has it looked at.
    gateway.chat(chat("simulator/fast")).await;
    let told = next_event(&mut watcher, "alert.fired").await;
    for part in [
        r#""project_id":"proj_a""#,
        r#""spent_usd":"0.04""#,
        r#""threshold_amount":3"#,
    ] {
        assert!(told.contains(part), "{told}");
    }
    let line = gateway
        .log_line(|line| line.contains("a spend alert went off"))
        .await;
    assert!(line.contains("proj_a") && !line.contains("a@b.c"), "{line}");
    let admin = format!("Bearer {}", gateway.admin);
    let path = "/v1/organization/projects/proj_a/spend_alerts";
    let alerts = gateway.control_with(path, &admin).await.json();
    let fired = |at: usize| &alerts["data"][at]["weir"]["last_fired_at"];
    let at = usize::from(alerts["data"][0]["threshold_amount"] != 3);
    assert!(fired(at).is_u64() && fired(1 - at).is_null(), "{alerts}");
    gateway.metric("weir_spend_alerts_total", 1).await;
}

#[tokio::test]
async fn a_tier_that_nobody_has_defined_is_named() {
    let gateway = Gateway::setup().config(GOLD).config(LIMITS).start().await;
    for (tier, name) in [("gold", "a"), ("lead", "b"), ("lead", "c")] {
        gateway.make_key(&["--tier", tier, "--name", name]).await;
    }
    let doctor = gateway.weir(&["doctor"]).await;
    assert_eq!(doctor.code, Some(0), "{doctor:?}");
    assert!(doctor.stdout.contains("`lead` (2 keys)"), "{doctor:?}");
    assert!(!doctor.stdout.contains("gold"), "{doctor:?}");
}
