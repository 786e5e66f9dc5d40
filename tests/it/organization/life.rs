//! Projects and keys from their making to their end.

use super::{account, bad, becomes, delete, get, good, post, project, status, text};
use crate::support::Gateway;
use serde_json::{Value, json};
use std::time::{Duration, Instant, SystemTime};

#[tokio::test]
async fn a_project_is_made_changed_and_archived_with_all_of_its_keys() {
    let gateway = Gateway::setup().start().await;
    let made = post(
        &gateway,
        "/projects",
        json!({"name": "search", "residency": "EU_STORAGE_PROCESSING"}),
    )
    .await;
    let id = text(&made, "/id").to_owned();
    assert!(id.starts_with("proj_"), "{made}");
    assert_eq!(
        (&made["status"], &made["archived_at"], &made["residency"]),
        (
            &json!("active"),
            &Value::Null,
            &json!("EU_STORAGE_PROCESSING")
        )
    );
    let own = format!("/projects/{id}");
    let changed = post(
        &gateway,
        &own,
        json!({"name": "find", "external_key_id": "kms-1"}),
    )
    .await;
    assert_eq!(
        (text(&changed, "/name"), text(&changed, "/external_key_id")),
        ("find", "kms-1")
    );
    // What is as it was is no change.
    post(&gateway, &own, json!({"name": "find"})).await;
    post(&gateway, &own, json!({})).await;
    let log = get(&gateway, "/audit_logs?event_types[]=project.updated").await;
    assert_eq!(log["data"].as_array().unwrap().len(), 1, "{log}");
    let changed = post(&gateway, &own, json!({"external_key_id": null})).await;
    assert_eq!(
        (text(&changed, "/name"), &changed["external_key_id"]),
        ("find", &Value::Null)
    );
    assert_eq!(get(&gateway, &own).await, changed);

    let made = account(&gateway, &id, json!({"name": "ci"})).await;
    let key = text(&made, "/api_key/value").to_owned();
    let second = format!("{own}/service_accounts/{}/api_keys", text(&made, "/id"));
    let second = post(&gateway, &second, json!({"name": "second"})).await;
    // In force when the answer is there.
    assert_eq!(status(&gateway, &key).await, 200);
    assert_eq!(status(&gateway, text(&second, "/value")).await, 200);

    let archived = good(&gateway, "POST", &format!("{own}/archive"), None).await;
    assert_eq!(text(&archived, "/status"), "archived");
    assert!(archived["archived_at"].is_u64());
    assert_eq!(status(&gateway, &key).await, 401);
    assert_eq!(status(&gateway, text(&second, "/value")).await, 401);
    let refused = (400, "project_archived");
    bad(&gateway, "POST", &own, Some(json!({"name": "x"})), refused).await;
    bad(&gateway, "POST", &format!("{own}/archive"), None, refused).await;
    bad(
        &gateway,
        "POST",
        &format!("{own}/service_accounts"),
        Some(json!({"name": "x"})),
        refused,
    )
    .await;
    let own_account = format!("{own}/service_accounts/{}", text(&made, "/id"));
    bad(&gateway, "DELETE", &own_account, None, refused).await;
    get(&gateway, &own_account).await;
    let listed = |all: &Value| {
        all["data"]
            .as_array()
            .unwrap()
            .iter()
            .any(|one| one["id"] == *id)
    };
    assert!(!listed(&get(&gateway, "/projects").await));
    assert!(listed(
        &get(&gateway, "/projects?include_archived=true").await
    ));
    bad(
        &gateway,
        "POST",
        "/projects/proj_default/archive",
        None,
        (400, "default_project"),
    )
    .await;
    assert_eq!(status(&gateway, &gateway.key).await, 200);
}

#[tokio::test]
async fn a_service_account_has_keys_and_takes_them_with_it() {
    let gateway = Gateway::setup().start().await;
    let project = project(&gateway, "p").await;
    let accounts = format!("/projects/{project}/service_accounts");
    let made = account(
        &gateway,
        &project,
        json!({"name": "ci", "id": "svc_acct_mine", "role": "owner"}),
    )
    .await;
    // What a request has no business to say is not heard.
    assert_ne!(text(&made, "/id"), "svc_acct_mine");
    assert_eq!(text(&made, "/role"), "member");
    let without = account(
        &gateway,
        &project,
        json!({"name": "bare", "create_service_account_only": true}),
    )
    .await;
    assert_eq!(without["api_key"], Value::Null);
    let own = format!("{accounts}/{}", text(&made, "/id"));
    let changed = post(&gateway, &own, json!({"name": "build", "role": "owner"})).await;
    assert_eq!(
        (text(&changed, "/name"), text(&changed, "/role")),
        ("build", "owner")
    );
    assert_eq!(get(&gateway, &own).await, changed);

    let key = text(&made, "/api_key/value");
    let keys = format!("/projects/{project}/api_keys");
    let listed = get(&gateway, &keys).await;
    let [listed] = &listed["data"].as_array().unwrap()[..] else {
        panic!("{listed}");
    };
    assert_eq!(text(listed, "/id"), text(&made, "/api_key/id"));
    assert_eq!(text(listed, "/owner/service_account/name"), "build");
    assert!(
        key.starts_with(text(listed, "/redacted_value").trim_end_matches('*')),
        "{listed}"
    );
    assert_ne!(text(listed, "/redacted_value"), key);
    let one = format!("{keys}/{}", text(listed, "/id"));
    assert_eq!(get(&gateway, &one).await, *listed);

    let gone = delete(&gateway, &own).await;
    assert_eq!(
        (text(&gone, "/id"), &gone["deleted"]),
        (text(&made, "/id"), &json!(true))
    );
    assert_eq!(status(&gateway, key).await, 401);
    bad(&gateway, "GET", &own, None, (404, "not_found")).await;
    bad(&gateway, "GET", &one, None, (404, "not_found")).await;
    assert_eq!(get(&gateway, &keys).await["data"], json!([]));
}

#[tokio::test]
async fn a_deleted_key_is_refused_at_once_here_and_within_a_second_beside() {
    let gateway = Gateway::setup().start().await;
    let made = account(&gateway, "proj_default", json!({"name": "ci"})).await;
    let key = text(&made, "/api_key/value");
    assert_eq!(status(&gateway, key).await, 200);
    let gone = delete(
        &gateway,
        &format!(
            "/projects/proj_default/api_keys/{}",
            text(&made, "/api_key/id")
        ),
    )
    .await;
    assert_eq!(gone["id"], made["api_key"]["id"]);
    assert_eq!(status(&gateway, key).await, 401);

    let beside = gateway.make_key(&[]).await;
    becomes(&gateway, &beside.key, 200).await;
    let since = Instant::now();
    gateway.weir(&["key", "revoke", &beside.id]).await;
    becomes(&gateway, &beside.key, 401).await;
    assert!(
        since.elapsed() < Duration::from_secs(5),
        "the command and the look together"
    );
}

#[tokio::test]
async fn an_admin_key_lives_and_dies() {
    let gateway = Gateway::setup().start().await;
    let made = post(
        &gateway,
        "/admin_api_keys",
        json!({"name": "ops", "expires_in_seconds": 600}),
    )
    .await;
    let value = text(&made, "/value");
    assert!(
        value.starts_with("sk-weir-admin-") && made["expires_at"].is_u64(),
        "{made}"
    );
    let listed = get(&gateway, "/admin_api_keys").await;
    let names: Vec<&Value> = listed["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|key| &key["name"])
        .collect();
    assert_eq!(names, ["first admin key", "ops"]);
    let newest = get(&gateway, "/admin_api_keys?order=desc&limit=1").await;
    assert_eq!(
        (text(&newest, "/data/0/name"), &newest["has_more"]),
        ("ops", &json!(true))
    );
    assert!(!listed.to_string().contains(value));
    let own = format!("/admin_api_keys/{}", text(&made, "/id"));
    assert_eq!(get(&gateway, &own).await, newest["data"][0]);
    let authorization = format!("Bearer {value}");
    let projects = "/v1/organization/projects";
    assert_eq!(
        gateway
            .control_with(projects, &authorization)
            .await
            .status(),
        200
    );
    delete(&gateway, &own).await;
    gateway
        .control_with(projects, &authorization)
        .await
        .refused(401, "invalid_api_key");
    bad(&gateway, "GET", &own, None, (404, "not_found")).await;
    for body in [
        json!({}),
        json!({"name": "x", "expires_in_seconds": 0}),
        json!({"name": ""}),
        json!({"name": 1}),
    ] {
        let code = if body == json!({}) {
            "missing_required_parameter"
        } else {
            "invalid_value"
        };
        bad(&gateway, "POST", "/admin_api_keys", Some(body), (400, code)).await;
    }
}

#[tokio::test]
async fn usage_is_told_by_the_ids_that_the_directory_has() {
    let gateway = Gateway::setup().start().await;
    let project = project(&gateway, "p").await;
    let made = account(&gateway, &project, json!({"name": "ci"})).await;
    assert_eq!(status(&gateway, text(&made, "/api_key/value")).await, 200);
    gateway.metric("weir_ledger_slots_used", 0).await;
    let start = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs() - 3600;
    let key = text(&made, "/api_key/id");
    let query = format!(
        "start_time={start}&project_ids={project}&api_key_ids={key}&group_by=project_id&group_by=api_key_id"
    );
    let usage = get(
        &gateway,
        &format!("/usage/completions?{query}&group_by=user_id"),
    )
    .await;
    let buckets = usage["data"].as_array().unwrap();
    let result = buckets
        .iter()
        .find_map(|bucket| bucket["results"].get(0))
        .unwrap();
    assert_eq!(
        (text(result, "/project_id"), text(result, "/api_key_id")),
        (&*project, key)
    );
    assert_eq!(text(result, "/user_id"), text(&made, "/id"));
    let costs = get(&gateway, &format!("/costs?{query}")).await;
    let buckets = costs["data"].as_array().unwrap();
    let result = buckets
        .iter()
        .find_map(|bucket| bucket["results"].get(0))
        .unwrap();
    assert_eq!(text(result, "/api_key_id"), key);
}
