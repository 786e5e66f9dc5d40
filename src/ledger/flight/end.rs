//! How the end of a call is written into its slot: as it is settled, or after a crash.

use super::{
    section::{Draft, Torn},
    slot::{MODEL_MAX, NONE, SETTLEMENT, Slot, State, code, price_text},
};
use crate::{
    domain::{Asked, Endpoint, NanoDollars, Outcome, Price, PriceTag, Usage},
    ledger::{
        entry::{Settled, Settlement, Source},
        judge::{Said, charge, judge, sane_quantity},
    },
};

/// Longer texts are cut, at a character.
const FINISH_MAX: usize = 32;

impl Slot<'_> {
    /// Writes down the end of a call to `endpoint` that was answered with this status, as a stream or not.
    pub(super) fn settle(
        self,
        endpoint: Endpoint,
        answer: Option<(u16, bool)>,
        settlement: &Settlement<'_>,
    ) -> Settled {
        let said = Said {
            usage: settlement.usage,
            is_running: settlement.usage_is_running,
        };
        // Whoever spoiled them from outside has them left out.
        let counts = self.passing().counts();
        let counts = counts.unwrap_or_else(|Torn| self.passing().passed());
        let (usage, source, refused) = judge(said, settlement.counted, endpoint, answer, counts);
        let status = Some(settlement.status);
        let quantity = sane_quantity(settlement.quantity).or(spoken(&self.asked(), answer));
        let figures = Figures {
            usage,
            source,
            quantity,
        };
        let cost = self.conclude(settlement, endpoint, status, figures);
        Settled {
            usage_refused: refused || settlement.usage_refused,
            unpriced: cost.is_none() && figures.is_anything(),
            input: figures.usage.input.unwrap_or(0),
            output: figures.usage.output.unwrap_or(0),
            cost: cost.unwrap_or_default(),
        }
    }

    /// Settles a call that nobody follows any more, with what it had come to, and says what model it asked for.
    pub(super) fn interrupt(self) -> Result<String, Torn> {
        let admission = self.admission()?;
        if self.section(SETTLEMENT).read()?.is_some() {
            // It was settled but for its state.
            self.set(State::Settled);
            return Ok(admission.model);
        }
        let answer = self.answered()?;
        let asked = self.read_asked()?;
        let counts = self.passing().counts()?;
        let how = answer.as_ref().map(|answer| (answer.status, answer.stream));
        let (usage, source, _) = judge(Said::default(), None, admission.endpoint, how, counts);
        let price = answer.as_ref().and_then(|answer| answer.price.as_deref());
        let price: Option<PriceTag> = price.and_then(|text| text.parse().ok());
        let settlement = Settlement {
            outcome: Outcome::Interrupted,
            status: 0,
            usage: None,
            usage_is_running: false,
            usage_refused: false,
            counted: None,
            attempts: u32::from(answer.is_some()),
            first_us: counts.first_us,
            duration_us: counts.last_us,
            served_model: None,
            finish_reason: None,
            price: price.as_ref(),
            quantity: None,
        };
        let status = answer.map(|answer| answer.status);
        let figures = Figures {
            usage,
            source,
            quantity: spoken(&asked, how),
        };
        self.conclude(&settlement, admission.endpoint, status, figures);
        Ok(admission.model)
    }

    fn conclude(
        self,
        settlement: &Settlement<'_>,
        endpoint: Endpoint,
        status: Option<u16>,
        figures: Figures,
    ) -> Option<NanoDollars> {
        let Figures {
            usage,
            source,
            quantity,
        } = figures;
        let cost = charge(
            settlement.price.map(|price| &**price),
            endpoint,
            &usage,
            source,
            quantity,
        );
        let mut draft = Draft::default();
        for figure in [
            usage.input,
            usage.cached,
            usage.cache_write,
            usage.output,
            usage.reasoning,
            usage.audio_input,
            usage.audio_output,
            settlement.first_us,
            status.map(u64::from),
            quantity,
            cost.map(|cost| cost.nanos().unsigned_abs()),
        ] {
            draft.option(figure);
        }
        draft.word(settlement.duration_us);
        draft.word(settlement.attempts.into());
        draft.byte(code(&Outcome::ALL, settlement.outcome));
        draft.byte(source.map_or(NONE, |source| code(&Source::ALL, source)));
        draft.text(settlement.served_model.unwrap_or_default(), MODEL_MAX);
        draft.text(settlement.finish_reason.unwrap_or_default(), FINISH_MAX);
        let price = settlement.price.filter(|_| cost.is_some());
        draft.text(price_text(price), Price::TEXT_BYTES_MAX);
        self.section(SETTLEMENT).write(draft.content());
        self.set(State::Settled);
        cost
    }
}

/// Characters of the text that is being spoken, by an answer that is no error.
fn spoken(asked: &Asked, answer: Option<(u16, bool)>) -> Option<u64> {
    let is_good = answer.is_some_and(|(status, _)| (200..300).contains(&status));
    asked.characters.filter(|_| is_good)
}

/// What is charged for.
#[derive(Clone, Copy)]
struct Figures {
    usage: Usage,
    source: Option<Source>,
    quantity: Option<u64>,
}

impl Figures {
    fn is_anything(self) -> bool {
        self.source.is_some() || self.quantity.is_some()
    }
}
