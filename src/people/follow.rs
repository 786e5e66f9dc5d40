//! Keeps the memory in step with the store, as `auth` does for keys.
//!
//! Everything here runs on the store's thread, so versions are applied in the order in which they were committed.

use super::{
    Error, SessionId, Users,
    index::{Change, Index},
    records, session,
};
use crate::store::{self, Millis, Mode, Transaction};
use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::time::MissedTickBehavior;

const EVERY: Duration = Duration::from_millis(200); // who is locked out is refused within a second

type EndedSession = (SessionId, i64, Option<Millis>);

impl Users {
    /// Takes over what other processes change, for as long as it is polled. To be run once, in the background.
    ///
    /// A failure is logged and tried again: known users go on working while the store is away.
    pub async fn follow(self) {
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut failing = false;
        loop {
            ticks.tick().await;
            let outcome = self.catch_up().await;
            match &outcome {
                Err(error) if !failing => {
                    let error: &dyn std::error::Error = error;
                    tracing::warn!(error, "changes to users cannot be followed, trying again");
                }
                Ok(()) if failing => tracing::info!("changes to users are followed again"),
                _ => {}
            }
            failing = outcome.is_err();
        }
    }

    /// One look at the store: applies what was committed since the last one, by whomever.
    pub(super) async fn catch_up(&self) -> Result<(), store::Error> {
        let index = Arc::clone(&self.index);
        let look = move |tx: &mut Transaction<'_>| {
            let (users, sessions) = index.seen();
            records::changes_since(tx, users, |change| index.apply(change))?;
            session::changes_since(tx, sessions, |id, version, ended| {
                index.apply_session(id, version, ended);
            })?;
            index.forget(Millis::of(SystemTime::now()));
            Ok(())
        };
        self.db.transact(Mode::Read, look).await
    }

    /// Makes a change to the accounts, all of it or nothing, and has it in force when it returns.
    pub(super) async fn write<T, E, F>(&self, change: F) -> Result<T, E>
    where
        F: FnOnce(&mut Transaction<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<store::Error> + From<Error> + Send + 'static,
    {
        let index = Arc::clone(&self.index);
        let work = move |tx: &mut Transaction<'_>| {
            let outcome = change(tx)?;
            // Read before the commit, which is then the last thing that can fail; applied after it, when it is the
            // truth.
            let (users, sessions) = index.seen();
            let mut changes: Vec<Change> = Vec::new();
            let mut ended: Vec<EndedSession> = Vec::new();
            records::changes_since(tx, users, |change| changes.push(change))?;
            session::changes_since(tx, sessions, |id, version, at| {
                ended.push((id, version, at))
            })?;
            Ok((index, outcome, changes, ended))
        };
        // Alone: what `change` reads stays true until it commits, and versions are in the order of commits.
        let apply =
            |(index, outcome, changes, ended): (Arc<Index>, T, Vec<Change>, Vec<EndedSession>)| {
                changes.into_iter().for_each(|change| index.apply(change));
                ended
                    .into_iter()
                    .for_each(|(id, version, at)| index.apply_session(id, version, at));
                outcome
            };
        self.db.transact_then(Mode::Alone, work, apply).await
    }
}
