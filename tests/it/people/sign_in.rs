//! Passwords, and what somebody gets for theirs.

use super::{PASSWORD, Tokens, chat_as, claims_of, get_as, login, post, user};
use crate::support::{Gateway, until};
use serde_json::{Value, json};

#[tokio::test]
async fn somebody_signs_in_calls_a_model_and_sees_who_they_are() {
    let gateway = Gateway::setup().start().await;
    let ana = user(
        &gateway,
        "Ana@Example.com",
        &["--name", "Ana", "--project", "proj_a"],
    )
    .await;
    for plane in [gateway.control, gateway.data] {
        let body = json!({"email": ana.email, "password": PASSWORD});
        let tokens = Tokens::of(&post(plane, "/auth/login", &body).await);
        for plane in [gateway.control, gateway.data] {
            let me = get_as(plane, "/v1/me", &tokens.access).await.json();
            assert_eq!(me["object"], "organization.user");
            assert_eq!(me["id"], ana.id.as_str());
            assert_eq!(me["email"], "ana@example.com");
            assert_eq!(
                (&me["name"], &me["role"]),
                (&json!("Ana"), &json!("reader"))
            );
            assert_eq!(me["projects"], json!([{"id": "proj_a", "role": "member"}]));
        }
        assert_eq!(chat_as(&gateway, &tokens.access, &[]).await.status(), 200);
        let claims = claims_of(&tokens.access);
        assert_eq!(
            (&claims["iss"], &claims["aud"]),
            (&json!("weir"), &json!("weir"))
        );
        assert_eq!(claims["sub"], ana.id.as_str());
    }
}

#[tokio::test]
async fn what_a_user_calls_is_written_down_for_the_user_and_the_project() {
    let gateway = Gateway::setup().start().await;
    let ana = user(
        &gateway,
        "ana@example.com",
        &["--project", "proj_a", "--project", "proj_b"],
    )
    .await;
    let token = login(&gateway, "ana@example.com").await.access;
    chat_as(&gateway, &token, &[])
        .await
        .refused(400, "project_required");
    let other = [("openai-project", "proj_c")];
    chat_as(&gateway, &token, &other)
        .await
        .refused(404, "not_found");
    let named = [("openai-project", "proj_b")];
    assert_eq!(chat_as(&gateway, &token, &named).await.status(), 200);

    let path = "/v1/organization/usage/completions?start_time=0&group_by=project_id&group_by=user_id&bucket_width=1d&limit=31";
    let admin = gateway.admin.clone();
    let found = until("the usage", async || {
        let path = path.replace(
            "start_time=0",
            &format!("start_time={}", super::now() - 86_400),
        );
        let usage = get_as(gateway.control, &path, &admin).await.json();
        let buckets = usage["data"].as_array().unwrap().clone();
        let result = |bucket: &Value| bucket["results"].as_array().unwrap().first().cloned();
        buckets.iter().find_map(result)
    })
    .await;
    assert_eq!(found["project_id"], "proj_b");
    assert_eq!(found["user_id"], ana.id.as_str());

    let body = json!({"email": ana.email, "password": PASSWORD, "project": "proj_a"});
    let tokens = Tokens::of(&post(gateway.data, "/auth/login", &body).await);
    assert_eq!(chat_as(&gateway, &tokens.access, &[]).await.status(), 200);
    let refused = chat_as(&gateway, &tokens.access, &named).await;
    refused.refused(404, "not_found");
    let body = json!({"email": ana.email, "password": PASSWORD, "project": "proj_c"});
    post(gateway.data, "/auth/login", &body)
        .await
        .refused(404, "not_found");
    let next = json!({"refresh_token": tokens.refresh});
    let next = Tokens::of(&post(gateway.data, "/auth/refresh", &next).await);
    assert_eq!(claims_of(&next.access)["project"], "proj_a");
}

#[tokio::test]
async fn a_token_for_one_project_has_no_right_beyond_it() {
    let gateway = Gateway::setup().start().await;
    let both = ["--project", "proj_a", "--project", "proj_b"];
    let arguments = [&both[..], &["--role", "owner"]].concat();
    user(&gateway, "ana@example.com", &arguments).await;
    let whole = login(&gateway, "ana@example.com").await.access;
    let body = json!({"email": "ana@example.com", "password": PASSWORD, "project": "proj_a"});
    let narrow = Tokens::of(&post(gateway.control, "/auth/login", &body).await).access;
    let base = "/v1/organization";
    for (path, status) in [
        ("/users", 403),
        ("/audit_logs", 403),
        ("/projects/proj_a", 200),
        ("/projects/proj_a/users", 200),
        ("/projects/proj_b", 404),
        ("/projects/proj_b/users", 404),
    ] {
        let path = format!("{base}{path}");
        let seen = get_as(gateway.control, &path, &narrow).await;
        assert_eq!(seen.status(), status, "{path}: {}", seen.text());
        assert_eq!(get_as(gateway.control, &path, &whole).await.status(), 200);
    }
    let list = get_as(gateway.control, &format!("{base}/projects"), &narrow).await;
    let list = list.json()["data"].clone();
    assert_eq!(list.as_array().unwrap().len(), 1, "{list}");
    for plane in [gateway.control, gateway.data] {
        let me = get_as(plane, "/v1/me", &narrow).await.json();
        assert_eq!(
            (&me["project_id"], &me["role"], &me["projects"]),
            (
                &json!("proj_a"),
                &json!("reader"),
                &json!([{"id": "proj_a", "role": "member"}])
            )
        );
        let me = get_as(plane, "/v1/me", &whole).await.json();
        assert_eq!(
            (&me["project_id"], &me["role"]),
            (&Value::Null, &json!("owner"))
        );
    }
}
