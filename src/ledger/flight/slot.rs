//! One slot of the flight table: what is where in its words, and how it says what it holds.
//!
//! A slot holds four sections: in its head the admission and the answer, in its tail the settlement, and what was
//! asked where that becomes known later. A section's checksum is stored last, so a process that dies while it writes
//! leaves a section that is not there yet. Before them all stand the counts of what passes.

use super::{
    map::{HALF_BYTES, NOTE_BYTES},
    passing::{self, Passing, SEQUENCE, STATE, TOUCHED},
    section::{Draft, PREFIX, Section, Torn},
};
use crate::{
    domain::{Asked, Endpoint, Owner, Price, PriceTag},
    ledger::{
        entry::{Admission, Answer, EntryId, METADATA_MAX_BYTES},
        judge::sane_quantity,
    },
};
use std::{
    ops::Range,
    sync::atomic::{AtomicU64, Ordering},
};

/// Words of a slot's head and of its tail, and of the note beside it.
const HALF_WORDS: usize = HALF_BYTES / 8;
pub(super) const NOTE_WORDS: usize = NOTE_BYTES / 8;

pub(super) const ADMISSION: Range<usize> = passing::WORDS..65;
pub(super) const ANSWER: Range<usize> = 65..HALF_WORDS;
// As if the tail were behind the head.
pub(super) const ASKED: Range<usize> = HALF_WORDS..HALF_WORDS + 24;
pub(super) const SETTLEMENT: Range<usize> = ASKED.end..2 * HALF_WORDS - 1;
/// Means nothing; stored to for the sake of its page, as the head has one.
const TAIL_TOUCHED: usize = HALF_WORDS - 1;
/// Where the note would be if it were in the slot: it is a section too.
const NOTE: usize = 2 * HALF_WORDS;

const _: () = assert!(METADATA_MAX_BYTES == (NOTE_WORDS - PREFIX) * 8);

/// Longer texts are cut, at a character.
const REQUEST_MAX: usize = 128;
pub(super) const MODEL_MAX: usize = 128;
const UPSTREAM_MAX: usize = 64;
const PROVIDER_MAX: usize = 16;
const UPSTREAM_REQUEST_MAX: usize = 96;
const IMAGE_SIZE_MAX: usize = 16;

/// What a slot is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Free,
    InFlight,
    Settled,
}

/// The words of one slot.
#[derive(Clone, Copy)]
pub(super) struct Slot<'a> {
    pub(super) head: &'a [AtomicU64],
    pub(super) tail: &'a [AtomicU64],
    /// Who only looks at a slot brings none.
    pub(super) note: &'a [AtomicU64],
}

impl<'a> Slot<'a> {
    pub(super) fn state(self) -> Result<State, Torn> {
        // Written last, so whoever sees a state sees what it stands for.
        match self.head[STATE].load(Ordering::Acquire) {
            0 => Ok(State::Free),
            1 => Ok(State::InFlight),
            2 => Ok(State::Settled),
            _ => Err(Torn),
        }
    }

    pub(super) fn set(self, state: State) {
        let code = match state {
            State::Free => 0,
            State::InFlight => 1,
            State::Settled => 2,
        };
        self.head[STATE].store(code, Ordering::Release);
    }

    /// Which call this is.
    pub(super) fn sequence(self) -> u64 {
        self.head[SEQUENCE].load(Ordering::Relaxed)
    }

    /// Takes a free slot for a call, the `sequence`th of all.
    pub(super) fn admit(self, sequence: u64, id: EntryId, admission: &Admission<'_>) {
        self.head[SEQUENCE].store(sequence, Ordering::Relaxed);
        self.passing().clear();
        let metadata = admission
            .metadata
            .filter(|text| text.len() <= METADATA_MAX_BYTES);
        if let Some(metadata) = metadata {
            self.note().write(metadata.as_bytes());
        }
        let mut draft = Draft::default();
        draft.bytes(&id.0);
        draft.word(admission.started);
        draft.bytes(admission.key.as_str().as_bytes());
        draft.byte(code(&Endpoint::ALL, admission.endpoint));
        draft.byte(admission.stream.into());
        draft.byte(metadata.is_some().into());
        draft.text(admission.request, REQUEST_MAX);
        draft.text(admission.model, MODEL_MAX);
        for name in [admission.project, admission.user] {
            draft.text(name.unwrap_or_default(), Owner::NAME_MAX_BYTES);
        }
        self.section(ADMISSION).write(draft.content());
        self.set(State::InFlight);
    }

    /// Notes what the `sequence`th call asks for, now that it is known. One that is over is left alone.
    pub(super) fn ask(self, sequence: u64, asked: &Asked) {
        if self.state() != Ok(State::InFlight) || self.sequence() != sequence {
            return;
        }
        let mut draft = Draft::default();
        draft.text(asked.model.as_deref().unwrap_or_default(), MODEL_MAX);
        let image_size = asked.image_size.as_deref();
        draft.text(image_size.unwrap_or_default(), IMAGE_SIZE_MAX);
        draft.option(sane_quantity(asked.characters));
        self.section(ASKED).write(draft.content());
    }

    /// Notes who answers.
    pub(super) fn answer(self, answer: &Answer<'_>) {
        let mut draft = Draft::default();
        draft.word(answer.status.into());
        draft.byte(answer.stream.into());
        draft.text(answer.upstream, UPSTREAM_MAX);
        draft.text(answer.provider, PROVIDER_MAX);
        let upstream_request = answer.upstream_request.unwrap_or_default();
        draft.text(upstream_request, UPSTREAM_REQUEST_MAX);
        draft.text(price_text(answer.price), Price::TEXT_BYTES_MAX);
        self.section(ANSWER).write(draft.content());
    }

    /// What is stored to as the answer passes.
    pub(super) fn passing(self) -> Passing<'a> {
        Passing::of(self.head)
    }

    /// Gives the slot back, once its call is where it lasts.
    pub(super) fn free(self) {
        self.set(State::Free);
    }

    /// The slot as it is.
    pub(super) fn raw(self) -> Vec<u8> {
        let bytes = |word: &AtomicU64| word.load(Ordering::Relaxed).to_le_bytes();
        self.head.iter().chain(self.tail).flat_map(bytes).collect()
    }

    /// Stores a word that means nothing, so that the page takes the next store without waiting; to the tail's page
    /// too if that `is_used`.
    pub(super) fn touch(self, is_used: bool) {
        self.head[TOUCHED].store(0, Ordering::Relaxed);
        if is_used {
            self.tail[TAIL_TOUCHED].store(0, Ordering::Relaxed);
        }
    }

    pub(super) fn section(self, place: Range<usize>) -> Section<'a> {
        let start = place.start;
        let words = match start.checked_sub(HALF_WORDS) {
            None => &self.head[place],
            Some(from) => &self.tail[from..place.end - HALF_WORDS],
        };
        Section::new(words, self.sequence(), start)
    }

    pub(super) fn note(self) -> Section<'a> {
        Section::new(self.note, self.sequence(), NOTE)
    }
}

/// The code of a source that is none.
pub(super) const NONE: u8 = u8::MAX;

pub(super) fn code<T: PartialEq>(all: &[T], value: T) -> u8 {
    let place = all.iter().position(|other| *other == value);
    place.expect("`ALL` has all of them") as u8
}

pub(super) fn price_text(price: Option<&PriceTag>) -> &str {
    price.map_or("", PriceTag::text)
}
