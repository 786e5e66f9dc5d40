//! One slot of the flight table: what is where in its words, and how it says what it holds.
//!
//! A slot holds three sections, each written once in a call's life: the admission, the answer, the settlement. A
//! section's checksum is stored last, so a process that dies while it writes leaves a section that is not there yet.
//! The counts beside them need none: each is one word.

use super::map::SLOT_BYTES;
use crate::{
    domain::{Endpoint, KeyId, Outcome, Usage},
    ledger::entry::{Admission, Answer, Counts, Entry, EntryId, Settlement, Source, Tokens, judge},
};
use std::{
    ops::Range,
    sync::atomic::{AtomicU64, Ordering},
};

/// Words of a slot.
pub(super) const WORDS: usize = SLOT_BYTES / 8;

const STATE: usize = 0;
/// How often the slot was used: the seed of its checksums, so that no section of an earlier call passes for one of this.
const SEQUENCE: usize = 1;
const CHUNKS: usize = 2;
const BYTES: usize = 3;
const FIRST_US: usize = 4;
const LAST_US: usize = 5;
/// Means nothing; stored to for the sake of its page.
const TOUCHED: usize = 6;
/// Tokens of the answer so far and whether they are exact, one bit, both one up; zero for nothing counted.
const TOKENS: usize = 7;
const ADMISSION: Range<usize> = 8..64;
const ANSWER: Range<usize> = 64..80;
const SETTLEMENT: Range<usize> = 80..128;

/// Words before a section's content: the checksum and the length in bytes.
const PREFIX: usize = 2;

/// Longer texts are cut, at a character.
const REQUEST_MAX: usize = 128;
const MODEL_MAX: usize = 128;
const UPSTREAM_MAX: usize = 64;
const PROVIDER_MAX: usize = 16;
const FINISH_MAX: usize = 32;
const UPSTREAM_REQUEST_MAX: usize = 96;

/// What a slot is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Free,
    InFlight,
    Settled,
}

/// A slot whose content cannot be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Torn;

/// The words of one slot.
#[derive(Clone, Copy)]
pub(super) struct Slot<'a>(pub(super) &'a [AtomicU64]);

impl Slot<'_> {
    pub(super) fn state(self) -> Result<State, Torn> {
        // Written last, so whoever sees a state sees what it stands for.
        match self.0[STATE].load(Ordering::Acquire) {
            0 => Ok(State::Free),
            1 => Ok(State::InFlight),
            2 => Ok(State::Settled),
            _ => Err(Torn),
        }
    }

    fn set(self, state: State) {
        let code = match state {
            State::Free => 0,
            State::InFlight => 1,
            State::Settled => 2,
        };
        self.0[STATE].store(code, Ordering::Release);
    }

    /// Takes a free slot for a call.
    pub(super) fn admit(self, id: EntryId, admission: &Admission<'_>) {
        let sequence = self.0[SEQUENCE].load(Ordering::Relaxed);
        self.0[SEQUENCE].store(sequence.wrapping_add(1), Ordering::Relaxed);
        for word in [
            CHUNKS,
            BYTES,
            FIRST_US,
            LAST_US,
            TOKENS,
            ANSWER.start,
            SETTLEMENT.start,
        ] {
            self.0[word].store(0, Ordering::Relaxed);
        }
        let mut draft = Draft::default();
        draft.bytes(&id.0);
        draft.word(admission.started);
        draft.bytes(admission.key.as_str().as_bytes());
        draft.byte(code(&Endpoint::ALL, admission.endpoint));
        draft.byte(admission.stream.into());
        draft.text(admission.request, REQUEST_MAX);
        draft.text(admission.model, MODEL_MAX);
        self.write(ADMISSION, &draft);
        self.set(State::InFlight);
    }

    /// Notes who answers.
    pub(super) fn answer(self, answer: &Answer<'_>) {
        let mut draft = Draft::default();
        draft.word(answer.status.into());
        draft.byte(answer.stream.into());
        draft.text(answer.upstream, UPSTREAM_MAX);
        draft.text(answer.provider, PROVIDER_MAX);
        self.write(ANSWER, &draft);
    }

    /// Counts what has passed: three or four stores to memory.
    pub(super) fn count(self, chunks: u64, bytes: u64, at_us: u64) {
        if chunks == 1 {
            // Never zero, which stands for none.
            self.0[FIRST_US].store(at_us.max(1), Ordering::Relaxed);
        }
        self.0[CHUNKS].store(chunks, Ordering::Relaxed);
        self.0[BYTES].store(bytes, Ordering::Relaxed);
        self.0[LAST_US].store(at_us, Ordering::Relaxed);
    }

    /// Notes what the answer's text came to so far: one store to memory.
    pub(super) fn tokens(self, tokens: Tokens) {
        let word = ((tokens.count << 1) | u64::from(tokens.exact)) + 1;
        self.0[TOKENS].store(word, Ordering::Relaxed);
    }

    /// Writes down the end; true if a part of the usage was refused.
    pub(super) fn settle(self, settlement: &Settlement<'_>) -> Result<bool, Torn> {
        let admission = self.admission()?;
        let answer = self.answered()?;
        let how = answer.as_ref().map(|answer| (answer.status, answer.stream));
        let (usage, source, refused) = judge(
            settlement.usage,
            settlement.counted,
            admission.endpoint,
            how,
            self.counts(),
        );
        let status = Some(settlement.status);
        self.conclude(settlement, status, usage, source);
        Ok(refused || settlement.usage_refused)
    }

    /// Settles a call that nobody follows any more, with what it had come to.
    pub(super) fn interrupt(self) -> Result<(), Torn> {
        if self.section(SETTLEMENT)?.is_some() {
            // It was settled but for its state.
            self.set(State::Settled);
            return Ok(());
        }
        let admission = self.admission()?;
        let answer = self.answered()?;
        let counts = self.counts();
        let how = answer.as_ref().map(|answer| (answer.status, answer.stream));
        let (usage, source, _) = judge(None, None, admission.endpoint, how, counts);
        let settlement = Settlement {
            outcome: Outcome::Interrupted,
            status: 0,
            usage: None,
            usage_refused: false,
            counted: None,
            attempts: u32::from(answer.is_some()),
            first_us: counts.first_us,
            duration_us: counts.last_us,
            served_model: None,
            finish_reason: None,
            upstream_request: None,
        };
        let status = answer.map(|answer| answer.status);
        self.conclude(&settlement, status, usage, source);
        Ok(())
    }

    fn conclude(
        self,
        settlement: &Settlement<'_>,
        status: Option<u16>,
        usage: Usage,
        source: Option<Source>,
    ) {
        let mut draft = Draft::default();
        for tokens in [
            usage.input,
            usage.cached,
            usage.cache_write,
            usage.output,
            usage.reasoning,
            usage.audio_input,
            usage.audio_output,
            settlement.first_us,
            status.map(u64::from),
        ] {
            draft.option(tokens);
        }
        draft.word(settlement.duration_us);
        draft.word(settlement.attempts.into());
        draft.byte(code(&Outcome::ALL, settlement.outcome));
        draft.byte(source.map_or(NONE, |source| code(&Source::ALL, source)));
        draft.text(settlement.served_model.unwrap_or_default(), MODEL_MAX);
        draft.text(settlement.finish_reason.unwrap_or_default(), FINISH_MAX);
        draft.text(
            settlement.upstream_request.unwrap_or_default(),
            UPSTREAM_REQUEST_MAX,
        );
        self.write(SETTLEMENT, &draft);
        self.set(State::Settled);
    }

    /// The entry of a call that is settled.
    pub(super) fn entry(self) -> Result<Entry, Torn> {
        let admission = self.admission()?;
        let answer = self.answered()?;
        let (stream, upstream, provider) = match answer {
            Some(answer) => (answer.stream, Some(answer.upstream), Some(answer.provider)),
            None => (admission.stream, None, None),
        };
        let content = self.section(SETTLEMENT)?.ok_or(Torn)?;
        let mut fields = Fields(&content);
        let usage = Usage {
            input: fields.option()?,
            cached: fields.option()?,
            cache_write: fields.option()?,
            output: fields.option()?,
            reasoning: fields.option()?,
            audio_input: fields.option()?,
            audio_output: fields.option()?,
        };
        let first_us = fields.option()?;
        let status = fields.option()?.map(|status| status as u16);
        let duration_us = fields.word()?;
        let attempts = fields.word()? as u32;
        let outcome = *Outcome::ALL.get(usize::from(fields.byte()?)).ok_or(Torn)?;
        let source = match fields.byte()? {
            NONE => None,
            code => Some(*Source::ALL.get(usize::from(code)).ok_or(Torn)?),
        };
        let mut text = || Ok(Some(fields.text()?).filter(|text| !text.is_empty()));
        Ok(Entry {
            id: admission.id,
            started: admission.started,
            request: admission.request,
            key: admission.key,
            endpoint: admission.endpoint,
            model: admission.model,
            provider,
            upstream,
            stream,
            usage,
            source,
            first_us,
            duration_us,
            attempts,
            outcome,
            status,
            served_model: text()?,
            finish_reason: text()?,
            upstream_request: text()?,
        })
    }

    /// Gives the slot back, once its call is where it lasts.
    pub(super) fn free(self) {
        self.set(State::Free);
    }

    /// The slot as it is.
    pub(super) fn raw(self) -> Vec<u8> {
        let bytes = |word: &AtomicU64| word.load(Ordering::Relaxed).to_le_bytes();
        self.0.iter().flat_map(bytes).collect()
    }

    /// Stores a word that means nothing, so that the page takes the next store without waiting.
    pub(super) fn touch(self) {
        self.0[TOUCHED].store(0, Ordering::Relaxed);
    }

    fn counts(self) -> Counts {
        let word = |at: usize| self.0[at].load(Ordering::Relaxed);
        Counts {
            chunks: word(CHUNKS),
            bytes: word(BYTES),
            first_us: Some(word(FIRST_US)).filter(|first| *first > 0),
            last_us: word(LAST_US),
            tokens: word(TOKENS).checked_sub(1).map(|word| Tokens {
                count: word >> 1,
                exact: word & 1 == 1,
            }),
        }
    }

    fn admission(self) -> Result<Admitted, Torn> {
        let content = self.section(ADMISSION)?.ok_or(Torn)?;
        let mut fields = Fields(&content);
        Ok(Admitted {
            id: EntryId(fields.array()?),
            started: fields.word()?,
            key: KeyId::parse(&fields.array::<{ KeyId::LEN }>()?).ok_or(Torn)?,
            endpoint: *Endpoint::ALL.get(usize::from(fields.byte()?)).ok_or(Torn)?,
            stream: fields.byte()? == 1,
            request: fields.text()?,
            model: fields.text()?,
        })
    }

    fn answered(self) -> Result<Option<Answered>, Torn> {
        let Some(content) = self.section(ANSWER)? else {
            return Ok(None);
        };
        let mut fields = Fields(&content);
        Ok(Some(Answered {
            status: fields.word()? as u16,
            stream: fields.byte()? == 1,
            upstream: fields.text()?,
            provider: fields.text()?,
        }))
    }

    fn write(self, place: Range<usize>, draft: &Draft) {
        let words = &self.0[place.clone()];
        let used = draft.len.div_ceil(8);
        words[1].store(draft.len as u64, Ordering::Relaxed);
        let content = draft.buffer.chunks_exact(8).take(used);
        for (word, bytes) in words[PREFIX..].iter().zip(content) {
            let bytes = bytes.try_into().expect("eight of them");
            word.store(u64::from_le_bytes(bytes), Ordering::Relaxed);
        }
        words[0].store(self.checksum(&place, used), Ordering::Release);
    }

    /// The content of a section: none if it was not written in this call.
    fn section(self, place: Range<usize>) -> Result<Option<Vec<u8>>, Torn> {
        let words = &self.0[place.clone()];
        let checksum = words[0].load(Ordering::Acquire);
        if checksum == 0 {
            return Ok(None);
        }
        let len = words[1].load(Ordering::Relaxed);
        let room = (words.len() - PREFIX) * 8;
        let len = usize::try_from(len).ok().filter(|len| *len <= room);
        let len = len.ok_or(Torn)?;
        let used = len.div_ceil(8);
        if self.checksum(&place, used) != checksum {
            return Err(Torn);
        }
        let content = words[PREFIX..PREFIX + used]
            .iter()
            .flat_map(|word| word.load(Ordering::Relaxed).to_le_bytes())
            .take(len);
        Ok(Some(content.collect()))
    }

    /// Over the length and the content of a section; never zero, which stands for none.
    fn checksum(self, place: &Range<usize>, used: usize) -> u64 {
        let sequence = self.0[SEQUENCE].load(Ordering::Relaxed);
        let seed = mix(0x5765_6972_2077_6569, sequence ^ (place.start as u64) << 56);
        let words = &self.0[place.start + 1..place.start + PREFIX + used];
        let sum = words
            .iter()
            .fold(seed, |sum, word| mix(sum, word.load(Ordering::Relaxed)));
        sum.max(1)
    }
}

/// Multiply and fold: every bit of the word reaches all of the sum. Against tearing, not against forgery.
fn mix(sum: u64, word: u64) -> u64 {
    let wide = u128::from(sum.rotate_left(23) ^ word ^ 0x2545_f491_4f6c_dd1d)
        * u128::from(0x9e37_79b9_7f4a_7c15_u64);
    (wide >> 64) as u64 ^ wide as u64
}

const NONE: u8 = u8::MAX;

fn code<T: PartialEq>(all: &[T], value: T) -> u8 {
    let place = all.iter().position(|other| *other == value);
    place.expect("`ALL` has all of them") as u8
}

struct Admitted {
    id: EntryId,
    started: u64,
    key: KeyId,
    endpoint: Endpoint,
    stream: bool,
    request: String,
    model: String,
}

struct Answered {
    status: u16,
    stream: bool,
    upstream: String,
    provider: String,
}

/// A section that is being put together. Fields are bounded so that all of them fit the largest section.
struct Draft {
    buffer: [u8; 448],
    len: usize,
}

impl Default for Draft {
    fn default() -> Self {
        Self {
            buffer: [0; 448],
            len: 0,
        }
    }
}

impl Draft {
    fn bytes(&mut self, bytes: &[u8]) {
        self.buffer[self.len..self.len + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }

    fn byte(&mut self, byte: u8) {
        self.bytes(&[byte]);
    }

    fn word(&mut self, word: u64) {
        self.bytes(&word.to_le_bytes());
    }

    fn option(&mut self, word: Option<u64>) {
        self.word(word.unwrap_or(u64::MAX));
    }

    fn text(&mut self, text: &str, max: usize) {
        let end = (0..=max.min(text.len())).rfind(|end| text.is_char_boundary(*end));
        let text = &text[..end.expect("zero is one")];
        self.byte(text.len() as u8);
        self.bytes(text.as_bytes());
    }
}

/// What is left of a section that is being read.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn bytes(&mut self, len: usize) -> Result<&[u8], Torn> {
        let (bytes, rest) = self.0.split_at_checked(len).ok_or(Torn)?;
        self.0 = rest;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Torn> {
        Ok(self.bytes(N)?.try_into().expect("as many as asked for"))
    }

    fn byte(&mut self) -> Result<u8, Torn> {
        Ok(self.array::<1>()?[0])
    }

    fn word(&mut self) -> Result<u64, Torn> {
        self.array().map(u64::from_le_bytes)
    }

    fn option(&mut self) -> Result<Option<u64>, Torn> {
        Ok(Some(self.word()?).filter(|word| *word != u64::MAX))
    }

    fn text(&mut self) -> Result<String, Torn> {
        let len = self.byte()?;
        let bytes = self.bytes(len.into())?.to_vec();
        String::from_utf8(bytes).map_err(|_| Torn)
    }
}
