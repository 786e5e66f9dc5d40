//! The same at the command line, on the store of a gateway that runs.

use super::{account, becomes, get, text};
use crate::support::{Dir, Gateway, weir};
use serde_json::{Value, json};

async fn run(gateway: &Gateway, arguments: &[&str]) -> String {
    let exit = gateway.weir(arguments).await;
    assert_eq!(exit.code, Some(0), "{arguments:?}: {exit:?}");
    exit.stdout
}

async fn told(gateway: &Gateway, arguments: &[&str]) -> Value {
    let printed = run(gateway, &[arguments, &["--json"]].concat()).await;
    serde_json::from_str(&printed).unwrap_or_else(|_| panic!("{arguments:?}: {printed}"))
}

async fn mistaken(gateway: &Gateway, arguments: &[&str]) {
    let exit = gateway.weir(arguments).await;
    assert_eq!(exit.code, Some(2), "{arguments:?}: {exit:?}");
}

async fn changes(gateway: &Gateway) -> usize {
    let log = get(gateway, "/audit_logs?limit=100").await;
    log["data"].as_array().unwrap().len()
}

#[tokio::test]
async fn a_project_is_shown_renamed_and_has_accounts() {
    let gateway = Gateway::setup().start().await;
    let made = told(&gateway, &["project", "create", "search", "--id", "proj_s"]).await;
    assert_eq!(
        (text(&made, "/id"), text(&made, "/status")),
        ("proj_s", "active")
    );
    let shown = told(&gateway, &["project", "show", "proj_s"]).await;
    assert_eq!(shown, made);
    let before = changes(&gateway).await;
    run(&gateway, &["project", "rename", "proj_s", "search"]).await;
    assert_eq!(
        changes(&gateway).await,
        before,
        "what is as it was is no change"
    );
    let renamed = run(&gateway, &["project", "rename", "proj_s", "find"]).await;
    assert!(
        renamed.contains("proj_s") && renamed.contains("find"),
        "{renamed}"
    );

    let accounts = ["project", "accounts"];
    let made = told(
        &gateway,
        &[&accounts[..], &["create", "proj_s", "ci"]].concat(),
    )
    .await;
    let (id, key) = (text(&made, "/id"), text(&made, "/api_key/value"));
    super::becomes(&gateway, key, 200).await;
    assert!(text(&made, "/api_key/id").starts_with("key_"));
    let listed = run(&gateway, &[&accounts[..], &["list", "proj_s"]].concat()).await;
    assert!(listed.contains(id) && listed.contains("ci"), "{listed}");
    let bare = [&accounts[..], &["create", "proj_s", "bare", "--no-key"]].concat();
    let bare = run(&gateway, &bare).await;
    assert!(bare.starts_with("svc_acct_"), "{bare}");
    let gone = told(
        &gateway,
        &[&accounts[..], &["delete", "proj_s", id]].concat(),
    )
    .await;
    assert_eq!(gone, json!({"id": id, "deleted": true}));
    super::becomes(&gateway, key, 401).await;
    let archived = told(&gateway, &["project", "archive", "proj_s"]).await;
    assert_eq!(text(&archived, "/status"), "archived");
    for wrong in [
        &["project", "show", "nobody"][..],
        &["project", "rename", "proj_s", "again"],
        &["project", "rename", "proj_default", ""],
        &["project", "accounts", "list", "nobody"],
        &["project", "accounts", "create", "proj_s", "late"],
        &["project", "accounts", "delete", "proj_s", bare.trim()],
    ] {
        mistaken(&gateway, wrong).await;
    }
}

#[tokio::test]
async fn all_that_is_agreed_for_a_key_is_said_at_the_command_line() {
    let gateway = Gateway::setup().start().await;
    let made = told(
        &gateway,
        &[
            "key",
            "create",
            "--requests-per-minute",
            "1",
            "--tokens-per-minute",
            "2",
            "--requests-per-day",
            "3",
            "--tokens-per-day",
            "4",
            "--concurrent-requests",
            "5",
            "--budget",
            "600",
            "--budget-interval",
            "day",
            "--metadata",
            "team=search",
            "--metadata",
            "note=a=b",
            "--model",
            "simulator*",
        ],
    )
    .await;
    let id = text(&made, "/id");
    let path = format!("/projects/proj_default/api_keys/{id}");
    let weir = get(&gateway, &path).await["weir"].take();
    let limits = json!({
        "requests_per_minute": 1, "tokens_per_minute": 2, "requests_per_day": 3, "tokens_per_day": 4,
        "concurrent_requests": 5,
    });
    assert_eq!(weir["limits"], limits);
    let budget = json!({"threshold_amount": 600, "currency": "USD", "interval": "day"});
    assert_eq!(weir["budget"], budget);
    assert_eq!(weir["metadata"], json!({"team": "search", "note": "a=b"}));
    assert_eq!(weir["models"], json!(["simulator*"]));
    let revoked = told(&gateway, &["key", "revoke", id]).await;
    assert_eq!(revoked, json!({"id": id, "state": "revoked"}));
    for wrong in [
        &["key", "create", "--budget-interval", "day"][..],
        &[
            "key",
            "create",
            "--budget",
            "1",
            "--budget-interval",
            "year",
        ],
        &["key", "create", "--metadata", "none"],
        &["key", "create", "--admin", "--tokens-per-day", "5"],
        &["key", "create", "--admin", "--model", "x"],
    ] {
        mistaken(&gateway, wrong).await;
    }
}

#[tokio::test]
async fn keys_are_listed_by_project_and_so_many_at_a_time() {
    let gateway = Gateway::setup().start().await;
    run(&gateway, &["project", "create", "s", "--id", "proj_s"]).await;
    let mut ids = Vec::new();
    for name in ["a", "b", "c"] {
        let made = account(&gateway, "proj_s", json!({"name": name})).await;
        ids.push(text(&made, "/api_key/id").to_owned());
    }
    run(&gateway, &["key", "revoke", &ids[0]]).await;
    let list = async |arguments: &[&str]| {
        let usual = ["key", "list", "--project", "proj_s", "--json"];
        let exit = gateway.weir(&[&usual, arguments].concat()).await;
        assert_eq!(exit.code, Some(0), "{exit:?}");
        let lines = exit.stdout.lines();
        let id = |line: &str| {
            let key: Value = serde_json::from_str(line).unwrap();
            text(&key, "/id").to_owned()
        };
        (lines.map(id).collect::<Vec<_>>(), exit.stderr)
    };
    assert_eq!(list(&[]).await, (ids.clone(), String::new()));
    assert_eq!(list(&["--limit", "3"]).await, (ids.clone(), String::new()));
    let (first, note) = list(&["--limit", "2"]).await;
    assert_eq!(first, ids[..2]);
    assert!(
        note.contains("there are more") && note.contains(&ids[1]),
        "{note}"
    );
    assert_eq!(list(&["--after", &ids[1]]).await.0, ids[2..]);
    let (none, note) = list(&["--limit", "0"]).await;
    assert!(none.is_empty() && note.contains("there are more"), "{note}");

    // Every column begins where its heading does.
    let table = run(&gateway, &["key", "list"]).await;
    let mut lines = table.lines();
    let heading = lines.next().unwrap();
    let at = ["KIND", "STATE", "NAME", "PROJECT", "USER", "MODELS"]
        .map(|name| heading.find(name).unwrap());
    for line in lines {
        for place in at {
            let around = &line[place - 1..=place];
            assert!(around.starts_with(' ') && !around.ends_with(' '), "{line}");
        }
    }
    mistaken(&gateway, &["key", "list", "--project", "nobody"]).await;
    mistaken(&gateway, &["key", "list", "--after", "0123456789abcdef"]).await;
}

#[tokio::test]
async fn every_limit_is_set_and_told_in_openai_s_words() {
    let gateway = Gateway::setup().start().await;
    run(&gateway, &["project", "create", "s", "--id", "proj_s"]).await;
    let of = ["--project", "proj_s"];
    let limit =
        async |arguments: &[&str]| told(&gateway, &[&["limit"], arguments, &of].concat()).await;
    assert_eq!(limit(&["spend", "1234"]).await["spend_limit"], 1234);
    let rate = limit(&["rate", "simulator/fast", "--requests-per-day", "5"]).await;
    assert_eq!(
        rate["rate_limits"]["simulator/fast"]["max_requests_per_1_day"],
        5
    );
    let before = changes(&gateway).await;
    limit(&["rate", "simulator/fast", "--requests-per-day", "5"]).await;
    limit(&["spend", "1234"]).await;
    assert_eq!(
        changes(&gateway).await,
        before,
        "what is as it was is no change"
    );
    let none = limit(&["rate", "simulator/fast", "--requests-per-day", "none"]).await;
    assert_eq!(none["rate_limits"], json!({}));

    let allowed = limit(&["models", "--allow", "simulator*", "--allow", "o3"]).await;
    let permissions = json!({"mode": "allow_list", "model_ids": ["simulator*", "o3"]});
    assert_eq!(allowed["model_permissions"], permissions);
    let served = get(&gateway, "/projects/proj_s/model_permissions").await;
    assert_eq!(served["model_ids"], permissions["model_ids"]);
    let denied = limit(&["models", "--deny", "o3"]).await;
    assert_eq!(text(&denied, "/model_permissions/mode"), "deny_list");
    assert_eq!(
        limit(&["models", "--all"]).await["model_permissions"],
        Value::Null
    );

    let alert = limit(&["alert", "create", "500", "--to", "ana@example.com"]).await;
    let id = text(&alert, "/id");
    let served = get(&gateway, &format!("/projects/proj_s/spend_alerts/{id}")).await;
    assert_eq!(
        served["notification_channel"]["recipients"],
        json!(["ana@example.com"])
    );
    let table = run(&gateway, &[&["limit", "list"][..], &of].concat()).await;
    assert!(
        table.contains(id) && table.contains("$5.00 a month"),
        "{table}"
    );
    assert_eq!(
        limit(&["alert", "delete", id]).await["spend_alerts"],
        json!([])
    );

    let kept = limit(&["retention", "organization_default"]).await;
    assert_eq!(text(&kept, "/data_retention"), "organization_default");
    let all = told(&gateway, &["limit", "retention", "zero_data_retention"]).await;
    assert_eq!(text(&all, "/data_retention"), "zero_data_retention");

    let long = "x".repeat(255);
    for wrong in [
        &[
            "limit",
            "rate",
            "gtp-5",
            "--project",
            "proj_s",
            "--requests-per-day",
            "5",
        ][..],
        &["limit", "rate", "simulator/fast", "--project", "proj_s"],
        &["limit", "rate", "simulator/fast", "--requests-per-day", "5"],
        &["limit", "models", "--project", "proj_s"],
        &[
            "limit",
            "models",
            "--project",
            "proj_s",
            "--allow",
            "a",
            "--deny",
            "b",
        ],
        &["limit", "models", "--project", "proj_s", "--allow", "a**"],
        &["limit", "alert", "create", "500"],
        &["limit", "alert", "create", "500", "--to", &long],
        &["limit", "alert", "delete", "alert_none"],
        &["limit", "retention", "none"],
        &["limit", "retention", "for_ever"],
    ] {
        mistaken(&gateway, wrong).await;
    }
}

#[tokio::test]
async fn a_limit_is_set_for_a_model_whose_credential_is_elsewhere() {
    let dir = Dir::new();
    let config = "[[upstream]]\nname = 'far'\nprovider = 'openai'\nbase_url = 'https://far.example/v1'\n\
        api_key = '$FAR_AWAY_KEY'\n[[model]]\nname = 'far-*'\nto = ['far']\n";
    std::fs::write(dir.path().join("config.toml"), config).unwrap();
    let rate = async |model: &str| {
        let usual = [
            "limit",
            "rate",
            model,
            "--project",
            "proj_default",
            "--requests-per-day",
            "5",
        ];
        weir(dir.path(), &usual, &[]).await
    };
    let exit = rate("far-5").await;
    assert_eq!(exit.code, Some(0), "{exit:?}");
    let exit = rate("fra-5").await;
    assert_eq!(exit.code, Some(2), "{exit:?}");
    assert!(exit.stderr.contains("no model `fra-5`"), "{exit:?}");
}

#[tokio::test]
async fn people_do_the_same_at_the_command_line() {
    let gateway = Gateway::setup().start().await;
    let made = told(&gateway, &["project", "create", "search"]).await;
    let id = text(&made, "/id");
    assert!(run(&gateway, &["project", "list"]).await.contains(id));
    let key = gateway
        .make_key(&[
            "--project",
            id,
            "--tier",
            "gold",
            "--priority",
            "low",
            "--requests-per-minute",
            "5",
        ])
        .await;
    becomes(&gateway, &key.key, 200).await;
    let agreed = get(&gateway, &format!("/projects/{id}/api_keys/key_{}", key.id)).await;
    assert_eq!(
        (
            text(&agreed, "/weir/tier"),
            &agreed["weir"]["limits"]["requests_per_minute"]
        ),
        ("gold", &json!(5))
    );
    assert_eq!(agreed["weir"]["priority"], "low");
    run(&gateway, &["limit", "spend", "1234", "--project", id]).await;
    run(
        &gateway,
        &[
            "limit",
            "rate",
            "simulator/fast",
            "--project",
            id,
            "--tokens-per-minute",
            "9000",
        ],
    )
    .await;
    assert_eq!(
        get(&gateway, &format!("/projects/{id}/spend_limit")).await["threshold_amount"],
        1234
    );
    let table = run(&gateway, &["limit", "list", "--project", id]).await;
    assert!(
        table.contains("$12.34 a month")
            && table.contains("simulator/fast: max_tokens_per_1_minute 9000"),
        "{table}"
    );
    let listed = told(&gateway, &["limit", "list", "--project", id]).await;
    assert_eq!(listed["spend_limit"], 1234);
    run(&gateway, &["limit", "spend", "none", "--project", id]).await;
    assert_eq!(
        run(&gateway, &["project", "archive", id]).await.trim(),
        format!("archived {id}")
    );
    becomes(&gateway, &key.key, 401).await;
    for wrong in [
        &["project", "archive", id][..],
        &["project", "archive", "proj_default"],
        &["project", "create", ""],
        &["project", "create", "x", "--id", "proj_default"],
        &["key", "create", "--project", "nobody"],
        &["limit", "spend", "none"],
        &["limit", "rate", "", "--project", "proj_default"],
        &["limit", "spend", "0"],
        &["limit", "list", "--project", "nobody"],
    ] {
        mistaken(&gateway, wrong).await;
    }
}
