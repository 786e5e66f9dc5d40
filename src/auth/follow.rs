//! Keeps the memory in step with the store: after each change of ours, and when another process made one.
//!
//! Everything here runs on the store's thread, so versions are applied in the order in which they were committed.

use super::index::{Change, Index};
use super::{Keys, records};
use crate::store::{self, Mode, Transaction};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::MissedTickBehavior;

const EVERY: Duration = Duration::from_millis(200); // a revoked key is refused within a second; a look costs microseconds

impl Keys {
    /// Takes over what other processes change, for as long as it is polled. To be run once, in the background.
    ///
    /// A failure is logged and tried again: known keys go on working while the store is away.
    pub async fn follow(self) {
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut failing = false;
        loop {
            ticks.tick().await;
            let outcome = self.catch_up().await;
            // Five lines a second for as long as it lasts would tell no more than the first and the last.
            match &outcome {
                Err(error) if !failing => {
                    let error: &dyn std::error::Error = error;
                    tracing::warn!(error, "changes to keys cannot be followed, trying again");
                }
                Ok(()) if failing => tracing::info!("changes to keys are followed again"),
                _ => {}
            }
            failing = outcome.is_err();
        }
    }

    /// One look at the store: applies what was committed since the last one, by whomever.
    pub(super) async fn catch_up(&self) -> Result<(), store::Error> {
        let index = Arc::clone(&self.index);
        let look = move |tx: &mut Transaction<'_>| {
            records::changes_since(tx, index.seen(), |change| index.apply(change))
        };
        self.db.transact(Mode::Read, look).await
    }

    /// Makes a change to the keys, all of it or nothing, and has it in force when it returns.
    ///
    /// `change` may touch other tables too: what it does is there with its changes to keys, or neither is.
    pub async fn change<T, E, F>(&self, change: F) -> Result<T, E>
    where
        F: FnOnce(&mut Transaction<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<store::Error> + Send + 'static,
    {
        let index = Arc::clone(&self.index);
        let work = move |tx: &mut Transaction<'_>| {
            let outcome = change(tx)?;
            // Read before the commit, which is then the last thing that can fail; applied after it, when it is the
            // truth.
            let mut changes = Vec::new();
            records::changes_since(tx, index.seen(), |change| changes.push(change))?;
            Ok((index, outcome, changes))
        };
        // Alone: what `change` reads stays true until it commits, and versions are in the order of commits.
        let apply = |(index, outcome, changes): (Arc<Index>, T, Vec<Change>)| {
            changes.into_iter().for_each(|change| index.apply(change));
            outcome
        };
        self.db.transact_then(Mode::Alone, work, apply).await
    }
}
