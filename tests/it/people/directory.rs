//! Users, invites and the users of projects, as OpenAI's Administration API has them; and who may do what there.

use super::{
    BASE, PASSWORD, Tokens, ask, chat_as, done, get_as, login, post, projects, send, user,
};
use crate::support::{Gateway, until};
use serde_json::{Value, json};

/// Asserts that `value` has these members and no others.
#[track_caller]
fn has_members(value: &Value, names: &[&str]) {
    let members: Vec<&String> = value.as_object().unwrap().keys().collect();
    assert_eq!(members, names, "{value}");
}

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

#[tokio::test]
async fn every_change_to_a_user_is_in_the_audit_log_without_a_secret() {
    let gateway = Gateway::setup().start().await;
    projects(&gateway, &["proj_a"]).await;
    let ana = user(&gateway, "ana@example.com", &[]).await;
    let one = format!("/users/{}", ana.id);
    let part = format!("/projects/proj_a/users/{}", ana.id);
    done(&gateway, "POST", &one, Some(json!({"role": "owner"}))).await;
    let token = login(&gateway, "ana@example.com").await.access;
    let join = json!({"user_id": ana.id, "role": "member"});
    let joined = ask(
        &gateway,
        &token,
        "POST",
        "/projects/proj_a/users",
        Some(&join),
    )
    .await;
    assert_eq!(joined.status(), 200, "{}", joined.text());
    done(&gateway, "POST", &part, Some(json!({"role": "owner"}))).await;
    done(&gateway, "DELETE", &part, None).await;
    // What changes nothing is not told.
    done(&gateway, "POST", &one, Some(json!({}))).await;
    done(&gateway, "POST", &one, Some(json!({"role": "owner"}))).await;
    done(&gateway, "POST", "/projects/proj_a/users", Some(join)).await;
    done(&gateway, "POST", &part, Some(json!({"role": "member"}))).await;
    done(&gateway, "POST", "/projects/proj_a/archive", None).await;
    let bob = json!({"email": "bob@example.com", "role": "reader"});
    let bob = done(&gateway, "POST", "/invites", Some(bob)).await;
    let secret = bob["weir"]["token"].as_str().unwrap();
    let body = json!({"token": secret, "password": PASSWORD});
    Tokens::of(&post(gateway.data, "/auth/accept", &body).await);
    let cyd = json!({"email": "cyd@example.com", "role": "reader"});
    let cyd = done(&gateway, "POST", "/invites", Some(cyd)).await;
    let path = format!("/invites/{}", cyd["id"].as_str().unwrap());
    done(&gateway, "DELETE", &path, None).await;
    done(&gateway, "DELETE", &one, None).await;

    let log = done(&gateway, "GET", "/audit_logs?limit=100", None).await;
    let entries: Vec<&Value> = log["data"].as_array().unwrap().iter().rev().collect();
    let told = |entry: &&Value| entry["weir"]["event"].as_str().unwrap().to_owned();
    let told: Vec<String> = entries
        .iter()
        .map(told)
        .filter(|event| !event.starts_with("project."))
        .collect();
    let expected = [
        "user.added",
        "user.updated",
        "login.succeeded",
        "project_user.added",
        "project_user.updated",
        "project_user.deleted",
        "project_user.added",
        "project_user.deleted",
        "invite.sent",
        "invite.accepted",
        "user.added",
        "invite.sent",
        "invite.deleted",
        "user.deleted",
    ];
    let own: Vec<&str> = told
        .iter()
        .map(String::as_str)
        .filter(|event| !event.contains("api_key"))
        .collect();
    assert_eq!(own, expected, "{log}");
    let by_ana = entries
        .iter()
        .find(|entry| entry["weir"]["event"] == "project_user.added")
        .unwrap();
    assert_eq!(
        by_ana["actor"]["session"]["user"]["email"],
        "ana@example.com"
    );
    let updated = entries
        .iter()
        .find(|entry| entry["weir"]["event"] == "user.updated")
        .unwrap();
    assert_eq!(updated["weir"]["before"]["role"], "reader");
    assert_eq!(updated["weir"]["after"]["role"], "owner");
    for hidden in [secret, PASSWORD, "argon2"] {
        assert!(!log.to_string().contains(hidden), "{hidden}");
    }
    let exit = gateway.weir(&["doctor"]).await;
    assert_eq!(exit.code, Some(0), "{exit:?}");
}

#[tokio::test]
async fn sign_ins_and_what_is_refused_of_them_are_in_the_audit_log() {
    let gateway = Gateway::setup().start().await;
    let ana = user(&gateway, "ana@example.com", &["--project", "proj_a"]).await;
    let agent = [("user-agent", "console/1")];
    let auth = async |path: &str, body: &Value| {
        let response = send(gateway.control, "POST", path, &agent, Some(body)).await;
        response.status()
    };
    let wrong = "wrong horse battery";
    for email in ["ana@example.com", "nobody@example.com"] {
        let body = json!({"email": email, "password": wrong});
        assert_eq!(auth("/auth/login", &body).await, 401);
    }
    let first = login(&gateway, "ana@example.com").await;
    let body = json!({"refresh_token": first.refresh});
    assert_eq!(auth("/auth/refresh", &body).await, 200);
    for _ in 0..3 {
        assert_eq!(auth("/auth/refresh", &body).await, 401);
    }
    let second = login(&gateway, "ana@example.com").await;
    let body = json!({"refresh_token": second.refresh});
    for _ in 0..3 {
        assert_eq!(auth("/auth/logout", &body).await, 204);
    }
    let file = gateway.dir.path().join("password");
    let file = file.to_str().unwrap();
    let exit = gateway
        .weir(&["user", "password", &ana.id, "--password-file", file])
        .await;
    assert_eq!(exit.code, Some(0), "{exit:?}");
    done(&gateway, "DELETE", &format!("/users/{}", ana.id), None).await;

    let log = done(&gateway, "GET", "/audit_logs?limit=100", None).await;
    let entries = log["data"].as_array().unwrap().iter().rev();
    let is_own = |entry: &&Value| {
        let event = entry["weir"]["event"].as_str().unwrap();
        !event.starts_with("project.") && !event.contains("api_key")
    };
    let entries: Vec<&Value> = entries.filter(is_own).collect();
    let told = |entry: &&Value| {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        (text(&entry["type"]), text(&entry["weir"]["event"]))
    };
    let told: Vec<(String, String)> = entries.iter().map(told).collect();
    let told: Vec<(&str, &str)> = told.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    let expected = [
        ("user.added", "user.added"),
        ("login.failed", "login.failed"),
        ("login.failed", "login.failed"),
        ("login.succeeded", "login.succeeded"),
        ("login.failed", "refresh_token.reused"),
        ("login.succeeded", "login.succeeded"),
        ("logout.succeeded", "logout.succeeded"),
        ("user.updated", "user.password_changed"),
        ("user.deleted", "user.deleted"),
    ];
    assert_eq!(told, expected, "{log}");
    let part = json!([{"id": "proj_a", "role": "member"}]);
    assert_eq!(entries[0]["weir"]["after"]["projects"], part);
    assert_eq!(entries[8]["weir"]["before"]["projects"], part);
    let failed = |at: usize| {
        let own = &entries[at]["weir"];
        assert_eq!(own["user_agent"], "console/1");
        (own["resource_id"].clone(), own["after"]["email"].clone())
    };
    assert_eq!(failed(1), (json!(ana.id), json!("ana@example.com")));
    assert_eq!(failed(2), (Value::Null, json!("nobody@example.com")));
    assert_eq!(failed(4).0, ana.id.as_str());
    assert_eq!(entries[6]["weir"]["user_agent"], "console/1");
    assert_eq!(
        entries[6]["actor"]["session"]["user"]["id"],
        ana.id.as_str()
    );
    for hidden in [PASSWORD, wrong, &first.refresh, &second.refresh] {
        assert!(!log.to_string().contains(hidden), "{hidden}");
    }
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
