//! What a call holds of its limits: taken before it goes upstream, extended while its answer passes, settled at its end.

mod bid;

pub(super) use bid::Bid;

use crate::{
    app::App,
    domain::{Kind, Price},
    error::Error,
    limits::{Charge, Denial, Denied, Lease, Reason, Refusal, Used},
    telemetry::metrics,
    wire::error::ErrorBody,
};
use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::time::Instant;

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
    pay: Pay,
    /// What the bound of the prompt costs that is held.
    input_nanos: u64,
}

/// How an answer is paid as it passes.
struct Pay {
    /// Tokens that are paid ahead.
    slice: u64,
    /// What a token that can be seen counts for.
    factor: u64,
    patience: Duration,
    /// What is held for the prompt is no more than a bound.
    is_bound: bool,
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

impl Hold {
    /// Whether an answer may go on that has come to so many tokens.
    pub(super) fn poll_cover(&mut self, tokens: u64, cx: &mut Context<'_>) -> Poll<Cover> {
        let to = tokens.saturating_mul(self.pay.factor);
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
            let until = until.unwrap_or(now + self.pay.patience);
            let denied = drawn.map(|()| lease.extend(to, self.pay.slice, self.app.gate.now()));
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
            if self.pay.is_bound {
                return Poll::Ready(Cover::Counts);
            }
            let until = match (&self.waiting, refusal.kind) {
                // Others may give back what they hold, but most of them use it.
                (None, Kind::Budget(..)) => now + self.pay.patience.min(FOR_OTHERS),
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
        self.pay.is_bound = false;
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
        if let Some(lease) = self.lease.as_mut().filter(|_| self.pay.is_priced_late) {
            self.pay.is_priced_late = false;
            let charge = bid::dearer(Charge::default(), price, lease.input(), || true);
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
