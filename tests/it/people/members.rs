//! The users of projects.

use super::{ask, chat_as, done, has_members, login, projects, user};
use crate::support::{Gateway, until};
use serde_json::{Value, json};

#[tokio::test]
async fn the_users_of_a_project_are_added_changed_and_removed() {
    let gateway = Gateway::setup().start().await;
    projects(&gateway, &["proj_a", "proj_b"]).await;
    let ana = user(&gateway, "ana@example.com", &[]).await;
    let bob = user(&gateway, "bob@example.com", &[]).await;
    let all = "/projects/proj_a/users";
    let member = done(
        &gateway,
        "POST",
        all,
        Some(json!({"user_id": ana.id, "role": "member"})),
    )
    .await;
    has_members(
        &member,
        &["added_at", "email", "id", "name", "object", "role"],
    );
    assert_eq!(member["object"], "organization.project.user");
    done(
        &gateway,
        "POST",
        all,
        Some(json!({"email": "BOB@example.com", "role": "owner"})),
    )
    .await;
    let token = login(&gateway, &ana.email).await.access;
    assert_eq!(chat_as(&gateway, &token, &[]).await.status(), 200);
    let page = done(&gateway, "GET", &format!("{all}?limit=1"), None).await;
    assert_eq!(page["has_more"], true);

    let one = format!("{all}/{}", ana.id);
    assert_eq!(done(&gateway, "GET", &one, None).await, member);
    let owner = done(&gateway, "POST", &one, Some(json!({"role": "owner"}))).await;
    assert_eq!(owner["role"], "owner");
    let gone = done(&gateway, "DELETE", &one, None).await;
    assert_eq!(
        gone,
        json!({"object": "organization.project.user.deleted", "id": ana.id, "deleted": true})
    );
    chat_as(&gateway, &token, &[])
        .await
        .refused(400, "project_required");

    let refused = async |method: &str, path: &str, body: Value, status: u16, code: &str| {
        let response = ask(&gateway, &gateway.admin, method, path, Some(&body)).await;
        response.refused(status, code)
    };
    refused(
        "POST",
        all,
        json!({"user_id": bob.id, "role": "owner"}),
        409,
        "conflict",
    )
    .await;
    refused(
        "POST",
        all,
        json!({"user_id": ana.id}),
        400,
        "missing_required_parameter",
    )
    .await;
    refused(
        "POST",
        all,
        json!({"role": "owner"}),
        400,
        "missing_required_parameter",
    )
    .await;
    refused(
        "POST",
        all,
        json!({"user_id": ana.id, "role": "king"}),
        400,
        "invalid_value",
    )
    .await;
    refused(
        "POST",
        all,
        json!({"user_id": "user-1", "role": "owner"}),
        404,
        "not_found",
    )
    .await;
    refused(
        "POST",
        all,
        json!({"email": "no@body", "role": "owner"}),
        404,
        "not_found",
    )
    .await;
    refused("GET", &one, json!({}), 404, "not_found").await;
    refused("DELETE", &one, json!({}), 404, "not_found").await;
    refused(
        "GET",
        &format!("{all}?limit=0"),
        json!({}),
        400,
        "invalid_value",
    )
    .await;
    refused(
        "GET",
        &format!("{all}?after=x"),
        json!({}),
        400,
        "invalid_value",
    )
    .await;
    refused("PUT", all, json!({}), 405, "method_not_allowed").await;
    refused("DELETE", all, json!({}), 405, "method_not_allowed").await;
    refused("POST", "/users", json!({}), 405, "method_not_allowed").await;
}

#[tokio::test]
async fn a_project_that_is_archived_or_is_not_there_has_no_users() {
    let gateway = Gateway::setup().start().await;
    projects(&gateway, &["proj_a"]).await;
    let ana = user(&gateway, "ana@example.com", &["--project", "proj_a"]).await;
    let token = login(&gateway, "ana@example.com").await.access;
    assert_eq!(chat_as(&gateway, &token, &[]).await.status(), 200);
    done(&gateway, "POST", "/projects/proj_a/archive", None).await;
    until("the end of the membership", async || {
        let response = chat_as(&gateway, &token, &[]).await;
        (response.status() == 400).then_some(())
    })
    .await;
    let named = [("openai-project", "proj_a")];
    chat_as(&gateway, &token, &named)
        .await
        .refused(404, "not_found");
    let join = json!({"user_id": ana.id, "role": "member"});
    let refused = ask(
        &gateway,
        &gateway.admin,
        "POST",
        "/projects/proj_a/users",
        Some(&join),
    )
    .await;
    refused.refused(400, "project_archived");
    for (method, path) in [
        ("POST", "/projects/proj_z/users"),
        ("GET", "/projects/proj_z/users"),
    ] {
        let refused = ask(&gateway, &gateway.admin, method, path, Some(&join)).await;
        refused.refused(404, "not_found");
    }
    let invite = json!({"email": "b@example.com", "role": "reader", "projects": [{"id": "proj_z", "role": "member"}]});
    let refused = ask(&gateway, &gateway.admin, "POST", "/invites", Some(&invite)).await;
    refused.refused(404, "not_found");
    // On the command line too.
    let file = gateway.dir.path().join("password");
    let file = file.to_str().unwrap();
    for (project, why) in [("proj_z", "no project proj_z"), ("proj_a", "is archived")] {
        let create = ["user", "create", "c@example.com", "--password-file", file];
        let create = [&create[..], &["--project", project]].concat();
        for arguments in [&create[..], &["user", "join", "ana@example.com", project]] {
            let exit = gateway.weir(arguments).await;
            assert_eq!(exit.code, Some(2), "{exit:?}");
            assert!(exit.stderr.contains(why), "{exit:?}");
        }
    }
}
