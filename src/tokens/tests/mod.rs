//! What is counted, held to what tiktoken and OpenAI's cookbook say.

mod answer;
mod counter;
mod encoding;
mod estimate;
mod model;
mod prompt;
mod text;
mod tools;

use super::*;
use crate::domain::Endpoint;
use std::{sync::mpsc, time::Duration};

const BOTH: [Encoding; 2] = [Encoding::Cl100k, Encoding::O200k];

fn gpt4() -> Model {
    Model::named("gpt-4")
}

fn gpt4o() -> Model {
    Model::named("gpt-4o")
}

fn prompt_of(model: Model, endpoint: Endpoint, body: &str) -> Count {
    super::prompt::count(&model, endpoint, body.as_bytes())
}

fn chat(model: Model, members: &str) -> Count {
    prompt_of(model, Endpoint::Chat, &format!("{{{members}}}"))
}

/// Generous even for a build that is not optimised: what is quadratic takes hours.
const PATIENCE: Duration = Duration::from_secs(20);

/// The first `bytes` of a text, more where that would be within a character, and the rest.
fn cut(text: &str, bytes: usize) -> (&str, &str) {
    let at = (bytes..text.len()).find(|at| text.is_char_boundary(*at));
    text.split_at(at.unwrap_or(text.len()))
}

/// Runs `start` with a callback, and waits for what that is given.
fn wait<T: Send + 'static>(start: impl FnOnce(Box<dyn FnOnce(T) + Send>)) -> T {
    let (sender, receiver) = mpsc::channel();
    start(Box::new(move |value| drop(sender.send(value))));
    receiver.recv_timeout(PATIENCE).expect("an answer")
}
