//! Puts together what was counted of a call.

use super::sound::Sound;
use crate::{
    ledger::Counted,
    telemetry::metrics,
    tokens::{Answered, Count, Why, estimate_stream},
};

/// What is known of a call beside what was counted.
#[derive(Clone, Copy)]
pub(super) struct Beside {
    /// Tokens of the prompt, if they were not counted.
    pub(super) input: Option<u64>,
    pub(super) sound: Sound,
    /// How often the answer repeats the prompt.
    pub(super) echoes: u64,
    /// Events of a stream that had content.
    pub(super) chunks: u64,
}

/// The sum, which is as exact as the least exact of it.
pub(super) fn sum(input: Option<Count>, output: Option<Answered>, beside: Beside) -> Counted {
    let parts = [input, output.map(|answered| answered.output)];
    let why = parts
        .into_iter()
        .flatten()
        .find_map(|count| count.estimated);
    if let Some(why @ (Why::Overloaded | Why::TooLong)) = why {
        metrics::count_refused(why.as_str());
    }
    let prompt = input.map(|count| count.tokens).or(beside.input);
    let echoed = prompt.unwrap_or(0).saturating_mul(beside.echoes);
    let tokens = |count: Count| match count.estimated {
        _ if echoed > 0 => count.tokens.saturating_sub(echoed),
        None => count.tokens,
        Some(_) => estimate_stream(count.tokens, beside.chunks),
    };
    let reasoning = output.map(|answered| answered.reasoning.tokens);
    let audio = output.map_or(0, |_| beside.sound.tokens());
    // Where the answer begins behind a prompt, a token may belong to both.
    let is_joined = output.is_some() && echoed > 0;
    Counted {
        input: input.map(|count| count.tokens),
        output: output.map(|answered| tokens(answered.output) + audio),
        reasoning: reasoning.filter(|tokens| *tokens > 0),
        audio: Some(audio).filter(|tokens| *tokens > 0),
        exact: why.is_none() && audio == 0 && !is_joined,
    }
}

/// How often each prompt of a request for completions comes again in its answer.
pub(super) fn echoes(body: &[u8]) -> u64 {
    #[derive(serde::Deserialize)]
    struct Asks {
        echo: Option<bool>,
        n: Option<u64>,
    }
    if memchr::memmem::find(body, b"\"echo\"").is_none() {
        return 0; // nearly always, and nothing is parsed
    }
    match serde_json::from_slice(body) {
        Ok(Asks {
            echo: Some(true),
            n,
        }) => n.unwrap_or(1),
        // Whatever else it may be, the upstream has taken it.
        _ => 0,
    }
}
