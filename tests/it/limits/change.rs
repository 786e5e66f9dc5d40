//! `weir key change`: what a key may do is changed at the prompt, and in force in a gateway that runs.

use super::CENT_A_TOKEN;
use crate::support::{FakeUpstream, Gateway, Reply, chat, until};
use serde_json::{Value, json};

/// What the control plane says of a path.
async fn get(gateway: &Gateway, path: &str) -> Value {
    let admin = format!("Bearer {}", gateway.admin);
    let path = format!("/v1/organization{path}");
    let answer = gateway.control_with(&path, &admin).await;
    assert_eq!(answer.status(), 200, "{}", answer.text());
    answer.json()
}

async fn change(gateway: &Gateway, id: &str, arguments: &[&str]) -> Value {
    let usual = ["key", "change", id, "--json"];
    let exit = gateway.weir(&[&usual, arguments].concat()).await;
    assert_eq!(exit.code, Some(0), "{exit:?}");
    serde_json::from_str(&exit.stdout).unwrap()
}

#[tokio::test]
async fn a_limit_that_changes_at_the_prompt_holds_in_a_gateway_that_runs() {
    let usage = json!({"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 4}});
    let upstream = FakeUpstream::with([Reply::json(200, usage.to_string())]).await;
    let setup = Gateway::setup().upstream("up", &upstream, "");
    let tier = "[[tier]]\nname = \"slow\"\nrequests_per_day = 1";
    let gateway = setup.config(CENT_A_TOKEN).config(tier).start().await;
    let key = gateway.make_known_key(&["--requests-per-day", "1"]).await;
    let becomes = async |status: u16, code: &str| {
        until(&format!("{status} {code}"), async || {
            let body = chat("up").to_string();
            let answer = gateway.post_with(&key.key, "/v1/chat/completions", body);
            let answer = answer.await;
            let is_so = answer.status() == status
                && (code.is_empty() || answer.json()["error"]["code"] == code);
            is_so.then_some(())
        })
        .await;
    };
    becomes(429, "rate_limit_exceeded").await;
    change(&gateway, &key.id, &["--requests-per-day", "none"]).await;
    becomes(200, "").await;
    change(&gateway, &key.id, &["--tier", "slow"]).await;
    becomes(429, "rate_limit_exceeded").await;
    let budget = ["--tier", "none", "--budget", "1"];
    let whole = change(&gateway, &key.key, &budget).await;
    assert_eq!(
        whole["terms"],
        json!({"budget": {"threshold_amount": 1, "interval": "month"}})
    );
    becomes(429, "insufficient_quota").await;
    change(&gateway, &key.id, &["--budget", "none"]).await;
    becomes(200, "").await;
}

#[tokio::test]
async fn what_is_named_changes_and_the_audit_log_tells_of_it() {
    let gateway = Gateway::setup().start().await;
    let arguments = [
        "--tokens-per-minute",
        "50",
        "--requests-per-minute",
        "60",
        "--budget",
        "700",
        "--budget-interval",
        "day",
        "--tier",
        "gold",
        "--metadata",
        "a=b",
    ];
    let id = gateway.make_known_key(&arguments).await.id;
    let named = [
        "--requests-per-minute",
        "none",
        "--tokens-per-day",
        "8",
        "--concurrent-requests",
        "0",
        "--budget",
        "900",
    ];
    change(&gateway, &id, &named).await;
    let path = format!("/projects/proj_default/api_keys/key_{id}");
    let told = get(&gateway, &path).await["weir"].take();
    let limits = json!({"tokens_per_minute": 50, "tokens_per_day": 8, "concurrent_requests": 0});
    assert_eq!(told["limits"], limits);
    let budget = json!({"threshold_amount": 900, "currency": "USD", "interval": "day"});
    assert_eq!(told["budget"], budget, "the interval stays as it was");
    assert_eq!(told["metadata"], json!({"a": "b"}));

    let changes = format!("/audit_logs?resource_ids[]=key_{id}&event_types[]=api_key.updated");
    let log = get(&gateway, &changes).await["data"].take();
    let entry = &log[0]["weir"];
    assert_eq!(entry["actor"], "command_line");
    assert_eq!(entry["before"]["terms"]["budget"]["threshold_amount"], 700);
    assert_eq!(entry["after"]["terms"]["budget"]["threshold_amount"], 900);
    // What is as it was is no change.
    let same = change(&gateway, &id, &["--tokens-per-day", "8", "--tier", "gold"]).await;
    assert_eq!(same["terms"]["tier"], "gold");
    let again = get(&gateway, &changes).await["data"].take();
    assert_eq!(again.as_array().unwrap().len(), 1, "{again}");

    let printed = gateway
        .weir(&["key", "change", &id, "--tier", "none"])
        .await;
    assert_eq!(printed.stdout.trim(), format!("changed key_{id}"));
    let told = get(&gateway, &path).await["weir"].take();
    assert_eq!(told["tier"], Value::Null);
}

#[tokio::test]
async fn a_change_that_makes_no_sense_is_refused() {
    let gateway = Gateway::setup().start().await;
    let id = gateway.make_known_key(&["--tokens-per-day", "5"]).await.id;
    let ended = gateway.make_known_key(&[]).await.id;
    let exit = gateway.weir(&["key", "revoke", &ended]).await;
    assert_eq!(exit.code, Some(0), "{exit:?}");
    let admin = gateway.admin.as_str();
    for (arguments, why) in [
        (&[id.as_str()][..], "required"),
        (&[id.as_str(), "--json"], "required"),
        (&["--tier", "gold"], "required"),
        (&[id.as_str(), "--budget-interval", "day"], "--budget"),
        (
            &[id.as_str(), "--budget", "none", "--budget-interval", "day"],
            "no interval",
        ),
        (&[id.as_str(), "--tokens-per-day", "many"], "or none"),
        (&[id.as_str(), "--tier", ""], "tier"),
        (&["key_0123456789abcdef", "--tier", "gold"], "no key"),
        (&["nonsense", "--tier", "gold"], "no id of a key"),
        (&[ended.as_str(), "--tier", "gold"], "revoked"),
        (&[admin, "--tier", "gold"], "admin key"),
    ] {
        let exit = gateway
            .weir(&[&["key", "change"], arguments].concat())
            .await;
        assert_eq!(exit.code, Some(2), "{arguments:?}: {exit:?}");
        assert!(exit.stderr.contains(why), "{why}: {exit:?}");
        let secret = admin.rsplit('_').next().unwrap();
        assert!(!exit.stderr.contains(secret), "{exit:?}");
    }
}
