//! What is agreed for a key, for as long as that lives.

use super::{account, bad, delete, get, post, project, status, text};
use crate::support::Gateway;
use serde_json::{Value, json};
use std::time::SystemTime;

#[tokio::test]
async fn what_openai_has_no_words_for_is_told_as_it_was_asked() {
    let gateway = Gateway::setup().start().await;
    let soon = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs() + 3600;
    let weir = json!({
        "expires_at": soon, "tier": "gold", "priority": "low", "models": ["simulator/*"], "on_hangup": "finish-up-to=100",
        "limits": {"requests_per_minute": 60, "concurrent_requests": 4},
        "budget": {"threshold_amount": 500, "currency": "USD", "interval": "month"},
        "allowed_ips": ["127.0.0.0/8", "::1"], "metadata": {"team": "search"},
    });
    let made = account(
        &gateway,
        "proj_default",
        json!({"name": "ci", "weir": weir}),
    )
    .await;
    let told = &made["api_key"]["weir"];
    let mut expected = weir.clone();
    expected["state"] = "live".into();
    expected["replaced_by"] = Value::Null;
    expected["allowed_ips"] = json!(["127.0.0.0/8", "::1/128"]);
    assert_eq!(*told, expected);
    assert_eq!(status(&gateway, text(&made, "/api_key/value")).await, 200);
    let id = text(&made, "/api_key/id");
    assert_eq!(
        get(&gateway, &format!("/projects/proj_default/api_keys/{id}")).await["weir"],
        expected
    );

    let body = json!({"name": "elsewhere", "weir": {"allowed_ips": ["192.0.2.0/24"]}});
    let elsewhere = account(&gateway, "proj_default", body).await;
    let headers = [(
        "authorization",
        format!("Bearer {}", text(&elsewhere, "/api_key/value")),
    )];
    let headers = headers
        .each_ref()
        .map(|(name, value)| (*name, value.as_str()));
    gateway
        .bare("GET", "/v1/models", &headers)
        .await
        .refused(401, "ip_not_authorized");

    for (weir, param) in [
        (json!(1), "weir"),
        (json!({"tier": ""}), "weir.tier"),
        (json!({"priority": "urgent"}), "weir.priority"),
        (json!({"models": []}), "weir.models"),
        (json!({"models": ["a**"]}), "weir.models"),
        (json!({"on_hangup": "stay"}), "weir.on_hangup"),
        (
            json!({"limits": {"requests_per_minute": -1}}),
            "weir.limits.requests_per_minute",
        ),
        (
            json!({"budget": {"threshold_amount": 1, "currency": "USD"}}),
            "weir.budget.interval",
        ),
        (
            json!({"budget": {"threshold_amount": 1.5, "interval": "month"}}),
            "weir.budget.threshold_amount",
        ),
        (
            json!({"budget": {"threshold_amount": 1, "interval": "month", "currency": "EUR"}}),
            "weir.budget.currency",
        ),
        (json!({"allowed_ips": ["10.0.0.1/8"]}), "weir.allowed_ips"),
        (json!({"metadata": {"a": 1}}), "weir.metadata"),
        (json!({"expires_at": 5}), "weir.expires_at"),
        (
            json!({"expires_in_seconds": 5, "expires_at": soon}),
            "weir.expires_at",
        ),
    ] {
        let path = "/projects/proj_default/service_accounts";
        let body = json!({"name": "x", "weir": weir});
        let answer = super::ask(
            &gateway,
            "POST",
            &format!("/v1/organization{path}"),
            Some(body),
        )
        .await;
        assert_eq!(answer.status(), 400, "{weir}: {}", answer.text());
        assert_eq!(answer.json()["error"]["param"], param, "{weir}");
    }
}

#[tokio::test]
async fn what_is_agreed_for_a_key_changes_in_force_at_once() {
    let gateway = Gateway::setup().start().await;
    let body = json!({"name": "ci", "weir": {"tier": "gold", "priority": "high", "limits": {"requests_per_day": 5}, "metadata": {"a": "b"}}});
    let made = account(&gateway, "proj_default", body).await;
    let key = text(&made, "/api_key/value");
    let path = format!(
        "{}/projects/proj_default/api_keys/{}",
        super::ORGANIZATION,
        text(&made, "/api_key/id")
    );
    // OpenAI describes no such operation.
    let change = async |body: Value| {
        let body = body.to_string().into_bytes();
        super::send(
            &gateway,
            "POST",
            &path,
            &gateway.admin,
            "application/json",
            &body,
        )
        .await
    };
    let weir = json!({"tier": null, "limits": {"requests_per_day": null, "tokens_per_minute": 9}, "models": ["o3"], "expires_in_seconds": 600});
    let changed = change(json!({"name": "build", "weir": weir})).await;
    assert_eq!(changed.status(), 200, "{}", changed.text());
    let changed = changed.json();
    assert_eq!(
        (text(&changed, "/name"), &changed["weir"]["tier"]),
        ("build", &Value::Null)
    );
    assert_eq!(changed["weir"]["priority"], "high");
    assert_eq!(changed["weir"]["limits"], json!({"tokens_per_minute": 9}));
    assert_eq!(
        (
            &changed["weir"]["metadata"],
            changed["weir"]["expires_at"].is_u64()
        ),
        (&json!({"a": "b"}), true)
    );
    assert_eq!(status(&gateway, key).await, 403);
    let changed = change(json!({"weir": {"models": null, "expires_at": null, "priority": null}}))
        .await
        .json();
    assert_eq!(
        (&changed["weir"]["models"], &changed["weir"]["expires_at"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(changed["weir"]["priority"], Value::Null);
    assert_eq!(status(&gateway, key).await, 200);
    assert_eq!(
        change(json!({"weir": {"allowed_ips": ["192.0.2.1"]}}))
            .await
            .status(),
        200
    );
    assert_eq!(status(&gateway, key).await, 401);
    change(json!({"weir": {"tier": 5}}))
        .await
        .refused(400, "invalid_value");
    let log = get(&gateway, "/audit_logs?event_types[]=api_key.updated").await;
    assert_eq!(log["data"].as_array().unwrap().len(), 3);
    assert_eq!(text(&log, "/data/2/weir/before/terms/tier"), "gold");
    delete(
        &gateway,
        &format!(
            "/projects/proj_default/api_keys/{}",
            text(&made, "/api_key/id")
        ),
    )
    .await;
    change(json!({"name": "gone"}))
        .await
        .refused(404, "not_found");
}

#[tokio::test]
async fn a_rotated_key_overlaps_with_its_heir_and_keeps_its_terms() {
    let gateway = Gateway::setup().start().await;
    let project = project(&gateway, "p").await;
    let made = account(
        &gateway,
        &project,
        json!({"name": "ci", "weir": {"tier": "gold"}}),
    )
    .await;
    let keys = format!(
        "/projects/{project}/service_accounts/{}/api_keys",
        text(&made, "/id")
    );
    let old = text(&made, "/api_key/id");
    let body = json!({"weir": {"replaces": old, "overlap_seconds": 3600}});
    let heir = post(&gateway, &keys, body.clone()).await;
    assert_eq!(
        (text(&heir, "/name"), text(&heir, "/weir/tier")),
        ("ci", "gold")
    );
    for key in [text(&made, "/api_key/value"), text(&heir, "/value")] {
        assert_eq!(status(&gateway, key).await, 200);
    }
    let own = get(&gateway, &format!("/projects/{project}/api_keys/{old}")).await;
    assert_eq!(own["weir"]["replaced_by"], heir["id"]);
    let error = bad(&gateway, "POST", &keys, Some(body), (400, "invalid_value")).await;
    assert_eq!(error["param"], "weir.replaces");
    let id = text(&heir, "/id");
    post(&gateway, &keys, json!({"weir": {"replaces": id}})).await;
    assert_eq!(status(&gateway, text(&heir, "/value")).await, 401);
    for (weir, code, param) in [
        (
            json!({"replaces": id, "tier": "x"}),
            "invalid_value",
            "weir.tier",
        ),
        (
            json!({"replaces": "nothing"}),
            "invalid_value",
            "weir.replaces",
        ),
        (
            json!({"overlap_seconds": 1}),
            "missing_required_parameter",
            "weir.replaces",
        ),
    ] {
        let error = bad(
            &gateway,
            "POST",
            &keys,
            Some(json!({"weir": weir})),
            (400, code),
        )
        .await;
        assert_eq!(error["param"], param);
    }
    let other = account(&gateway, "proj_default", json!({"name": "other"})).await;
    let body = json!({"weir": {"replaces": other["api_key"]["id"]}});
    bad(&gateway, "POST", &keys, Some(body), (404, "not_found")).await;
}
