//! Asks the ledger what was spent, beside all else.

use super::{
    super::{Past, PastError, answer::Drawn, round::Base, stakes::Lacking},
    Keeper, Note,
};
use crate::tasks;
use std::{mem, sync::Arc, time::Duration};
use tokio::{sync::mpsc::WeakSender, time::sleep};

/// By then, any node has committed what it has told: it waits a quarter of a second for entries that share a commit.
const COMMITTED: Duration = Duration::from_secs(1);

/// Who knows what was spent, and where to tell it.
#[derive(Clone)]
pub(in super::super) struct Ledger {
    past: Arc<dyn Past>,
    /// The keeper's own; it ends when all others are gone.
    notes: WeakSender<Note>,
}

impl Ledger {
    pub(in super::super) fn new(past: Arc<dyn Past>, notes: WeakSender<Note>) -> Self {
        Self { past, notes }
    }

    /// Says when all that former starts left is written down.
    pub(super) fn say_when_settled(&self) {
        let own = self.clone();
        tasks::spawn(async move {
            own.past.settled().await;
            own.tell(Note::Settled).await;
        });
    }

    pub(super) fn look_up(&self, lacking: Vec<Lacking>) {
        for lacking in lacking {
            let own = self.clone();
            tasks::spawn(async move {
                if lacking.over >= 0 {
                    // What the server was told so far has to be on the ledger, whichever node told it.
                    sleep(COMMITTED).await;
                }
                own.past.settled().await;
                let Lacking {
                    key,
                    holder,
                    kind,
                    period,
                    settled,
                    over,
                } = lacking;
                let spent = own.past.spent(&holder, kind, period).await;
                let base = spent.map(|spent| Base {
                    spent,
                    settled,
                    over,
                });
                own.tell(Note::Base(key, base)).await;
            });
        }
    }

    async fn tell(&self, note: Note) {
        if let Some(notes) = self.notes.upgrade() {
            // Nobody listens any more when the node ends.
            let _ = notes.send(note).await;
        }
    }
}

impl Keeper {
    pub(super) fn learn(&mut self, key: &str, base: Result<Base, PastError>) {
        match base {
            Ok(base) => self.stakes.learn(key, Some(base)),
            Err(error) => {
                tracing::warn!(%error, "what was spent cannot be had from the ledger");
                self.stakes.learn(key, None);
                for question in mem::take(&mut self.parked) {
                    question.tell(Drawn::Away);
                }
            }
        }
    }
}
