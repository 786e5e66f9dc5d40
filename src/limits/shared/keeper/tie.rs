//! The tie to the server: lost and found again.

use super::{
    super::{
        link::{self, Link},
        round::{Reply, Round, Way},
    },
    Keeper,
};
use crate::{config::WithoutRedis, telemetry::metrics};
use std::{pin::Pin, time::Duration};
use tokio::time::{Instant, sleep};

/// Between attempts to connect, from the first to the longest.
pub(super) const PAUSES: (Duration, Duration) =
    (Duration::from_millis(100), Duration::from_secs(2));

/// A connection that is being made.
pub(super) type Connecting = Pin<Box<dyn Future<Output = (Link, Result<(), link::Error>)> + Send>>;

impl Keeper {
    /// Sends a round on its way, and waits for what comes of it; none if the server went away.
    pub(super) async fn run_round(&mut self, round: &mut Round) -> Option<Reply> {
        let mut link = self.link.take()?;
        self.number += 1;
        round.number = self.number;
        round.node.clone_from(&self.names.own);
        match link.run(round).await {
            Ok(reply) => {
                self.link = Some(link);
                self.last_round = Instant::now();
                self.nodes = reply.nodes;
                self.common.clock.heard(reply.micros);
                Some(reply)
            }
            Err(error) => {
                self.lose(link, &error);
                None
            }
        }
    }

    /// The server is away, or still is: it is tried again after a pause.
    pub(super) fn lose(&mut self, link: Link, error: &link::Error) {
        metrics::redis_failed();
        if self.away_since.is_none() {
            self.away_since = Some(Instant::now());
            (self.pause, self.has_let_go) = (PAUSES.0, false);
            self.common.set_there(false);
            let without = match self.common.fallback.load().without {
                WithoutRedis::Share => "share",
                WithoutRedis::Closed => "closed",
            };
            tracing::warn!(server = self.server, %error, without, "Redis is away: limits are no longer shared");
        }
        self.connecting = Some(connect(self.pause, link));
        self.pause = (self.pause * 2).min(PAUSES.1);
    }

    /// A connection is made, for the first time or again. The server is there once it has run a round: one that has no
    /// room, or may not write, lets everybody in.
    pub(super) async fn come_back(&mut self, link: Link) {
        self.link = Some(link);
        if self.run_round(&mut Round::default()).await.is_none() {
            return;
        }
        self.stakes.forget_told();
        let due = self.stakes.all(false);
        if !self.tell_all(due, Way::Stay).await {
            return;
        }
        let away = self.away_since.take();
        self.common.set_there(true);
        let away_ms = away.map_or(0, |since| since.elapsed().as_millis());
        tracing::info!(
            server = self.server,
            away_ms,
            nodes = self.nodes,
            "limits are shared through Redis"
        );
    }
}

/// Connects after a pause.
pub(super) fn connect(pause: Duration, mut link: Link) -> Connecting {
    Box::pin(async move {
        sleep(pause).await;
        let outcome = link.connect().await;
        (link, outcome)
    })
}
