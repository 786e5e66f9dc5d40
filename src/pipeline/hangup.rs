//! Calls whose clients hang up, and which are finished all the same: the upstream is read to its end, so that the
//! provider says what it used.

use super::{Delivery, dispatch::Answer, meter::Meter, turn::Presence};
use crate::{
    app::App,
    body,
    domain::OnHangup,
    error::Error,
    tap::{Tap, Watch},
    tasks,
    telemetry::metrics,
    upstream::Source,
};
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;
use std::{
    num::NonZeroU32,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

/// A client that hangs up does not end its call.
#[derive(Clone)]
pub(super) struct Finish {
    app: Arc<App>,
    /// Tokens of the answer after which it is cancelled after all.
    up_to: Option<NonZeroU32>,
}

impl Finish {
    /// What `policy` asks for; none if a hang-up cancels.
    pub(super) fn of(policy: OnHangup, app: &Arc<App>) -> Option<Self> {
        let up_to = match policy {
            OnHangup::Cancel => return None,
            OnHangup::Finish => None,
            OnHangup::FinishUpTo(tokens) => Some(tokens),
        };
        Some(Self {
            app: Arc::clone(app),
            up_to,
        })
    }

    /// Goes on with `work` in the background, if there is room for more of this; else it is dropped.
    ///
    /// Called as a body or a future is dropped, which is always on a thread that serves.
    fn go_on<W: Future<Output = ()> + Send + 'static>(&self, work: impl FnOnce() -> W) {
        match self.app.finishing.enter() {
            None => metrics::finish_refused(),
            Some(place) => {
                let work = work();
                tasks::spawn(async move {
                    work.await;
                    drop(place);
                });
            }
        }
    }
}

/// The attempts at a call, up to an upstream's answer.
type Attempts = Pin<Box<dyn Future<Output = (Result<Answer, Error>, Meter)> + Send>>;

/// Attempts that go on if their client does not wait for them.
pub(super) struct Unanswered {
    attempts: Option<Attempts>,
    /// Where the call may have to wait for its turn, and may go on without its client.
    presence: Option<Arc<Presence>>,
    /// None where a hang-up cancels.
    delivery: Option<Delivery>,
}

impl Unanswered {
    pub(super) fn new(
        attempts: Attempts,
        presence: Option<Arc<Presence>>,
        delivery: &Delivery,
    ) -> Self {
        Self {
            attempts: Some(attempts),
            presence,
            delivery: delivery.finish.is_some().then(|| delivery.clone()),
        }
    }
}

impl Future for Unanswered {
    type Output = (Result<Answer, Error>, Meter);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let attempts = self.attempts.as_mut();
        let attempts = attempts.expect("it is not polled again once it was ready");
        let outcome = std::task::ready!(attempts.as_mut().poll(cx));
        self.attempts = None;
        Poll::Ready(outcome)
    }
}

impl Drop for Unanswered {
    fn drop(&mut self) {
        if let Some(attempts) = self.attempts.take()
            && let Some(delivery) = self.delivery.take()
            && let Some(finish) = delivery.finish.clone()
            && !std::thread::panicking()
            && self
                .presence
                .as_ref()
                .is_none_or(|presence| presence.leave())
        {
            finish.go_on(|| async move {
                let (outcome, mut meter) = attempts.await;
                meter.client_left(finish.up_to);
                // An error is settled by now, and nobody is there to hear of it.
                if let Ok(response) = delivery.deliver(outcome, meter) {
                    read_out(response.into_body()).await;
                }
            });
        }
    }
}

/// An answer that is read to its end though its client leaves.
pub(super) struct Finished {
    /// None once it was dropped.
    tap: Option<Tap<Source, Meter>>,
    finish: Finish,
}

impl Finished {
    pub(super) fn new(tap: Tap<Source, Meter>, finish: Finish) -> Self {
        Self {
            tap: Some(tap),
            finish,
        }
    }
}

impl http_body::Body for Finished {
    type Data = Bytes;
    type Error = body::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, body::Error>>> {
        match &mut self.tap {
            Some(tap) => Pin::new(tap).poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.tap.as_ref().is_none_or(Tap::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.tap.as_ref().map(Tap::size_hint).unwrap_or_default()
    }
}

impl Drop for Finished {
    fn drop(&mut self) {
        let Some(mut tap) = self.tap.take() else {
            return;
        };
        if tap.is_over() || std::thread::panicking() {
            return;
        }
        tap.watch().client_left(self.finish.up_to);
        if !tap.watch().has_enough() {
            self.finish.go_on(|| read_out(tap));
        }
    }
}

/// Reads a body and forgets it. Time limits are the tap's.
async fn read_out(mut body: impl http_body::Body<Data = Bytes> + Unpin) {
    while let Some(Ok(_)) = body.frame().await {}
}
