//! How a sign-in goes on, and how it ends.

use super::{Tokens, chat_as, get_as, login, post, send, user};
use crate::support::{Gateway, until};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;

#[tokio::test]
async fn a_refresh_token_works_once_and_its_reuse_ends_the_sign_in() {
    let gateway = Gateway::setup().start().await;
    user(&gateway, "ana@example.com", &["--project", "proj_a"]).await;
    let first = login(&gateway, "ana@example.com").await;
    let other = login(&gateway, "ana@example.com").await;
    let refresh = async |token: &str| {
        let body = json!({"refresh_token": token});
        post(gateway.control, "/auth/refresh", &body).await
    };
    let second = Tokens::of(&refresh(&first.refresh).await);
    let third = Tokens::of(&refresh(&second.refresh).await);
    assert_eq!(chat_as(&gateway, &third.access, &[]).await.status(), 200);

    refresh(&first.refresh)
        .await
        .refused(401, "invalid_credentials");
    refresh(&third.refresh)
        .await
        .refused(401, "invalid_credentials");
    for token in [&first.access, &second.access, &third.access] {
        chat_as(&gateway, token, &[])
            .await
            .refused(401, "invalid_api_key");
        get_as(gateway.control, "/v1/me", token)
            .await
            .refused(401, "invalid_api_key");
    }
    assert_eq!(
        chat_as(&gateway, &other.access, &[]).await.status(),
        200,
        "another sign-in"
    );
    gateway
        .log_line(|line| line.contains("a refresh token was shown again"))
        .await;
}

#[tokio::test]
async fn signing_out_ends_the_tokens_at_once() {
    let gateway = Gateway::setup().start().await;
    user(&gateway, "ana@example.com", &["--project", "proj_a"]).await;
    let logout = async |headers: &[(&str, &str)], body: Value| {
        send(gateway.data, "POST", "/auth/logout", headers, Some(&body)).await
    };
    let by_refresh = login(&gateway, "ana@example.com").await;
    let ended = logout(&[], json!({"refresh_token": by_refresh.refresh})).await;
    assert_eq!(ended.status(), 204, "{}", ended.text());
    let by_access = login(&gateway, "ana@example.com").await;
    let bearer = format!("Bearer {}", by_access.access);
    let ended = logout(&[("authorization", &bearer)], json!({})).await;
    assert_eq!(ended.status(), 204, "{}", ended.text());
    for tokens in [by_refresh, by_access] {
        chat_as(&gateway, &tokens.access, &[])
            .await
            .refused(401, "invalid_api_key");
        let body = json!({"refresh_token": tokens.refresh});
        let refused = post(gateway.control, "/auth/refresh", &body).await;
        refused.refused(401, "invalid_credentials");
    }
    logout(&[], json!({}))
        .await
        .refused(400, "missing_required_parameter");
    let nonsense = json!({"refresh_token": "weir-refresh-nope"});
    logout(&[], nonsense)
        .await
        .refused(401, "invalid_credentials");
}

#[tokio::test]
async fn who_is_locked_out_elsewhere_is_out_here_within_a_second() {
    let gateway = Gateway::setup().start().await;
    let ana = user(&gateway, "ana@example.com", &["--project", "proj_a"]).await;
    for (lock, unlock) in [("disable", Some("enable")), ("password", None)] {
        let tokens = login(&gateway, "ana@example.com").await;
        assert_eq!(chat_as(&gateway, &tokens.access, &[]).await.status(), 200);
        let file = gateway.dir.path().join("password");
        let arguments = [
            "user",
            lock,
            &ana.id,
            "--password-file",
            file.to_str().unwrap(),
        ];
        let exit = gateway
            .weir(if lock == "password" {
                &arguments
            } else {
                &arguments[..3]
            })
            .await;
        assert_eq!(exit.code, Some(0), "{exit:?}");
        until("the end of the token", async || {
            let response = chat_as(&gateway, &tokens.access, &[]).await;
            (response.status() == 401).then_some(())
        })
        .await;
        let body = json!({"refresh_token": tokens.refresh});
        let refused = post(gateway.control, "/auth/refresh", &body).await;
        refused.refused(401, "invalid_credentials");
        if let Some(unlock) = unlock {
            gateway.weir(&["user", unlock, &ana.email]).await;
        }
    }
}

#[tokio::test]
async fn a_part_in_a_project_is_given_and_taken_while_the_token_lives() {
    let gateway = Gateway::setup().start().await;
    gateway.make_project("proj_a").await;
    user(&gateway, "ana@example.com", &[]).await;
    let token = login(&gateway, "ana@example.com").await.access;
    chat_as(&gateway, &token, &[])
        .await
        .refused(400, "project_required");
    let becomes = async |status: u16| {
        until("the change", async || {
            let response = chat_as(&gateway, &token, &[]).await;
            (response.status() == status).then_some(())
        })
        .await;
    };
    let exit = gateway
        .weir(&["user", "join", "ana@example.com", "proj_a"])
        .await;
    assert_eq!(exit.code, Some(0), "{exit:?}");
    becomes(200).await;
    let exit = gateway
        .weir(&["user", "leave", "ana@example.com", "proj_a"])
        .await;
    assert_eq!(exit.code, Some(0), "{exit:?}");
    becomes(400).await;
}

#[tokio::test]
async fn a_restart_keeps_sign_ins_and_remembers_those_that_ended() {
    let gateway = Gateway::setup().start().await;
    user(&gateway, "ana@example.com", &["--project", "proj_a"]).await;
    let kept = login(&gateway, "ana@example.com").await;
    let ended = login(&gateway, "ana@example.com").await;
    let body = json!({"refresh_token": ended.refresh});
    assert_eq!(
        post(gateway.control, "/auth/logout", &body).await.status(),
        204
    );
    let key = gateway.dir.path().join("data/access-token.key");
    let mode = std::fs::metadata(&key).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let gateway = Gateway::setup().start_in(gateway.killed()).await;
    assert_eq!(chat_as(&gateway, &kept.access, &[]).await.status(), 200);
    chat_as(&gateway, &ended.access, &[])
        .await
        .refused(401, "invalid_api_key");
}
