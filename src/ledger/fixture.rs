//! Calls for tests, settled as a gateway would.

use super::{Admission, Answer, Flight, Ledger, Options, Settlement, Threads};
use crate::{
    domain::{Endpoint, KeyId, Outcome, PriceTag, Usage},
    store::fixture::Fixture,
};
use std::time::Duration;

/// A dollar for a million.
pub(crate) const NANOS_A_TOKEN: u64 = 1000;

/// A call with a prompt and no answer.
pub(crate) struct Call {
    pub(crate) started: u64,
    pub(crate) key: &'static str,
    pub(crate) project: Option<&'static str>,
    pub(crate) user: Option<&'static str>,
    pub(crate) model: &'static str,
    pub(crate) input: u64,
}

/// A ledger of its own.
pub(crate) fn open(fixture: &Fixture) -> (Ledger, Threads) {
    Ledger::open(Options {
        table: fixture.dir().join("flight.table"),
        store: fixture.place().clone(),
        slots: 1024,
        flush: Duration::ZERO,
        retention: Duration::ZERO,
    })
    .unwrap()
}

/// Lets a call begin.
pub(crate) fn admit(ledger: &Ledger, call: &Call) -> Flight {
    let admission = Admission {
        started: call.started,
        key: KeyId::parse(call.key.as_bytes()).unwrap(),
        project: call.project,
        user: call.user,
        endpoint: Endpoint::Chat,
        stream: false,
        request: "r",
        model: call.model,
        metadata: None,
    };
    ledger.admit(&admission).ok().unwrap()
}

/// A call from its beginning to its end.
pub(crate) fn settle(ledger: &Ledger, call: &Call) {
    let price: PriceTag = "i1 o1".parse().unwrap();
    let flight = admit(ledger, call);
    flight.answered(&Answer {
        status: 200,
        stream: false,
        upstream: "up",
        provider: "openai",
        upstream_request: None,
        price: Some(&price),
    });
    flight.settle(&Settlement {
        outcome: Outcome::Completed,
        status: 200,
        usage: Some(Usage {
            input: Some(call.input),
            output: Some(0),
            ..Usage::default()
        }),
        usage_is_running: false,
        usage_refused: false,
        counted: None,
        attempts: 1,
        first_us: None,
        duration_us: 5,
        served_model: None,
        finish_reason: None,
        price: Some(&price),
        quantity: None,
    });
}
