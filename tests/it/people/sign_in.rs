//! Passwords, tokens, and what becomes of both.

use super::{
    PASSWORD, Tokens, chat_as, claims_of, done, fixture, get_as, login, post, send, user, with_keys,
};
use crate::support::{Dir, Gateway, until};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;

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

#[tokio::test]
async fn keys_are_rotated_while_it_runs() {
    let keys = Dir::new();
    let old = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    let new = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let pems = [
        old.serialize_pem(),
        new.serialize_pem(),
        old.public_key_pem(),
    ];
    let old = ("old", "EdDSA", pems[0].as_str());
    let new = ("new", "ES256", pems[1].as_str());
    let gateway = with_keys(&[old], keys.path()).start().await;
    user(&gateway, "ana@example.com", &["--project", "proj_a"]).await;
    let first = login(&gateway, "ana@example.com").await;
    assert_eq!(chat_as(&gateway, &first.access, &[]).await.status(), 200);

    // The new key signs; of the old one the public half is enough to go on.
    let halved = ("old", "EdDSA", pems[2].as_str());
    gateway.rewrite(&with_keys(&[new, halved], keys.path()).text());
    let second = until("a token of the new key", async || {
        let tokens = login(&gateway, "ana@example.com").await;
        let header = tokens.access.split('.').next().unwrap().to_owned();
        (header != first.access.split('.').next().unwrap()).then_some(tokens)
    })
    .await;
    for tokens in [&first, &second] {
        assert_eq!(chat_as(&gateway, &tokens.access, &[]).await.status(), 200);
    }
    // Without it its tokens are over, also those that were seen before.
    gateway.rewrite(&with_keys(&[new], keys.path()).text());
    until("the end of the old key", async || {
        let response = chat_as(&gateway, &first.access, &[]).await;
        (response.status() == 401).then_some(())
    })
    .await;
    assert_eq!(chat_as(&gateway, &second.access, &[]).await.status(), 200);
    // And with none in the file, Weir makes one of its own.
    gateway.rewrite(&Gateway::setup().text());
    until("a token of its own key", async || {
        let token = login(&gateway, "ana@example.com").await.access;
        let header = token.split('.').next().unwrap().to_owned();
        (header != second.access.split('.').next().unwrap()).then_some(())
    })
    .await;
}

#[tokio::test]
async fn every_algorithm_signs_and_verifies() {
    let keys = Dir::new();
    let pem = |kind| KeyPair::generate_for(kind).unwrap().serialize_pem();
    let (ed, ec, rsa) = (
        pem(&PKCS_ED25519),
        pem(&PKCS_ECDSA_P256_SHA256),
        fixture("rsa.pem"),
    );
    let secret = "0123456789abcdef0123456789abcdef";
    for key in [
        ("k", "EdDSA", ed.as_str()),
        ("k", "ES256", ec.as_str()),
        ("k", "RS256", rsa.as_str()),
        ("k", "HS256", secret),
    ] {
        let gateway = with_keys(&[key], keys.path()).start().await;
        user(&gateway, "ana@example.com", &["--project", "proj_a"]).await;
        let token = login(&gateway, "ana@example.com").await.access;
        assert_eq!(
            chat_as(&gateway, &token, &[]).await.status(),
            200,
            "{}",
            key.1
        );
    }
}

#[tokio::test]
async fn the_command_line_says_what_it_did_and_what_it_could_not() {
    let gateway = Gateway::setup().start().await;
    let ana = user(&gateway, "ana@example.com", &["--role", "owner"]).await;
    let exit = gateway.weir(&["user", "list"]).await;
    assert!(
        exit.stdout.contains(&ana.id) && exit.stdout.contains("owner"),
        "{exit:?}"
    );
    let exit = gateway
        .weir(&["user", "role", "ANA@example.com", "reader"])
        .await;
    assert!(exit.stdout.contains("reader"), "{exit:?}");
    let file = gateway.dir.path().join("short");
    std::fs::write(&file, "short\n").unwrap();
    let file = file.to_str().unwrap();
    for (arguments, expected) in [
        (
            &["create", "ana@example.com", "--no-password"][..],
            "already",
        ),
        (&["create", "no email", "--no-password"], "an email has"),
        (
            &["create", "b@example.com", "--password-file", file],
            "12 to 256",
        ),
        (&["create", "b@example.com"], "--password-file"),
        // The email is looked at before a password is asked for.
        (&["create", "ana@example.com"], "already"),
        (&["create", "no email"], "an email has"),
        (&["disable", "b@example.com"], "there is no user"),
        (&["leave", "ana@example.com", "proj_a"], "has no part"),
    ] {
        let exit = gateway.weir(&[&["user"], arguments].concat()).await;
        assert_eq!(exit.code, Some(2), "{exit:?}");
        assert!(exit.stderr.contains(expected), "{exit:?}");
    }
}

#[tokio::test]
async fn every_command_shows_the_user_as_json() {
    let gateway = Gateway::setup().start().await;
    gateway.make_project("proj_a").await;
    let shown = async |arguments: &[&str]| -> Value {
        let exit = gateway
            .weir(&[&["user"], arguments, &["--json"]].concat())
            .await;
        assert_eq!(exit.code, Some(0), "{exit:?}");
        serde_json::from_str(&exit.stdout).unwrap()
    };
    let ana = "ana@example.com";
    let made = shown(&["create", ana, "--no-password"]).await;
    assert_eq!(
        (&made["state"], &made["projects"]),
        (&json!("no_password"), &json!([]))
    );
    let joined = shown(&["join", ana, "proj_a", "--role", "owner"]).await;
    assert_eq!(
        joined["projects"],
        json!([{"id": "proj_a", "role": "owner"}])
    );
    assert_eq!(shown(&["list"]).await, joined);
    assert_eq!(shown(&["role", ana, "owner"]).await["role"], "owner");
    assert_eq!(made["tier"], Value::Null);
    assert_eq!(shown(&["tier", ana, "pro"]).await["tier"], "pro");
    assert_eq!(shown(&["tier", ana, "none"]).await["tier"], Value::Null);
    assert_eq!(shown(&["disable", ana]).await["state"], "disabled");
    assert_eq!(shown(&["enable", ana]).await["state"], "no_password");
    let file = gateway.dir.path().join("password");
    std::fs::write(&file, PASSWORD).unwrap();
    let arguments = ["password", ana, "--password-file", file.to_str().unwrap()];
    assert_eq!(shown(&arguments).await["state"], "live");
    assert_eq!(
        shown(&["leave", ana, "proj_a"]).await["projects"],
        json!([])
    );
    assert_eq!(shown(&["delete", ana]).await["id"], made["id"]);
    let exit = gateway.weir(&["user", "list", "--json"]).await;
    assert_eq!((exit.code, exit.stdout.as_str()), (Some(0), ""));
}
