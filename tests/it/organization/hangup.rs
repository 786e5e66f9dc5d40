//! What a project says of clients that hang up.

use super::{bad, get, post, text};
use crate::{
    ledger::{row, rows, says},
    support::{END, FakeUpstream, Gateway, Reply, chat_stream, event},
};
use serde_json::{Value, json};

const DEFAULT: &str = "/projects/proj_default";

fn policy(project: &Value) -> &Value {
    &project["weir"]["on_hangup"]
}

#[tokio::test]
async fn a_projects_policy_is_made_changed_and_taken_away() {
    let gateway = Gateway::setup().start().await;
    let body = json!({"name": "search", "weir": {"on_hangup": "finish-up-to=500"}});
    let made = post(&gateway, "/projects", body).await;
    assert_eq!(policy(&made), "finish-up-to=500");
    let own = format!("/projects/{}", text(&made, "/id"));
    assert_eq!(get(&gateway, &own).await, made);
    let renamed = post(&gateway, &own, json!({"name": "find"})).await;
    assert_eq!(policy(&renamed), "finish-up-to=500", "it is not named");
    let body = json!({"weir": {"on_hangup": null}});
    assert_eq!(policy(&post(&gateway, &own, body).await), &Value::Null);

    for (weir, code) in [
        (json!({"on_hangup": "stay"}), "invalid_value"),
        (json!({"on_hang_up": "finish"}), "unknown_parameter"),
        (json!(1), "invalid_value"),
    ] {
        let body = json!({"name": "x", "weir": weir});
        let refused = (400, code);
        bad(&gateway, "POST", &own, Some(body.clone()), refused).await;
        bad(&gateway, "POST", "/projects", Some(body), refused).await;
    }
    let log = get(&gateway, "/audit_logs?event_types[]=project.updated").await;
    assert_eq!(log["data"].as_array().unwrap().len(), 2, "{log}");
}

#[tokio::test]
async fn a_projects_policy_is_at_the_command_line_too() {
    let gateway = Gateway::setup().start().await;
    let project = ["project", "create", "p", "--id", "p", "--json"];
    for (arguments, expected) in [
        (
            &[&project[..], &["--on-hangup", "finish"]].concat()[..],
            json!("finish"),
        ),
        (
            &["project", "change", "p", "--on-hangup", "none", "--json"],
            Value::Null,
        ),
    ] {
        let exit = gateway.weir(arguments).await;
        let told: Value = serde_json::from_str(&exit.stdout).unwrap();
        assert_eq!(told["on_hangup"], expected, "{exit:?}");
    }
    let wrong = ["project", "change", "p", "--on-hangup", "stay"];
    assert_eq!(gateway.weir(&wrong).await.code, Some(2));
}

#[tokio::test]
async fn a_key_that_says_nothing_does_as_its_project_says() {
    let (reply, feed) = Reply::fed();
    let upstream = FakeUpstream::with([reply]).await;
    let gateway = Gateway::before(&upstream).await;
    let body = json!({"weir": {"on_hangup": "finish"}});
    post(&gateway, DEFAULT, body).await;
    let mut conn = gateway.stream(chat_stream("up")).await;
    feed.send(event("Hello").into()).unwrap();
    conn.chunks(event("Hello").len()).await;
    drop(conn);
    gateway.metric("weir_connections{plane=\"data\"}", 0).await;
    assert!(rows(&gateway).is_empty(), "the call goes on");
    let usage = json!({"choices": [], "usage": {"prompt_tokens": 70, "completion_tokens": 90}});
    let rest = END.replace("data: [DONE]", &format!("data: {usage}\n\ndata: [DONE]"));
    feed.send(rest.into()).unwrap();
    let expected =
        json!({"outcome": "client_gone", "source": "provider", "input": 70, "output": 90});
    says(&row(&gateway).await, &expected);
}

#[tokio::test]
async fn what_a_project_says_goes_before_the_configuration() {
    let (reply, feed) = Reply::fed();
    let upstream = FakeUpstream::with([reply]).await;
    let config = "on_hangup = \"finish\"";
    let gateway = Gateway::setup()
        .upstream("up", &upstream, "")
        .server(config)
        .start()
        .await;
    let body = json!({"weir": {"on_hangup": "cancel"}});
    post(&gateway, DEFAULT, body).await;
    let mut conn = gateway.stream(chat_stream("up")).await;
    feed.send(event("Hello").into()).unwrap();
    conn.chunks(event("Hello").len()).await;
    drop(conn);
    upstream.request().await.closed().await;
    says(&row(&gateway).await, &json!({"outcome": "client_gone"}));
}
