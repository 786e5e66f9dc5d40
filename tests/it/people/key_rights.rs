//! Who may agree what for a key: those above set ceilings, those in the project do the rest.

use super::{login, send, user};
use crate::support::{Gateway, Response};
use serde_json::{Value, json};

const BASE: &str = "/v1/organization/projects/proj_a";

async fn ask(gateway: &Gateway, credential: &str, path: &str, body: &Value) -> Response {
    let bearer = format!("Bearer {credential}");
    let headers = [("authorization", bearer.as_str())];
    let path = format!("{BASE}{path}");
    send(gateway.control, "POST", &path, &headers, Some(body)).await
}

#[tokio::test]
async fn who_spends_narrows_a_key_and_does_not_raise_its_ceiling() {
    // An admin key, an owner, a reader, the owner of the project and a member of it.
    const LED: [u16; 5] = [200, 200, 404, 200, 403];
    const SET: [u16; 5] = [200, 200, 404, 403, 403];

    let gateway = Gateway::setup().start().await;
    let exit = gateway
        .weir(&["project", "create", "a", "--id", "proj_a"])
        .await;
    assert_eq!(exit.code, Some(0), "{exit:?}");
    let mut tokens = vec![gateway.admin.clone()];
    for (email, arguments) in [
        ("owner@example.com", &["--role", "owner"][..]),
        ("reader@example.com", &[]),
        ("lead@example.com", &[]),
        ("member@example.com", &["--project", "proj_a"]),
    ] {
        user(&gateway, email, arguments).await;
        if email.starts_with("lead") {
            let exit = gateway
                .weir(&["user", "join", email, "proj_a", "--role", "owner"])
                .await;
            assert_eq!(exit.code, Some(0), "{exit:?}");
        }
        tokens.push(login(&gateway, email).await.access);
    }
    let account = ask(
        &gateway,
        &gateway.admin,
        "/service_accounts",
        &json!({"name": "ci"}),
    )
    .await;
    let account = account.json();
    let text = |pointer: &str| account.pointer(pointer).and_then(Value::as_str).unwrap();
    let paths = [
        "/service_accounts".to_owned(),
        format!("/service_accounts/{}/api_keys", text("/id")),
        format!("/api_keys/{}", text("/api_key/id")),
    ];
    let budget = json!({"threshold_amount": 5, "currency": "USD", "interval": "day"});
    let asked = [
        (json!(null), LED),
        (json!({}), LED),
        (json!({"models": ["gpt-5"]}), LED),
        (json!({"expires_in_seconds": 600}), LED),
        (json!({"allowed_ips": ["127.0.0.1"]}), LED),
        (json!({"metadata": {"a": "b"}}), LED),
        (json!({"on_hangup": "finish"}), LED),
        (json!({"limits": {}}), LED),
        (json!({"tier": "gold"}), SET),
        (json!({"limits": {"concurrent_requests": 5}}), SET),
        (json!({"budget": budget, "models": ["gpt-5"]}), SET),
    ];
    for path in &paths {
        for (weir, expected) in &asked {
            let body = json!({"name": "n", "weir": weir});
            for (token, status) in tokens.iter().zip(expected) {
                let answer = ask(&gateway, token, path, &body).await;
                assert_eq!(answer.status(), *status, "{path} {body}: {}", answer.text());
            }
        }
    }
    // To take a ceiling away is to raise it; a key that makes none has none to take.
    for gone in ["tier", "limits", "budget"] {
        let mut weir = json!({});
        weir[gone] = Value::Null;
        let body = json!({"name": "n", "weir": weir});
        for (path, expected) in paths.iter().zip([LED, LED, SET]) {
            for (token, status) in tokens.iter().zip(expected) {
                let answer = ask(&gateway, token, path, &body).await;
                assert_eq!(answer.status(), status, "{path} {body}: {}", answer.text());
            }
        }
    }
}
