//! Counts what nobody else counts: the tokens of an answer as it passes, and those of a prompt whose provider said
//! nothing. Exactly where the rules are known, and never for long on a thread that serves.

mod prompt;
mod texts;

pub(super) use prompt::Prompt;

use super::{
    sound::Sound,
    sum::{Beside, echoes, sum},
};
use crate::{
    domain::{Endpoint, Usage},
    ledger::{Counted, Tokens},
    tokens::{Answered, Count, Counter, Model, Why, estimate_stream},
    wire::answer::Part,
};
use prompt::{LONG_BYTES, PromptCount};
use std::task::{Context, Poll};
use texts::Texts;

/// What one answer and its prompt come to.
pub(super) struct Tally {
    counter: Counter,
    model: Model,
    endpoint: Endpoint,
    prompt: PromptCount,
    /// A whole answer passes as it comes, and is counted at its end.
    is_stream: bool,
    texts: Texts,
    /// What the text came to that was told.
    told: Tokens,
    /// What it came to as far as it has passed.
    passed: Tokens,
    /// The sound that was told, and as much of it as has passed.
    sound: Sound,
    sound_passed: Sound,
    /// How often the answer repeats the prompt.
    echoes: u64,
}

impl Tally {
    /// Begins to count an answer of `model`.
    pub(super) fn new(
        counter: &Counter,
        model: Model,
        endpoint: Endpoint,
        is_stream: bool,
        prompt: Prompt,
        is_memory_scarce: bool,
    ) -> Self {
        let texts = match is_stream {
            true => Texts::of_stream(counter, &model),
            false => Texts::none(),
        };
        let echoes = match endpoint {
            Endpoint::Completions => echoes(&prompt.body),
            _ => 0,
        };
        let is_long = prompt.body.len() > LONG_BYTES;
        let mut prompt = PromptCount::Kept(prompt);
        if is_stream && is_long && is_memory_scarce {
            // So that its memory is free long before the stream ends.
            prompt.begin(counter, &model, endpoint);
        }
        Self {
            counter: counter.clone(),
            model,
            endpoint,
            prompt,
            is_stream,
            texts,
            told: Tokens::default(),
            passed: Tokens::default(),
            sound: Sound::default(),
            sound_passed: Sound::default(),
            echoes,
        }
    }

    /// Whether the answer's text has tokens that count.
    pub(super) fn wants_text(&self) -> bool {
        self.endpoint != Endpoint::Embeddings
    }

    /// Takes in a piece of text.
    pub(super) fn push(&mut self, choice: u32, part: Part, piece: &str) {
        if part == Part::Sound {
            return self.sound.push(piece, self.is_stream);
        }
        self.texts
            .push((choice, part), piece, &self.counter, &self.model);
    }

    /// Finds out what a stream's text comes to so far.
    pub(super) fn reckon(&mut self) {
        if self.is_stream {
            self.told = self.texts.reckon(&self.model);
        }
    }

    /// What a stream's text comes to that was told, after so many events with content.
    pub(super) fn told(&self, chunks: u64) -> u64 {
        let text = match self.told.exact {
            true => self.told.count,
            false => estimate_stream(self.told.count, chunks),
        };
        text + self.sound.tokens()
    }

    /// What was told has passed. Says what that comes to, if that is news.
    pub(super) fn pass(&mut self) -> Option<Tokens> {
        let is_news = (self.told, self.sound) != (self.passed, self.sound_passed);
        (self.passed, self.sound_passed) = (self.told, self.sound);
        is_news.then(|| {
            let sound = self.sound.tokens();
            Tokens {
                count: self.told.count + sound,
                exact: self.told.exact && sound == 0,
            }
        })
    }

    /// What the prompt comes to, which is counted on another thread.
    pub(super) fn poll_prompt(&mut self, cx: &mut Context<'_>) -> Poll<u64> {
        self.prompt.begin(&self.counter, &self.model, self.endpoint);
        self.prompt.poll(cx)
    }

    /// What has passed.
    pub(super) fn passed(&self) -> u64 {
        self.passed.count + self.sound_passed.tokens()
    }

    /// Counts what `said` leaves open; `chunks` are the events of a stream that had text. `done` runs once, here
    /// and now or on a thread that counts.
    pub(super) fn finish(
        self,
        said: Usage,
        chunks: u64,
        done: impl FnOnce(Counted) + Send + 'static,
    ) {
        let Self {
            counter,
            model,
            endpoint,
            prompt,
            texts,
            told,
            passed,
            sound,
            sound_passed,
            echoes,
            is_stream,
        } = self;
        let beside = Beside {
            input: said.input,
            sound: match is_stream {
                true => sound_passed,
                false => sound,
            },
            echoes,
            chunks,
        };
        let input_is_said = said.input.is_some();
        let (of, of_prompt) = (counter.clone(), model.clone());
        let with_output = move |output: Option<Answered>| {
            if input_is_said {
                return done(sum(None, output, beside));
            }
            let with_input = move |input| done(sum(Some(input), output, beside));
            prompt.finish(&of, of_prompt, endpoint, with_input);
        };
        if said.output.is_some() {
            return with_output(None);
        }
        if told != passed {
            // What was told last was held back: what passed was counted before it came.
            let estimated = (!passed.exact).then_some(Why::Cut);
            return with_output(Some(Answered {
                output: Count {
                    tokens: passed.count,
                    estimated,
                },
                reasoning: Count::default(),
            }));
        }
        if endpoint == Endpoint::Embeddings {
            return with_output(None);
        }
        texts.finish(&counter, &model, |answered| with_output(Some(answered)));
    }
}
