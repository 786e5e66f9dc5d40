//! Who guesses has to wait, and nobody else.

use super::{PASSWORD, Tokens, done, get_as, login, post, user};
use crate::support::{Gateway, until};
use serde_json::json;

#[tokio::test]
async fn nobody_is_told_whether_an_email_is_known() {
    let gateway = Gateway::setup().start().await;
    user(&gateway, "ana@example.com", &[]).await;
    user(&gateway, "gone@example.com", &[]).await;
    gateway.weir(&["user", "disable", "gone@example.com"]).await;
    let exit = gateway
        .weir(&["user", "create", "none@example.com", "--no-password"])
        .await;
    assert_eq!(exit.code, Some(0), "{exit:?}");
    let tries = [
        ("ana@example.com", "wrong horse battery"),
        ("gone@example.com", PASSWORD),
        ("none@example.com", PASSWORD),
        ("nobody@example.com", PASSWORD),
    ];
    let mut answers = Vec::new();
    for (at, (email, password)) in tries.into_iter().enumerate() {
        let body = json!({"email": email, "password": password});
        let response = post(gateway.control, "/auth/login", &body).await;
        answers.push(response.refused(401, "invalid_credentials"));
        // The same work, whoever it is: one password is hashed.
        gateway
            .metric("weir_passwords_hashed_total", at as u64 + 1)
            .await;
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
}

#[tokio::test]
async fn guessing_is_slowed_and_the_wait_is_true() {
    let gateway = Gateway::setup().start().await;
    user(&gateway, "ana@example.com", &[]).await;
    let wrong = json!({"email": "ana@example.com", "password": "wrong horse battery"});
    let mut looked_at = 0;
    let slowed = loop {
        let response = post(gateway.control, "/auth/login", &wrong).await;
        if response.status() == 429 {
            break response;
        }
        response.refused(401, "invalid_credentials");
        looked_at += 1;
    };
    assert!(looked_at >= 6, "{looked_at}");
    let error = slowed.refused(429, "too_many_attempts");
    let wait = slowed
        .header("retry-after")
        .unwrap()
        .parse::<u64>()
        .unwrap();
    assert!(wait >= 1, "{error}");
    // No password is looked at meanwhile, and one that is right is let in when the wait is over.
    gateway
        .metric("weir_passwords_hashed_total", looked_at)
        .await;
    let right = json!({"email": "ana@example.com", "password": PASSWORD});
    until("the end of the wait", async || {
        let response = post(gateway.control, "/auth/login", &right).await;
        (response.status() == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn who_is_signed_in_does_not_pay_for_guesses_from_their_address() {
    let gateway = Gateway::setup().start().await;
    user(&gateway, "ana@example.com", &[]).await;
    let tokens = login(&gateway, "ana@example.com").await;
    let other = login(&gateway, "ana@example.com").await;
    let invite = json!({"email": "eve@example.com", "role": "reader"});
    let invite = done(&gateway, "POST", "/invites", Some(invite)).await;
    let nonsense = json!({"refresh_token": format!("weir-refresh-{}", "x".repeat(43))});
    let slowed = async || {
        until("the wait", async || {
            let response = post(gateway.control, "/auth/refresh", &nonsense).await;
            (response.status() == 429).then_some(())
        })
        .await;
    };
    // The wait is renewed before each, so that none is let in because it is over.
    slowed().await;
    let body = json!({"refresh_token": tokens.refresh});
    let next = Tokens::of(&post(gateway.control, "/auth/refresh", &body).await);
    slowed().await;
    let body = json!({"refresh_token": other.refresh});
    let ended = post(gateway.control, "/auth/logout", &body).await;
    assert_eq!(ended.status(), 204, "{}", ended.text());
    slowed().await;
    let body = json!({"token": invite["weir"]["token"], "password": PASSWORD});
    Tokens::of(&post(gateway.control, "/auth/accept", &body).await);
    // A copy is found out all the same.
    slowed().await;
    let body = json!({"refresh_token": tokens.refresh});
    let refused = post(gateway.control, "/auth/refresh", &body).await;
    refused.refused(401, "invalid_credentials");
    get_as(gateway.control, "/v1/me", &next.access)
        .await
        .refused(401, "invalid_api_key");
}

#[tokio::test]
async fn many_guesses_at_once_are_counted_like_one_after_another() {
    let gateway = Gateway::setup().start().await;
    user(&gateway, "ana@example.com", &[]).await;
    let control = gateway.control;
    let guesses = (0..40).map(|_| async move {
        let wrong = json!({"email": "ana@example.com", "password": "wrong horse battery"});
        post(control, "/auth/login", &wrong).await.status()
    });
    let mut tasks = tokio::task::JoinSet::new();
    guesses.for_each(|guess| {
        tasks.spawn(guess);
    });
    let answers = tasks.join_all().await;
    let looked_at = answers.iter().filter(|status| **status == 401).count();
    // Four are looked at at a time, and who knocks meanwhile is slowed. Six would be free one after another; where they
    // took longer than the first wait, a few more.
    assert!((4..10).contains(&looked_at), "{answers:?}");
    assert!(answers.iter().all(|status| [401, 429].contains(status)));
}
