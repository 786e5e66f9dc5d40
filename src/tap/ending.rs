//! How an answer ends: of itself, by its upstream's fault, because its time is up, or because its client has gone.
//!
//! Whatever the reason, the watch is told once, and the client either reads why or sees the body break off.

use super::{
    HEARTBEAT, Held, Tap,
    pace::Lapse,
    watch::{Report, Watch},
};
use crate::{body, domain::Outcome, wire::error::ErrorBody};
use bytes::Bytes;
use http_body::Body;
use std::task::{Context, Poll, ready};

const SHUTDOWN: &str = "The gateway is shutting down.";
const TOO_LONG: &str = "The answer took longer than the gateway waits.";

pub(super) enum State {
    Open,
    /// All is said but what lies in `ready`.
    Ended,
    /// The client must see the body break off.
    Aborted(Box<str>),
}

impl<B, W> Tap<B, W>
where
    B: Body<Data = Bytes, Error: Into<body::Error>> + Unpin,
    W: Watch,
{
    /// Ends an answer that is not complete.
    pub(super) fn break_off(&mut self, outcome: Outcome, why: &'static str) {
        if self.reader.is_done() {
            // After `[DONE]` the client misses nothing.
            return self.end(Outcome::Completed, State::Ended);
        }
        self.last_word(self.reader.can_end(), outcome, broken(outcome, why));
    }

    /// Ends an answer that may not go on: what is held is not let through.
    pub(super) fn cut_off(&mut self, held: Held, outcome: Outcome, error: ErrorBody) {
        self.held = None;
        self.ready.clear();
        self.last_word(held.may_end, outcome, error);
    }

    /// Ends an answer by an error event where the client can read one, else by a broken body.
    fn last_word(&mut self, may_end: bool, outcome: Outcome, error: ErrorBody) {
        let state = if may_end {
            self.ready.push_back(error.to_event().into());
            State::Ended
        } else {
            State::Aborted(error.error.message.into())
        };
        self.end(outcome, state);
    }

    pub(super) fn end(&mut self, outcome: Outcome, state: State) {
        self.state = state;
        self.source = None;
        self.tell(outcome);
    }

    /// What has come may not go on yet: is it time to do something about that?
    pub(super) fn poll_patience(&mut self, held: Held, cx: &mut Context<'_>) -> Poll<()> {
        let (outcome, why) = if self.pace.poll_cut(&self.cut, cx) {
            (Outcome::Interrupted, SHUTDOWN)
        } else {
            match ready!(self.pace.poll_held(cx, held.may_interject)) {
                Lapse::Silence => {
                    // Before what is held, which lies there already.
                    self.ready.push_front(Bytes::from_static(HEARTBEAT));
                    return Poll::Ready(());
                }
                Lapse::Idle | Lapse::Deadline => (Outcome::TimedOut, TOO_LONG),
            }
        };
        self.cut_off(held, outcome, broken(outcome, why));
        Poll::Ready(())
    }

    /// Nothing has come: is it time to do something about that?
    pub(super) fn poll_pace(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.pace.poll_cut(&self.cut, cx) {
            self.break_off(Outcome::Interrupted, SHUTDOWN);
            return Poll::Ready(());
        }
        match ready!(self.pace.poll(cx, self.reader.can_interject())) {
            Lapse::Silence => {
                self.reader.interject();
                self.ready.push_back(Bytes::from_static(HEARTBEAT));
            }
            Lapse::Idle => self.break_off(Outcome::TimedOut, "The upstream stopped sending."),
            Lapse::Deadline => self.break_off(Outcome::TimedOut, TOO_LONG),
        }
        Poll::Ready(())
    }

    /// Waits for what the watch was told of the answer's end to be written down: by what lies in `ready` the client
    /// will know that it is over. The upstream has no part in that, nor have the time limits.
    pub(super) fn poll_settled(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.is_settling {
            ready!(self.watch.poll_settled(cx));
            self.is_settling = false;
        }
        Poll::Ready(())
    }
}

impl<B, W: Watch> Tap<B, W> {
    /// The body is dropped: if it was not over, the client has gone.
    fn left(&mut self) {
        if !matches!(self.state, State::Open) {
            return;
        }
        let outcome = if std::thread::panicking() {
            Outcome::Interrupted
        } else {
            Outcome::ClientGone
        };
        self.state = State::Ended;
        self.held = None;
        self.ready.clear();
        self.tell(outcome);
    }

    /// Tells the watch how the answer ended, once.
    pub(super) fn tell(&mut self, outcome: Outcome) {
        if std::mem::replace(&mut self.told, true) {
            return;
        }
        self.is_settling = true;
        self.watch.end(Report {
            outcome,
            seen: self.reader.seen(),
            chunks: self.chunks,
            bytes: self.passing(),
            passed: self.passed,
        });
    }
}

impl<B, W: Watch> Drop for Tap<B, W> {
    fn drop(&mut self) {
        self.left();
    }
}

/// The error of an answer that ended so before it was complete.
fn broken(outcome: Outcome, why: &str) -> ErrorBody {
    let code = match outcome {
        Outcome::Interrupted => "gateway_shutdown",
        _ => "upstream_interrupted",
    };
    ErrorBody::new(why, "server_error", None, Some(code))
}
