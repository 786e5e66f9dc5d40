//! The texts of one answer, held until they are counted.
//!
//! Pushing copies the piece and no more. A short answer is held to its end and then counted in one go; of a long one
//! the counting thread takes what has come, counts the words that are complete and forgets them; or holds it to the end
//! too, where a `tokenizer.json` says what a word is.

use super::{
    Count, Counter, Model, Running, Why,
    counter::{Lane, guarded},
    cutter::{Cutter, Growing},
    estimate::Estimate,
};
use crate::wire::answer::Part;
use std::sync::{Arc, Mutex, PoisonError};

/// Held text goes to the counting thread when there is so much of it.
const HAND_OVER_BYTES: usize = 32 << 10;

/// While that thread has no room, text waits here; what comes beyond this is estimated and forgotten. As much may wait
/// there for the end of an answer that is counted as a whole; what is longer is counted in parts.
const HELD_MAX_BYTES: usize = 1 << 20;

/// An answer with more texts than this is no answer: the rest is estimated.
const TEXTS_MAX: usize = 256;

/// One text: all pieces of one part of one choice.
pub type Slot = (u32, Part);

/// Counts one answer. From [`Counter::answer`].
///
/// Dropped without [`Answer::finish`], it counts nothing.
#[derive(Debug)]
pub struct Answer {
    counter: Counter,
    cutter: Cutter,
    texts: Vec<(Slot, String)>,
    held_bytes: usize,
    /// What was handed over, for as long as the answer lasts.
    begun: Option<Arc<Mutex<Counting>>>,
    estimate: Estimates,
    /// Text was estimated and forgotten.
    lost: Option<Lost>,
}

/// What is known without counting.
#[derive(Clone, Copy, Debug, Default)]
struct Estimates {
    all: Estimate,
    reasoning: Estimate,
}

/// What an answer came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Answered {
    /// All its texts: content, reasoning, refusals, tool calls.
    pub output: Count,
    /// Those among them that are reasoning.
    pub reasoning: Count,
}

impl Answer {
    pub(super) fn new(counter: Counter, model: &Model) -> Self {
        Self {
            counter,
            cutter: model.cutter.clone(),
            texts: Vec::new(),
            held_bytes: 0,
            begun: None,
            estimate: Estimates::default(),
            lost: None,
        }
    }

    /// Goes on with texts whose beginnings were counted elsewhere.
    pub(super) fn resume(counter: Counter, model: &Model, begun: Vec<(Slot, Running)>) -> Self {
        let mut answer = Self::new(counter, model);
        for ((_, part), running) in &begun {
            answer.estimate.add(*part, running.at_least());
        }
        answer.begun = Some(Arc::new(Mutex::new(Counting {
            texts: (begun.into_iter())
                .map(|(slot, running)| (slot, Growing::Words(running)))
                .collect(),
            ..Counting::default()
        })));
        answer
    }

    /// Takes in a piece of text. Never counts, never blocks.
    pub fn push(&mut self, choice: u32, part: Part, piece: &str) {
        self.estimate.push(part, piece);
        if piece.is_empty() || self.cutter == Cutter::Unknown {
            return;
        }
        if self.held_bytes >= HELD_MAX_BYTES {
            return self.lose(Why::Overloaded, part, piece);
        }
        let slot = (choice, part);
        // The last text is the one that grows, but for several choices at once.
        match self.texts.iter().rposition(|(of, _)| *of == slot) {
            Some(at) => self.texts[at].1.push_str(piece),
            None if self.texts.len() < TEXTS_MAX => self.texts.push((slot, piece.to_owned())),
            None => return self.lose(Why::TooLong, part, piece),
        }
        self.held_bytes += piece.len();
        if self.held_bytes >= HAND_OVER_BYTES {
            self.hand_over();
        }
    }

    /// An estimate of what has come so far, at no cost. It is labelled as one even where the end will be exact.
    pub fn so_far(&self) -> Count {
        self.estimate.answered(Why::Undocumented).output
    }

    /// Counts what has come, as the whole. `done` runs once, on a counting thread, or here and now with an estimate
    /// if nobody knows how or there is no room.
    pub fn finish(mut self, done: impl FnOnce(Answered) + Send + 'static) {
        if self.cutter == Cutter::Unknown {
            return done(self.estimate.answered(Why::UnknownModel));
        }
        let (estimate, lost) = (self.estimate, self.lost);
        let (texts, begun) = (std::mem::take(&mut self.texts), self.begun.take());
        // What was begun on the long lane ends there, after what it still has to do.
        let lane = match begun {
            Some(_) => Lane::Long,
            None => Lane::of(self.held_bytes),
        };
        let Some(place) = self.counter.reserve(lane, self.held_bytes) else {
            return done(estimate.answered(Why::Overloaded));
        };
        let cutter = self.cutter;
        place.send(move || {
            let counted = guarded(|| {
                let counting = begun.unwrap_or_default();
                let mut counting = counting.lock().unwrap_or_else(PoisonError::into_inner);
                counting.push(&cutter, &texts);
                counting.answered(lost)
            });
            done(counted.unwrap_or_else(|| estimate.answered(Why::Overloaded)));
        });
    }

    fn hand_over(&mut self) {
        let Some(place) = self.counter.reserve(Lane::Long, self.held_bytes) else {
            return; // it stays here, and the next piece tries again
        };
        let texts = std::mem::take(&mut self.texts);
        self.held_bytes = 0;
        let counting = Arc::clone(self.begun.get_or_insert_default());
        let cutter = self.cutter.clone();
        place.send(move || {
            let mut counting = counting.lock().unwrap_or_else(PoisonError::into_inner);
            if guarded(|| counting.push(&cutter, &texts)).is_none() {
                counting.failed = true;
            }
        });
    }

    fn lose(&mut self, why: Why, part: Part, piece: &str) {
        let lost = self.lost.get_or_insert(Lost::new(why));
        lost.estimate.push(part, piece);
    }
}

/// What could not be held.
#[derive(Clone, Copy, Debug)]
struct Lost {
    why: Why,
    estimate: Estimates,
}

impl Lost {
    fn new(why: Why) -> Self {
        Self {
            why,
            estimate: Estimates::default(),
        }
    }
}

impl Estimates {
    fn push(&mut self, part: Part, piece: &str) {
        self.all.push(piece);
        if part == Part::Reasoning {
            self.reasoning.push(piece);
        }
    }

    fn add(&mut self, part: Part, tokens: u64) {
        self.all.add(tokens);
        if part == Part::Reasoning {
            self.reasoning.add(tokens);
        }
    }

    fn answered(&self, why: Why) -> Answered {
        Answered {
            output: Count::estimated(self.all.tokens(), why),
            reasoning: Count::estimated(self.reasoning.tokens(), why),
        }
    }
}

/// The texts of one answer on the counting thread.
#[derive(Debug, Default)]
struct Counting {
    texts: Vec<(Slot, Growing)>,
    lost: Option<Lost>,
    /// Counting has panicked, and what was lost by that is not known.
    failed: bool,
}

impl Counting {
    fn push(&mut self, cutter: &Cutter, texts: &[(Slot, String)]) {
        for (slot, text) in texts {
            let known = self.texts.iter().position(|(of, _)| of == slot);
            let begun = match known {
                None if self.texts.len() < TEXTS_MAX => cutter.begin(),
                _ => None,
            };
            match (known, begun) {
                (Some(at), _) => self.texts[at].1.push(text),
                (None, Some(mut begun)) => {
                    begun.push(text);
                    self.texts.push((*slot, begun));
                }
                (None, None) => {
                    let lost = self.lost.get_or_insert(Lost::new(Why::TooLong));
                    lost.estimate.push(slot.1, text);
                }
            }
        }
        let held: usize = (self.texts.iter()).map(|(_, text)| text.held_bytes()).sum();
        if held > HELD_MAX_BYTES {
            self.texts.iter_mut().for_each(|(_, text)| text.settle());
        }
    }

    fn answered(&mut self, lost: Option<Lost>) -> Answered {
        let mut answered = Answered::default();
        for ((_, part), text) in &mut self.texts {
            answered.add(*part, text.count());
        }
        for lost in [self.lost, lost].into_iter().flatten() {
            let lost = lost.estimate.answered(lost.why);
            answered.output += lost.output;
            answered.reasoning += lost.reasoning;
        }
        if self.failed {
            answered.output += Count::estimated(0, Why::Overloaded);
            answered.reasoning += Count::estimated(0, Why::Overloaded);
        }
        answered
    }
}

impl Answered {
    /// Adds the count of one text.
    pub fn add(&mut self, part: Part, count: Count) {
        self.output += count;
        if part == Part::Reasoning {
            self.reasoning += count;
        }
    }
}
