//! Models that are counted by a file.

use super::*;
use crate::{
    domain::Endpoint,
    tokens::{Answered, Counter, Model, prompt},
    wire::answer::Part,
};
use std::{sync::mpsc, time::Duration};

/// How long a count may take before a test gives up.
const PATIENCE: Duration = Duration::from_secs(60);

fn tokenizer() -> Arc<Tokenizer> {
    let file = include_bytes!("../../../tests/fixtures/tokenizers/llama-3.json");
    Tokenizer::read(file).unwrap()
}

fn model() -> Model {
    Model::named("gpt-4o").counted_by(Some(tokenizer()))
}

fn tokens(text: &str) -> u64 {
    tokenizer().count(text).tokens
}

fn prompt_of(endpoint: Endpoint, body: &str) -> Count {
    prompt::count(&model(), endpoint, body.as_bytes())
}

fn finish(answer: crate::tokens::Answer) -> Answered {
    let (sender, receiver) = mpsc::channel();
    answer.finish(move |answered| sender.send(answered).unwrap());
    receiver.recv_timeout(PATIENCE).unwrap()
}

#[test]
fn a_file_wins_over_a_name() {
    assert_eq!(model().encoding(), None);
    assert_eq!(
        Model::named("gpt-4o").counted_by(None),
        Model::named("gpt-4o")
    );
}

#[test]
fn a_prompt_that_is_text_is_exact_with_what_is_put_around_it() {
    let one = Count::exact(1 + tokens("over a wall"));
    let of = |body| prompt_of(Endpoint::Completions, body);
    assert_eq!(of(r#"{"prompt":"over a wall"}"#), one);
    assert_eq!(of(r#"{"prompt":[1,2,3]}"#), Count::exact(3));
    let several = prompt_of(Endpoint::Embeddings, r#"{"input":["over a wall",""]}"#);
    assert_eq!(several, Count::exact(one.tokens + 1));
}

#[test]
fn the_prompt_of_a_chat_is_an_estimate() {
    let text = "over a wall ".repeat(100);
    let body = format!(r#"{{"messages":[{{"role":"user","content":"{text}"}}]}}"#);
    let count = prompt_of(Endpoint::Chat, &body);
    assert_eq!(count.estimated, Some(Why::Undocumented));
    assert!((tokens(&text)..tokens(&text) + 20).contains(&count.tokens));
}

#[test]
fn an_answer_is_the_whole_and_not_its_pieces() {
    let counter = Counter::start().unwrap();
    // Enough to be handed over several times, and cut where tokens are not.
    let text = include_str!("../../../docs/architecture.md").repeat(8);
    assert!(text.len() > 100_000);
    let mut answer = counter.answer(&model());
    for c in text.chars() {
        answer.push(0, Part::Content, c.encode_utf8(&mut [0; 4]));
        answer.push(1, Part::Reasoning, c.encode_utf8(&mut [0; 4]));
    }
    let answered = finish(answer);
    assert_eq!(answered.output, Count::exact(2 * tokens(&text)));
    assert_eq!(answered.reasoning, Count::exact(tokens(&text)));
}

#[test]
fn an_answer_of_many_mib_is_bounded_and_says_so() {
    let counter = Counter::start().unwrap();
    let mut answer = counter.answer(&model());
    let piece = "over a wall ".repeat(1000);
    for index in 0..250 {
        answer.push(0, Part::ToolArguments(index % 3), &piece);
    }
    let answered = finish(answer);
    assert_eq!(answered.output.estimated, Some(Why::TooLong));
    let expected = 250 * tokens(&piece);
    assert!(answered.output.tokens.abs_diff(expected) < 1000);
}
