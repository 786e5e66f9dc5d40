//! API keys that are made for users: they end with what their users may do.

use super::{done, get_as, key_of, projects, user};
use crate::support::{Gateway, Key, until};
use serde_json::{Value, json};

async fn opens(gateway: &Gateway, key: &Key) -> u16 {
    let body = crate::support::chat("simulator").to_string();
    let answer = gateway.post_with(&key.key, "/v1/chat/completions", body);
    answer.await.status()
}

async fn ends(gateway: &Gateway, key: &Key) {
    until("the end of the key", async || {
        (opens(gateway, key).await == 401).then_some(())
    })
    .await;
}

/// How many keys the last entry of an event tells to have ended.
async fn told(gateway: &Gateway, event: &str) -> Value {
    let log = done(gateway, "GET", "/audit_logs", None).await;
    let mut entries = log["data"].as_array().unwrap().iter();
    let entry = entries.find(|entry| entry["weir"]["event"] == event);
    entry.unwrap()["weir"]["after"]["revoked_api_keys"].clone()
}

#[tokio::test]
async fn a_key_ends_when_its_user_leaves_is_locked_out_or_is_deleted() {
    let gateway = Gateway::setup().start().await;
    projects(&gateway, &["proj_a", "proj_b"]).await;
    let both = ["--project", "proj_a", "--project", "proj_b"];
    let ana = user(&gateway, "ana@example.com", &both).await;
    let bob = user(&gateway, "bob@example.com", &both).await;
    let of_ana = [
        key_of(&gateway, &ana, "proj_a").await,
        key_of(&gateway, &ana, "proj_b").await,
    ];
    let of_bob = [
        key_of(&gateway, &bob, "proj_a").await,
        key_of(&gateway, &bob, "proj_b").await,
    ];

    let path = format!("/projects/proj_a/api_keys/key_{}", of_ana[0].id);
    let seen = done(&gateway, "GET", &path, None).await;
    let owner = &seen["owner"]["user"];
    assert_eq!(owner["id"], ana.id.as_str());
    assert_eq!(
        (&owner["email"], &owner["name"], &owner["role"]),
        (
            &json!("ana@example.com"),
            &json!("ana@example.com"),
            &json!("member")
        )
    );
    let page = done(&gateway, "GET", "/projects/proj_a/api_keys", None).await;
    assert_eq!(page["data"][0], seen);

    let part = format!("/projects/proj_a/users/{}", ana.id);
    done(&gateway, "DELETE", &part, None).await;
    ends(&gateway, &of_ana[0]).await;
    assert_eq!(told(&gateway, "project_user.deleted").await, 1);
    for key in [&of_ana[1], &of_bob[0], &of_bob[1]] {
        assert_eq!(
            opens(&gateway, key).await,
            200,
            "another part, or another user"
        );
    }

    let one = format!("/users/{}", ana.id);
    let disabled = |is| Some(json!({"weir": {"disabled": is}}));
    done(&gateway, "POST", &one, disabled(true)).await;
    ends(&gateway, &of_ana[1]).await;
    assert_eq!(told(&gateway, "user.updated").await, 1);
    done(&gateway, "POST", &one, disabled(false)).await;
    assert_eq!(
        opens(&gateway, &of_ana[1]).await,
        401,
        "it does not come back"
    );

    let one = format!("/users/{}", bob.id);
    done(&gateway, "DELETE", &one, None).await;
    ends(&gateway, &of_bob[0]).await;
    ends(&gateway, &of_bob[1]).await;
    assert_eq!(told(&gateway, "user.deleted").await, 2);
}

#[tokio::test]
async fn an_admin_key_is_told_by_its_public_id() {
    let gateway = Gateway::setup().start().await;
    let key = gateway.make_key(&["--admin"]).await;
    let me = until("the key", async || {
        let response = get_as(gateway.control, "/v1/me", &key.key).await;
        (response.status() == 200).then(|| response.json())
    })
    .await;
    assert_eq!(me["id"], format!("key_{}", key.id));
}

#[tokio::test]
async fn a_key_is_made_for_a_user_of_the_project_only() {
    let gateway = Gateway::setup().start().await;
    projects(&gateway, &["proj_a", "proj_b"]).await;
    let ana = user(&gateway, "ana@example.com", &["--project", "proj_a"]).await;
    let make = async |project: &str, user: &str| {
        let arguments = ["key", "create", "--project", project, "--user", user];
        let exit = gateway.weir(&arguments).await;
        assert!(
            exit.code == Some(0) || exit.stderr.contains(user),
            "{exit:?}"
        );
        exit.code
    };
    assert_eq!(make("proj_a", &ana.id).await, Some(0));
    assert_eq!(make("proj_b", &ana.id).await, Some(2));
    assert_eq!(make("proj_a", "user-0123456789abcdef").await, Some(2));
    assert_eq!(make("proj_a", "user-ana").await, Some(2));
    assert_eq!(make("proj_a", "ana").await, Some(0), "a name of one's own");
    gateway.weir(&["user", "disable", &ana.id]).await;
    assert_eq!(make("proj_a", &ana.id).await, Some(2));
}
