//! The tiers of users: one set of limits for all that somebody does, through whatever key or token.

use super::{Made, ask, chat_as, done, get_as, key_of, login, user};
use crate::support::{Database, Dir, Gateway, Response, until};
use serde_json::{Value, json};

/// In a day, so that nothing comes back while a test runs.
const TIERS: &str = r#"
[[tier]]
name = "free"
requests_per_day = 2

[[tier]]
name = "pro"
requests_per_day = 4
"#;
const BOTH: [&str; 4] = ["--project", "proj_a", "--project", "proj_b"];

/// Asks a model for an answer, with a key or in a project of a token.
async fn call(gateway: &Gateway, credential: &str, project: &str) -> Response {
    chat_as(gateway, credential, &[("openai-project", project)]).await
}

/// Gives a user a tier over the API.
async fn give(gateway: &Gateway, user: &Made, tier: Value) -> Value {
    let path = format!("/users/{}", user.id);
    let changed = done(
        gateway,
        "POST",
        &path,
        Some(json!({"weir": {"tier": tier}})),
    )
    .await;
    assert_eq!(changed["weir"]["tier"], tier);
    changed
}

#[track_caller]
fn is_refused(response: &Response) {
    let error = response.refused(429, "rate_limit_exceeded");
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("user"), "{message}");
}

#[tokio::test]
async fn a_tier_holds_over_all_keys_and_tokens_of_its_user_together() {
    let gateway = Gateway::setup().config(TIERS).start().await;
    let ana = user(&gateway, "ana@example.com", &BOTH).await;
    let bob = user(&gateway, "bob@example.com", &BOTH).await;
    let keys = [
        key_of(&gateway, &ana, "proj_a").await,
        key_of(&gateway, &ana, "proj_b").await,
    ];
    let token = login(&gateway, &ana.email).await.access;
    give(&gateway, &ana, json!("pro")).await;
    let of_ana = [
        (keys[0].key.as_str(), "proj_a"),
        (keys[1].key.as_str(), "proj_b"),
        (token.as_str(), "proj_a"),
    ];
    for (credential, project) in of_ana.into_iter().chain([(token.as_str(), "proj_b")]) {
        let response = call(&gateway, credential, project).await;
        assert_eq!(response.status(), 200, "{}", response.text());
    }
    for (credential, project) in of_ana {
        is_refused(&call(&gateway, credential, project).await);
    }
    let other = key_of(&gateway, &bob, "proj_a").await;
    assert_eq!(call(&gateway, &other.key, "proj_a").await.status(), 200);

    let admin = format!("Bearer {}", gateway.admin);
    let path = format!("/admin/limits?user={}", ana.id);
    let limits = gateway.control_with(&path, &admin).await.json();
    let limit = &limits["data"][0];
    assert_eq!(limit["level"], "user");
    assert_eq!(
        (&limit["limit"], &limit["amount"], &limit["used"]),
        (&json!("requests_per_day"), &json!(4), &json!(4))
    );
    let list = ["limit", "list", "--user", &ana.id, "--json"];
    let stored = gateway.weir(&list).await;
    let stored: Value = serde_json::from_str(&stored.stdout).unwrap();
    assert_eq!(stored["limits"][0]["amount"], 4, "{stored}");
    for plane in [gateway.control, gateway.data] {
        let me = get_as(plane, "/v1/me", &token).await.json();
        assert_eq!(me["tier"], "pro");
    }
}

#[tokio::test]
async fn a_tier_that_changes_is_in_force_at_once_and_keeps_what_was_used() {
    let gateway = Gateway::setup().config(TIERS).start().await;
    let ana = user(&gateway, "ana@example.com", &["--project", "proj_a"]).await;
    let key = key_of(&gateway, &ana, "proj_a").await.key;
    let passes = async || {
        let response = call(&gateway, &key, "proj_a").await;
        assert_eq!(response.status(), 200, "{}", response.text());
    };
    let fails = async || is_refused(&call(&gateway, &key, "proj_a").await);
    give(&gateway, &ana, json!("free")).await;
    passes().await;
    passes().await;
    fails().await;
    give(&gateway, &ana, json!("pro")).await;
    passes().await;
    passes().await;
    fails().await;
    give(&gateway, &ana, Value::Null).await;
    passes().await;
    give(&gateway, &ana, json!("free")).await;
    fails().await;

    // By another process it is in force within a second.
    let tier = async |tier: &str| {
        let exit = gateway.weir(&["user", "tier", &ana.email, tier]).await;
        assert_eq!(exit.code, Some(0), "{exit:?}");
    };
    let becomes = async |status: u16| {
        until("the change", async || {
            let response = call(&gateway, &key, "proj_a").await;
            (response.status() == status).then_some(())
        })
        .await;
    };
    tier("none").await;
    becomes(200).await;
    tier("free").await;
    becomes(429).await;
}

#[tokio::test]
async fn a_tier_is_in_force_on_all_nodes() {
    let Some(dir) = Dir::on(Database::Postgres) else {
        return;
    };
    let beside = Dir::beside(&dir);
    let one = Gateway::setup().config(TIERS).start_in(dir).await;
    let other = Gateway::setup().config(TIERS).start_in(beside).await;
    let ana = user(&one, "ana@example.com", &["--project", "proj_a"]).await;
    let key = key_of(&other, &ana, "proj_a").await.key;
    give(&one, &ana, json!("free")).await;
    until("the tier", async || {
        let response = call(&other, &key, "proj_a").await;
        (response.status() == 429).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_tier_that_nobody_has_defined_limits_nothing_and_is_named() {
    let gateway = Gateway::setup().config(TIERS).start().await;
    let ana = user(&gateway, "ana@example.com", &["--project", "proj_a"]).await;
    let key = key_of(&gateway, &ana, "proj_a").await.key;
    gateway.make_key(&["--tier", "lead", "--name", "k"]).await;
    give(&gateway, &ana, json!("lead")).await;
    for _ in 0..5 {
        assert_eq!(call(&gateway, &key, "proj_a").await.status(), 200);
    }
    let is_it = |line: &str| line.contains("no [[tier]] of this name") && line.contains("lead");
    gateway.log_line(is_it).await;
    let log = gateway.log();
    assert_eq!(log.lines().filter(|line| is_it(line)).count(), 1, "{log}");
    let doctor = gateway.weir(&["doctor"]).await;
    assert_eq!(doctor.code, Some(0), "{doctor:?}");
    assert!(
        doctor.stdout.contains("`lead` (1 keys, 1 users)"),
        "{doctor:?}"
    );
}

#[tokio::test]
async fn a_tier_is_told_noted_and_must_be_a_name() {
    let gateway = Gateway::setup().start().await;
    let ana = user(&gateway, "ana@example.com", &[]).await;
    let path = format!("/users/{}", ana.id);
    let before = done(&gateway, "GET", &path, None).await;
    let own = json!({"tier": null, "disabled": false, "has_password": true});
    assert_eq!(before["weir"], own);
    let changed = give(&gateway, &ana, json!("pro")).await;
    assert_eq!(done(&gateway, "GET", &path, None).await, changed);
    let same = done(&gateway, "POST", &path, Some(json!({"role": "reader"}))).await;
    assert_eq!(same, changed, "what is left out stays");
    give(&gateway, &ana, json!("pro")).await;
    let log = done(&gateway, "GET", "/audit_logs?limit=100", None).await;
    let entries = log["data"].as_array().unwrap().iter();
    let updated: Vec<&Value> = entries
        .filter(|entry| entry["type"] == "user.updated")
        .map(|entry| &entry["weir"])
        .collect();
    let [entry] = updated[..] else {
        panic!("what changes nothing is not told: {log}");
    };
    assert_eq!(
        (&entry["before"]["tier"], &entry["after"]["tier"]),
        (&Value::Null, &json!("pro"))
    );

    let long = "t".repeat(129);
    let wrong = [
        json!(""),
        json!(7),
        json!("a\nb"),
        json!(["pro"]),
        json!(long),
    ];
    for tier in wrong {
        let body = json!({"weir": {"tier": tier}});
        let refused = ask(&gateway, &gateway.admin, "POST", &path, Some(&body)).await;
        let error = refused.refused(400, "invalid_value");
        assert_eq!(error["param"], "weir.tier");
    }
    let body = json!({"weir": {"teir": "free"}});
    let refused = ask(&gateway, &gateway.admin, "POST", &path, Some(&body)).await;
    let error = refused.refused(400, "unknown_parameter");
    assert_eq!(error["param"], "weir.teir");
    assert_eq!(done(&gateway, "GET", &path, None).await, changed);
    for tier in ["", &long] {
        let exit = gateway.weir(&["user", "tier", &ana.email, tier]).await;
        assert_eq!(exit.code, Some(2), "{exit:?}");
    }
}
