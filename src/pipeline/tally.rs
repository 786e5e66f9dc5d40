//! Counts what nobody else counts: the tokens of an answer as it passes, and those of a prompt whose provider said
//! nothing. Exactly where the rules are known, and never for long on a thread that serves.

use super::{
    sound::Sound,
    sum::{Beside, echoes, sum},
};
use crate::{
    app::Reserved,
    domain::{Endpoint, Usage},
    ledger::{Counted, Tokens},
    tokens::{
        Answer, Answered, Count, Counter, Encoding, Model, Running, Slot, Why, estimate_stream,
    },
    wire::answer::Part,
};
use bytes::Bytes;
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

/// More text than this at once is counted on another thread: a tenth of a millisecond's work.
const INLINE_MAX_BYTES: usize = 4 << 10;
/// A word longer than this is too: it is counted anew with each piece.
const WORD_MAX_BYTES: usize = 1 << 10;
/// An answer with more texts than this is no answer.
const TEXTS_MAX: usize = 64;
/// Text that is held before anybody counts it: more than nearly all answers.
const HELD_MAX_BYTES: usize = 256 << 10;
/// The length from which a prompt that waits for its answer's end is worth the work of counting it at once.
const PROMPT_HELD_BYTES: usize = 16 << 10;

/// A request's body, kept in case that its tokens have to be counted.
pub(super) struct Prompt {
    pub(super) body: Bytes,
    /// The memory that it takes.
    pub(super) reserved: Reserved,
}

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

enum PromptCount {
    Kept(Prompt),
    Begun(Arc<Mutex<Begun>>),
}

/// A count that was asked for before anybody needs it.
enum Begun {
    /// Whoever is here waits for it.
    Pending(Option<Waker>),
    Counted(Count),
    Awaited(Box<dyn FnOnce(Count) + Send>),
}

impl Default for Begun {
    fn default() -> Self {
        Self::Pending(None)
    }
}

/// The texts of the answer.
enum Texts {
    /// Counted here as they come.
    Counted(Encoding, Vec<Text>),
    /// Kept until their encoding is loaded, or to the end of an answer that may say itself what it used.
    Held {
        texts: Vec<(Slot, String)>,
        bytes: usize,
    },
    /// With the counter.
    Away(Answer),
}

struct Text {
    slot: Slot,
    running: Running,
    counted: Count,
    /// Bytes that have come since it was counted.
    fresh: usize,
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
        let texts = match model.encoding() {
            None if is_stream => Texts::Away(counter.answer(&model)),
            Some(encoding) if is_stream && encoding.is_loaded() => {
                Texts::Counted(encoding, Vec::new())
            }
            _ => Texts::none(),
        };
        let echoes = match endpoint {
            Endpoint::Completions => echoes(&prompt.body),
            _ => 0,
        };
        let is_long = prompt.body.len() > PROMPT_HELD_BYTES;
        let prompt = match is_stream && is_long && is_memory_scarce {
            true => PromptCount::begin(counter, model.clone(), endpoint, prompt),
            false => PromptCount::Kept(prompt),
        };
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
        let slot = (choice, part);
        match &mut self.texts {
            Texts::Counted(encoding, texts) => {
                let known = texts.iter().rposition(|text| text.slot == slot);
                let at = known.unwrap_or_else(|| {
                    texts.push(Text::new(slot, *encoding));
                    texts.len() - 1
                });
                let is_crowded = texts.len() > TEXTS_MAX;
                let text = &mut texts[at];
                let is_long = text.fresh + piece.len() > INLINE_MAX_BYTES
                    || text.running.held_bytes() > WORD_MAX_BYTES;
                if is_long || is_crowded {
                    self.away();
                    return self.push(choice, part, piece);
                }
                text.fresh += piece.len();
                text.running.push(piece);
            }
            Texts::Held { texts, bytes } => {
                *bytes += piece.len();
                if *bytes > HELD_MAX_BYTES || texts.len() > TEXTS_MAX {
                    self.away();
                    return self.push(choice, part, piece);
                }
                match texts.iter_mut().rfind(|(of, _)| *of == slot) {
                    Some((_, text)) => text.push_str(piece),
                    None => texts.push((slot, piece.to_owned())),
                }
            }
            Texts::Away(answer) => answer.push(choice, part, piece),
        }
    }

    /// Finds out what a stream's text comes to so far.
    pub(super) fn reckon(&mut self) {
        if !self.is_stream {
            return;
        }
        self.load();
        self.told = match &mut self.texts {
            Texts::Counted(_, texts) => {
                let mut all = Count::default();
                for text in texts.iter_mut() {
                    if std::mem::take(&mut text.fresh) > 0 {
                        text.counted = text.running.count();
                    }
                    all += text.counted;
                }
                Tokens {
                    count: all.tokens,
                    exact: all.estimated.is_none(),
                }
            }
            Texts::Held { bytes, .. } => about(*bytes as u64 / 4),
            Texts::Away(answer) => about(answer.so_far().tokens),
        };
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
        if let PromptCount::Kept(_) = self.prompt {
            let begun = Arc::default();
            let kept = PromptCount::Begun(Arc::clone(&begun));
            let kept = std::mem::replace(&mut self.prompt, kept);
            kept.count_into(begun, &self.counter, self.model.clone(), self.endpoint);
        }
        let PromptCount::Begun(begun) = &self.prompt else {
            return Poll::Ready(u64::MAX);
        };
        match &mut *lock(begun) {
            Begun::Counted(count) => Poll::Ready(count.tokens),
            Begun::Pending(waker) => {
                *waker = Some(cx.waker().clone());
                Poll::Pending
            }
            Begun::Awaited(_) => Poll::Ready(u64::MAX),
        }
    }

    /// What has passed.
    pub(super) fn passed(&self) -> u64 {
        self.passed.count + self.sound_passed.tokens()
    }

    /// Goes on here with what was held, once its encoding is loaded.
    fn load(&mut self) {
        if let Texts::Held { texts, bytes } = &mut self.texts
            && let Some(encoding) = self
                .model
                .encoding()
                .filter(|encoding| encoding.is_loaded())
            && *bytes <= INLINE_MAX_BYTES
        {
            let texts = std::mem::take(texts).into_iter().map(|(slot, held)| {
                let mut text = Text::new(slot, encoding);
                text.running.push(&held);
                text.fresh = held.len();
                text
            });
            self.texts = Texts::Counted(encoding, texts.collect());
        }
    }

    /// Hands all texts to the counter.
    fn away(&mut self) {
        let texts = std::mem::replace(&mut self.texts, Texts::none());
        self.texts = Texts::Away(texts.into_answer(&self.counter, &self.model));
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
            prompt.count(&of, of_prompt, endpoint, with_input);
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
        match (endpoint, texts) {
            (Endpoint::Embeddings, _) => with_output(None),
            (_, Texts::Counted(_, texts)) => {
                let mut answered = Answered::default();
                for mut text in texts {
                    answered.add(text.slot.1, text.running.count());
                }
                with_output(Some(answered));
            }
            (_, texts) => {
                let answer = texts.into_answer(&counter, &model);
                answer.finish(|answered| with_output(Some(answered)));
            }
        }
    }
}

impl Texts {
    fn none() -> Self {
        Self::Held {
            texts: Vec::new(),
            bytes: 0,
        }
    }

    fn into_answer(self, counter: &Counter, model: &Model) -> Answer {
        match self {
            Self::Away(answer) => answer,
            Self::Counted(_, texts) => {
                let begun = texts.into_iter().map(|text| (text.slot, text.running));
                counter.resume(model, begun.collect())
            }
            Self::Held { texts, .. } => {
                let mut answer = counter.answer(model);
                for ((choice, part), text) in texts {
                    answer.push(choice, part, &text);
                }
                answer
            }
        }
    }
}

impl Text {
    fn new(slot: Slot, encoding: Encoding) -> Self {
        Self {
            slot,
            running: Running::new(encoding),
            counted: Count::default(),
            fresh: 0,
        }
    }
}

impl PromptCount {
    /// Counts a prompt before anybody asks, so that its memory is free.
    fn begin(counter: &Counter, model: Model, endpoint: Endpoint, prompt: Prompt) -> Self {
        let begun = Arc::default();
        Self::Kept(prompt).count_into(Arc::clone(&begun), counter, model, endpoint);
        Self::Begun(begun)
    }

    fn count_into(
        self,
        begun: Arc<Mutex<Begun>>,
        counter: &Counter,
        model: Model,
        endpoint: Endpoint,
    ) {
        self.count(counter, model, endpoint, move |count| {
            let before = std::mem::replace(&mut *lock(&begun), Begun::Counted(count));
            match before {
                Begun::Awaited(done) => done(count),
                Begun::Pending(waker) => waker.into_iter().for_each(Waker::wake),
                Begun::Counted(_) => {}
            }
        });
    }

    fn count(
        self,
        counter: &Counter,
        model: Model,
        endpoint: Endpoint,
        done: impl FnOnce(Count) + Send + 'static,
    ) {
        match self {
            Self::Kept(Prompt { body, reserved }) => {
                counter.prompt(model, endpoint, body, move |count| {
                    drop(reserved);
                    done(count);
                });
            }
            Self::Begun(begun) => {
                let mut state = lock(&begun);
                if let Begun::Counted(count) = *state {
                    drop(state);
                    return done(count);
                }
                *state = Begun::Awaited(Box::new(done));
            }
        }
    }
}

/// Nobody waits for it: it is held for a store or two.
fn lock(begun: &Mutex<Begun>) -> MutexGuard<'_, Begun> {
    begun.lock().unwrap_or_else(PoisonError::into_inner)
}

fn about(count: u64) -> Tokens {
    Tokens {
        count,
        exact: false,
    }
}
