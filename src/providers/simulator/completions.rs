//! `/v1/completions`: what is asked, and the shape of choices.

use super::{
    Ask,
    hash::mix,
    inputs,
    refusal::Refusal,
    reply::Reply,
    shape::Finish,
    speech::{Speech, Voice},
};
use serde::Serialize;

const CHOICES_MAX: u64 = 128; // of all prompts together

/// The answer to a completion request: `n` choices for each prompt, in the order of the prompts.
pub(super) fn answer(ask: &Ask<'_>) -> Result<Speech, Refusal> {
    let prompts = match ask.fields.get("prompt") {
        None => vec![inputs::Input::text("")],
        Some(value) => inputs::read(value, "prompt")?,
    };
    let n = ask.fields.count("n", 1..=CHOICES_MAX)?.unwrap_or(1);
    if prompts.len() as u64 * n > CHOICES_MAX {
        let message = format!("'prompt' and 'n' together ask for more than {CHOICES_MAX} choices.");
        return Err(Refusal::param("n", message));
    }
    let max = ask
        .fields
        .count("max_tokens", 0..=u64::MAX)?
        .unwrap_or(u64::MAX);
    let stops = ask.fields.stops()?;

    let natural = ask.manner.natural_tokens();
    let each = |hash: u64| Reply::text(hash, natural, max).stopped_at(&stops);
    let hashes = prompts
        .iter()
        .flat_map(|prompt| (0..n).map(|index| mix(prompt.hash ^ index)));
    let replies = hashes.map(each).collect();
    let prompt_tokens = prompts.iter().map(|prompt| prompt.tokens).sum();
    Ok(Speech::new(ask, Voice::Completion, replies, prompt_tokens))
}

/// A choice, of a whole answer or of one event.
#[derive(Serialize)]
pub(super) struct Choice<'a> {
    text: &'a str,
    index: usize,
    logprobs: (),
    finish_reason: Option<Finish>,
}

pub(super) fn choice(index: usize, text: &str, finish_reason: Option<Finish>) -> Choice<'_> {
    Choice {
        text,
        index,
        logprobs: (),
        finish_reason,
    }
}
