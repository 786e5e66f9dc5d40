//! `weir completions`: the scripts know the whole command line.

use crate::support::weir;
use std::{path::Path, process::Command};

/// Every command, as the words behind `weir`, by what its help says.
async fn commands(dir: &Path) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let mut asked: Vec<Vec<String>> = vec![Vec::new()];
    while let Some(command) = asked.pop() {
        let mut arguments: Vec<&str> = command.iter().map(String::as_str).collect();
        arguments.push("--help");
        let help = weir(dir, &arguments, &[]).await.stdout;
        let Some((_, list)) = help.split_once("Commands:\n") else {
            continue;
        };
        for line in list.lines().take_while(|line| line.starts_with("  ")) {
            let name = line.split_whitespace().next().unwrap().to_owned();
            let inner = [command.clone(), vec![name]].concat();
            asked.push(inner.clone());
            found.push(inner);
        }
    }
    found
}

#[tokio::test]
async fn the_script_for_each_shell_names_every_command() {
    let dir = tempfile::tempdir().unwrap();
    let commands = commands(dir.path()).await;
    for expected in [&["serve"][..], &["key", "rotate"], &["completions"]] {
        assert!(
            commands.iter().any(|command| command == expected),
            "{commands:?}"
        );
    }
    for shell in ["bash", "zsh", "fish"] {
        let exit = weir(dir.path(), &["completions", shell], &[]).await;
        assert_eq!((exit.code, exit.stderr.as_str()), (Some(0), ""), "{shell}");
        for name in commands
            .iter()
            .flatten()
            .map(String::as_str)
            .chain(["--config", "--data-dir"])
        {
            let bare = name.trim_start_matches('-');
            assert!(exit.stdout.contains(bare), "{shell} does not know `{name}`");
        }
    }
    let wrong = weir(dir.path(), &["completions", "tcsh"], &[]).await;
    assert_eq!(wrong.code, Some(2), "{wrong:?}");
}

#[tokio::test]
async fn bash_completes_a_command_within_a_command() {
    if Command::new("bash").arg("--version").output().is_err() {
        eprintln!("SKIPPED: there is no bash");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let script = weir(dir.path(), &["completions", "bash"], &[]).await.stdout;
    let ask = "COMP_WORDS=(weir key ro) COMP_CWORD=2 COMPREPLY=(); _weir weir ro key; echo \"${COMPREPLY[@]}\"";
    let bash = Command::new("bash")
        .args(["--norc", "-c", &format!("{script}\n{ask}")])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(bash.stdout).unwrap().trim(), "rotate");
}
