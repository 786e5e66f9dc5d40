//! Users, as OpenAI's Administration API has them.

use super::{ask, done, has_members, login, projects, user};
use crate::support::Gateway;
use serde_json::json;

#[tokio::test]
async fn users_are_listed_changed_and_removed() {
    let gateway = Gateway::setup().start().await;
    projects(&gateway, &["proj_a", "proj_b"]).await;
    let mut made = Vec::new();
    for email in ["ana@example.com", "bob@example.com", "cyd@example.com"] {
        made.push(user(&gateway, email, &["--project", "proj_a"]).await);
    }
    let page = done(&gateway, "GET", "/users?limit=2", None).await;
    has_members(
        &page,
        &["data", "first_id", "has_more", "last_id", "object"],
    );
    assert_eq!(
        (&page["object"], &page["has_more"]),
        (&json!("list"), &json!(true))
    );
    assert_eq!(page["first_id"], made[0].id.as_str());
    let rest = format!("/users?limit=2&after={}", page["last_id"].as_str().unwrap());
    let rest = done(&gateway, "GET", &rest, None).await;
    assert_eq!(
        (&rest["has_more"], &rest["data"][0]["email"]),
        (&json!(false), &json!("cyd@example.com"))
    );
    let only = done(&gateway, "GET", "/users?emails[]=BOB%40example.com", None).await;
    assert_eq!(only["data"].as_array().unwrap().len(), 1);
    let bob = &only["data"][0];
    has_members(
        bob,
        &["added_at", "email", "id", "name", "object", "role", "weir"],
    );

    let path = format!("/users/{}", made[1].id);
    assert_eq!(done(&gateway, "GET", &path, None).await, *bob);
    let owner = done(
        &gateway,
        "POST",
        &path,
        Some(json!({"role": "owner", "email": "x@y", "id": "z"})),
    )
    .await;
    assert_eq!(
        (&owner["role"], &owner["email"]),
        (&json!("owner"), &json!("bob@example.com"))
    );
    let token = login(&gateway, "bob@example.com").await.access;
    assert_eq!(
        ask(&gateway, &token, "GET", "/users", None).await.status(),
        200
    );
    let locked = done(
        &gateway,
        "POST",
        &path,
        Some(json!({"weir": {"disabled": true}})),
    )
    .await;
    assert_eq!(locked["weir"]["disabled"], true);
    ask(&gateway, &token, "GET", "/users", None)
        .await
        .refused(401, "invalid_api_key");

    let gone = done(&gateway, "DELETE", &path, None).await;
    assert_eq!(
        gone,
        json!({"object": "organization.user.deleted", "id": made[1].id, "deleted": true})
    );
    for method in ["GET", "POST", "DELETE"] {
        let refused = ask(&gateway, &gateway.admin, method, &path, Some(&json!({}))).await;
        refused.refused(404, "not_found");
    }
    let left = done(&gateway, "GET", "/projects/proj_a/users", None).await;
    assert_eq!(left["data"].as_array().unwrap().len(), 2);
}
