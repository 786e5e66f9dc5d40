//! Who may come in, from the key's making to its end, and that no secret is ever seen again.

use crate::support::{Dir, FakeUpstream, Gateway, Key, Reply, chat, until, weir, weir_unheard};
use std::time::{Duration, Instant};

async fn status(gateway: &Gateway, key: &str) -> u16 {
    gateway
        .post_with(key, "/v1/chat/completions", QUICK)
        .await
        .status()
}

const QUICK: &str =
    r#"{"model":"simulator/fast","messages":[{"role":"user","content":"x"}],"max_tokens":1}"#;

/// Waits until a key has this status.
async fn becomes(gateway: &Gateway, key: &str, wanted: u16) {
    until("a change of the key's fate", async || {
        (status(gateway, key).await == wanted).then_some(())
    })
    .await;
}

#[tokio::test]
async fn every_bad_key_is_refused_in_the_same_words() {
    let gateway = Gateway::setup().start().await;
    let revoked = gateway.make_key(&[]).await;
    let expired = gateway.make_key(&["--expires", "1s"]).await;
    becomes(&gateway, &revoked.key, 200).await;
    gateway.weir(&["key", "revoke", &revoked.id]).await;
    becomes(&gateway, &revoked.key, 401).await;
    becomes(&gateway, &expired.key, 401).await;
    let last = gateway.key.pop_last();
    let forged = format!("{}{}", last.0, if last.1 == 'a' { 'b' } else { 'a' });
    let foreign = gateway.key.replacen("sk-weir-", "sk-", 1);
    let mut texts = Vec::new();
    for value in [
        "Bearer",
        "Bearer ",
        "Basic eDp5",
        "nonsense",
        "Bearer x",
        &format!("Bearer {forged}"),
        &format!("Bearer {foreign}"),
        &format!("Bearer {}", revoked.key),
        &format!("Bearer {}", expired.key),
        &format!("Bearer {}", gateway.admin),
        &format!("Bearer {} x", gateway.key),
    ] {
        let response = gateway
            .bare("GET", "/v1/models", &[("authorization", value)])
            .await;
        response.refused(401, "invalid_api_key");
        assert!(response.header("www-authenticate").is_some());
        texts.push(response.text());
    }
    texts.push(gateway.bare("GET", "/v1/models", &[]).await.text());
    texts.dedup();
    assert_eq!(texts.len(), 1, "{texts:?}");
}

trait PopLast {
    fn pop_last(&self) -> (String, char);
}

impl PopLast for String {
    fn pop_last(&self) -> (String, char) {
        let mut rest = self.clone();
        let last = rest.pop().unwrap();
        (rest, last)
    }
}

#[tokio::test]
async fn a_key_is_taken_in_either_header_and_in_any_case() {
    let gateway = Gateway::setup().start().await;
    let key = &gateway.key;
    for (name, value) in [
        ("Authorization", format!("Bearer {key}")),
        ("authorization", format!("bearer {key}")),
        ("AUTHORIZATION", format!("BEARER   {key}")),
        ("X-Api-Key", key.clone()),
    ] {
        assert_eq!(
            gateway
                .bare("GET", "/v1/models", &[(name, &value)])
                .await
                .status(),
            200,
            "{value}"
        );
    }
    let both = [("authorization", "Bearer x"), ("x-api-key", key.as_str())];
    assert_eq!(gateway.bare("GET", "/v1/models", &both).await.status(), 401);
    let value = format!("Bearer {key}");
    let twice = [
        ("authorization", value.as_str()),
        ("authorization", value.as_str()),
    ];
    assert_eq!(
        gateway.bare("GET", "/v1/models", &twice).await.status(),
        401
    );
}

#[tokio::test]
async fn a_key_for_certain_models_sees_and_uses_no_others() {
    let upstream = FakeUpstream::with([Reply::json(200, "{}")]).await;
    let gateway = Gateway::setup()
        .upstream("up", &upstream, "")
        .config("[[model]]\nname = \"down\"\nto = [\"up\"]")
        .start()
        .await;
    let limited = gateway
        .make_key(&["--model", "up", "--model", "simulator/f*"])
        .await;
    becomes(&gateway, &limited.key, 200).await;
    let post = async |model: &str| {
        gateway
            .post_with(
                &limited.key,
                "/v1/chat/completions",
                chat(model).to_string(),
            )
            .await
    };
    assert_eq!(post("up").await.status(), 200);
    let error = post("down").await.refused(403, "model_not_allowed");
    assert_eq!(error["param"], "model");
    let value = format!("Bearer {}", limited.key);
    let list = gateway
        .bare("GET", "/v1/models", &[("authorization", &value)])
        .await
        .json();
    let names: Vec<&str> = list["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| m["id"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["simulator/fast", "up"]);
    let one = gateway
        .bare("GET", "/v1/models/down", &[("authorization", &value)])
        .await;
    one.refused(404, "model_not_found");
}

#[tokio::test]
async fn a_key_made_while_the_gateway_runs_works_at_once_and_is_refused_within_a_second_of_its_end()
{
    let gateway = Gateway::setup().start().await;
    let made = gateway.make_key(&["--name", "ci"]).await;
    let begun = Instant::now();
    becomes(&gateway, &made.key, 200).await;
    assert!(begun.elapsed() < Duration::from_secs(1));
    let exit = gateway.weir(&["key", "revoke", &made.key]).await;
    let begun = Instant::now();
    assert_eq!(
        (exit.code, exit.stdout.as_str()),
        (Some(0), format!("revoked key_{}\n", made.id).as_str())
    );
    becomes(&gateway, &made.key, 401).await;
    assert!(begun.elapsed() < Duration::from_secs(1));
    assert_eq!(
        status(&gateway, &gateway.key).await,
        200,
        "the others go on"
    );
}

#[tokio::test]
async fn a_rotated_key_gives_way_to_its_successor() {
    let gateway = Gateway::setup().start().await;
    let old = gateway.make_key(&["--model", "simulator/fast"]).await;
    let new = Key::of(&gateway.weir(&["key", "rotate", &old.id, "--json"]).await);
    becomes(&gateway, &new.key, 200).await;
    becomes(&gateway, &old.key, 401).await;
    let kept = Key::of(
        &gateway
            .weir(&["key", "rotate", &new.id, "--overlap", "1h", "--json"])
            .await,
    );
    becomes(&gateway, &kept.key, 200).await;
    assert_eq!(status(&gateway, &new.key).await, 200, "it overlaps");
    let other = gateway
        .post_with(
            &kept.key,
            "/v1/chat/completions",
            chat("simulator").to_string(),
        )
        .await;
    other.refused(403, "model_not_allowed");
}

#[tokio::test]
async fn a_policy_for_hang_ups_is_told_and_outlives_a_rotation() {
    let dir = tempfile::tempdir().unwrap();
    let run = async |arguments: &[&str]| weir(dir.path(), arguments, &[]).await;
    let create = ["key", "create", "--json", "--on-hangup"];
    let made = Key::of(&run(&[&create[..], &["finish-up-to=500"]].concat()).await);
    run(&["key", "rotate", &made.id]).await;
    let listed = run(&["key", "list", "--json"]).await.stdout;
    let policy = "\"on_hangup\":\"finish-up-to=500\"";
    assert_eq!(listed.matches(policy).count(), 2, "{listed}");
    let wrong = run(&[&create[..], &["perhaps"]].concat()).await;
    assert_eq!(wrong.code, Some(2), "{wrong:?}");
}

#[tokio::test]
async fn output_that_finds_no_room_is_a_failure_and_a_key_nobody_saw_is_named() {
    let dir = Dir::new();
    for arguments in [&["check"][..], &["key", "list"], &["usage"]] {
        let exit = weir_unheard(dir.path(), arguments).await;
        assert_eq!(exit.code, Some(1), "{exit:?}");
        assert!(
            exit.stderr
                .starts_with("weir: the output cannot be written")
        );
    }
    let exit = weir_unheard(dir.path(), &["key", "create"]).await;
    assert_eq!(exit.code, Some(1), "{exit:?}");
    let id = exit
        .stderr
        .split_whitespace()
        .find(|word| word.starts_with("key_"));
    let revoke = weir(dir.path(), &["key", "revoke", id.unwrap()], &[]).await;
    assert_eq!(revoke.code, Some(0), "{revoke:?}");
}

#[tokio::test]
async fn keys_are_made_listed_and_revoked_while_nothing_runs() {
    let dir = Dir::new();
    let made = Key::of(
        &weir(
            dir.path(),
            &["key", "create", "--json", "--name", "early"],
            &[],
        )
        .await,
    );
    let ended = Key::of(&weir(dir.path(), &["key", "create", "--json"], &[]).await);
    assert_eq!(
        weir(dir.path(), &["key", "revoke", &ended.id], &[])
            .await
            .code,
        Some(0)
    );
    let list = weir(dir.path(), &["key", "list"], &[]).await.stdout;
    assert!(
        list.lines()
            .any(|line| line.contains(&made.id) && line.contains("live") && line.contains("early")),
        "{list}"
    );
    assert!(
        list.lines()
            .any(|line| line.contains(&ended.id) && line.contains("revoked")),
        "{list}"
    );
    assert!(!list.contains(&made.key));
    let gateway = Gateway::setup().start_in(dir).await;
    assert_eq!(status(&gateway, &made.key).await, 200);
    assert_eq!(status(&gateway, &ended.key).await, 401);
    assert!(
        gateway.key.is_empty(),
        "only the very first start makes keys"
    );
}

#[tokio::test]
async fn a_key_that_is_not_there_cannot_be_revoked() {
    let dir = Dir::new();
    for id in ["0123456789abcdef", "nope"] {
        let exit = weir(dir.path(), &["key", "revoke", id], &[]).await;
        assert_eq!(
            (exit.code, exit.stderr.lines().count()),
            (Some(2), 1),
            "{exit:?}"
        );
    }
}

#[tokio::test]
async fn keys_outlive_the_process() {
    let gateway = Gateway::setup().start().await;
    let (key, admin) = (gateway.key.clone(), gateway.admin.clone());
    let file = gateway.dir.path().join("data/first-keys.env");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains(&key) && text.contains(&admin));
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let dir = gateway.killed();
    let again = Gateway::setup().start_in(dir).await;
    assert_eq!(status(&again, &key).await, 200);
    assert!(!again.printed().contains("sk-weir-"), "keys are shown once");
}

#[tokio::test]
async fn the_two_kinds_of_key_open_one_plane_each() {
    let gateway = Gateway::setup().start().await;
    let (key, admin) = (
        format!("Bearer {}", gateway.key),
        format!("Bearer {}", gateway.admin),
    );
    let models = gateway
        .bare("GET", "/v1/models", &[("authorization", &admin)])
        .await;
    models.refused(401, "invalid_api_key");
    gateway
        .control_with("/admin/events", &key)
        .await
        .refused(401, "invalid_api_key");
}

#[tokio::test]
async fn no_secret_is_ever_seen_again() {
    let upstream = FakeUpstream::with([
        Reply::json(200, "{}"),
        Reply::json(500, "{}"),
        Reply::json(401, "{}"),
        Reply::reset(),
    ])
    .await;
    let gateway = Gateway::setup()
        .config("[log]\nlevel = \"debug\"")
        .upstream("up", &upstream, "api_key = \"$UPSTREAM_KEY\"\nheaders = { x-secret = \"hush-hush-header\" }\nretries = 0")
        .env("UPSTREAM_KEY", "sk-upstream-very-secret")
        .env("WEIR_ADMIN_KEY", "an-admin-key-of-the-operator")
        .start()
        .await;
    let made = gateway.make_key(&[]).await;
    becomes(&gateway, &made.key, 200).await;
    let prompt = r#"{"model":"up","messages":["a very private prompt"]}"#;
    let mut seen = String::new();
    for key in [
        &gateway.key,
        &made.key,
        &format!("{}x", gateway.key),
        "an-admin-key-of-the-operator",
    ] {
        for path in [
            "/v1/chat/completions?key=very-secret",
            "/v1/responses",
            "/v1/nope",
        ] {
            let response = gateway.post_with(key, path, prompt).await;
            seen += &(response.head.raw.clone() + &response.text());
        }
    }
    seen += &gateway.metrics().await;
    seen += &gateway.control("/info").await.text();
    seen += &gateway.control("/readyz").await.text();
    seen += &gateway.weir(&["key", "list", "--json"]).await.stdout;
    gateway.terminate();
    let (key, printed) = (gateway.key.clone(), gateway.printed());
    let (_, log) = gateway.exited().await;
    seen += &log;
    let half = |key: &str| key.split('_').nth(1).unwrap()[..20].to_owned();
    for secret in [
        half(&key),
        half(&made.key),
        "very-secret".into(),
        "hush-hush".into(),
        "key-of-the-operator".into(),
        "private prompt".into(),
    ] {
        assert!(!seen.contains(&secret), "{secret} is in {seen}");
    }
    assert!(!printed.contains("key-of-the-operator") && !printed.contains("very-secret"));
}
