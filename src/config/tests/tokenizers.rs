//! Files that models are counted by.

use super::{Given, UPSTREAM, model, written};
use crate::config::Target;
use std::{fs, path::PathBuf, sync::Arc};

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/tokenizers")
        .join(name)
}

fn is_same(one: &Target, two: &Target) -> bool {
    let (Some(one), Some(two)) = (&one.tokenizer, &two.tokenizer) else {
        return false;
    };
    Arc::ptr_eq(one, two)
}

#[test]
fn a_target_s_own_file_wins_over_its_model_s() {
    let (one, two) = (fixture("llama-3.json"), fixture("qwen.json"));
    let (one, two) = (one.display(), two.display());
    let text = format!(
        "{UPSTREAM}
[[model]]
name = 'some*'
tokenizer = '{one}'
to = ['local', {{ upstream = 'local', tokenizer = '{two}' }}, {{ upstream = 'local', tokenizer = '' }}]
[[model]]
name = 'same'
to = [{{ upstream = 'local', tokenizer = '{one}' }}]
[[model]]
name = 'none'
to = ['local']"
    );
    let config = written(&text);
    let some = &model(&config, "some*").to;
    assert!(is_same(&some[0], &model(&config, "same").to[0]));
    assert!(some[1].tokenizer.is_some() && some[0].tokenizer != some[1].tokenizer);
    assert_eq!(some[2].tokenizer, None);
    assert_eq!(model(&config, "none").to[0].tokenizer, None);
    // What is taken up again is in memory already.
    let again = written(&text);
    assert!(is_same(&some[0], &model(&again, "same").to[0]));
    assert_eq!(config, again);
}

fn problem(file: &str) -> String {
    let text = format!("{UPSTREAM}\n[[model]]\nname = 'm'\ntokenizer = '{file}'\nto = ['local']");
    let problems = Given::file(&text).problems();
    assert_eq!(problems.len(), 1, "{problems:?}");
    problems.into_iter().next().unwrap()
}

#[test]
fn a_file_of_no_use_is_refused_with_its_line_and_the_reason() {
    let dir = tempfile::tempdir().unwrap();
    let file = |content: &str| {
        let path = dir.path().join("t.json");
        fs::write(&path, content).unwrap();
        path.display().to_string()
    };
    let missing = problem("/nowhere/t.json");
    assert!(
        missing.contains(":9: model.m.tokenizer: /nowhere/t.json cannot be read: No such file"),
        "{missing}"
    );
    assert!(problem(&dir.path().display().to_string()).contains("cannot be read: Is a directory"));
    assert!(problem(&file("not JSON")).contains("t.json is not a tokenizer's JSON: expected"));
    let unigram = r#"{"model": {"type": "Unigram", "vocab": []}}"#;
    assert!(
        problem(&file(unigram)).contains("has a model of type Unigram; only BPE is understood")
    );
    let large = dir.path().join("large");
    fs::File::create(&large)
        .unwrap()
        .set_len((64 << 20) + 1)
        .unwrap();
    assert!(problem(&large.display().to_string()).contains("is larger than 67108864 bytes"));
}
