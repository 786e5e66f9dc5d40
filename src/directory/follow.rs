//! Keeps what projects may do in memory, in step with the store: after each change here, and when another process
//! made one.

use super::rows::{self, Changed};
use super::{Allowances, Directory, Error};
use crate::store::{self, Mode, Transaction};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// What is in memory, and the version up to which it is. Written on the store's thread only, in the order of commits.
#[derive(Default)]
pub(super) struct Followed {
    now: Allowances,
    seen: AtomicI64,
}

impl Followed {
    fn apply(&self, changes: Vec<Changed>) {
        for (project, allowance, version) in changes {
            self.now.set(project, allowance);
            self.seen.store(version, Ordering::Relaxed); // for the same thread's next look
        }
    }
}

impl Directory {
    /// What all projects may do now. Takes no lock, and never waits.
    pub fn allowances(&self) -> &Allowances {
        &self.allowances.now
    }

    /// Takes over what other processes change, for as long as it is polled: [`store::follow`].
    pub async fn follow(self) {
        store::follow("limits", || self.catch_up()).await;
    }

    /// One look at the store: applies what was committed since the last one, by whomever.
    pub(super) async fn catch_up(&self) -> Result<(), store::Error> {
        let followed = Arc::clone(&self.allowances);
        let seen = Arc::clone(&self.allowances);
        let look =
            move |tx: &mut Transaction<'_>| rows::since(tx, seen.seen.load(Ordering::Relaxed));
        self.db
            .transact_then(Mode::Read, look, move |changes| followed.apply(changes))
            .await
    }

    /// Makes a change to what projects may do, and has it in force when it returns.
    pub(super) async fn change<T, F>(&self, change: F) -> Result<T, Error>
    where
        F: FnOnce(&mut Transaction<'_>) -> Result<T, Error> + Send + 'static,
        T: Send + 'static,
    {
        let followed = Arc::clone(&self.allowances);
        let work = move |tx: &mut Transaction<'_>| {
            let outcome = change(tx)?;
            // Read before the commit, which is then the last thing that can fail; applied after it.
            let changes = rows::since(tx, followed.seen.load(Ordering::Relaxed))?;
            Ok((followed, outcome, changes))
        };
        let apply = |(followed, outcome, changes): (Arc<Followed>, T, Vec<Changed>)| {
            followed.apply(changes);
            outcome
        };
        // Alone: versions are in the order of commits, and entries of the audit log take turns.
        self.db.transact_then(Mode::Alone, work, apply).await
    }
}
