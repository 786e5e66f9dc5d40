//! What strangers and mistaken friends send.

use super::{ORGANIZATION, account, bad, get, post, project, send, spec, text};
use crate::support::Gateway;
use serde_json::{Value, json};

/// Every path below a project, with a method that it takes, where `ID` is something in it.
const BELOW: [(&str, &str); 26] = [
    ("GET", ""),
    ("POST", ""),
    ("POST", "/archive"),
    ("GET", "/api_keys"),
    ("GET", "/api_keys/KEY"),
    ("DELETE", "/api_keys/KEY"),
    ("GET", "/service_accounts"),
    ("POST", "/service_accounts"),
    ("GET", "/service_accounts/ACCOUNT"),
    ("POST", "/service_accounts/ACCOUNT"),
    ("DELETE", "/service_accounts/ACCOUNT"),
    ("POST", "/service_accounts/ACCOUNT/api_keys"),
    ("GET", "/rate_limits"),
    ("POST", "/rate_limits/rl-simulator"),
    ("GET", "/spend_limit"),
    ("POST", "/spend_limit"),
    ("DELETE", "/spend_limit"),
    ("GET", "/spend_alerts"),
    ("POST", "/spend_alerts"),
    ("GET", "/spend_alerts/ALERT"),
    ("DELETE", "/spend_alerts/ALERT"),
    ("GET", "/model_permissions"),
    ("POST", "/model_permissions"),
    ("DELETE", "/model_permissions"),
    ("GET", "/data_retention"),
    ("POST", "/data_retention"),
];

/// A body with which any of them would do what it does.
fn good_body() -> Value {
    json!({
        "name": "x", "threshold_amount": 1, "currency": "USD", "interval": "month", "mode": "deny_list",
        "model_ids": [], "retention_type": "none", "notification_channel": {"type": "email", "recipients": []},
    })
}

#[tokio::test]
async fn what_is_in_one_project_is_not_there_in_another_or_in_none() {
    let gateway = Gateway::setup().start().await;
    let (mine, theirs) = (
        project(&gateway, "mine").await,
        project(&gateway, "theirs").await,
    );
    let made = account(&gateway, &mine, json!({"name": "ci"})).await;
    let alert = post(
        &gateway,
        &format!("/projects/{mine}/spend_alerts"),
        good_body(),
    )
    .await;
    let names = [
        ("KEY", text(&made, "/api_key/id")),
        ("ACCOUNT", text(&made, "/id")),
        ("ALERT", text(&alert, "/id")),
    ];
    let filled = |path: &str| {
        names
            .iter()
            .fold(path.to_owned(), |path, (name, id)| path.replace(name, id))
    };
    for (method, path) in BELOW {
        let body = (method == "POST").then(good_body);
        let path = filled(path);
        for project in ["proj_nobody", "proj_%27%3B--", "%E2%80%AE"] {
            let path = format!("/projects/{project}{path}");
            let code = if project.starts_with("proj_") {
                "not_found"
            } else {
                "unknown_url"
            };
            bad(&gateway, method, &path, body.clone(), (404, code)).await;
        }
        if names.iter().any(|(_, id)| path.contains(id)) {
            bad(
                &gateway,
                method,
                &format!("/projects/{theirs}{path}"),
                body,
                (404, "not_found"),
            )
            .await;
        }
    }
    // And nothing came of it.
    assert_eq!(
        super::status(&gateway, text(&made, "/api_key/value")).await,
        200
    );
    get(
        &gateway,
        &format!("/projects/{mine}/spend_alerts/{}", text(&alert, "/id")),
    )
    .await;
}

#[tokio::test]
async fn nobody_but_an_admin_does_any_of_it() {
    let gateway = Gateway::setup().start().await;
    let body = good_body().to_string();
    let own = BELOW.map(|(method, path)| {
        (
            method,
            format!("{ORGANIZATION}/projects/proj_default{path}"),
        )
    });
    let above = [
        ("GET", "/projects"),
        ("POST", "/projects"),
        ("GET", "/admin_api_keys"),
        ("POST", "/admin_api_keys"),
        ("GET", "/audit_logs"),
        ("POST", "/spend_limit"),
        ("GET", "/spend_alerts"),
    ];
    let above = above.map(|(method, path)| (method, format!("{ORGANIZATION}{path}")));
    for (method, path) in own.iter().chain(&above) {
        for key in [
            "",
            "x",
            &gateway.key,
            &gateway.admin[..gateway.admin.len() - 1],
        ] {
            let refused = send(
                &gateway,
                method,
                path,
                key,
                "application/json",
                body.as_bytes(),
            )
            .await;
            refused.refused(401, "invalid_api_key");
            spec::conforms(method, path, &refused);
        }
        let on_data_plane = gateway.send(method, path, &[("content-length", "0")]).await;
        assert_eq!(on_data_plane.status(), 404, "{method} {path}");
    }
}

#[tokio::test]
async fn a_body_that_is_none_is_refused_whatever_it_is() {
    let gateway = Gateway::setup().start().await;
    let path = format!("{ORGANIZATION}/projects");
    let json = "application/json";
    let huge = vec![b'x'; 10 << 20];
    let deep = "[".repeat(100_000);
    for (media, body, status, code) in [
        (json, &b"{"[..], 400, "invalid_json"),
        (json, b"[]", 400, "invalid_json"),
        (json, b"{\"name\":\"a\xff\"}", 400, "invalid_json"),
        (json, deep.as_bytes(), 400, "invalid_json"),
        (json, b"", 400, "missing_required_parameter"),
        (json, b"{\"name\":null}", 400, "missing_required_parameter"),
        (json, b"{\"name\":[\"a\"]}", 400, "invalid_value"),
        (json, b"{\"name\":\"a\\u0000b\"}", 400, "invalid_value"),
        (json, b"{\"name\":\"a\\r\\nx: y\"}", 400, "invalid_value"),
        (
            "text/plain",
            b"{\"name\":\"x\"}",
            415,
            "unsupported_media_type",
        ),
        (json, &huge, 413, "request_too_large"),
    ] {
        let refused = send(&gateway, "POST", &path, &gateway.admin, media, body).await;
        refused.refused(status, code);
        spec::conforms("POST", &path, &refused);
    }
    assert_eq!(
        get(&gateway, "/projects").await["data"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn a_name_is_text_and_nothing_more() {
    let gateway = Gateway::setup().start().await;
    for name in [
        "'; DROP TABLE project; --",
        "$1 {} %s \\",
        "<script>alert(1)</script>",
        "\u{1F600} \"\u{e9}\"",
        "../../etc/passwd",
    ] {
        let made = post(&gateway, "/projects", json!({"name": name})).await;
        assert_eq!(text(&made, "/name"), name);
        let own = format!("/projects/{}", text(&made, "/id"));
        assert_eq!(text(&get(&gateway, &own).await, "/name"), name);
    }
    let body = json!({"name": "x", "id": "proj_default", "created_at": 1, "archived_at": 1, "status": "archived", "object": "x"});
    let made = post(&gateway, "/projects", body).await;
    assert_eq!(
        (text(&made, "/status"), text(&made, "/object")),
        ("active", "organization.project")
    );
    assert!(
        made["created_at"].as_u64() > Some(1) && text(&made, "/id") != "proj_default",
        "{made}"
    );
    for name in [
        "x".repeat(129),
        "\u{202e}gnp".to_owned(),
        "sea\u{200b}rch".to_owned(),
    ] {
        let error = bad(
            &gateway,
            "POST",
            "/projects",
            Some(json!({"name": name})),
            (400, "invalid_value"),
        )
        .await;
        assert_eq!(error["param"], "name");
    }
    let wrong = json!({"name": "x", "residency": "MARS"});
    let error = bad(
        &gateway,
        "POST",
        "/projects",
        Some(wrong),
        (400, "invalid_value"),
    )
    .await;
    assert_eq!(error["param"], "residency");
}

#[tokio::test]
async fn a_path_says_which_methods_it_takes() {
    let gateway = Gateway::setup().start().await;
    let path = format!("{ORGANIZATION}/projects/proj_default/spend_limit");
    let refused = send(
        &gateway,
        "PUT",
        &path,
        &gateway.admin,
        "application/json",
        b"{}",
    )
    .await;
    refused.refused(405, "method_not_allowed");
    assert_eq!(
        refused.header("allow"),
        Some("GET, HEAD, POST, DELETE, OPTIONS")
    );
}

#[tokio::test]
async fn what_is_not_served_is_not_there() {
    let gateway = Gateway::setup().start().await;
    for path in [
        "/roles",
        "/groups",
        "/certificates",
        "/users/user-1/roles",
        "/projects/proj_default/groups",
        "/projects/proj_default/certificates",
        "/projects/proj_default/hosted_tool_permissions",
    ] {
        bad(&gateway, "GET", path, None, (404, "unknown_url")).await;
    }
}
