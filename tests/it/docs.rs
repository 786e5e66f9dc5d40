//! What is shipped beside the code says what the code does.

use crate::support::weir;
use std::{fs, path::Path};

fn shipped(name: &str) -> Option<String> {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).ok()
}

/// Keys of the shipped configuration, those in comments too.
fn keys() -> Vec<String> {
    let text = shipped("config.toml").unwrap();
    let key = |line: &str| {
        let name = line
            .trim_start_matches(['#', ' ', '{'])
            .split_once(" = ")?
            .0
            .to_owned();
        let is_key = name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        is_key.then_some(name)
    };
    text.lines().filter_map(key).collect()
}

#[tokio::test]
async fn the_shipped_configuration_is_good() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(
        dir.path().join("config.toml"),
        shipped("config.toml").unwrap(),
    )
    .unwrap();
    let exit = weir(dir.path(), &["check"], &[]).await;
    assert_eq!(exit.code, Some(0), "{exit:?}");
}

#[test]
fn every_key_of_the_shipped_configuration_says_why_one_would_change_it() {
    let text = shipped("config.toml").unwrap();
    let (server, _) = text.split_once("[[upstream]]").unwrap();
    for line in server.lines().filter(|line| line.contains(" = ")) {
        assert!(line.starts_with('#') || line.contains("  # "), "{line}");
    }
    assert!(keys().len() > 40, "{:?}", keys());
}

#[test]
fn every_key_is_in_the_manual() {
    let Some(manual) = shipped("docs/configuration.md") else {
        eprintln!("SKIPPED: docs/configuration.md is not written yet");
        return;
    };
    for key in keys() {
        assert!(
            manual.contains(&key),
            "`{key}` is not in docs/configuration.md"
        );
    }
}

#[test]
fn the_readme_begins_with_a_first_run() {
    let Some(readme) = shipped("README.md") else {
        eprintln!("SKIPPED: README.md is not written yet");
        return;
    };
    assert!(readme.contains("cargo run --release"));
    assert!(readme.contains("cargo test"));
}
