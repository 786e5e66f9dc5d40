//! What the audit log says of people.

use super::{PASSWORD, Tokens, ask, done, login, post, projects, send, user};
use crate::support::Gateway;
use serde_json::{Value, json};

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
