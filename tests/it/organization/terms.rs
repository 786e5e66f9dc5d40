//! What is agreed for a key: nothing that was asked for is left out in silence.

use super::{ORGANIZATION, account, bad, becomes, delete, get, good, status, text};
use crate::support::{Gateway, Response};
use serde_json::{Value, json};

/// Every request that makes a key, or changes one; the last is Weir's own.
async fn places(gateway: &Gateway) -> [String; 4] {
    let made = account(gateway, "proj_default", json!({"name": "ci"})).await;
    [
        "/admin_api_keys".to_owned(),
        "/projects/proj_default/service_accounts".to_owned(),
        format!(
            "/projects/proj_default/service_accounts/{}/api_keys",
            text(&made, "/id")
        ),
        format!(
            "/projects/proj_default/api_keys/{}",
            text(&made, "/api_key/id")
        ),
    ]
}

/// The number of keys, of whichever kind.
async fn keys(gateway: &Gateway) -> usize {
    let mut count = 0;
    for path in ["/projects/proj_default/api_keys", "/admin_api_keys"] {
        count += get(gateway, path).await["data"].as_array().unwrap().len();
    }
    count
}

#[tokio::test]
async fn scopes_that_no_key_has_are_refused_and_make_none() {
    let gateway = Gateway::setup().start().await;
    let places = places(&gateway).await;
    let before = keys(&gateway).await;
    for path in &places {
        for scopes in [
            json!(["api.model.read"]),
            json!([""]),
            json!([1]),
            json!("all"),
            json!({}),
        ] {
            let body = json!({"name": "narrow", "scopes": scopes});
            let error = bad(&gateway, "POST", path, Some(body), (400, "invalid_value")).await;
            assert_eq!(error["param"], "scopes", "{path}");
        }
    }
    assert_eq!(keys(&gateway).await, before);
    // What narrows nothing is as good as left out.
    for scopes in [json!([]), Value::Null] {
        for path in &places[..3] {
            let body = json!({"name": "wide", "scopes": scopes});
            good(&gateway, "POST", path, Some(body)).await;
        }
    }
}

#[tokio::test]
async fn a_member_that_is_spelled_wrong_is_refused_with_the_one_that_was_meant() {
    let gateway = Gateway::setup().start().await;
    let places = places(&gateway).await;
    let before = keys(&gateway).await;
    for (weir, param, near) in [
        (
            json!({"expires_in_second": 1}),
            "weir.expires_in_second",
            "`weir.expires_in_seconds`",
        ),
        (
            json!({"tier": "gold", "limit": {}}),
            "weir.limit",
            "`weir.limits`",
        ),
        (
            json!({"limits": {"request_per_minute": 5}}),
            "weir.limits.request_per_minute",
            "`weir.limits.requests_per_minute`",
        ),
        (
            json!({"budget": {"threshold_amount": 1, "currency": "USD", "interval": "day", "intervall": 1}}),
            "weir.budget.intervall",
            "`weir.budget.interval`",
        ),
        (
            json!({"allowed_ip": null}),
            "weir.allowed_ip",
            "`weir.allowed_ips`",
        ),
        (json!({"state": "live"}), "weir.state", "unknown"),
        (json!({"\u{1b}[31m": 1}), "weir.[31m", "unknown"),
    ] {
        for path in &places[1..] {
            let body = json!({"name": "x", "weir": weir});
            let refused = (400, "unknown_parameter");
            let error = bad(&gateway, "POST", path, Some(body), refused).await;
            assert_eq!(error["param"], param, "{path}");
            assert!(text(&error, "/message").contains(near), "{error}");
        }
    }
    assert_eq!(keys(&gateway).await, before);
}

/// Changes a key, for which OpenAI describes no operation.
async fn change(gateway: &Gateway, id: &str, body: Value) -> Response {
    let path = format!("{ORGANIZATION}/projects/proj_default/api_keys/{id}");
    let body = body.to_string().into_bytes();
    let media = "application/json";
    super::send(gateway, "POST", &path, &gateway.admin, media, &body).await
}

#[tokio::test]
async fn limits_and_notes_change_one_by_one() {
    let gateway = Gateway::setup().start().await;
    let weir = json!({
        "limits": {"requests_per_day": 5, "tokens_per_day": 7}, "metadata": {"team": "search", "stage": "test"},
    });
    let body = json!({"name": "ci", "weir": weir});
    let made = account(&gateway, "proj_default", body).await;
    let id = text(&made, "/api_key/id");
    for (asked, limits, metadata) in [
        (
            json!({"limits": {"concurrent_requests": 2}, "metadata": {"stage": "live"}}),
            json!({"requests_per_day": 5, "tokens_per_day": 7, "concurrent_requests": 2}),
            json!({"team": "search", "stage": "live"}),
        ),
        (
            json!({"limits": {"tokens_per_day": null}, "metadata": {"team": null, "unheard": null}}),
            json!({"requests_per_day": 5, "concurrent_requests": 2}),
            json!({"stage": "live"}),
        ),
        // What asks for nothing changes nothing.
        (
            json!({"limits": {}, "metadata": {}}),
            json!({"requests_per_day": 5, "concurrent_requests": 2}),
            json!({"stage": "live"}),
        ),
        (
            json!({"limits": null, "metadata": null}),
            json!({}),
            json!({}),
        ),
    ] {
        let changed = change(&gateway, id, json!({"weir": asked})).await;
        assert_eq!(changed.status(), 200, "{}", changed.text());
        let told = &changed.json()["weir"];
        assert_eq!((&told["limits"], &told["metadata"]), (&limits, &metadata));
    }
    let log = get(&gateway, "/audit_logs?event_types[]=api_key.updated").await;
    assert_eq!(log["data"].as_array().unwrap().len(), 3, "{log}");

    let many = |from: u8| -> Value {
        (from..from + 16)
            .map(|n| (n.to_string(), json!("x")))
            .collect()
    };
    let sixteen = change(&gateway, id, json!({"weir": {"metadata": many(0)}})).await;
    assert_eq!(sixteen.status(), 200);
    let more = change(&gateway, id, json!({"weir": {"metadata": {"more": "x"}}})).await;
    let error = more.refused(400, "invalid_value");
    assert!(
        text(&error, "/message").contains("at most 16 pairs"),
        "{error}"
    );
    for (weir, param) in [
        (json!({"metadata": {"a": 1}}), "weir.metadata"),
        (
            json!({"limits": {"tokens_per_day": "5"}}),
            "weir.limits.tokens_per_day",
        ),
    ] {
        let error = change(&gateway, id, json!({"weir": weir}))
            .await
            .refused(400, "invalid_value");
        assert_eq!(error["param"], param);
    }
}

#[tokio::test]
async fn a_key_that_has_ended_comes_alive_no_more() {
    let gateway = Gateway::setup().start().await;
    let body = json!({"name": "short", "weir": {"expires_in_seconds": 1}});
    let short = account(&gateway, "proj_default", body).await;
    let (id, key) = (text(&short, "/api_key/id"), text(&short, "/api_key/value"));
    becomes(&gateway, key, 401).await;
    for weir in [
        json!({"expires_at": null}),
        json!({"expires_in_seconds": 600}),
    ] {
        let refused = change(&gateway, id, json!({"weir": weir})).await;
        assert_eq!(
            refused.refused(400, "invalid_value")["param"],
            "weir.expires_at"
        );
    }
    let renamed = change(&gateway, id, json!({"name": "over"})).await;
    assert_eq!(
        renamed.json()["weir"]["state"],
        "expired",
        "{}",
        renamed.text()
    );
    assert_eq!(status(&gateway, key).await, 401);

    let made = account(&gateway, "proj_default", json!({"name": "ci"})).await;
    let id = text(&made, "/api_key/id");
    delete(&gateway, &format!("/projects/proj_default/api_keys/{id}")).await;
    change(&gateway, id, json!({"weir": {"expires_at": null}}))
        .await
        .refused(404, "not_found");
}
