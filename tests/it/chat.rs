//! `weir chat` against a running gateway.

use crate::support::{END, Exit, FakeUpstream, Gateway, Reply, event, free_port, weir};

async fn chat(gateway: &Gateway, arguments: &[&str]) -> Exit {
    let url = format!("http://{}", gateway.data);
    let mut all = vec!["chat", "--url", &url];
    all.extend(arguments);
    gateway.weir(&all).await
}

#[tokio::test]
async fn a_question_is_answered_word_for_word() {
    let pieces = [event("Hel"), event("lo,\n\u{1b}[1mwörld"), END.to_owned()];
    let upstream = FakeUpstream::with([Reply::streams(pieces)]).await;
    let gateway = Gateway::before(&upstream).await;
    let exit = chat(
        &gateway,
        &["--model", "up", "--system", "Be brief.", "Say", "it"],
    )
    .await;
    assert_eq!(exit.stdout, "Hello,\n\u{1b}[1mwörld\n", "{}", exit.stderr);
    assert_eq!(exit.code, Some(0));
    let asked: serde_json::Value =
        serde_json::from_str(&upstream.request().await.text().await).unwrap();
    assert_eq!(asked["messages"][0]["content"], "Be brief.");
    assert_eq!(asked["messages"][1]["content"], "Say it");
}

#[tokio::test]
async fn without_a_model_the_first_one_answers_and_without_a_key_the_first_key_asks() {
    let gateway = Gateway::setup().start().await;
    let exit = chat(&gateway, &["Hello"]).await;
    assert_eq!(exit.code, Some(0), "{}", exit.stderr);
    assert!(!exit.stdout.trim().is_empty());
}

#[tokio::test]
async fn what_goes_wrong_is_said_and_is_a_failure() {
    let gateway = Gateway::setup().start().await;
    for (arguments, why) in [
        (&["--model", "nobody", "Hello"][..], "(model_not_found)"),
        (
            &["--model", "simulator/die-midstream", "Hello"],
            "(upstream_interrupted)",
        ),
        (&["--key", "sk-weir-wrong", "Hello"], "(invalid_api_key)"),
    ] {
        let exit = chat(&gateway, arguments).await;
        assert_eq!(exit.code, Some(1), "{arguments:?}");
        assert!(exit.stderr.contains(why), "{}", exit.stderr);
    }
}

#[tokio::test]
async fn a_gateway_that_is_not_there_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let url = format!("http://{}", free_port().await);
    let exit = weir(
        dir.path(),
        &["chat", "--url", &url, "--key", "sk-weir-x", "Hello"],
        &[],
    )
    .await;
    assert_eq!(exit.code, Some(1));
    assert!(
        exit.stderr.contains(&format!("{url}/v1 does not answer")),
        "{}",
        exit.stderr
    );
    let exit = weir(
        dir.path(),
        &["chat", "--url", "nowhere", "--key", "x", "Hello"],
        &[],
    )
    .await;
    assert_eq!(exit.code, Some(2), "{}", exit.stderr);
    let exit = weir(dir.path(), &["chat", "--url", &url, "Hello"], &[]).await;
    assert_eq!(exit.code, Some(2), "{}", exit.stderr);
    assert!(exit.stderr.contains("WEIR_API_KEY"), "{}", exit.stderr);
}
