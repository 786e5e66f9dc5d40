//! When what was settled is committed: the writer works in rounds, and whoever waits is told of their ends.

use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::watch;

/// The rounds of the writer. In each one it takes all that waits, and commits it.
pub(super) struct Rounds {
    begun: AtomicU64,
    /// The latest one that somebody waits for.
    wanted: AtomicU64,
    over: watch::Sender<u64>,
}

impl Default for Rounds {
    fn default() -> Self {
        Self {
            begun: AtomicU64::new(0),
            wanted: AtomicU64::new(0),
            over: watch::Sender::new(0),
        }
    }
}

impl Rounds {
    /// A round begins; called before the writer takes what waits.
    pub(super) fn begin(&self) -> u64 {
        self.begun.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// All that was taken in a round is committed.
    pub(super) fn end(&self, round: u64) {
        self.over.send_replace(round);
    }

    /// Whether somebody waits for a round that is not over.
    pub(super) fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::SeqCst) > *self.over.borrow()
    }

    /// Wants the first round that begins from now on. The writer has to be woken for it.
    pub(super) fn want(&self) -> u64 {
        // Written, if by nothing: the writer's next one reads it, and so sees all that was pushed before.
        let round = self.begun.fetch_add(0, Ordering::SeqCst) + 1;
        self.wanted.fetch_max(round, Ordering::SeqCst);
        round
    }

    /// Waits until a round is over.
    pub(super) fn over(&self, round: u64) -> impl Future<Output = ()> + Send + use<> {
        let mut over = self.over.subscribe();
        async move {
            if over.wait_for(|last| *last >= round).await.is_err() {
                // The ledger is gone, and nothing is committed any more.
                std::future::pending().await
            }
        }
    }

    /// Tells of the ends of rounds.
    pub(super) fn follow(&self) -> watch::Receiver<u64> {
        self.over.subscribe()
    }
}
