//! One call on its way: what is noted of it, from its admission to its end.

use super::{
    Shared,
    entry::{Answer, Settled, Settlement, Tokens},
};
use crate::{
    domain::{Asked, Endpoint},
    telemetry::metrics,
};
use std::{cell::Cell, sync::Arc};

/// One call's place in the flight table.
///
/// Dropped without being settled it stays in the air, and is settled as interrupted at the next start.
#[must_use = "a call is settled once it is over"]
pub struct Flight {
    shared: Arc<Shared>,
    slot: u32,
    endpoint: Endpoint,
    /// Who answers has been noted: with this status, and whether as a stream.
    answer: Cell<Option<(u16, bool)>>,
}

impl Flight {
    pub(super) fn new(shared: Arc<Shared>, slot: u32, endpoint: Endpoint) -> Self {
        Self {
            shared,
            slot,
            endpoint,
            answer: Cell::new(None),
        }
    }

    /// Notes who answers.
    pub fn answered(&self, answer: &Answer<'_>) {
        self.answer.set(Some((answer.status, answer.stream)));
        self.shared.table.answer(self.slot, answer);
    }

    /// A way to note what the call asks for while its request still passes.
    pub fn asker(&self) -> Asker {
        Asker {
            shared: Arc::clone(&self.shared),
            slot: self.slot,
            sequence: self.shared.table.sequence(self.slot),
        }
    }

    /// What was noted by then of what the call asks for.
    pub fn asked(&self) -> Asked {
        self.shared.table.asked(self.slot)
    }

    /// Counts what has passed so far; `at_us` is since the start, and `tokens` are what its text came to, if that is
    /// news. Never waits.
    pub fn count(&self, chunks: u64, bytes: u64, at_us: u64, tokens: Option<Tokens>) {
        let passing = self.shared.table.passing(self.slot);
        passing.count(chunks, bytes, at_us);
        if let Some(tokens) = tokens {
            passing.tokens(tokens);
        }
    }

    /// Notes what the text that has passed so far came to. Never waits.
    pub fn tokens(&self, tokens: Tokens) {
        self.shared.table.passing(self.slot).tokens(tokens);
    }

    /// Writes down the end. Never waits: it runs when a stream is dropped, and a hang-up must not lose a charge.
    pub fn settle(self, settlement: &Settlement<'_>) -> Settled {
        // Not read back from the slot: that is for whoever finds it after a crash.
        let (endpoint, answer) = (self.endpoint, self.answer.get());
        let table = &self.shared.table;
        let settled = table.settle(self.slot, endpoint, answer, settlement);
        if settled.usage_refused {
            metrics::usage_refused();
        }
        self.shared.bell.ring();
        settled
    }
}

/// Notes what a call asks for. It may outlive the call, and then does nothing.
pub struct Asker {
    shared: Arc<Shared>,
    slot: u32,
    sequence: u64,
}

impl Asker {
    /// Notes it, in place of what was noted before. Called on the thread of the call.
    pub fn note(&self, asked: &Asked) {
        self.shared.table.ask(self.slot, self.sequence, asked);
    }
}
