//! Follows one call to its end and settles it once.

mod settling;

use super::{
    Call,
    account::Passed,
    hold::{Cover, Hold},
    pricing::Pricing,
    tally::Tally,
};
use crate::{
    app::{App, Snapshot},
    config::Upstream,
    domain::{Arrival, Outcome, Tier},
    error::Error,
    events::{CallInfo, What},
    ledger::{Admission, Answer, Flight, Tokens},
    queue::Turn,
    tap::{Report, Watch},
    wire::{answer::Part, error::ErrorBody},
};
use http::{StatusCode, response::Parts};
use std::{
    convert::Infallible,
    num::NonZeroU32,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::{Duration, UNIX_EPOCH},
};
use tokio::{sync::oneshot, time::Instant};

/// A call in the air. Whatever way it goes out, it is settled.
pub(super) struct Meter {
    app: Arc<App>,
    arrival: Box<Arrival>,
    /// When it came in; beside the rest of what each piece of an answer needs.
    started: Instant,
    info: Arc<CallInfo>,
    label: Arc<str>,
    pricing: Pricing,
    upstream: Option<Arc<Upstream>>,
    attempts: u32,
    status: StatusCode,
    is_stream: bool,
    tally: Option<Tally>,
    /// Ready once the call is settled that is counted elsewhere before.
    settling: Option<oneshot::Receiver<Infallible>>,
    /// What it holds of its limits; none if it has none.
    hold: Option<Box<Hold>>,
    /// The call's turn at its upstream. It goes with the meter, which the tap lets go after the upstream's body.
    turn: Option<Turn>,
    /// The client has gone.
    left: bool,
    /// The tokens after which it is enough then.
    up_to: Option<NonZeroU32>,
    /// The call's place in the flight table, until it is settled.
    flight: Option<Flight>,
}

/// What nginx made the custom for a client that left before it was answered.
const CLIENT_LEFT: u16 = 499;

impl Meter {
    /// Begins to follow a call, if the ledger has a place for it.
    pub(super) fn start(
        app: &Arc<App>,
        snapshot: &Arc<Snapshot>,
        arrival: &mut Arrival,
        call: &mut Call,
        hold: Option<Box<Hold>>,
    ) -> Result<Self, Error> {
        let started = arrival.at.duration_since(UNIX_EPOCH).unwrap_or_default();
        let owner = call.caller.owner.as_deref();
        let flight = app.ledger.admit(&Admission {
            started: started.as_millis() as u64,
            key: call.caller.key,
            project: owner.and_then(|owner| owner.project.as_deref()),
            user: owner.and_then(|owner| owner.user.as_deref()),
            endpoint: call.endpoint,
            stream: call.stream,
            request: arrival.id.as_str(),
            model: &call.model,
            metadata: call.metadata(),
        });
        let (flight, hold) = match (flight, hold) {
            (Ok(flight), hold) => (flight, hold),
            (Err(full), None) => return Err(full.into()),
            (Err(full), Some(hold)) => {
                hold.cancel();
                return Err(full.into());
            }
        };
        call.observe(&flight);
        arrival.metered = true;
        arrival.model = Some(Arc::clone(&call.model));
        let info = Arc::new(CallInfo {
            request: arrival.id.clone(),
            key: call.caller.key,
            endpoint: call.endpoint,
            model: Arc::clone(&call.model),
            stream: call.stream,
        });
        app.metrics.in_flight.increment(1);
        app.events.publish(&info, What::RequestStarted);
        Ok(Self {
            app: Arc::clone(app),
            arrival: Box::new(arrival.clone()),
            started: arrival.started,
            info,
            label: Arc::clone(&call.label),
            pricing: Pricing::new(snapshot, call, UNIX_EPOCH + started),
            upstream: None,
            attempts: 0,
            status: StatusCode::from_u16(CLIENT_LEFT).expect("three digits"),
            is_stream: false,
            tally: None,
            settling: None,
            hold,
            turn: None,
            left: false,
            up_to: None,
            flight: Some(flight),
        })
    }

    /// The call, for events.
    pub(super) fn info(&self) -> &Arc<CallInfo> {
        &self.info
    }

    /// When the call came in.
    pub(super) fn started(&self) -> Instant {
        self.started
    }

    /// An upstream is about to be tried.
    pub(super) fn attempted(&mut self) {
        self.attempts += 1;
    }

    /// An upstream answers, with this head.
    pub(super) fn answered(
        &mut self,
        upstream: Arc<Upstream>,
        sent: Option<Arc<str>>,
        head: &Parts,
        is_stream: bool,
    ) {
        if !self.left {
            self.status = head.status;
        }
        self.is_stream = is_stream;
        self.pricing.sent_as(sent);
        let id = head.headers.get("x-request-id");
        if let Some(flight) = &self.flight {
            let price = (self.pricing).find(&upstream, flight, None, Tier::default());
            flight.answered(&Answer {
                status: head.status.as_u16(),
                stream: is_stream,
                upstream: &upstream.name,
                provider: upstream.provider.as_str(),
                upstream_request: id.and_then(|id| id.to_str().ok()),
                price,
            });
            if let (Some(hold), Some(price)) = (&mut self.hold, price) {
                hold.priced(price);
            }
        }
        if is_stream {
            let upstream = Arc::clone(&upstream.name);
            self.app
                .events
                .publish(&self.info, What::StreamStarted { upstream });
        }
        self.upstream = Some(upstream);
    }

    /// The answer takes this turn at its upstream for as long as it lasts.
    pub(super) fn holds(&mut self, turn: Option<Turn>) {
        self.turn = turn;
    }

    /// The answer is counted by `tally` as it passes.
    pub(super) fn counts(&mut self, tally: Tally) {
        self.tally = Some(tally);
        self.text_passes(); // nothing so far, which is exact
        if let (Some(tokens), Some(flight)) = (self.passes(), &self.flight) {
            flight.tokens(tokens);
        }
    }

    /// What was told of the answer goes on to the client. Says what that comes to, if that is news.
    fn passes(&mut self) -> Option<Tokens> {
        self.tally.as_mut().and_then(|tally| tally.pass())
    }

    /// The client has gone, and the call goes on without it, up to so many tokens of the answer.
    pub(super) fn client_left(&mut self, up_to: Option<NonZeroU32>) {
        self.left = true;
        self.up_to = up_to;
    }
}

impl Watch for Meter {
    fn wants_text(&self) -> bool {
        self.tally.as_ref().is_some_and(|tally| tally.wants_text())
    }

    fn text(&mut self, choice: u32, part: Part, text: &str) {
        if let Some(tally) = &mut self.tally {
            tally.push(choice, part, text);
        }
    }

    fn text_passes(&mut self) {
        if let Some(tally) = &mut self.tally {
            tally.reckon();
        }
    }

    fn may_hold_back(&self) -> bool {
        self.hold.is_some()
    }

    fn poll_pass(&mut self, chunks: u64, cx: &mut Context<'_>) -> Poll<Result<(), ErrorBody>> {
        while let Some(hold) = &mut self.hold {
            let tally = self.tally.as_ref();
            let tokens = match self.info.endpoint.uses_nothing() {
                true => 0,
                false => tally.map_or(chunks, |tally| tally.told(chunks)),
            };
            match ready!(hold.poll_cover(tokens, cx)) {
                Cover::Goes => break,
                Cover::Ends(error) => return Poll::Ready(Err(error)),
                Cover::Counts => {
                    let prompt = match &mut self.tally {
                        Some(tally) => ready!(tally.poll_prompt(cx)),
                        None => u64::MAX,
                    };
                    hold.counted(prompt);
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    fn has_enough(&self) -> bool {
        let passed = || self.tally.as_ref().map_or(0, |tally| tally.passed());
        self.left && self.up_to.is_some_and(|max| passed() >= max.get().into())
    }

    fn chunk(&mut self, chunks: u64, bytes: u64, now: Instant) {
        let tokens = self.passes();
        if let Some(flight) = &self.flight {
            let at = now.saturating_duration_since(self.started);
            flight.count(chunks, bytes, micros(at), tokens);
        }
        if self.is_stream {
            self.app
                .events
                .publish(&self.info, What::StreamChunk { chunks });
        }
    }

    fn end(&mut self, report: Report<'_>) {
        let figures = Passed {
            chunks: report.chunks,
            bytes: report.bytes,
            is_whole: report.outcome == Outcome::Completed,
            passed: report.passed,
        };
        let outcome = match self.left {
            true => Outcome::ClientGone,
            false => report.outcome,
        };
        self.conclude(outcome, report.seen, figures);
    }

    fn poll_settled(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(settling) = &mut self.settling {
            // It ends by being let go, and so even if settling fails.
            let Err(_) = ready!(Pin::new(settling).poll(cx));
            self.settling = None;
        }
        Poll::Ready(())
    }
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}
