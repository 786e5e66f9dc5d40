//! What a call costs, by the prices that held when it began.

use super::Call;
use crate::{
    app::Snapshot,
    config::Upstream,
    domain::{Day, PriceTag, Tier},
    ledger::Flight,
};
use std::{sync::Arc, time::SystemTime};

/// Where a call's price is found.
#[derive(Clone)]
pub(super) struct Pricing {
    /// The config that the call began with.
    snapshot: Arc<Snapshot>,
    /// The day whose prices hold.
    day: Day,
    /// The model that the client asked for; none where only a body tells that Weir has not read.
    asked: Option<Arc<str>>,
    /// The model's name at the upstream, if that is not what was asked for.
    sent: Option<Arc<str>>,
}

impl Pricing {
    pub(super) fn new(snapshot: &Arc<Snapshot>, call: &Call, at: SystemTime) -> Self {
        Self {
            snapshot: Arc::clone(snapshot),
            day: Day::of(at),
            asked: call.named().cloned(),
            sent: None,
        }
    }

    /// The upstream that answers was asked for this model.
    pub(super) fn sent_as(&mut self, sent: Option<Arc<str>>) {
        self.sent = sent;
    }

    /// The price of the model that says it answered, else of the one that the upstream was asked for, else of the one
    /// that the client asked for.
    pub(super) fn find(
        &self,
        upstream: &Upstream,
        flight: &Flight,
        served: Option<&str>,
        tier: Tier,
    ) -> Option<&PriceTag> {
        let find = |model: &str| self.snapshot.prices.find(upstream, model, tier, self.day);
        let asked = || match &self.asked {
            Some(model) => find(model),
            None => find(&flight.asked().model?),
        };
        served
            .and_then(find)
            .or_else(|| find(self.sent.as_deref()?))
            .or_else(asked)
    }
}
