//! The life of a project, each answer held against the document: the shapes of success, which nobody's ids never show.

use super::{document, operations, send_body};
use crate::support::Gateway;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const ORGANIZATION: &str = "/v1/organization";

/// A method, a path, a body, and which ids the answer brings, by their places in it.
type Step = (
    &'static str,
    &'static str,
    Value,
    Vec<(&'static str, &'static str)>,
);

/// What is asked, in order.
fn steps() -> Vec<Step> {
    let alert = json!({
        "threshold_amount": 100, "currency": "USD", "interval": "month",
        "notification_channel": {"type": "email", "recipients": ["a@example.com"]},
    });
    let limit = json!({"threshold_amount": 500, "currency": "USD", "interval": "month"});
    let permissions = json!({"mode": "allow_list", "model_ids": ["simulator"]});
    let terms = json!({
        "expires_in_seconds": 3600, "tier": "gold", "metadata": {"team": "a"}, "models": ["simulator"],
        "limits": {"requests_per_minute": 5}, "allowed_ips": ["10.0.0.0/8"], "on_hangup": "finish",
    });
    let none = || Vec::new();
    vec![
        (
            "POST",
            "/admin_api_keys",
            json!({"name": "ops"}),
            vec![("key_id", "/id")],
        ),
        ("GET", "/admin_api_keys", json!(null), none()),
        ("GET", "/admin_api_keys/{key_id}", json!(null), none()),
        ("DELETE", "/admin_api_keys/{key_id}", json!(null), none()),
        (
            "POST",
            "/data_retention",
            json!({"retention_type": "zero_data_retention"}),
            none(),
        ),
        ("GET", "/data_retention", json!(null), none()),
        ("POST", "/spend_limit", limit.clone(), none()),
        ("GET", "/spend_limit", json!(null), none()),
        ("DELETE", "/spend_limit", json!(null), none()),
        (
            "POST",
            "/spend_alerts",
            alert.clone(),
            vec![("alert_id", "/id")],
        ),
        ("GET", "/spend_alerts", json!(null), none()),
        ("GET", "/spend_alerts/{alert_id}", json!(null), none()),
        ("POST", "/spend_alerts/{alert_id}", alert.clone(), none()),
        ("DELETE", "/spend_alerts/{alert_id}", json!(null), none()),
        (
            "POST",
            "/projects",
            json!({"name": "search"}),
            vec![("project_id", "/id")],
        ),
        ("GET", "/projects", json!(null), none()),
        ("GET", "/projects/{project_id}", json!(null), none()),
        (
            "POST",
            "/projects/{project_id}",
            json!({"name": "found"}),
            none(),
        ),
        (
            "POST",
            "/projects/{project_id}/service_accounts",
            json!({"name": "crawler", "weir": terms}),
            vec![("service_account_id", "/id"), ("api_key_id", "/api_key/id")],
        ),
        (
            "GET",
            "/projects/{project_id}/service_accounts",
            json!(null),
            none(),
        ),
        (
            "GET",
            "/projects/{project_id}/service_accounts/{service_account_id}",
            json!(null),
            none(),
        ),
        (
            "POST",
            "/projects/{project_id}/service_accounts/{service_account_id}",
            json!({"name": "spider"}),
            none(),
        ),
        (
            "POST",
            "/projects/{project_id}/service_accounts/{service_account_id}/api_keys",
            json!({"name": "second"}),
            none(),
        ),
        (
            "GET",
            "/projects/{project_id}/api_keys",
            json!(null),
            none(),
        ),
        (
            "GET",
            "/projects/{project_id}/api_keys/{api_key_id}",
            json!(null),
            none(),
        ),
        (
            "DELETE",
            "/projects/{project_id}/api_keys/{api_key_id}",
            json!(null),
            none(),
        ),
        (
            "GET",
            "/projects/{project_id}/rate_limits",
            json!(null),
            vec![("rate_limit_id", "/data/0/id")],
        ),
        (
            "POST",
            "/projects/{project_id}/rate_limits/{rate_limit_id}",
            json!({"max_requests_per_1_minute": 7}),
            none(),
        ),
        ("POST", "/projects/{project_id}/spend_limit", limit, none()),
        (
            "GET",
            "/projects/{project_id}/spend_limit",
            json!(null),
            none(),
        ),
        (
            "DELETE",
            "/projects/{project_id}/spend_limit",
            json!(null),
            none(),
        ),
        (
            "POST",
            "/projects/{project_id}/spend_alerts",
            alert.clone(),
            vec![("alert_id", "/id")],
        ),
        (
            "GET",
            "/projects/{project_id}/spend_alerts",
            json!(null),
            none(),
        ),
        (
            "GET",
            "/projects/{project_id}/spend_alerts/{alert_id}",
            json!(null),
            none(),
        ),
        (
            "POST",
            "/projects/{project_id}/spend_alerts/{alert_id}",
            alert,
            none(),
        ),
        (
            "DELETE",
            "/projects/{project_id}/spend_alerts/{alert_id}",
            json!(null),
            none(),
        ),
        (
            "POST",
            "/projects/{project_id}/model_permissions",
            permissions,
            none(),
        ),
        (
            "GET",
            "/projects/{project_id}/model_permissions",
            json!(null),
            none(),
        ),
        (
            "DELETE",
            "/projects/{project_id}/model_permissions",
            json!(null),
            none(),
        ),
        (
            "POST",
            "/projects/{project_id}/data_retention",
            json!({"retention_type": "organization_default"}),
            none(),
        ),
        (
            "GET",
            "/projects/{project_id}/data_retention",
            json!(null),
            none(),
        ),
        (
            "DELETE",
            "/projects/{project_id}/service_accounts/{service_account_id}",
            json!(null),
            none(),
        ),
        (
            "POST",
            "/projects/{project_id}/archive",
            json!(null),
            none(),
        ),
        ("GET", "/users", json!(null), none()),
        ("GET", "/users/{user_id}", json!(null), none()),
        (
            "POST",
            "/users/{user_id}",
            json!({"role": "owner", "weir": {"tier": "gold", "disabled": false}}),
            none(),
        ),
        ("DELETE", "/users/{user_id}", json!(null), none()),
        ("GET", "/audit_logs", json!(null), none()),
    ]
}

#[tokio::test]
async fn a_project_lives_and_every_answer_is_as_the_document_says() {
    let gateway = Gateway::setup().start().await;
    let document = document(&gateway).await;
    let operations = operations(&document);
    let create = ["user", "create", "ana@example.com", "--no-password"];
    let made = gateway.weir(&[&create[..], &["--json"]].concat()).await;
    let made: Value = serde_json::from_str(&made.stdout).unwrap();
    let user = made["id"].as_str().unwrap().to_owned();
    let mut ids: BTreeMap<&str, String> = BTreeMap::from([("user_id", user)]);
    for (method, path, body, brings) in steps() {
        let template = format!("{ORGANIZATION}{path}");
        let mut url = template.clone();
        for (name, id) in &ids {
            url = url.replace(&format!("{{{name}}}"), id);
        }
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let answer = send_body(gateway.control, method, &url, Some(&gateway.admin), &body).await;
        assert_eq!(answer.status(), 200, "{method} {url}: {}", answer.text());
        let operation = operations
            .iter()
            .find(|operation| operation.method == method && operation.path == template);
        let operation = operation.unwrap_or_else(|| panic!("{method} {template}"));
        operation.describes(&document, &answer);
        for (name, at) in brings {
            let id = answer
                .json()
                .pointer(at)
                .and_then(Value::as_str)
                .map(str::to_owned);
            ids.insert(name, id.expect(at));
        }
    }
}
