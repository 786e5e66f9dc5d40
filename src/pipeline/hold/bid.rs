//! What a call asks of its limits before it goes upstream: all that it may cost, as far as can be told by then.

use super::{Hold, Pay};
use crate::{
    app::{App, Snapshot},
    config::{Config, Limits, Target, Unpriced},
    domain::{Arrival, Day, Endpoint, Price, Tier},
    error::Error,
    limits::{Ask, Books, Charge, Denial, Holders},
    pipeline::{Call, Payload},
    telemetry::metrics,
    tokens::{Bound, Model},
    wire::request::{Facts, may_be_about_sound},
};
use std::{cell::LazyCell, sync::Arc};

/// Tokens of an answer without which its next event cannot go on, when it gets short.
const LEAST: u64 = 1;
/// What a call is charged ahead whose price is not known before its upstream answers: so little that it only asks
/// whether anything is left.
const NEXT_TO_NOTHING: Charge = Charge {
    input_nanos: 1,
    output_rate: 0,
};

/// What a call asks for, and how it pays for more.
pub(in crate::pipeline) struct Bid {
    holders: Holders,
    ask: Ask,
    pay: Pay,
}

impl Bid {
    /// That of a call; none if nobody limits it.
    pub(in crate::pipeline) fn of(
        app: &App,
        snapshot: &Snapshot,
        call: &Call,
        targets: &[Target],
        arrival: &Arrival,
    ) -> Result<Option<Self>, Error> {
        let named = call.named().map(|model| &**model);
        let holders = app.holders(&snapshot.policy, &call.caller, named);
        if holders.is_empty() {
            return Ok(None);
        }
        let unheld = unheld(call, &snapshot.config);
        if let Some(error) = unheld.filter(|_| holders.limit_use()) {
            return Err(error);
        }
        let limits = &snapshot.config.limits;
        let mut ask = Ask {
            is_whole: !call.stream,
            allows_unpriced: limits.unpriced == Unpriced::Allow,
            ..Ask::default()
        };
        let mut pay = Pay {
            slice: limits.slice,
            factor: 1,
            patience: limits.pause,
            is_bound: false,
            is_priced_late: false,
        };
        match &call.payload {
            Payload::Held { body, facts, .. } => {
                let bound = Bound::of(call.endpoint, body);
                for target in targets {
                    let model = Model::named(name(call, target));
                    ask.input = ask.input.max(bound.of_model(&model));
                    if model.reasons() {
                        pay.factor = limits.reasoning_factor;
                    }
                }
                ask.output = output(limits, call, facts);
                ask.output_least = ask.output.min(LEAST);
                let day = Day::of(arrival.at);
                let price = |target: &Target, tier: Tier| {
                    let name = name(call, target);
                    (snapshot.prices).find(&target.upstream, name, tier, day)
                };
                let has_sound = LazyCell::new(|| may_be_about_sound(body));
                // Whichever of them answers, it costs no more than this; unless nobody knows what one of them costs, or
                // which model it is.
                let dearest = targets
                    .iter()
                    .try_fold(Charge::default(), |charge, target| {
                        let price = price(target, facts.tier).or(price(target, Tier::Standard))?;
                        Some(dearer(charge, price, ask.input, || *has_sound))
                    });
                ask.price = named.and(dearest);
                pay.is_bound = ask.input > 0;
            }
            Payload::Streamed(..) => {
                ask.input = 1; // asks whether anything is left
                // What passes is paid as it comes, since nothing can be paid ahead at no price.
                ask.price = Some(NEXT_TO_NOTHING);
                pay.is_priced_late = true;
            }
        }
        Ok(Some(Self { holders, ask, pay }))
    }

    /// Takes all of it, or nothing.
    pub(in crate::pipeline) async fn take(
        self,
        app: &Arc<App>,
        snapshot: &Snapshot,
        arrival: &mut Arrival,
    ) -> Result<Box<Hold>, Error> {
        let books = Books {
            ledger: &app.ledger,
            reports: &app.reports,
            policy: &snapshot.policy,
        };
        let admitted = app.gate.admit(books, &self.holders, &self.ask).await;
        let (lease, standing) = match admitted {
            Ok(granted) => granted,
            Err(Denial::Refused(refusal)) => {
                arrival.standing = Some(refusal.standing);
                metrics::limited(refusal.level.label(), refusal.kind.as_str());
                return Err(refusal.into());
            }
            Err(Denial::Unavailable) => return Err(Error::LimitsUnavailable),
        };
        arrival.standing = Some(standing);
        Ok(Box::new(Hold {
            app: Arc::clone(app),
            lease: Some(lease),
            waiting: None,
            pay: self.pay,
            input_nanos: self.ask.price.map_or(0, |price| price.input_nanos),
        }))
    }
}

/// Why nothing can be held of a response for what it will cost, if that is so.
fn unheld(call: &Call, config: &Config) -> Option<Error> {
    match &call.payload {
        Payload::Held { facts, .. } => facts.background.then_some(Error::BackgroundForbidden),
        // It was too long to be read.
        Payload::Streamed(..) => (call.endpoint == Endpoint::Responses)
            .then_some(Error::TooLarge(config.server.body_max_bytes as u64)),
    }
}

/// What the target calls the model.
fn name<'a>(call: &'a Call, target: &'a Target) -> &'a str {
    target.model.as_ref().unwrap_or(&call.model)
}

/// Tokens of the answer that are paid before the call begins.
fn output(limits: &Limits, call: &Call, facts: &Facts) -> u64 {
    match call.endpoint {
        Endpoint::Embeddings => 0,
        _ if call.stream => (facts.output_max).map_or(limits.slice, |max| max.min(limits.slice)),
        _ => (facts.output_max)
            .unwrap_or_else(|| limits.output_reserve.saturating_mul(facts.choices)),
    }
}

/// The dearer of a charge and a price, each part for itself.
pub(super) fn dearer(
    charge: Charge,
    price: &Price,
    input: u64,
    has_sound: impl FnOnce() -> bool,
) -> Charge {
    let (prompt, answer) = price.ceiling(input, has_sound);
    Charge {
        input_nanos: charge.input_nanos.max(prompt.nanos().unsigned_abs()),
        output_rate: charge.output_rate.max(answer.per_million()),
    }
}
