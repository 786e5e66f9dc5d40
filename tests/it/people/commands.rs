//! The same at the command line.

use super::{PASSWORD, user};
use crate::support::Gateway;
use serde_json::{Value, json};

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
