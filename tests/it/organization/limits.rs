//! What projects, and the organization, may do.

use super::{account, bad, delete, get, post, project, status, text};
use crate::support::{FakeUpstream, Gateway, Reply, chat};
use serde_json::{Value, json};

#[tokio::test]
async fn a_spend_limit_is_set_and_taken_away_for_all_and_for_one() {
    let gateway = Gateway::setup().start().await;
    let project = project(&gateway, "p").await;
    for (path, object) in [
        ("/spend_limit".to_owned(), "organization.spend_limit"),
        (
            format!("/projects/{project}/spend_limit"),
            "project.spend_limit",
        ),
    ] {
        bad(&gateway, "GET", &path, None, (404, "not_found")).await;
        bad(&gateway, "DELETE", &path, None, (404, "not_found")).await;
        let body = json!({"threshold_amount": 5000, "currency": "USD", "interval": "month"});
        let set = post(&gateway, &path, body.clone()).await;
        assert_eq!(
            (text(&set, "/object"), &set["threshold_amount"]),
            (object, &json!(5000))
        );
        assert_eq!(get(&gateway, &path).await, set);
        for (name, value) in [
            ("threshold_amount", json!(0)),
            ("currency", json!("EUR")),
            ("interval", json!("day")),
        ] {
            let mut wrong = body.clone();
            wrong[name] = value;
            let error = bad(
                &gateway,
                "POST",
                &path,
                Some(wrong.clone()),
                (400, "invalid_value"),
            )
            .await;
            assert_eq!(error["param"], name);
            wrong.as_object_mut().unwrap().remove(name);
            let missing = (400, "missing_required_parameter");
            assert_eq!(
                bad(&gateway, "POST", &path, Some(wrong), missing).await["param"],
                name
            );
        }
        assert_eq!(delete(&gateway, &path).await["deleted"], true);
        bad(&gateway, "GET", &path, None, (404, "not_found")).await;
    }
}

#[tokio::test]
async fn alerts_live_in_their_own_scope() {
    let gateway = Gateway::setup().start().await;
    let project = project(&gateway, "p").await;
    let paths = [
        "/spend_alerts".to_owned(),
        format!("/projects/{project}/spend_alerts"),
    ];
    let body = |threshold: u64| {
        json!({
            "threshold_amount": threshold, "currency": "USD", "interval": "month",
            "notification_channel": {"type": "email", "recipients": ["ana@example.com"], "subject_prefix": "[w]"},
        })
    };
    let mut ids = Vec::new();
    for path in &paths {
        let made = post(&gateway, path, body(100)).await;
        let own = format!("{path}/{}", text(&made, "/id"));
        assert_eq!(get(&gateway, &own).await, made);
        let changed = post(&gateway, &own, body(200)).await;
        assert_eq!(
            (&changed["threshold_amount"], &changed["id"]),
            (&json!(200), &made["id"])
        );
        assert_eq!(get(&gateway, path).await["data"], json!([changed]));
        ids.push(text(&made, "/id").to_owned());
    }
    // Neither is found where the other is.
    for (path, id) in [(&paths[0], &ids[1]), (&paths[1], &ids[0])] {
        for method in ["GET", "DELETE"] {
            bad(
                &gateway,
                method,
                &format!("{path}/{id}"),
                None,
                (404, "not_found"),
            )
            .await;
        }
        bad(
            &gateway,
            "POST",
            &format!("{path}/{id}"),
            Some(body(1)),
            (404, "not_found"),
        )
        .await;
    }
    for (path, id) in paths.iter().zip(&ids) {
        assert_eq!(delete(&gateway, &format!("{path}/{id}")).await["id"], **id);
        assert_eq!(get(&gateway, path).await["first_id"], Value::Null);
    }
    let mut wrong = body(1);
    wrong["notification_channel"]["type"] = "pigeon".into();
    let error = bad(
        &gateway,
        "POST",
        &paths[0],
        Some(wrong),
        (400, "invalid_value"),
    )
    .await;
    assert_eq!(error["param"], "notification_channel.type");
}

#[tokio::test]
async fn a_model_that_a_project_may_not_use_is_refused_at_once() {
    let upstream = FakeUpstream::with([Reply::json(200, "{}"), Reply::json(200, "{}")]).await;
    let gateway = Gateway::before(&upstream).await;
    let project = project(&gateway, "p").await;
    let made = account(&gateway, &project, json!({"name": "ci"})).await;
    let key = text(&made, "/api_key/value");
    let permissions = format!("/projects/{project}/model_permissions");
    let nothing =
        json!({"object": "project.model_permissions", "mode": "deny_list", "model_ids": []});
    assert_eq!(get(&gateway, &permissions).await, nothing);
    let chats = async || {
        gateway
            .post_with(key, "/v1/chat/completions", chat("up").to_string())
            .await
    };
    assert_eq!(chats().await.status(), 200);
    let models = async || {
        let headers = [("authorization", format!("Bearer {key}"))];
        let headers = headers
            .each_ref()
            .map(|(name, value)| (*name, value.as_str()));
        gateway.bare("GET", "/v1/models", &headers).await.text()
    };
    post(
        &gateway,
        &permissions,
        json!({"mode": "allow_list", "model_ids": ["simulator*"]}),
    )
    .await;
    assert_eq!(
        chats().await.refused(403, "model_not_allowed")["param"],
        "model"
    );
    assert!(!models().await.contains("\"up\""));
    assert_eq!(status(&gateway, key).await, 200);
    let files = gateway.post_with(key, "/v1/files", "{}").await;
    files.refused(403, "path_not_allowed");
    // Other projects are not concerned.
    assert_eq!(gateway.chat(chat("up")).await.status(), 200);
    post(
        &gateway,
        &permissions,
        json!({"mode": "deny_list", "model_ids": ["simulator/fast"]}),
    )
    .await;
    assert_eq!(status(&gateway, key).await, 403);
    assert_eq!(delete(&gateway, &permissions).await["deleted"], true);
    assert_eq!(status(&gateway, key).await, 200);
    for wrong in [
        json!({"mode": "some", "model_ids": []}),
        json!({"mode": "allow_list", "model_ids": [1]}),
    ] {
        bad(
            &gateway,
            "POST",
            &permissions,
            Some(wrong),
            (400, "invalid_value"),
        )
        .await;
    }
    let missing = json!({"mode": "allow_list"});
    bad(
        &gateway,
        "POST",
        &permissions,
        Some(missing),
        (400, "missing_required_parameter"),
    )
    .await;
}

#[tokio::test]
async fn rate_limits_are_listed_for_every_model_and_set_one_by_one() {
    let upstream = FakeUpstream::start().await;
    let gateway = Gateway::before(&upstream).await;
    let project = project(&gateway, "p").await;
    let limits = format!("/projects/{project}/rate_limits");
    let all = get(&gateway, &limits).await;
    let up = all["data"]
        .as_array()
        .unwrap()
        .iter()
        .find(|limit| limit["model"] == "up")
        .unwrap();
    assert_eq!(up["max_requests_per_1_minute"], (1u64 << 53) - 1);
    let body =
        json!({"max_requests_per_1_minute": 60, "max_requests_per_1_day": 1000, "model": "down"});
    let set = post(&gateway, &format!("{limits}/rl-up"), body).await;
    assert_eq!(
        (
            text(&set, "/model"),
            &set["max_requests_per_1_minute"],
            &set["max_requests_per_1_day"]
        ),
        ("up", &json!(60), &json!(1000))
    );
    let body = json!({"max_requests_per_1_day": (1u64 << 53) - 1, "max_tokens_per_1_minute": 5});
    let set = post(&gateway, &format!("{limits}/rl-up"), body).await;
    assert_eq!(
        (
            set.get("max_requests_per_1_day"),
            &set["max_tokens_per_1_minute"]
        ),
        (None, &json!(5))
    );
    // What is as it was is no change, and what is no limit any more is gone.
    let changes = async || {
        let log = get(&gateway, "/audit_logs?event_types[]=rate_limit.updated").await;
        log["data"].as_array().unwrap().len()
    };
    let before = changes().await;
    for body in [json!({}), json!({"max_tokens_per_1_minute": 5})] {
        post(&gateway, &format!("{limits}/rl-up"), body).await;
    }
    assert_eq!(changes().await, before);
    // A name under a pattern of the config has a limit of its own once it is set.
    let other = post(
        &gateway,
        &format!("{limits}/rl-simulator%2Ffast"),
        json!({"max_tokens_per_1_minute": 7}),
    )
    .await;
    assert_eq!(text(&other, "/model"), "simulator/fast");
    let models = |page: &Value| -> Vec<String> {
        let limits = page["data"].as_array().unwrap().iter();
        limits
            .map(|limit| limit["model"].as_str().unwrap().to_owned())
            .collect()
    };
    let all = models(&get(&gateway, &limits).await);
    assert!(
        all.contains(&"simulator/fast".to_owned()) && all.is_sorted(),
        "{all:?}"
    );
    let none = json!({"max_tokens_per_1_minute": (1u64 << 53) - 1});
    let path = format!("{limits}/rl-simulator%2Ffast");
    post(&gateway, &path, none).await;
    let without = models(&get(&gateway, &limits).await);
    assert!(
        !without.contains(&"simulator/fast".to_owned()),
        "{without:?}"
    );
    let all = without;
    let after = get(
        &gateway,
        &format!("{limits}?limit=1&after=rl-{}", all[0].replace('*', "%2A")),
    )
    .await;
    assert_eq!(
        (models(&after), &after["has_more"]),
        (vec![all[1].clone()], &json!(all.len() > 2))
    );
    let before = get(&gateway, &format!("{limits}?limit=1&before=rl-up")).await;
    assert_eq!(models(&before), all[all.len() - 2..all.len() - 1]);
    bad(
        &gateway,
        "GET",
        &format!("{limits}?after=rl-x"),
        None,
        (400, "invalid_value"),
    )
    .await;
    let known = (404, "not_found");
    bad(
        &gateway,
        "POST",
        &format!("{limits}/rl-unheard-of"),
        Some(json!({})),
        known,
    )
    .await;
    bad(
        &gateway,
        "POST",
        &format!("{limits}/up"),
        Some(json!({})),
        known,
    )
    .await;
    let wrong = json!({"max_requests_per_1_minute": -5});
    bad(
        &gateway,
        "POST",
        &format!("{limits}/rl-up"),
        Some(wrong),
        (400, "invalid_value"),
    )
    .await;
}

#[tokio::test]
async fn retention_is_the_organizations_unless_a_project_says_otherwise() {
    let gateway = Gateway::setup().start().await;
    let project = project(&gateway, "p").await;
    let own = format!("/projects/{project}/data_retention");
    assert_eq!(
        text(&get(&gateway, "/data_retention").await, "/type"),
        "zero_data_retention"
    );
    assert_eq!(
        text(&get(&gateway, &own).await, "/type"),
        "organization_default"
    );
    let set = json!({"retention_type": "modified_abuse_monitoring"});
    post(&gateway, "/data_retention", set.clone()).await;
    assert_eq!(
        text(&get(&gateway, "/data_retention").await, "/type"),
        "modified_abuse_monitoring"
    );
    assert_eq!(
        text(
            &post(&gateway, &own, json!({"retention_type": "none"})).await,
            "/type"
        ),
        "none"
    );
    let not_for_all = json!({"retention_type": "organization_default"});
    bad(
        &gateway,
        "POST",
        "/data_retention",
        Some(not_for_all),
        (400, "invalid_value"),
    )
    .await;
    bad(
        &gateway,
        "POST",
        &own,
        Some(json!({})),
        (400, "missing_required_parameter"),
    )
    .await;
}
