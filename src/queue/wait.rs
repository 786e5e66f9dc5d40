//! One who waits for a turn.

use super::{Queue, Saturated, Turn, line::Ticket};
use crate::telemetry::metrics::{NoTurn, Waited};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::oneshot,
    time::{Instant, timeout_at},
};

/// A place in a queue. Dropping it leaves the queue.
#[must_use = "dropping it leaves the queue"]
pub struct Waiting {
    queue: Arc<Queue>,
    ticket: Ticket,
    /// Brings the turn, or ends without one for whoever had to make room.
    word: oneshot::Receiver<Turn>,
    since: Instant,
    until: Instant,
    ended: Option<Waited>,
}

impl Waiting {
    pub(super) fn new(
        queue: Arc<Queue>,
        ticket: Ticket,
        word: oneshot::Receiver<Turn>,
        since: Instant,
        until: Instant,
    ) -> Self {
        Self {
            queue,
            ticket,
            word,
            since,
            until,
            ended: None,
        }
    }

    /// How long it has waited.
    pub fn so_far(&self) -> Duration {
        self.since.elapsed()
    }

    /// Waits for the turn, up to what the queue allows, and not beyond `deadline`.
    pub async fn turn(&mut self, deadline: Instant) -> Result<Turn, Saturated> {
        let until = self.until.min(deadline);
        let word = match timeout_at(until, &mut self.word).await {
            Ok(word) => word.map_err(|_| NoTurn::Full),
            Err(_) => {
                self.queue.leave(&self.ticket);
                // It may have come in the very moment.
                self.word.try_recv().map_err(|_| NoTurn::RanOut)
            }
        };
        word.inspect(|_| self.ended = Some(Waited::Turn))
            .map_err(|why| {
                self.ended = Some(Waited::Refused(why));
                self.queue.metrics.refused(why);
                self.queue.saturated()
            })
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if self.ended.is_none() {
            self.queue.leave(&self.ticket);
        }
        let ended = self.ended.unwrap_or(Waited::Gone);
        self.queue.metrics.waited(ended, self.since.elapsed());
    }
}
