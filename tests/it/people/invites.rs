//! Invites, and what comes of them.

use super::{PASSWORD, Tokens, ask, done, get_as, has_members, post, projects};
use crate::support::Gateway;
use serde_json::{Value, json};

#[tokio::test]
async fn an_invite_is_accepted_once_and_makes_what_it_says() {
    let gateway = Gateway::setup().start().await;
    projects(&gateway, &["proj_a", "proj_b"]).await;
    let asked = json!({
        "email": "Eve@example.com", "role": "reader", "id": "invite-0000000000000000", "status": "accepted",
        "projects": [{"id": "proj_a", "role": "owner"}, {"id": "proj_b", "role": "member"}],
    });
    let invite = done(&gateway, "POST", "/invites", Some(asked.clone())).await;
    has_members(
        &invite,
        &[
            "accepted_at",
            "created_at",
            "email",
            "expires_at",
            "id",
            "object",
            "projects",
            "role",
            "status",
            "weir",
        ],
    );
    assert_eq!(
        (&invite["status"], &invite["email"]),
        (&json!("pending"), &json!("eve@example.com"))
    );
    assert_eq!(invite["projects"], asked["projects"]);
    let (id, token) = (
        invite["id"].as_str().unwrap(),
        invite["weir"]["token"].as_str().unwrap(),
    );
    assert_ne!(id, "invite-0000000000000000");
    let path = format!("/invites/{id}");
    let seen = done(&gateway, "GET", &path, None).await;
    assert!(
        seen.get("weir").is_none(),
        "the token is shown once: {seen}"
    );
    assert_eq!(
        done(&gateway, "GET", "/invites", None).await["data"][0],
        seen
    );

    let accept = async |body: Value| post(gateway.data, "/auth/accept", &body).await;
    accept(json!({"token": token, "password": "short"}))
        .await
        .refused(400, "invalid_value");
    accept(json!({"token": "weir-invite-x", "password": PASSWORD}))
        .await
        .refused(401, "invalid_credentials");
    let swapped = token.replace("weir-invite-", "weir-refresh-");
    accept(json!({"token": swapped, "password": PASSWORD}))
        .await
        .refused(401, "invalid_credentials");
    let body = json!({"token": token, "password": PASSWORD, "name": "Eve", "role": "owner", "email": "x@y"});
    let tokens = Tokens::of(&accept(body.clone()).await);
    let me = get_as(gateway.control, "/v1/me", &tokens.access)
        .await
        .json();
    assert_eq!(
        (&me["email"], &me["role"], &me["name"]),
        (&json!("eve@example.com"), &json!("reader"), &json!("Eve"))
    );
    assert_eq!(me["projects"], asked["projects"]);
    accept(body).await.refused(401, "invalid_credentials");
    assert_eq!(
        done(&gateway, "GET", &path, None).await["status"],
        "accepted"
    );
    let kept = ask(&gateway, &gateway.admin, "DELETE", &path, None).await;
    kept.refused(409, "conflict");
    let again = ask(&gateway, &gateway.admin, "POST", "/invites", Some(&asked)).await;
    again.refused(409, "conflict");

    let other = json!({"email": "fay@example.com", "role": "owner"});
    let other = done(&gateway, "POST", "/invites", Some(other)).await;
    let path = format!("/invites/{}", other["id"].as_str().unwrap());
    assert_eq!(
        done(&gateway, "DELETE", &path, None).await["object"],
        "organization.invite.deleted"
    );
    let body = json!({"token": other["weir"]["token"], "password": PASSWORD});
    accept(body).await.refused(401, "invalid_credentials");
    assert!(!gateway.log().contains(token), "{}", gateway.log());
}

#[tokio::test]
async fn an_invite_to_a_project_that_was_archived_meanwhile_lets_nobody_in() {
    let gateway = Gateway::setup().start().await;
    projects(&gateway, &["proj_a"]).await;
    let invite = json!({"email": "eve@example.com", "role": "reader", "projects": [{"id": "proj_a", "role": "member"}]});
    let invite = done(&gateway, "POST", "/invites", Some(invite)).await;
    done(&gateway, "POST", "/projects/proj_a/archive", None).await;
    let body = json!({"token": invite["weir"]["token"], "password": PASSWORD});
    let refused = post(gateway.data, "/auth/accept", &body).await;
    refused.refused(400, "project_archived");
    let found = done(&gateway, "GET", "/users?emails[]=eve@example.com", None).await;
    assert_eq!(found["data"], json!([]));
    let path = format!("/invites/{}", invite["id"].as_str().unwrap());
    let invite = done(&gateway, "GET", &path, None).await;
    assert_eq!(invite["status"], "pending");
}
