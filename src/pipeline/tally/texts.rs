//! The texts of one answer, counted as they come as far as that is quick, and else by the counter.

use crate::{
    ledger::Tokens,
    tokens::{Answer, Answered, Count, Counter, Encoding, Model, Running, Slot},
};
use smallvec::SmallVec;

/// More text than this at once is counted on another thread: a tenth of a millisecond's work.
const INLINE_MAX_BYTES: usize = 4 << 10;
/// A word longer than this is too: it is counted anew with each piece.
const WORD_MAX_BYTES: usize = 1 << 10;
/// An answer with more texts than this is no answer.
const TEXTS_MAX: usize = 64;
/// Text that is held before anybody counts it: more than nearly all answers.
const HELD_MAX_BYTES: usize = 256 << 10;

/// Nearly all answers have one text. It lies beside all else that an event needs: each place of its own would be one
/// more that is no longer at hand by the time of the next.
type Few<T> = SmallVec<[T; 1]>;

/// Where the texts of an answer are.
pub(super) enum Texts {
    /// Counted here as they come.
    Counted(Encoding, Few<Text>),
    /// Kept until their encoding is loaded, or to the end of an answer that may say itself what it used.
    Held {
        texts: Vec<(Slot, String)>,
        bytes: usize,
    },
    /// With the counter.
    Away(Answer),
}

pub(super) struct Text {
    slot: Slot,
    running: Running,
    /// Bytes that have come since it was counted.
    fresh: usize,
}

impl Texts {
    /// None yet, of a stream.
    pub(super) fn of_stream(counter: &Counter, model: &Model) -> Self {
        match model.encoding() {
            None => Self::Away(counter.answer(model)),
            Some(encoding) if encoding.is_loaded() => Self::Counted(encoding, Few::new()),
            Some(_) => Self::none(),
        }
    }

    /// None yet.
    pub(super) fn none() -> Self {
        Self::Held {
            texts: Vec::new(),
            bytes: 0,
        }
    }

    /// Takes in a piece of text.
    pub(super) fn push(&mut self, slot: Slot, piece: &str, counter: &Counter, model: &Model) {
        let fits = match self {
            Self::Counted(encoding, texts) => count(texts, *encoding, slot, piece),
            Self::Held { texts, bytes } => {
                *bytes += piece.len();
                let fits = *bytes <= HELD_MAX_BYTES && texts.len() <= TEXTS_MAX;
                if fits {
                    hold(texts, slot, piece);
                }
                fits
            }
            Self::Away(answer) => {
                answer.push(slot.0, slot.1, piece);
                true
            }
        };
        if !fits {
            let texts = std::mem::replace(self, Self::none());
            let mut answer = texts.into_answer(counter, model);
            answer.push(slot.0, slot.1, piece);
            *self = Self::Away(answer);
        }
    }

    /// What they come to so far.
    pub(super) fn reckon(&mut self, model: &Model) -> Tokens {
        self.load(model);
        match self {
            Self::Counted(_, texts) => {
                let mut all = Count::default();
                for text in texts {
                    text.fresh = 0;
                    all += text.running.count();
                }
                Tokens {
                    count: all.tokens,
                    exact: all.estimated.is_none(),
                }
            }
            Self::Held { bytes, .. } => about(*bytes as u64 / 4),
            Self::Away(answer) => about(answer.so_far().tokens),
        }
    }

    /// Goes on here with what was held, once its encoding is loaded.
    fn load(&mut self, model: &Model) {
        if let Self::Held { texts, bytes } = self
            && let Some(encoding) = model.encoding().filter(|encoding| encoding.is_loaded())
            && *bytes <= INLINE_MAX_BYTES
        {
            let texts = std::mem::take(texts).into_iter().map(|(slot, held)| {
                let mut text = Text::new(slot, encoding);
                text.running.push(&held);
                text.fresh = held.len();
                text
            });
            *self = Self::Counted(encoding, texts.collect());
        }
    }

    /// Counts them as the whole. `done` runs once, here and now or on a thread that counts.
    pub(super) fn finish(
        self,
        counter: &Counter,
        model: &Model,
        done: impl FnOnce(Answered) + Send + 'static,
    ) {
        match self {
            Self::Counted(_, texts) => {
                let mut answered = Answered::default();
                for mut text in texts {
                    answered.add(text.slot.1, text.running.count());
                }
                done(answered);
            }
            texts => texts.into_answer(counter, model).finish(done),
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

/// Goes on to count a text; false if that would take too long here.
fn count(texts: &mut Few<Text>, encoding: Encoding, slot: Slot, piece: &str) -> bool {
    let known = texts.iter().rposition(|text| text.slot == slot);
    let at = known.unwrap_or_else(|| {
        texts.push(Text::new(slot, encoding));
        texts.len() - 1
    });
    let is_crowded = texts.len() > TEXTS_MAX;
    let text = &mut texts[at];
    let is_long =
        text.fresh + piece.len() > INLINE_MAX_BYTES || text.running.held_bytes() > WORD_MAX_BYTES;
    if is_long || is_crowded {
        return false;
    }
    text.fresh += piece.len();
    text.running.push(piece);
    true
}

fn hold(texts: &mut Vec<(Slot, String)>, slot: Slot, piece: &str) {
    match texts.iter_mut().rfind(|(of, _)| *of == slot) {
        Some((_, text)) => text.push_str(piece),
        None => texts.push((slot, piece.to_owned())),
    }
}

impl Text {
    fn new(slot: Slot, encoding: Encoding) -> Self {
        Self {
            slot,
            running: Running::new(encoding),
            fresh: 0,
        }
    }
}

fn about(count: u64) -> Tokens {
    Tokens {
        count,
        exact: false,
    }
}
