//! The configuration: mistakes are told at once and plainly, changes are taken up whole or not at all.

use crate::support::{END, FakeUpstream, Gateway, Reply, chat, chat_stream, event, until, weir};
use std::path::Path;

/// A directory with a config file.
fn configured(text: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("config.toml"), text).unwrap();
    dir
}

/// Asserts that `weir serve` ends with one line on standard error that contains `words`, and with exit code 2.
async fn refuses_to_start(
    dir: &Path,
    arguments: &[&str],
    environment: &[(&str, &str)],
    words: &[&str],
) {
    let listen = [
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--control-listen",
        "127.0.0.1:0",
    ];
    let mut all = listen.to_vec();
    for pair in arguments.chunks(2) {
        match listen.iter().position(|flag| flag == &pair[0]) {
            Some(at) => all[at + 1] = pair[1],
            None => all.extend(pair),
        }
    }
    let environment = [environment, &[("RUST_BACKTRACE", "1")]].concat();
    let exit = weir(dir, &all, &environment).await;
    let said: Vec<&str> = exit
        .stderr
        .lines()
        .filter(|line| line.starts_with("weir: "))
        .collect();
    assert_eq!((exit.code, said.len()), (Some(2), 1), "{exit:?}");
    for word in words {
        assert!(said[0].contains(word), "{word} is not in {}", said[0]);
    }
    assert!(
        !exit.stderr.contains("backtrace") && !exit.stderr.contains("panicked"),
        "{exit:?}"
    );
    assert_eq!(exit.stdout, "");
}

#[tokio::test]
async fn a_port_that_is_taken_is_one_clear_line() {
    let holder = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = holder.local_addr().unwrap().to_string();
    let dir = configured("");
    for (flag, key) in [
        ("--listen", "server.listen"),
        ("--control-listen", "server.control_listen"),
    ] {
        refuses_to_start(dir.path(), &[flag, &taken], &[], &[key, &taken]).await;
    }
}

#[tokio::test]
async fn a_data_directory_that_cannot_be_used_is_one_clear_line() {
    let dir = configured("");
    std::fs::write(dir.path().join("file"), "").unwrap();
    refuses_to_start(dir.path(), &["--data-dir", "file"], &[], &["file"]).await;
    refuses_to_start(
        dir.path(),
        &["--data-dir", "/proc/nope"],
        &[],
        &["/proc/nope"],
    )
    .await;
}

#[tokio::test]
async fn a_store_that_is_none_is_one_clear_line() {
    let dir = configured("");
    std::fs::create_dir(dir.path().join("data")).unwrap();
    std::fs::write(
        dir.path().join("data/weir.db"),
        "not a database, but long enough to be taken for one".repeat(99),
    )
    .unwrap();
    refuses_to_start(dir.path(), &[], &[], &["weir.db"]).await;
}

#[tokio::test]
async fn a_config_that_is_wrong_is_one_clear_line() {
    let dir = configured("[server]\nlisten_on = \"x\"");
    refuses_to_start(
        dir.path(),
        &[],
        &[],
        &["config.toml", "2", "listen_on", "did you mean `listen`"],
    )
    .await;
    let broken = configured("[server\n");
    refuses_to_start(broken.path(), &[], &[], &["config.toml", "1"]).await;
    refuses_to_start(
        dir.path(),
        &["--config", "nowhere.toml"],
        &[],
        &["nowhere.toml"],
    )
    .await;
    refuses_to_start(dir.path(), &["--listen", "nowhere"], &[], &["listen"]).await;
}

#[tokio::test]
async fn a_certificate_that_is_none_is_one_clear_line() {
    let dir = configured("[server]\ntls_cert = \"a.pem\"\ntls_key = \"a.pem\"");
    std::fs::write(dir.path().join("a.pem"), "nothing").unwrap();
    refuses_to_start(dir.path(), &[], &[], &["a.pem"]).await;
}

#[tokio::test]
async fn a_public_control_plane_needs_an_admin() {
    let dir = configured("");
    let public = ["--control-listen", "0.0.0.0:0"];
    refuses_to_start(dir.path(), &public, &[], &["control_listen", "admin"]).await;
    refuses_to_start(dir.path(), &["--control-listen", "[::]:0"], &[], &["admin"]).await;
    let weak = [("WEIR_ADMIN_KEY", "short")];
    refuses_to_start(dir.path(), &public, &weak, &["WEIR_ADMIN_KEY"]).await;
    assert!(
        !dir.path().join("data/first-keys.env").exists(),
        "no key was made on the way"
    );
}

#[tokio::test]
async fn an_admin_key_from_the_environment_is_used_and_none_is_made() {
    let gateway = Gateway::setup()
        .env("WEIR_ADMIN_KEY", "an-admin-key-of-my-own")
        .start()
        .await;
    assert_eq!(gateway.admin, "");
    let refused = gateway
        .control_with("/admin/events", "Bearer an-admin-key-of-my-owm")
        .await;
    refused.refused(401, "invalid_api_key");
}

#[tokio::test]
async fn every_mistake_is_told_with_its_line() {
    let dir = configured(
        "[server]\nworkers = \"many\"\nbodymax = \"1MiB\"\n\n[cors]\norigins = [\"nonsense\"]\n\n\
         [[upstream]]\nname = \"alpha\"\nprovider = \"opnai\"\n\n[[model]]\nname = \"m\"\nto = [\"alpah\"]\n",
    );
    let exit = weir(dir.path(), &["check"], &[]).await;
    assert_eq!(exit.code, Some(2), "{exit:?}");
    for (line, words) in [
        (2, "workers"),
        (3, "did you mean `body_max`"),
        (6, "origins"),
        (10, "provider"),
        (14, "no upstream of this name"),
    ] {
        let place = format!("config.toml:{line}");
        let told = exit
            .stderr
            .lines()
            .any(|said| said.contains(&place) && said.contains(words));
        assert!(told, "{place} {words}: {}", exit.stderr);
    }
    let good = configured("[server]\nworkers = 1");
    assert_eq!(weir(good.path(), &["check"], &[]).await.code, Some(0));
}

#[tokio::test]
async fn a_secret_in_the_wrong_place_is_not_repeated() {
    let dir = configured(
        "[[upstream]]\nname = \"a\"\nprovider = \"openai\"\nbase_url = \"https://x\"\napi_key = \"sk-very-secret\"",
    );
    let exit = weir(dir.path(), &["check"], &[]).await;
    assert_eq!(exit.code, Some(2));
    assert!(!format!("{exit:?}").contains("very-secret"), "{exit:?}");
}

#[tokio::test]
async fn a_secret_that_is_missing_is_told_before_the_first_request() {
    let config = "[[upstream]]\nname = \"a\"\nprovider = \"openai\"\nbase_url = \"https://x\"\napi_key = \"$NOT_SET\"";
    refuses_to_start(configured(config).path(), &[], &[], &["api_key", "NOT_SET"]).await;
}

#[tokio::test]
async fn a_secret_may_come_from_a_file() {
    let upstream = FakeUpstream::with([Reply::json(200, "{}")]).await;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("secret");
    std::fs::write(&path, "sk-from-a-file\n").unwrap();
    let line = format!("api_key = \"file:{}\"", path.display());
    let gateway = Gateway::setup()
        .upstream("up", &upstream, &line)
        .start()
        .await;
    gateway.chat(chat("up")).await;
    assert_eq!(
        upstream.request().await.get("authorization"),
        Some("Bearer sk-from-a-file")
    );
}

#[tokio::test]
async fn the_environment_wins_over_the_file() {
    let upstream = FakeUpstream::with([Reply::json(200, "{\"here\":1}")]).await;
    let other = FakeUpstream::with([Reply::json(200, "{\"there\":1}")]).await;
    let gateway = Gateway::setup()
        .upstream("up", &upstream, "")
        .env("WEIR__UPSTREAM__UP__BASE_URL", &other.url())
        .env("WEIR__SERVER__BODY_MAX", "2KiB")
        .start()
        .await;
    assert_eq!(gateway.chat(chat("up")).await.text(), "{\"there\":1}");
    gateway
        .chat(chat(&"x".repeat(3000)))
        .await
        .refused(413, "request_too_large");
    let typo = [("WEIR__SERVER__LISTN", "x")];
    refuses_to_start(
        configured("").path(),
        &[],
        &typo,
        &["WEIR__SERVER__LISTN", "WEIR__SERVER__LISTEN"],
    )
    .await;
}

#[tokio::test]
async fn a_changed_file_is_taken_up_and_a_stream_in_the_air_goes_on() {
    let (reply, feed) = Reply::fed();
    let upstream = FakeUpstream::with([reply, Reply::json(200, "{\"new\":1}")]).await;
    let old = Gateway::setup().upstream("old", &upstream, "");
    let gateway = old.start().await;
    let mut conn = gateway.stream(chat_stream("old")).await;
    gateway
        .chat(chat("new"))
        .await
        .refused(404, "model_not_found");
    gateway.rewrite(&Gateway::setup().upstream("new", &upstream, "").text());
    until("the new model", async || {
        (gateway.chat(chat("new")).await.status() == 200).then_some(())
    })
    .await;
    gateway
        .chat(chat("old"))
        .await
        .refused(404, "model_not_found");
    feed.send((event("one") + END).into()).unwrap();
    drop(feed);
    let wanted = event("one") + END;
    assert_eq!(conn.chunks(wanted.len()).await, wanted.as_bytes());
    assert_eq!(conn.chunk().await, Ok(None));
}

#[tokio::test]
async fn a_hangup_reloads_at_once_and_a_bad_file_changes_nothing() {
    let upstream = FakeUpstream::with([Reply::json(200, "{}")]).await;
    let gateway = Gateway::before(&upstream).await;
    gateway.rewrite("[server]\nworkers = \"many\"\n[[nonsense]]");
    gateway.signal(rustix::process::Signal::HUP);
    let line = gateway
        .log_line(|line| line.contains("kept the old configuration"))
        .await;
    assert!(
        line.contains("ERROR") && line.contains("config.toml"),
        "{line}"
    );
    gateway.metric("weir_config_last_reload_ok", 0).await;
    gateway
        .metric("weir_config_reloads_total{result=\"refused\"}", 1)
        .await;
    assert_eq!(gateway.chat(chat("up")).await.status(), 200);
    gateway.rewrite(&Gateway::setup().upstream("again", &upstream, "").text());
    gateway.signal(rustix::process::Signal::HUP);
    gateway
        .log_line(|line| line.contains("took up the changed configuration"))
        .await;
    gateway.metric("weir_config_last_reload_ok", 1).await;
    assert_eq!(gateway.chat(chat("again")).await.status(), 200);
}

#[tokio::test]
async fn a_file_that_is_gone_does_not_mean_the_defaults() {
    let upstream = FakeUpstream::with([Reply::json(200, "{}")]).await;
    let gateway = Gateway::before(&upstream).await;
    std::fs::remove_file(gateway.config_path()).unwrap();
    gateway.signal(rustix::process::Signal::HUP);
    gateway
        .log_line(|line| line.contains("kept the old configuration"))
        .await;
    assert_eq!(gateway.chat(chat("up")).await.status(), 200);
}

#[tokio::test]
async fn what_needs_a_restart_is_said_so() {
    let gateway = Gateway::setup().start().await;
    gateway.rewrite("[server]\nworkers = 7");
    gateway.signal(rustix::process::Signal::HUP);
    let line = gateway
        .log_line(|line| line.contains("at the next start only"))
        .await;
    assert!(
        line.contains("server.workers") && !line.contains("listen"),
        "{line}"
    );
}

#[tokio::test]
async fn the_first_start_prints_a_command_that_streams() {
    let gateway = Gateway::setup().start().await;
    let printed = gateway.printed();
    for words in [
        "data plane",
        "control plane",
        "models         simulator",
        "API key        sk-weir-",
        "admin key      sk-weir-admin-",
    ] {
        assert!(printed.contains(words), "{printed}");
    }
    let line = printed
        .lines()
        .find(|line| line.trim_start().starts_with("curl "))
        .unwrap()
        .to_owned();
    let run = tokio::task::spawn_blocking(move || {
        std::process::Command::new("sh")
            .args(["-c", &line])
            .output()
            .unwrap()
    });
    let output = run.await.unwrap();
    if output.status.code() == Some(127) {
        eprintln!("SKIPPED: there is no curl here");
        return;
    }
    let stream = String::from_utf8(output.stdout).unwrap();
    assert!(
        stream.starts_with("data: {") && stream.ends_with("data: [DONE]\n\n"),
        "{stream}"
    );
}

#[tokio::test]
async fn the_log_can_be_json() {
    let gateway = Gateway::setup()
        .config("[log]\nformat = \"json\"")
        .start()
        .await;
    gateway.get("/v1/models").await;
    let line = gateway
        .log_line(|line| line.contains("\"message\":\"request\""))
        .await;
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(
        (line["status"].as_u64(), line["path"].as_str()),
        (Some(200), Some("/v1/models"))
    );
}
