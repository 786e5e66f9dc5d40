//! Keeps the memory in step with the store: after each change of ours, and when another process made one.
//!
//! Everything here runs on the store's thread, so versions are applied in the order in which they were committed.

use super::index::{Change, Index};
use super::{Keys, records};
use crate::store::{self, Mode, Transaction};
use std::sync::Arc;

impl Keys {
    /// Takes over what other processes change, for as long as it is polled: [`store::follow`].
    pub async fn follow(self) {
        let look = || {
            let again = self.clone();
            async move { again.catch_up().await }
        };
        store::follow("keys", look).await;
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
