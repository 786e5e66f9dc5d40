//! How a gateway ends: what it waits for, and for how long.

use crate::{app::App, server::Connections};
use std::{sync::Arc, time::Duration};
use tokio::signal::unix::{Signal as Signals, SignalKind, signal};

/// How long streams that were cut may take to say so.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// The signals that ask Weir to end.
pub(super) struct Stop {
    terminate: Signals,
    interrupt: Signals,
}

impl Stop {
    /// Hears them from now on.
    pub(super) fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    pub(super) async fn asked(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Takes no new work, waits for what runs, then ends it. A second signal ends it at once.
pub(super) async fn drain(app: &Arc<App>, connections: &Arc<Connections>, stop: &mut Stop) {
    let grace = app.snapshot.load().config.server.shutdown_grace;
    tracing::info!(
        connections = connections.of_clients(),
        grace_s = grace.as_secs(),
        "draining"
    );
    app.drain.raise();
    tokio::select! {
        () = all_over(app, connections) => {}
        () = tokio::time::sleep(grace) => {}
        () = stop.asked() => {}
    }
    app.cut.raise();
    let _ = tokio::time::timeout(LAST_WORDS, all_over(app, connections)).await;
    tracing::info!(cut = connections.of_clients(), "stopped");
}

/// Waits until no client is connected and no call is in the air: an answer may be read to its end without its client,
/// and tokens may still be counted. Looking is cheap, and it happens once in a process's life.
async fn all_over(app: &App, connections: &Connections) {
    let mut ticks = tokio::time::interval(Duration::from_millis(10));
    while connections.of_clients() > 0 || app.ledger.in_the_air() > 0 {
        ticks.tick().await;
    }
}
