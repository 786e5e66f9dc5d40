//! What is tried against sign-ins and tokens, and refused.

use super::{
    PASSWORD, Tokens, chat_as, claims_of, fixture, get_as, login, now, post, raw, send, user,
    with_keys,
};
use crate::support::{Conn, Dir, Gateway, error_of};
use ring::hmac;
use serde_json::{Value, json};
use weir::jwt::SigningKey;

const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// A token signed with `secret`, whatever its header and its claims say.
fn forged(header: &Value, claims: &Value, secret: &[u8]) -> String {
    let unsigned = raw(header, claims, b"");
    let message = unsigned.trim_end_matches('.');
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    raw(
        header,
        claims,
        hmac::sign(&key, message.as_bytes()).as_ref(),
    )
}

async fn is_refused(gateway: &Gateway, token: &str) {
    chat_as(gateway, token, &[])
        .await
        .refused(401, "invalid_api_key");
    for plane in [gateway.data, gateway.control] {
        get_as(plane, "/v1/me", token)
            .await
            .refused(401, "invalid_api_key");
    }
    let projects = get_as(
        gateway.control,
        "/v1/organization/costs?start_time=1",
        token,
    )
    .await;
    projects.refused(401, "invalid_api_key");
}

#[tokio::test]
async fn a_token_that_chooses_its_own_algorithm_or_key_is_refused() {
    let keys = Dir::new();
    let rsa = [fixture("rsa.pem"), fixture("rsa.pub.pem")];
    let gateway = with_keys(&[("k", "RS256", &rsa[0])], keys.path())
        .start()
        .await;
    user(
        &gateway,
        "ana@example.com",
        &["--project", "proj_a", "--role", "owner"],
    )
    .await;
    let good = login(&gateway, "ana@example.com").await.access;
    assert_eq!(chat_as(&gateway, &good, &[]).await.status(), 200);
    let claims = claims_of(&good);

    for none in ["none", "None", "NONE", "nOnE", ""] {
        let header = json!({"alg": none, "typ": "JWT", "kid": "k"});
        is_refused(&gateway, &raw(&header, &claims, b"")).await;
        is_refused(&gateway, &raw(&header, &claims, b"x")).await;
    }
    // The public key, which is no secret, as the secret: in its file's form and in the inner one.
    let der: String = rsa[1]
        .lines()
        .filter(|line| !line.starts_with('-'))
        .collect();
    for secret in [rsa[1].as_str(), rsa[1].trim_end(), &der, ""] {
        for algorithm in ["HS256", "RS256"] {
            let header = json!({"alg": algorithm, "typ": "JWT", "kid": "k"});
            is_refused(&gateway, &forged(&header, &claims, secret.as_bytes())).await;
        }
    }
    // A key of one's own, brought along or pointed at.
    let own = SigningKey::of_secret("k", SECRET.as_bytes()).unwrap();
    is_refused(&gateway, &own.sign(&claims).unwrap()).await;
    for (name, value) in [
        (
            "jwk",
            json!({"kty": "oct", "k": "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY"}),
        ),
        ("jku", json!("http://127.0.0.1:9/keys")),
        ("x5u", json!("http://127.0.0.1:9/keys")),
        ("crit", json!(["exp"])),
    ] {
        let mut header = json!({"alg": "HS256", "kid": "k"});
        header[name] = value;
        is_refused(&gateway, &forged(&header, &claims, SECRET.as_bytes())).await;
    }
    // A name of a key that leads somewhere.
    for kid in [
        "../../../../../../dev/null",
        "/dev/null",
        "file:///dev/null",
        "access-token.key",
        "k' OR '1'='1",
        "k\u{0}",
        "",
    ] {
        for secret in [&b""[..], SECRET.as_bytes()] {
            let header = json!({"alg": "HS256", "kid": kid});
            is_refused(&gateway, &forged(&header, &claims, secret)).await;
        }
    }
}

#[tokio::test]
async fn a_token_with_wrong_claims_is_refused_though_it_is_signed() {
    let keys = Dir::new();
    let gateway = with_keys(&[("k", "HS256", SECRET)], keys.path())
        .start()
        .await;
    let ana = user(&gateway, "ana@example.com", &["--project", "proj_a"]).await;
    let claims = claims_of(&login(&gateway, "ana@example.com").await.access);
    let key = SigningKey::of_secret("k", SECRET.as_bytes()).unwrap();
    let signed = |change: &dyn Fn(&mut Value)| {
        let mut claims = claims.clone();
        change(&mut claims);
        key.sign(&claims).unwrap()
    };
    assert_eq!(chat_as(&gateway, &signed(&|_| ()), &[]).await.status(), 200);
    let stranger = "user-0000000000000000";
    for (name, value) in [
        ("exp", json!(now() - 60)),
        ("exp", json!(null)),
        ("exp", json!("9999999999")),
        ("nbf", json!(now() + 120)),
        ("nbf", json!("0")),
        ("iat", json!(now() + 120)),
        ("iss", json!("somebody")),
        ("iss", json!(null)),
        ("iss", json!(["weir", "somebody"])),
        ("aud", json!("somebody")),
        ("aud", json!([])),
        ("aud", json!(null)),
        ("sub", json!(stranger)),
        ("sub", json!(ana.email)),
        ("sub", json!("user-' OR '1'='1' --")),
        ("sid", json!("sess_' OR 1=1 --")),
        ("sid", json!(null)),
    ] {
        is_refused(&gateway, &signed(&|claims| claims[name] = value.clone())).await;
    }
    for name in ["exp", "iss", "aud", "sub", "sid"] {
        let without = |claims: &mut Value| {
            claims.as_object_mut().unwrap().remove(name);
        };
        is_refused(&gateway, &signed(&without)).await;
    }
    // What nobody reads gives nothing: a role in the token makes no owner.
    let promoted = signed(&|claims| {
        claims["role"] = "owner".into();
        claims["projects"] = json!(["proj_b"]);
    });
    let me = get_as(gateway.control, "/v1/me", &promoted).await.json();
    assert_eq!(me["role"], "reader");
    assert_eq!(me["projects"], json!([{"id": "proj_a", "role": "member"}]));
    let elsewhere = signed(&|claims| claims["project"] = "proj_b".into());
    chat_as(&gateway, &elsewhere, &[])
        .await
        .refused(404, "not_found");
}

#[tokio::test]
async fn a_token_that_was_cut_or_swapped_is_refused_in_every_part() {
    let gateway = Gateway::setup().start().await;
    user(&gateway, "ana@example.com", &["--project", "proj_a"]).await;
    let mine = login(&gateway, "ana@example.com").await.access;
    let other = login(&gateway, "ana@example.com").await.access;
    // Seen before, so that what is remembered of it is tried too.
    for token in [&mine, &other] {
        assert_eq!(chat_as(&gateway, token, &[]).await.status(), 200);
    }
    let parts = |token: &str| token.split('.').map(str::to_owned).collect::<Vec<_>>();
    let (own, others) = (parts(&mine), parts(&other));
    let mut tried = vec![
        [&own[0], &own[1], &others[2]].map(String::as_str).join("."),
        [&own[0], &others[1], &own[2]].map(String::as_str).join("."),
        format!("{mine}."),
        format!("{mine}.{}", own[2]),
        format!("{mine}="),
        format!("{mine}A"),
        format!(".{mine}"),
        format!("{}.{}", own[0], own[1]),
        "..".to_owned(),
        format!("{}.{}.", own[0], own[1]),
    ];
    for at in (0..mine.len()).step_by(17) {
        let mut changed = mine.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        tried.push(String::from_utf8(changed).unwrap());
        tried.push(mine[..at].to_owned());
    }
    for token in tried {
        let refused = get_as(gateway.data, "/v1/me", &token).await;
        refused.refused(401, "invalid_api_key");
    }
    assert_eq!(chat_as(&gateway, &mine, &[]).await.status(), 200);
}

#[tokio::test]
async fn injections_find_nobody_and_break_nothing() {
    let gateway = Gateway::setup().start().await;
    user(&gateway, "ana@example.com", &["--project", "proj_a"]).await;
    for odd in [
        "' OR '1'='1",
        "ana@example.com' --",
        "\"; DROP TABLE person; --@x",
        "ana@example.com\0",
        "ana@example.com\r\nx-admin: 1",
        "%@%",
        "{\"$ne\": null}@x",
        "\u{202e}moc.elpmaxe@ana",
    ] {
        for (email, password) in [(odd, PASSWORD), ("ana@example.com", odd)] {
            let body = json!({"email": email, "password": password});
            let response = post(gateway.control, "/auth/login", &body).await;
            assert!(
                [400, 401, 429].contains(&response.status()),
                "{odd}: {}",
                response.text()
            );
        }
        let body = json!({"refresh_token": format!("weir-refresh-{odd}")});
        let refused = post(gateway.control, "/auth/refresh", &body).await;
        assert!([400, 401].contains(&refused.status()), "{}", refused.text());
    }
    for wrong in [json!([]), json!({"$ne": ""}), json!(1), json!(true)] {
        let body = json!({"email": wrong, "password": PASSWORD});
        let refused = post(gateway.control, "/auth/login", &body).await;
        assert_eq!(refused.refused(400, "invalid_value")["param"], "email");
        let body = json!({"refresh_token": wrong});
        post(gateway.control, "/auth/refresh", &body)
            .await
            .refused(400, "invalid_value");
    }
    let exit = gateway.weir(&["user", "list"]).await;
    assert!(exit.stdout.contains("ana@example.com"), "{exit:?}");
}

#[tokio::test]
async fn headers_choose_no_project_that_is_not_one_s_own() {
    let gateway = Gateway::setup().start().await;
    user(&gateway, "ana@example.com", &["--project", "proj_a"]).await;
    let token = login(&gateway, "ana@example.com").await.access;
    for odd in [
        "proj_b",
        "proj_a' OR '1'='1",
        "*",
        "../proj_a",
        "PROJ_A",
        "proj_a,proj_b",
        "%00",
    ] {
        let headers = [("openai-project", odd)];
        chat_as(&gateway, &token, &headers)
            .await
            .refused(404, "not_found");
    }
    let twice = [("openai-project", "proj_a"), ("openai-project", "proj_b")];
    chat_as(&gateway, &token, &twice)
        .await
        .refused(400, "project_required");
    let bearer = format!("Bearer {token}");
    let twice = [
        ("authorization", bearer.as_str()),
        ("authorization", bearer.as_str()),
    ];
    let refused = send(gateway.data, "GET", "/v1/me", &twice, None).await;
    refused.refused(401, "invalid_api_key");
}

#[tokio::test]
async fn members_that_nobody_asked_for_set_nothing() {
    let gateway = Gateway::setup().start().await;
    user(&gateway, "ana@example.com", &["--project", "proj_a"]).await;
    let body = json!({
        "email": "ana@example.com", "password": PASSWORD, "role": "owner", "sub": "user-0000000000000000",
        "expires_in": 1e9, "access_ttl": "1000h", "id": "x", "__proto__": {"role": "owner"},
        "projects": [{"id": "proj_b", "role": "owner"}],
    });
    let tokens = Tokens::of(&post(gateway.control, "/auth/login", &body).await);
    let claims = claims_of(&tokens.access);
    assert!(claims["exp"].as_u64().unwrap() <= now() + 600);
    let me = get_as(gateway.control, "/v1/me", &tokens.access)
        .await
        .json();
    assert_eq!(me["role"], "reader");
    assert_eq!(me["projects"], json!([{"id": "proj_a", "role": "member"}]));
}

#[tokio::test]
async fn a_body_that_is_too_large_too_deep_or_no_json_is_refused() {
    let gateway = Gateway::setup().start().await;
    for path in ["/auth/login", "/auth/refresh", "/auth/logout"] {
        // Ten megabytes that are announced are not waited for.
        let mut conn = Conn::open(gateway.data).await;
        conn.send(format!(
            "POST {path} HTTP/1.1\r\nhost: w\r\ncontent-length: 10000000\r\n\r\n"
        ))
        .await;
        conn.response().await.refused(413, "request_too_large");
        // Nor those that come without a word.
        let mut conn = Conn::open(gateway.data).await;
        let chunk = format!("50000\r\n{}\r\n", "x".repeat(0x50000));
        conn.send(format!(
            "POST {path} HTTP/1.1\r\nhost: w\r\ntransfer-encoding: chunked\r\n\r\n{chunk}1\r\nx\r\n"
        ))
        .await;
        conn.response().await.refused(413, "request_too_large");
        let deep = format!("{{\"email\":{}", "[".repeat(30_000));
        for body in [
            deep.as_str(),
            "nonsense",
            "[]",
            "\u{feff}{}",
            "{\"email\":\"\\ud800\"}",
        ] {
            let mut conn = Conn::open(gateway.data).await;
            conn.post(path, "x", body).await;
            conn.response().await.refused(400, "invalid_json");
        }
        let mut conn = Conn::open(gateway.data).await;
        conn.send(format!("POST {path} HTTP/1.1\r\nhost: w\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\n{{}}")).await;
        conn.response().await.refused(415, "unsupported_media_type");
        send(gateway.control, "GET", path, &[], None)
            .await
            .refused(405, "method_not_allowed");
    }
    send(gateway.control, "POST", "/auth/nope", &[], None)
        .await
        .refused(404, "unknown_url");
    let huge = format!("a.{}.b", "A".repeat(20_000));
    get_as(gateway.data, "/v1/me", &huge)
        .await
        .refused(401, "invalid_api_key");
}

#[tokio::test]
async fn no_secret_is_in_a_log_an_error_or_the_metrics() {
    let gateway = Gateway::setup()
        .config("[log]\nlevel = 'debug'")
        .start()
        .await;
    user(&gateway, "ana@example.com", &["--project", "proj_a"]).await;
    let wrong = "wrong horse battery";
    let body = json!({"email": "ana@example.com", "password": wrong});
    let mut answers = vec![post(gateway.data, "/auth/login", &body).await];
    let first = login(&gateway, "ana@example.com").await;
    let refresh = json!({"refresh_token": first.refresh});
    let second = Tokens::of(&post(gateway.data, "/auth/refresh", &refresh).await);
    answers.push(post(gateway.data, "/auth/refresh", &refresh).await);
    answers.push(chat_as(&gateway, &second.access, &[]).await);
    answers.push(chat_as(&gateway, &format!("{}x", second.access), &[]).await);
    let broken = format!("{{\"email\": \"ana@example.com\", \"password\": \"{PASSWORD}");
    let mut conn = Conn::open(gateway.data).await;
    conn.post("/auth/login", "x", broken).await;
    answers.push(conn.response().await);
    let path = format!("/auth/login?token={}", second.access);
    answers.push(send(gateway.data, "POST", &path, &[], Some(&json!({}))).await);

    let key = std::fs::read_to_string(gateway.dir.path().join("data/access-token.key")).unwrap();
    let store = gateway.dir.path().join("data/weir.db");
    let (metrics, printed) = (gateway.metrics().await, gateway.printed());
    gateway
        .log_line(|line| line.contains("a refresh token was shown again"))
        .await;
    let mut texts = vec![gateway.log(), metrics, printed];
    for answer in &answers {
        error_of(&answer.body);
        texts.push(format!("{}{}", answer.head.raw, answer.text()));
    }
    let secrets = [
        PASSWORD,
        wrong,
        key.trim(),
        &first.access,
        &first.refresh,
        &second.access,
        &second.refresh,
    ];
    for secret in secrets {
        for text in &texts {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
    // Nor in the store, where it is a file.
    if let Ok(bytes) = std::fs::read(&store) {
        let wal = std::fs::read(store.with_extension("db-wal")).unwrap_or_default();
        for bytes in [bytes, wal] {
            for secret in secrets {
                let body = secret.strip_prefix("weir-refresh-").unwrap_or(secret);
                assert!(
                    memchr::memmem::find(&bytes, body.as_bytes()).is_none(),
                    "{secret}"
                );
            }
        }
    }
}
