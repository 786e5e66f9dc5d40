//! When to stop waiting. One timer a body, armed only once the body has to wait, and moved only when it fires.

use super::Manner;
use crate::tasks::{Signal, Ticket};
use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::time::{Instant, Sleep};

/// A time that has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lapse {
    /// The client has heard nothing for the heartbeat's interval.
    Silence,
    /// The upstream has said nothing for too long.
    Idle,
    /// All has taken too long.
    Deadline,
}

pub(super) struct Pace {
    idle: Duration,
    heartbeat: Duration,
    deadline: Instant,
    /// When the upstream was last heard.
    heard: Instant,
    /// When the client was last sent something.
    sent: Instant,
    sleep: Option<Pin<Box<Sleep>>>,
    waits_for_cut: Option<Ticket>,
}

impl Pace {
    pub(super) fn new(manner: &Manner) -> Self {
        let now = Instant::now();
        Self {
            idle: manner.idle,
            heartbeat: manner.heartbeat,
            deadline: manner.deadline,
            heard: now,
            sent: now,
            sleep: None,
            waits_for_cut: None,
        }
    }

    /// The upstream has sent something.
    pub(super) fn heard(&mut self) -> Instant {
        self.heard = Instant::now();
        self.sent = self.heard;
        self.heard
    }

    /// Whether the gateway has run out of time for streams.
    pub(super) fn poll_cut(&mut self, cut: &Signal, cx: &Context<'_>) -> bool {
        self.waits_for_cut
            .get_or_insert_with(|| cut.register(cx.waker()))
            .follow(cx.waker()); // once its client has left, a body is read by another task
        cut.is_raised()
    }

    /// Waits for the next time to act. With `may_interject` a comment can be sent now.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, may_interject: bool) -> Poll<Lapse> {
        let mut due = self.due(may_interject);
        let idle = self.heard + self.idle;
        if idle < due.0 {
            due = (idle, Lapse::Idle);
        }
        self.poll_until(due, cx)
    }

    /// The same while it is not the upstream that is waited for.
    pub(super) fn poll_held(&mut self, cx: &mut Context<'_>, may_interject: bool) -> Poll<Lapse> {
        self.poll_until(self.due(may_interject), cx)
    }

    fn due(&self, may_interject: bool) -> (Instant, Lapse) {
        let silence = self.sent + self.heartbeat;
        match may_interject && !self.heartbeat.is_zero() && silence < self.deadline {
            true => (silence, Lapse::Silence),
            false => (self.deadline, Lapse::Deadline),
        }
    }

    fn poll_until(&mut self, (due, lapse): (Instant, Lapse), cx: &mut Context<'_>) -> Poll<Lapse> {
        let sleep = self
            .sleep
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(due)));
        loop {
            // Bytes only ever move the time to act further away, and the timer need not follow before it fires.
            if sleep.deadline() > due {
                sleep.as_mut().reset(due);
            }
            ready!(sleep.as_mut().poll(cx));
            if Instant::now() >= due {
                if lapse == Lapse::Silence {
                    self.sent = Instant::now();
                }
                return Poll::Ready(lapse);
            }
            sleep.as_mut().reset(due);
        }
    }
}
