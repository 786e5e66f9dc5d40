//! Keeps the memory in step with the store: after each change of ours, and when another process made one.
//!
//! Everything here runs on the store's thread, so versions are applied in the order in which they were committed.

use super::index::Index;
use super::{Error, Keys, records};
use crate::store;
use rusqlite::{Connection, Transaction, TransactionBehavior};
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
        let look = move |conn: &mut Connection| {
            records::changes_since(conn, index.seen(), |change| index.apply(change))
        };
        self.db.call(look).await
    }

    /// Makes a change to the keys, all of it or nothing, and has it in force when it returns.
    pub(super) async fn write<T, F>(&self, change: F) -> Result<T, Error>
    where
        F: FnOnce(&Transaction<'_>) -> Result<T, Error> + Send + 'static,
        T: Send + 'static,
    {
        let index = Arc::clone(&self.index);
        self.db
            .call(move |conn| Ok(transact(conn, &index, change)))
            .await?
    }
}

fn transact<T>(
    conn: &mut Connection,
    index: &Index,
    change: impl FnOnce(&Transaction<'_>) -> Result<T, Error>,
) -> Result<T, Error> {
    // Immediate: what `change` reads stays true until it commits, whatever other processes do.
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let outcome = change(&tx)?;
    // Read before the commit, which is then the last thing that can fail; applied after it, when it is the truth.
    let mut changes = Vec::new();
    records::changes_since(&tx, index.seen(), |change| changes.push(change))?;
    tx.commit()?;
    changes.into_iter().for_each(|change| index.apply(change));
    Ok(outcome)
}
