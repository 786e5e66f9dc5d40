//! What a call holds of its limits: taken before it goes upstream, extended while its answer passes, settled at its end.

use super::{Call, Payload};
use crate::{
    app::{App, Snapshot},
    config::{Target, Unpriced},
    domain::{Arrival, Day, Endpoint, Kind, Price, Tier},
    error::Error,
    limits::{Ask, Books, Charge, Denial, Denied, Holders, Lease, Reason, Refusal, Used},
    telemetry::metrics,
    tokens::Model,
    wire::error::ErrorBody,
};
use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::time::Instant;

/// Tokens of an answer without which its next event cannot go on, when it gets short.
const LEAST: u64 = 1;
/// What a call is charged ahead whose price is not known before its upstream answers: so little that it only asks
/// whether anything is left.
const NEXT_TO_NOTHING: Charge = Charge {
    input_nanos: 1,
    output_rate: 0,
};

/// How long a stream waits at least for more of a rate: many of them that wait for the next token would otherwise keep
/// the machine busy with asking.
const BREATH: Duration = Duration::from_millis(10);

/// How long a stream waits for what other calls may give back.
const FOR_OTHERS: Duration = Duration::from_secs(2);

/// What a call in the air holds.
pub(super) struct Hold {
    app: Arc<App>,
    /// None once it is settled.
    lease: Option<Lease>,
    /// More is on its way to the lease.
    waiting: Option<Waiting>,
    /// Tokens that are paid ahead.
    slice: u64,
    /// What a token that can be seen counts for.
    factor: u64,
    patience: Duration,
    /// What is held for the prompt is no more than a bound, and costs so much.
    is_bound: bool,
    input_nanos: u64,
    /// What the call costs was not known when it began.
    is_priced_late: bool,
}

/// What becomes of a piece of an answer.
pub(super) enum Cover {
    /// It goes on.
    Goes,
    /// It may, if the prompt is less than was taken for granted: it has to be counted.
    Counts,
    /// It does not, and the answer ends.
    Ends(ErrorBody),
}

struct Waiting {
    /// How long there is patience.
    until: Instant,
    /// Ready when it is worth asking again; none once it was.
    more: Option<More>,
}

type More = Pin<Box<dyn Future<Output = Result<(), Denial>> + Send>>;

/// What a call has to ask for before it goes upstream.
pub(super) struct Claim {
    holders: Holders,
    ask: Ask,
    slice: u64,
    factor: u64,
    patience: Duration,
    is_bound: bool,
}

impl Claim {
    /// That of a call; none if nobody limits it.
    pub(super) fn of(
        app: &App,
        snapshot: &Snapshot,
        call: &Call,
        targets: &[Target],
        arrival: &Arrival,
    ) -> Option<Self> {
        let model = (!call.endpoint.is_forwarded()).then_some(&*call.model);
        let holders = app.holders(&snapshot.policy, &call.caller, model);
        if holders.is_empty() {
            return None;
        }
        let limits = &snapshot.config.limits;
        let wants = Wants::of(snapshot, call, targets, arrival);
        Some(Self {
            holders,
            ask: Ask {
                input: wants.input,
                output: wants.output,
                output_least: wants.output.min(LEAST),
                is_whole: !call.stream,
                price: wants.price,
                allows_unpriced: limits.unpriced == Unpriced::Allow,
            },
            slice: limits.slice,
            factor: wants.factor,
            patience: limits.pause,
            is_bound: wants.input > 0 && !call.endpoint.is_forwarded(),
        })
    }

    /// Takes all of it, or nothing.
    pub(super) async fn take(
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
            slice: self.slice,
            factor: self.factor,
            patience: self.patience,
            is_bound: self.is_bound,
            input_nanos: self.ask.price.map_or(0, |price| price.input_nanos),
            is_priced_late: self.ask.price == Some(NEXT_TO_NOTHING),
        }))
    }
}

/// What is asked for before a call.
struct Wants {
    input: u64,
    output: u64,
    factor: u64,
    price: Option<Charge>,
}

impl Wants {
    fn of(snapshot: &Snapshot, call: &Call, targets: &[Target], arrival: &Arrival) -> Self {
        let limits = &snapshot.config.limits;
        let (body, facts) = match &call.payload {
            Payload::Held { body, facts, .. } => (body, facts),
            Payload::Streamed(upload, ..) => {
                let bytes = upload.as_ref().and_then(|upload| upload.length());
                let input = match call.endpoint {
                    Endpoint::Responses => bytes.unwrap_or(0) / 2,
                    _ => 1, // asks whether anything is left
                };
                // What passes is paid as it comes, since nothing can be paid ahead at no price.
                return Self {
                    input,
                    output: 0,
                    factor: 1,
                    price: Some(NEXT_TO_NOTHING),
                };
            }
        };
        let name = |target: &Target| target.model.clone().unwrap_or(Arc::clone(&call.model));
        let names = targets.iter().map(name);
        let models = names.map(|name| (Model::named(&name), is_reasoning(&name)));
        let (mut input, mut factor) = (0, 1);
        for (model, reasons) in models {
            input = input.max(model.bound(body));
            if reasons {
                factor = limits.reasoning_factor;
            }
        }
        let output = match call.endpoint {
            Endpoint::Embeddings => 0,
            _ if call.stream => {
                let slice = limits.slice * factor;
                facts.output_max.map_or(slice, |max| slice.min(max))
            }
            _ => facts
                .output_max
                .unwrap_or_else(|| limits.output_reserve.saturating_mul(facts.choices)),
        };
        let day = Day::of(arrival.at);
        let price = |target: &Target, tier: Tier| {
            snapshot
                .prices
                .find(&target.upstream, &name(target), tier, day)
        };
        // Whichever of them answers, it costs no more than this.
        let mut charge = Some(Charge::default());
        for target in targets {
            let standard = price(target, Tier::Standard);
            let asked = price(target, facts.tier).or(standard);
            charge = match (charge, asked) {
                (Some(charge), Some(price)) => Some(dearer(charge, price, input)),
                _ => None,
            };
        }
        Self {
            input,
            output,
            factor,
            price: charge,
        }
    }
}

fn dearer(charge: Charge, price: &Price, input: u64) -> Charge {
    let (prompt, answer) = price.ceiling(input);
    Charge {
        input_nanos: charge.input_nanos.max(prompt.nanos().unsigned_abs()),
        output_rate: charge.output_rate.max(answer.per_million()),
    }
}

/// Models that spend tokens which nobody sees.
fn is_reasoning(name: &str) -> bool {
    let name = name.rsplit('/').next().unwrap_or(name);
    let is_chat = name.contains("-chat");
    let families = ["o1", "o3", "o4", "gpt-5", "codex-mini", "computer-use"];
    !is_chat && families.iter().any(|family| name.starts_with(family))
}

impl Hold {
    /// Whether an answer may go on that has come to so many tokens.
    pub(super) fn poll_cover(&mut self, tokens: u64, cx: &mut Context<'_>) -> Poll<Cover> {
        let to = tokens.saturating_mul(self.factor);
        let Some(lease) = self.lease.as_mut().filter(|lease| lease.covered() < to) else {
            return Poll::Ready(Cover::Goes);
        };
        loop {
            let mut drawn = Ok(());
            if let Some(waiting) = &mut self.waiting
                && let Some(more) = &mut waiting.more
            {
                drawn = ready!(more.as_mut().poll(cx));
                waiting.more = None;
            }
            let now = Instant::now();
            let until = self.waiting.as_ref().map(|waiting| waiting.until);
            let until = until.unwrap_or(now + self.patience);
            let denied = drawn.map(|()| lease.extend(to, self.slice, self.app.gate.now()));
            let refusal = match denied {
                Ok(Ok(())) => {
                    self.waiting = None;
                    return Poll::Ready(Cover::Goes);
                }
                Ok(Err(Denied::Short(shortage))) => {
                    let app = Arc::clone(&self.app);
                    let more = Box::pin(async move { app.gate.draw(shortage).await });
                    let more = Some(more as _);
                    self.waiting = Some(Waiting { until, more });
                    continue;
                }
                Ok(Err(Denied::Refused(refusal))) | Err(Denial::Refused(refusal)) => refusal,
                Err(Denial::Unavailable) => {
                    return Poll::Ready(Cover::Ends(Error::LimitsUnavailable.body()));
                }
            };
            if self.is_bound {
                return Poll::Ready(Cover::Counts);
            }
            let until = match (&self.waiting, refusal.kind) {
                // Others may give back what they hold, but most of them use it.
                (None, Kind::Budget(..)) => now + self.patience.min(FOR_OTHERS),
                _ => until,
            };
            let wait = refusal.wait.filter(|wait| now + *wait <= until);
            let Some(wait) = wait else {
                return Poll::Ready(Cover::Ends(cut(refusal)));
            };
            let sleep = tokio::time::sleep_until(now + wait.max(BREATH));
            let more = Some(Box::pin(async move {
                sleep.await;
                Ok(())
            }) as _);
            self.waiting = Some(Waiting { until, more });
        }
    }

    /// The prompt was counted.
    pub(super) fn counted(&mut self, tokens: u64) {
        self.is_bound = false;
        if let Some(lease) = &mut self.lease {
            let bound = lease.input();
            if tokens < bound {
                let nanos = u128::from(self.input_nanos) * u128::from(tokens);
                let nanos = nanos.div_ceil(u128::from(bound)) as u64;
                lease.correct_input(tokens, Some(nanos), self.app.gate.now());
            }
        }
    }

    /// What a call costs is known now that its upstream answers.
    pub(super) fn priced(&mut self, price: &Price) {
        if let Some(lease) = self.lease.as_mut().filter(|_| self.is_priced_late) {
            self.is_priced_late = false;
            let charge = dearer(Charge::default(), price, lease.input());
            lease.reprice(charge, self.app.gate.now());
        }
    }

    /// Nothing of the call went upstream.
    pub(super) fn cancel(mut self) {
        if let Some(lease) = self.lease.take() {
            lease.cancel();
        }
    }

    /// The call is over, and this is what it came to.
    pub(super) fn settle(&mut self, used: Used) {
        if let Some(lease) = self.lease.take() {
            lease.settle(used, self.app.gate.now());
        }
    }
}

fn cut(refusal: Refusal) -> ErrorBody {
    // However little there ever was, an answer that is cut has used it up.
    let refusal = Refusal {
        reason: Reason::Short,
        wait: refusal
            .wait
            .filter(|_| !matches!(refusal.kind, Kind::Budget(..))),
        ..refusal
    };
    metrics::limited(refusal.level.label(), refusal.kind.as_str());
    Error::from(refusal).body()
}
