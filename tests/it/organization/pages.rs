//! Lists, a page at a time.

use super::{account, bad, get, post, project};
use crate::support::Gateway;
use serde_json::{Value, json};

/// All ids of a list, by pages of two.
async fn walk(gateway: &Gateway, path: &str, more: &str) -> Vec<String> {
    let mut ids: Vec<String> = Vec::new();
    loop {
        let after = ids
            .last()
            .map_or(String::new(), |id| format!("&after={id}"));
        let page = get(gateway, &format!("{path}?limit=2{more}{after}")).await;
        let data = page["data"].as_array().unwrap();
        let found: Vec<String> = data
            .iter()
            .map(|item| item["id"].as_str().unwrap().to_owned())
            .collect();
        assert!(found.len() <= 2);
        assert_eq!(
            page["first_id"],
            found.first().map_or(Value::Null, |id| json!(id))
        );
        assert_eq!(
            page["last_id"],
            found.last().map_or(Value::Null, |id| json!(id))
        );
        ids.extend(found);
        if page["has_more"] == false {
            return ids;
        }
    }
}

#[tokio::test]
async fn every_list_is_walked_to_its_end() {
    let gateway = Gateway::setup().start().await;
    let project = project(&gateway, "p").await;
    let accounts = format!("/projects/{project}/service_accounts");
    let (mut made, mut keys) = (Vec::new(), Vec::new());
    for number in 0..5 {
        let one = account(
            &gateway,
            &project,
            json!({"name": format!("account {number}")}),
        )
        .await;
        made.push(one["id"].as_str().unwrap().to_owned());
        keys.push(one["api_key"]["id"].as_str().unwrap().to_owned());
    }
    assert_eq!(walk(&gateway, &accounts, "").await, made);
    let of_keys = format!("/projects/{project}/api_keys");
    assert_eq!(walk(&gateway, &of_keys, "").await, keys);
    assert_eq!(
        walk(&gateway, &of_keys, "&owner_project_access=inactive").await,
        [""; 0]
    );
    let mut projects = vec!["proj_default".to_owned(), project.clone()];
    for number in 0..3 {
        projects.push(super::project(&gateway, &format!("project {number}")).await);
    }
    assert_eq!(walk(&gateway, "/projects", "").await, projects);
    let mut alerts = Vec::new();
    for threshold in 0..3 {
        let body = json!({
            "threshold_amount": threshold, "currency": "USD", "interval": "month",
            "notification_channel": {"type": "email", "recipients": []},
        });
        alerts.push(
            post(&gateway, "/spend_alerts", body).await["id"]
                .as_str()
                .unwrap()
                .to_owned(),
        );
    }
    assert_eq!(walk(&gateway, "/spend_alerts", "").await, alerts);
    alerts.reverse();
    assert_eq!(walk(&gateway, "/spend_alerts", "&order=desc").await, alerts);
    let before = get(
        &gateway,
        &format!("/spend_alerts?before={}&limit=1", alerts[0]),
    )
    .await;
    assert_eq!(
        (before["last_id"].as_str(), &before["has_more"]),
        (Some(&*alerts[1]), &json!(true))
    );
    assert!(walk(&gateway, "/audit_logs", "").await.len() > 10);
    assert_eq!(walk(&gateway, "/admin_api_keys", "").await.len(), 1);

    for (path, query, param) in [
        ("/projects", "limit=0", "limit"),
        ("/projects", "limit=101", "limit"),
        ("/projects", "limit=x", "limit"),
        ("/projects", "after=proj_nobody", "after"),
        ("/projects", "include_archived=maybe", "include_archived"),
        ("/projects", "before=x", "before"),
        ("/admin_api_keys", "order=up", "order"),
        ("/admin_api_keys", "after=key_0123456789abcdef", "after"),
        ("/spend_alerts", "after=a&before=b", "before"),
        ("/audit_logs", "after=audit_log-x", "after"),
        ("/audit_logs", "before=audit_log-x", "before"),
        ("/audit_logs", "effective_at[gt]=x", "effective_at[gt]"),
        (&of_keys, "owner_project_access=x", "owner_project_access"),
        (&of_keys, "after=nobody", "after"),
    ] {
        let code = if query == "before=x" {
            "unknown_parameter"
        } else {
            "invalid_value"
        };
        let error = bad(
            &gateway,
            "GET",
            &format!("{path}?{query}"),
            None,
            (400, code),
        )
        .await;
        assert_eq!(error["param"], param, "{path}?{query}");
    }
}
