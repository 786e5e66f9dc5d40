//! Answers that arrive in pieces.

use super::*;
use crate::wire::answer::Part;

#[test]
fn an_answers_texts_are_counted_each_as_one() {
    let counter = Counter::start().unwrap();
    let mut answer = counter.answer(&gpt4o());
    for piece in ["hel", "lo ", "wor", "ld"] {
        answer.push(0, Part::Content, piece);
        answer.push(1, Part::Content, piece);
        answer.push(0, Part::Reasoning, piece);
        answer.push(0, Part::Refusal, piece);
        answer.push(0, Part::ToolName(0), piece);
        answer.push(0, Part::ToolArguments(0), piece);
        answer.push(0, Part::ToolArguments(1), piece);
    }
    assert!(answer.so_far().estimated.is_some());
    let answered = wait(|done| answer.finish(done));
    assert_eq!(answered.output, Count::exact(14));
    assert_eq!(answered.reasoning, Count::exact(2));
}

#[test]
fn a_long_answer_is_counted_on_its_way_to_the_same_figure() {
    let counter = Counter::start().unwrap();
    let text = include_str!("../../../docs/decisions.md").repeat(20);
    let (mut answer, mut rest) = (counter.answer(&gpt4()), text.as_str());
    while !rest.is_empty() {
        let (piece, after) = cut(rest, 11);
        answer.push(0, Part::Content, piece);
        answer.push(0, Part::Reasoning, piece);
        rest = after;
    }
    let answered = wait(|done| answer.finish(done));
    let once = Encoding::Cl100k.count(&text);
    assert_eq!(answered.output, Count::exact(2 * once));
    assert_eq!(answered.reasoning, Count::exact(once));
}

#[test]
fn an_answer_of_an_unknown_model_is_estimated_at_once() {
    let counter = Counter::start().unwrap();
    let mut answer = counter.answer(&Model::named("llama-4"));
    answer.push(0, Part::Content, "hello world");
    let so_far = answer.so_far().tokens;
    let answered = wait(|done| answer.finish(done));
    assert_eq!(answered.output, Count::estimated(so_far, Why::UnknownModel));
}

#[test]
fn an_answer_that_comes_in_one_long_piece_is_exact() {
    let counter = Counter::start().unwrap();
    counter.prepare(&gpt4o());
    let mut answer = counter.answer(&gpt4o());
    answer.push(0, Part::Content, &"hello world ".repeat(200_000));
    let answered = wait(|done| answer.finish(done));
    assert_eq!(answered.output, Count::exact(400_001));
}

#[test]
fn an_answer_of_countless_texts_is_bounded() {
    let counter = Counter::start().unwrap();
    let mut answer = counter.answer(&gpt4o());
    for index in 0..10_000 {
        answer.push(0, Part::ToolArguments(index), "hello world");
    }
    let answered = wait(|done| answer.finish(done));
    assert_eq!(answered.output.estimated, Some(Why::TooLong));
    assert!(answered.output.tokens >= 10_000);
}
