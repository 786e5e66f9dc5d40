//! Who may do what.

use super::{BASE, ask, get_as, login, projects, send, user};
use crate::support::Gateway;
use serde_json::{Value, json};

/// Everything on the control plane that asks for a right, and who has it: an admin key, an owner, a reader, the owner
/// of the project and a member of it. Then those of another project.
#[tokio::test]
async fn the_table_of_rights_holds_cell_by_cell() {
    const ALL: &[u16] = &[200, 200, 403, 403, 403];
    const SEEN: &[u16] = &[200, 200, 404, 200, 200];
    const LED: &[u16] = &[200, 200, 404, 200, 403];
    const SET: &[u16] = &[200, 200, 404, 403, 403];

    let gateway = Gateway::setup().start().await;
    projects(&gateway, &["proj_a", "proj_b"]).await;
    user(&gateway, "owner@example.com", &["--role", "owner"]).await;
    user(&gateway, "reader@example.com", &[]).await;
    user(&gateway, "lead@example.com", &[]).await;
    user(&gateway, "member@example.com", &["--project", "proj_a"]).await;
    let exit = gateway
        .weir(&[
            "user",
            "join",
            "lead@example.com",
            "proj_a",
            "--role",
            "owner",
        ])
        .await;
    assert_eq!(exit.code, Some(0), "{exit:?}");
    let other = user(&gateway, "other@example.com", &[]).await;

    let since = super::now() - 86_400;
    let costs = format!("/costs?start_time={since}");
    let usage = format!("/usage/completions?start_time={since}");
    let one = format!("/users/{}", other.id);
    let in_project = format!("/projects/proj_a/users/{}", other.id);
    let alert = json!({
        "currency": "USD", "interval": "month", "threshold_amount": 100,
        "notification_channel": {"type": "email", "recipients": ["ops@example.com"]},
    });
    let cells: Vec<(&str, String, Option<Value>, &[u16])> = vec![
        ("GET", costs.clone(), None, ALL),
        ("GET", usage.clone(), None, ALL),
        ("GET", format!("{costs}&project_ids=proj_a"), None, LED),
        ("GET", format!("{usage}&project_ids=proj_a"), None, LED),
        (
            "GET",
            format!("{usage}&project_ids=proj_a&project_ids=proj_b"),
            None,
            &[200, 200, 404, 404, 403],
        ),
        ("GET", "/users".to_owned(), None, ALL),
        ("GET", one.clone(), None, ALL),
        ("POST", one.clone(), Some(json!({})), ALL),
        ("GET", "/invites".to_owned(), None, ALL),
        ("GET", "/projects/proj_a/users".to_owned(), None, SEEN),
        (
            "GET",
            "/projects/proj_b/users".to_owned(),
            None,
            &[200, 200, 404, 404, 404],
        ),
        ("GET", "/projects/proj_a".to_owned(), None, SEEN),
        (
            "GET",
            "/projects/proj_b".to_owned(),
            None,
            &[200, 200, 404, 404, 404],
        ),
        (
            "POST",
            "/projects/proj_a".to_owned(),
            Some(json!({"name": "a"})),
            LED,
        ),
        (
            "POST",
            "/projects".to_owned(),
            Some(json!({"name": "another"})),
            ALL,
        ),
        ("GET", "/projects/proj_a/api_keys".to_owned(), None, SEEN),
        (
            "GET",
            "/projects/proj_a/service_accounts".to_owned(),
            None,
            SEEN,
        ),
        (
            "POST",
            "/projects/proj_a/service_accounts".to_owned(),
            Some(json!({"name": "s"})),
            LED,
        ),
        ("GET", "/projects/proj_a/rate_limits".to_owned(), None, SEEN),
        (
            "GET",
            "/projects/proj_a/model_permissions".to_owned(),
            None,
            SEEN,
        ),
        (
            "GET",
            "/projects/proj_a/data_retention".to_owned(),
            None,
            SEEN,
        ),
        (
            "POST",
            "/projects/proj_a/spend_alerts".to_owned(),
            Some(alert.clone()),
            SET,
        ),
        ("POST", "/spend_alerts".to_owned(), Some(alert), ALL),
        ("GET", "/data_retention".to_owned(), None, ALL),
        ("GET", "/admin_api_keys".to_owned(), None, ALL),
        (
            "POST",
            "/admin_api_keys".to_owned(),
            Some(json!({"name": "k"})),
            ALL,
        ),
        ("GET", "/audit_logs".to_owned(), None, ALL),
        // Everybody has a list of their own.
        ("GET", "/projects".to_owned(), None, &[200; 5]),
    ];
    let mut tokens = vec![gateway.admin.clone()];
    for email in [
        "owner@example.com",
        "reader@example.com",
        "lead@example.com",
        "member@example.com",
    ] {
        tokens.push(login(&gateway, email).await.access);
    }
    for (method, path, body, expected) in &cells {
        for (token, status) in tokens.iter().zip(*expected) {
            let response = ask(&gateway, token, method, path, body.as_ref()).await;
            assert_eq!(
                response.status(),
                *status,
                "{method} {path}: {}",
                response.text()
            );
        }
        // An API key opens nothing here, and neither does nobody.
        let refused = ask(&gateway, &gateway.key, method, path, body.as_ref()).await;
        refused.refused(401, "invalid_api_key");
        send(
            gateway.control,
            method,
            &format!("{BASE}{path}"),
            &[],
            body.as_ref(),
        )
        .await
        .refused(401, "invalid_api_key");
    }
    // What changes something is tried by those who may not first.
    let invite = json!({"email": "new@example.com", "role": "reader"});
    let join = json!({"user_id": other.id, "role": "member"});
    let leave = ("DELETE", in_project.as_str(), None);
    for ((method, path, body), expected) in [
        (("POST", "/invites", Some(&invite)), ALL),
        (("POST", "/projects/proj_a/users", Some(&join)), LED),
        (
            ("POST", in_project.as_str(), Some(&json!({"role": "owner"}))),
            LED,
        ),
        (leave, LED),
        (("DELETE", one.as_str(), None), ALL),
    ] {
        let mut may = Vec::new();
        for (token, status) in tokens.iter().zip(expected) {
            match status {
                200 => may.push(token),
                _ => {
                    let response = ask(&gateway, token, method, path, body).await;
                    assert_eq!(
                        response.status(),
                        *status,
                        "{method} {path}: {}",
                        response.text()
                    );
                }
            }
        }
        assert!(!may.is_empty());
        for token in may {
            let response = ask(&gateway, token, method, path, body).await;
            // The first has done it, for the others it is done.
            assert!(
                [200, 404, 409].contains(&response.status()),
                "{method} {path}: {}",
                response.text()
            );
        }
    }
    for path in ["/admin/events", "/admin/usage/export"] {
        for (token, status) in tokens.iter().zip(ALL).skip(2) {
            assert_eq!(
                get_as(gateway.control, path, token).await.status(),
                *status,
                "{path}"
            );
        }
    }
}
