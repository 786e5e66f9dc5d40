//! Keeps the memory in step with the store, as `auth` does for keys.
//!
//! Everything here runs on the store's thread, so versions are applied in the order in which they were committed.

use super::{
    Error, SessionId, Users, changes,
    index::{Change, Index},
    session,
};
use crate::store::{self, Millis, Mode, Transaction};
use std::{sync::Arc, time::SystemTime};

type EndedSession = (SessionId, i64, Option<Millis>);

impl Users {
    /// Takes over what other processes change, for as long as it is polled: [`store::follow`].
    pub async fn follow(self) {
        store::follow("users", || self.catch_up()).await;
    }

    /// One look at the store: applies what was committed since the last one, by whomever.
    pub(super) async fn catch_up(&self) -> Result<(), store::Error> {
        let index = Arc::clone(&self.index);
        let look = move |tx: &mut Transaction<'_>| {
            let (users, sessions) = index.seen();
            changes::since(tx, users, |change| index.apply(change))?;
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
            let mut changed: Vec<Change> = Vec::new();
            let mut ended: Vec<EndedSession> = Vec::new();
            changes::since(tx, users, |change| changed.push(change))?;
            session::changes_since(tx, sessions, |id, version, at| {
                ended.push((id, version, at))
            })?;
            Ok((index, outcome, changed, ended))
        };
        // Alone: what `change` reads stays true until it commits, and versions are in the order of commits.
        let apply =
            |(index, outcome, changed, ended): (Arc<Index>, T, Vec<Change>, Vec<EndedSession>)| {
                changed.into_iter().for_each(|change| index.apply(change));
                ended
                    .into_iter()
                    .for_each(|(id, version, at)| index.apply_session(id, version, at));
                outcome
            };
        self.db.transact_then(Mode::Alone, work, apply).await
    }
}
