//! Who changed what.

use super::{account, delete, get, post, project, text};
use crate::support::Gateway;
use serde_json::{Value, json};

fn entries(page: &Value) -> Vec<Value> {
    page["data"].as_array().unwrap().clone()
}

#[tokio::test]
async fn every_change_is_told_with_who_made_it_and_the_log_agrees() {
    let gateway = Gateway::setup().start().await;
    let id = project(&gateway, "search").await;
    let own = format!("/projects/{id}");
    post(&gateway, &own, json!({"name": "find"})).await;
    let made = account(
        &gateway,
        &id,
        json!({"name": "ci", "weir": {"tier": "gold"}}),
    )
    .await;
    let money = json!({"threshold_amount": 5, "currency": "USD", "interval": "month"});
    post(&gateway, &format!("{own}/spend_limit"), money.clone()).await;
    delete(&gateway, &format!("{own}/spend_limit")).await;
    post(&gateway, "/spend_limit", money).await;
    post(
        &gateway,
        &format!("{own}/model_permissions"),
        json!({"mode": "deny_list", "model_ids": ["x"]}),
    )
    .await;
    post(
        &gateway,
        &format!("{own}/data_retention"),
        json!({"retention_type": "none"}),
    )
    .await;
    post(
        &gateway,
        &format!("{own}/rate_limits/rl-simulator"),
        json!({"max_tokens_per_1_minute": 9}),
    )
    .await;
    delete(
        &gateway,
        &format!("{own}/service_accounts/{}", text(&made, "/id")),
    )
    .await;
    let command = gateway.weir(&["project", "archive", &id]).await;
    assert_eq!(command.code, Some(0), "{command:?}");

    let all = entries(&get(&gateway, "/audit_logs?limit=100").await);
    let told: Vec<(&str, &str)> = all
        .iter()
        .map(|entry| (text(entry, "/type"), text(entry, "/weir/event")))
        .collect();
    let same = |word| (word, word);
    let expected = [
        same("project.archived"),
        same("service_account.deleted"),
        same("rate_limit.updated"),
        ("project.updated", "data_retention.updated"),
        ("project.updated", "model_permissions.updated"),
        ("organization.updated", "spend_limit.updated"),
        ("project.updated", "spend_limit.deleted"),
        ("project.updated", "spend_limit.updated"),
        same("api_key.created"),
        same("service_account.created"),
        same("project.updated"),
        same("project.created"),
        ("tenant.admin_api_key.created", "admin_api_key.created"),
        same("api_key.created"),
    ];
    assert_eq!(told, expected);
    // Made by the first start, by a command, and by an admin key over the network.
    assert_eq!(
        (&all[13]["actor"], text(&all[13], "/weir/actor")),
        (&Value::Null, "system")
    );
    assert_eq!(text(&all[0], "/weir/actor"), "command_line");
    let renamed = &all[10];
    let admin = gateway
        .admin
        .strip_prefix("sk-weir-admin-")
        .unwrap()
        .split('_')
        .next()
        .unwrap();
    assert_eq!(text(renamed, "/actor/api_key/id"), format!("key_{admin}"));
    assert_eq!(
        (
            text(renamed, "/weir/address"),
            text(renamed, "/weir/user_agent")
        ),
        ("127.0.0.1", "tests/1")
    );
    assert_eq!(
        (
            text(renamed, "/weir/before/name"),
            text(renamed, "/weir/after/name")
        ),
        ("search", "find")
    );
    assert_eq!(text(renamed, "/project/id"), id);
    assert_eq!(text(&all[8], "/weir/after/terms/tier"), "gold");
    for secret in [text(&made, "/api_key/value"), &gateway.key, &gateway.admin] {
        let secret = secret.rsplit('_').next().unwrap();
        assert!(!json!(all).to_string().contains(secret));
        assert!(!gateway.log().contains(secret));
    }

    for (query, found) in [
        (format!("project_ids[]={id}"), 11),
        (
            "event_types[]=api_key.created&event_types[]=api_key.deleted".to_owned(),
            2,
        ),
        (format!("actor_ids[]=key_{admin}"), 11),
        ("actor_emails[]=ana@example.com".to_owned(), 0),
        (format!("resource_ids[]={}", text(&made, "/id")), 2),
        ("effective_at[gte]=1".to_owned(), 14),
        ("effective_at[lt]=1&effective_at[gt]=0".to_owned(), 0),
        (format!("before={}", text(&all[3], "/id")), 3),
        (format!("after={}", text(&all[3], "/id")), 10),
    ] {
        let page = get(&gateway, &format!("/audit_logs?limit=100&{query}")).await;
        assert_eq!(entries(&page).len(), found, "{query}");
    }
    let doctor = gateway.weir(&["doctor"]).await;
    assert_eq!(doctor.code, Some(0), "{doctor:?}");
    assert!(
        doctor.stdout.contains("14 entries, the last is"),
        "{doctor:?}"
    );
}

#[tokio::test]
async fn what_is_refused_leaves_no_trace() {
    let gateway = Gateway::setup().start().await;
    let before = entries(&get(&gateway, "/audit_logs").await).len();
    super::bad(
        &gateway,
        "POST",
        "/projects",
        Some(json!({"name": ""})),
        (400, "invalid_value"),
    )
    .await;
    super::bad(
        &gateway,
        "POST",
        "/projects/nobody/archive",
        None,
        (404, "not_found"),
    )
    .await;
    assert_eq!(entries(&get(&gateway, "/audit_logs").await).len(), before);
}
