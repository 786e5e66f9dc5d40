//! Models that are counted by a `tokenizer.json`: what calls of them come to where their upstream does not say.

use crate::{
    ledger::{row, rows, says},
    support::{Conn, FakeUpstream, Gateway, Reply, Setup, chat_stream, event, until, weir},
};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};
use weir::{tokenizer::Tokenizer, tokens::Encoding};

const MODEL: &str = "house";
const PROMPT: &str = "The water  runs 1234 m, isn't it? 水";
/// Fewer tokens together than apart.
const PIECES: [&str; 4] = ["over", "flow of the wat", "er: <thi", "nk>"];
const END: &str = "data: [DONE]\n\n";

fn fixture(name: &str) -> PathBuf {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tokenizers");
    dir.join(name).with_extension("json")
}

fn tokenizer(name: &str) -> Arc<Tokenizer> {
    Tokenizer::read(&fs::read(fixture(name)).unwrap()).unwrap()
}

fn count(text: &str) -> u64 {
    tokenizer("llama-3").count(text).tokens
}

/// The prompt as a server reads it, with the token that begins it.
fn prompt() -> u64 {
    1 + count(PROMPT)
}

/// A gateway whose model is counted by a file.
fn setup(upstream: &FakeUpstream, to: &str) -> Setup {
    counted_by(&fixture("llama-3"), upstream, to)
}

fn counted_by(file: &Path, upstream: &FakeUpstream, to: &str) -> Setup {
    let (url, file) = (upstream.url(), file.display());
    Gateway::setup().config(&format!(
        "[[upstream]]\nname = \"up\"\nprovider = \"openai\"\nbase_url = \"{url}\"\nretries = 0\n\
         [[model]]\nname = \"{MODEL}\"\ntokenizer = \"{file}\"\nto = {to}"
    ))
}

fn completion(is_stream: bool) -> Value {
    json!({"model": MODEL, "prompt": PROMPT, "stream": is_stream})
}

fn piece(text: &str) -> String {
    format!(
        "data: {}\n\n",
        json!({"choices": [{"index": 0, "text": text}]})
    )
}

fn counted(outcome: &str, output: u64) -> Value {
    json!({"outcome": outcome, "source": "counted", "input": prompt(), "output": output})
}

#[tokio::test]
async fn a_completion_is_counted_to_the_token() {
    let answer = json!({"choices": [{"index": 0, "text": PIECES.concat()}]}).to_string();
    let upstream = FakeUpstream::with([Reply::json(200, answer)]).await;
    let gateway = setup(&upstream, r#"["up"]"#).start().await;
    gateway.post("/v1/completions", completion(false)).await;
    says(
        &row(&gateway).await,
        &counted("completed", count(&PIECES.concat())),
    );
}

#[tokio::test]
async fn a_stream_is_counted_as_the_whole_that_it_is() {
    let apart: u64 = PIECES.map(count).iter().sum();
    assert!(count(&PIECES.concat()) < apart);
    let stream = PIECES.map(piece).concat() + END;
    for len in [1, 11, stream.len()] {
        let reply = Reply::streams(stream.as_bytes().chunks(len));
        let upstream = FakeUpstream::with([reply]).await;
        let gateway = setup(&upstream, r#"["up"]"#).start().await;
        gateway.post("/v1/completions", completion(true)).await;
        says(
            &row(&gateway).await,
            &counted("completed", count(&PIECES.concat())),
        );
    }
}

#[tokio::test]
async fn a_client_that_leaves_pays_for_what_it_was_sent() {
    let (reply, feed) = Reply::fed();
    let upstream = FakeUpstream::with([reply]).await;
    let gateway = setup(&upstream, r#"["up"]"#).start().await;
    let mut conn = Conn::open(gateway.data).await;
    let request = completion(true).to_string();
    conn.post("/v1/completions", &gateway.key, request).await;
    assert_eq!(conn.head().await.status, 200);
    for text in &PIECES[..3] {
        feed.send(piece(text).into()).unwrap();
        conn.chunks(piece(text).len()).await;
    }
    drop(conn);
    upstream.request().await.closed().await;
    let output = count(&PIECES[..3].concat());
    says(&row(&gateway).await, &counted("client_gone", output));
}

#[tokio::test]
async fn a_long_stream_is_counted_as_a_whole_too() {
    let prose = include_str!("../../docs/architecture.md");
    let events = prose.split_inclusive(' ').map(piece).collect::<String>() + END;
    let upstream = FakeUpstream::with([Reply::streams([events])]).await;
    let gateway = setup(&upstream, r#"["up"]"#).start().await;
    gateway.post("/v1/completions", completion(true)).await;
    says(&row(&gateway).await, &counted("completed", count(prose)));
}

#[tokio::test]
async fn embeddings_are_counted_each_with_what_is_put_around_it() {
    let upstream = FakeUpstream::with([Reply::json(200, "{\"data\":[]}")]).await;
    let gateway = setup(&upstream, r#"["up"]"#).start().await;
    let body = json!({"model": MODEL, "input": [PROMPT, "again"]});
    gateway.post("/v1/embeddings", body).await;
    let input = prompt() + 1 + count("again");
    says(
        &row(&gateway).await,
        &json!({"source": "counted", "input": input}),
    );
}

#[tokio::test]
async fn a_chat_is_exact_in_its_answer_and_an_estimate_in_its_frame() {
    let stream = PIECES.map(event).concat() + END;
    let upstream = FakeUpstream::with([Reply::streams([stream])]).await;
    let gateway = setup(&upstream, r#"["up"]"#).start().await;
    gateway.chat(chat_stream(MODEL)).await;
    let row = row(&gateway).await;
    let expected = json!({"source": "estimated", "output": count(&PIECES.concat())});
    says(&row, &expected);
    let input = row["input"].as_u64().unwrap();
    assert!(input > count("user") + count("Hello"), "{row}");
}

#[tokio::test]
async fn a_target_may_be_counted_by_something_else() {
    let answer = || Reply::json(200, json!({"choices": [{"text": "isn't it?"}]}).to_string());
    let upstream = FakeUpstream::with([Reply::json(503, "{}"), answer(), answer()]).await;
    let other = fixture("gemma");
    let to = format!(
        "[\"up\", {{ upstream = \"up\", model = \"davinci-002\", tokenizer = \"\" }}]\n\
         [[model]]\nname = \"other\"\nto = [{{ upstream = \"up\", tokenizer = \"{}\" }}]",
        other.display()
    );
    let gateway = setup(&upstream, &to).start().await;
    gateway.post("/v1/completions", completion(false)).await;
    let by_name = |text| Encoding::Cl100k.count(text);
    let expected =
        json!({"source": "counted", "input": by_name(PROMPT), "output": by_name("isn't it?")});
    says(&row(&gateway).await, &expected);
    let mut request = completion(false);
    request["model"] = "other".into();
    gateway.post("/v1/completions", request).await;
    let rows = until("two rows", async || {
        Some(rows(&gateway)).filter(|rows| rows.len() == 2)
    })
    .await;
    let other = tokenizer("gemma");
    let input = other.framing() + other.count(PROMPT).tokens;
    says(
        &rows[1],
        &json!({"source": "counted", "input": input, "model": "other"}),
    );
}

#[tokio::test]
async fn a_changed_file_is_taken_up_with_the_configuration_and_a_bad_one_is_not() {
    let answer = || Reply::json(200, json!({"choices": [{"text": "e\u{301}"}]}).to_string());
    let upstream = FakeUpstream::with([answer(), answer(), answer()]).await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("tokenizer.json");
    let outputs = async |gateway: &Gateway, calls: usize| {
        gateway.post("/v1/completions", completion(false)).await;
        let rows = until("a row", async || {
            Some(rows(gateway)).filter(|rows| rows.len() == calls)
        });
        rows.await.pop().unwrap()["output"].as_u64().unwrap()
    };
    fs::copy(fixture("gpt-oss"), &file).unwrap();
    let setup = counted_by(&file, &upstream, r#"["up"]"#);
    let gateway = setup.start().await;
    let of = |name: &str| tokenizer(name).count("e\u{301}").tokens;
    assert!(of("gpt-oss") != of("qwen"));
    assert_eq!(outputs(&gateway, 1).await, of("gpt-oss"));

    fs::write(&file, "{}").unwrap();
    gateway.signal(Signal::HUP);
    let line = gateway
        .log_line(|line| line.contains("kept the old configuration"))
        .await;
    assert!(
        line.contains("tokenizer.json is not a tokenizer's JSON"),
        "{line}"
    );
    assert_eq!(outputs(&gateway, 2).await, of("gpt-oss"));

    fs::copy(fixture("qwen"), &file).unwrap();
    gateway.signal(Signal::HUP);
    gateway
        .log_line(|line| line.contains("took up the changed configuration"))
        .await;
    assert_eq!(outputs(&gateway, 3).await, of("qwen"));
}

#[tokio::test]
async fn a_bad_file_stops_the_start_and_no_command_that_needs_none() {
    let upstream = FakeUpstream::with([]).await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("none.json");
    let text = counted_by(&file, &upstream, r#"["up"]"#).text();
    fs::write(dir.path().join("config.toml"), text).unwrap();
    let check = weir(dir.path(), &["check"], &[]).await;
    assert_eq!(check.code, Some(2), "{check:?}");
    let wanted = "model.house.tokenizer";
    assert!(check.stderr.contains(wanted), "{check:?}");
    let keys = weir(dir.path(), &["key", "list"], &[]).await;
    assert_eq!(keys.code, Some(0), "{keys:?}");
}
