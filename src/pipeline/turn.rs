//! A call's turn at an upstream that takes so many requests at a time.

use super::Call;
use crate::{
    app::App,
    config::Upstream,
    queue::{Asker, Saturated, Turn, When},
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::time::Instant;

/// How a call waits for its turns, at one upstream after the other.
pub(super) struct Patience {
    /// How long it has waited so far.
    waited: Duration,
    presence: Option<Arc<Presence>>,
}

/// What a call that may go on without its client, and that client, know of each other.
///
/// Nobody waits in a queue for a client that has gone: nothing was paid for yet.
#[derive(Debug, Default)]
pub(super) struct Presence {
    /// The call waits for its turn.
    waits: AtomicBool,
    /// The client has gone.
    gone: AtomicBool,
}

impl Presence {
    /// The client goes; true if the call goes on all the same.
    pub(super) fn leave(&self) -> bool {
        self.gone.store(true, Ordering::Relaxed); // both sides are on one thread
        !self.waits.load(Ordering::Relaxed)
    }
}

impl Patience {
    /// That of a call; one that may go on without its client has a presence.
    pub(super) fn new(presence: Option<Arc<Presence>>) -> Self {
        Self {
            waited: Duration::ZERO,
            presence,
        }
    }

    /// Asks for the call's turn at `upstream`; none is needed where there is no bound.
    pub(super) fn ask(
        &self,
        app: &App,
        call: &Call,
        upstream: &Upstream,
    ) -> Result<Option<When>, Saturated> {
        if upstream.concurrency.is_none() {
            return Ok(None);
        }
        let Some(queue) = app.queues.find(&upstream.name) else {
            return Ok(None);
        };
        let terms = call.caller.terms.as_ref();
        let is_gone = |presence: &Arc<Presence>| presence.gone.load(Ordering::Relaxed);
        let asker = Asker {
            project: call.caller.project(),
            model: &call.label,
            priority: terms.and_then(|terms| terms.priority).unwrap_or_default(),
            waited: match self.presence.as_ref().is_some_and(is_gone) {
                true => Duration::MAX,
                false => self.waited,
            },
        };
        queue.ask(&asker).map(Some)
    }

    /// Waits for what was asked for.
    pub(super) async fn turn(&mut self, asked: When, deadline: Instant) -> Result<Turn, Saturated> {
        let mut waiting = match asked {
            When::Now(turn) => return Ok(turn),
            When::Later(waiting) => waiting,
        };
        self.say(true);
        let turn = waiting.turn(deadline).await;
        self.say(false);
        self.waited += waiting.so_far();
        turn
    }

    fn say(&self, waits: bool) {
        if let Some(presence) = &self.presence {
            presence.waits.store(waits, Ordering::Relaxed);
        }
    }
}
