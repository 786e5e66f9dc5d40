//! What a slot says, read back: by the writer, and by whoever finds it after a crash.

use super::{
    section::{Fields, Torn},
    slot::{ADMISSION, ANSWER, ASKED, NONE, SETTLEMENT, Slot},
};
use crate::{
    domain::{Asked, Endpoint, KeyId, NanoDollars, Outcome, Usage},
    ledger::entry::{Entry, EntryId, Source},
};

impl Slot<'_> {
    /// The entry of a call that is settled.
    pub(super) fn entry(self) -> Result<Entry, Torn> {
        let admission = self.admission()?;
        let asked = self.read_asked()?;
        let answer = self.answered()?;
        let content = self.section(SETTLEMENT).read()?.ok_or(Torn)?;
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
        let quantity = fields.option()?;
        let cost = fields.option()?.map(|nanos| NanoDollars::new(nanos.into()));
        let duration_us = fields.word()?;
        let attempts = fields.word()? as u32;
        let outcome = *Outcome::ALL.get(usize::from(fields.byte()?)).ok_or(Torn)?;
        let source = match fields.byte()? {
            NONE => None,
            code => Some(*Source::ALL.get(usize::from(code)).ok_or(Torn)?),
        };
        let served_model = fields.maybe()?;
        let finish_reason = fields.maybe()?;
        let price = fields.maybe()?;
        let metadata = admission.has_note.then(|| self.metadata()).flatten();
        let stream = answer
            .as_ref()
            .map_or(admission.stream, |answer| answer.stream);
        let answer = answer.unwrap_or_default();
        Ok(Entry {
            id: admission.id,
            started: admission.started,
            request: admission.request,
            key: admission.key,
            project: admission.project,
            user: admission.user,
            endpoint: admission.endpoint,
            model: asked.model.map_or(admission.model, String::from),
            served_model,
            provider: answer.provider,
            upstream: answer.upstream,
            stream,
            usage,
            source,
            quantity,
            image_size: asked.image_size.map(String::from),
            cost,
            price,
            first_us,
            duration_us,
            attempts,
            outcome,
            status,
            finish_reason,
            upstream_request: answer.upstream_request,
            metadata,
        })
    }

    pub(super) fn admission(self) -> Result<Admitted, Torn> {
        let content = self.section(ADMISSION).read()?.ok_or(Torn)?;
        let mut fields = Fields(&content);
        Ok(Admitted {
            id: EntryId(fields.array()?),
            started: fields.word()?,
            key: KeyId::parse(&fields.array::<{ KeyId::LEN }>()?).ok_or(Torn)?,
            endpoint: *Endpoint::ALL.get(usize::from(fields.byte()?)).ok_or(Torn)?,
            stream: fields.byte()? == 1,
            has_note: fields.byte()? == 1,
            request: fields.text()?,
            model: fields.text()?,
            project: fields.maybe()?,
            user: fields.maybe()?,
        })
    }

    /// What became known of the request as it passed, by a call that goes on; nothing, for most, which costs one look.
    pub(super) fn asked(self) -> Asked {
        match self.section(ASKED).is_own() {
            true => self.read_asked().unwrap_or_default(),
            false => Asked::default(),
        }
    }

    /// The same of a call that is over.
    ///
    /// It is written more than once. Where a process died over it, the rest of the entry is good without it.
    pub(super) fn read_asked(self) -> Result<Asked, Torn> {
        let Some(content) = self.section(ASKED).read()? else {
            return Ok(Asked::default());
        };
        let mut fields = Fields(&content);
        Ok(Asked {
            model: fields.maybe()?.map(String::into_boxed_str),
            image_size: fields.maybe()?.map(String::into_boxed_str),
            characters: fields.option()?,
        })
    }

    pub(super) fn answered(self) -> Result<Option<Answered>, Torn> {
        let Some(content) = self.section(ANSWER).read()? else {
            return Ok(None);
        };
        let mut fields = Fields(&content);
        Ok(Some(Answered {
            status: fields.word()? as u16,
            stream: fields.byte()? == 1,
            upstream: fields.maybe()?,
            provider: fields.maybe()?,
            upstream_request: fields.maybe()?,
            price: fields.maybe()?,
        }))
    }

    /// The client's metadata. It is no figure: where it was torn, the rest of the entry is good without it.
    fn metadata(self) -> Option<String> {
        if self.note.is_empty() {
            return None;
        }
        let content = self.note().read().ok().flatten()?;
        String::from_utf8(content).ok()
    }

    /// Whether its call came with metadata that is not there any more.
    pub(super) fn has_lost_note(self) -> bool {
        let has_note = self.admission().is_ok_and(|admission| admission.has_note);
        has_note && self.metadata().is_none()
    }
}

pub(super) struct Admitted {
    id: EntryId,
    started: u64,
    key: KeyId,
    pub(super) endpoint: Endpoint,
    stream: bool,
    has_note: bool,
    request: String,
    pub(super) model: String,
    project: Option<String>,
    user: Option<String>,
}

#[derive(Default)]
pub(super) struct Answered {
    pub(super) status: u16,
    pub(super) stream: bool,
    upstream: Option<String>,
    provider: Option<String>,
    upstream_request: Option<String>,
    pub(super) price: Option<String>,
}
