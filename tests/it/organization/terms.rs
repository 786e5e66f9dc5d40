//! What is agreed for a key: nothing that was asked for is left out in silence.

use super::{account, bad, get, good, text};
use crate::support::Gateway;
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
