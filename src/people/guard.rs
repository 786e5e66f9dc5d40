//! Slows guessing down: whoever fails again and again has to wait, by address and by account.
//!
//! An account's wait stays short, and whoever has signed in from where they are is spared it, or strangers could lock
//! its owner out; an address's grows long. All tables are bounded: a flood from ever new places pushes out the oldest,
//! while the passwords that can be checked at all stay few.

mod table;

use crate::domain::host_of;
use std::{
    collections::{HashMap, VecDeque},
    net::IpAddr,
    sync::{Mutex, MutexGuard},
    time::Duration,
};
use table::Table;
use tokio::time::Instant;

const ADDRESS_WAIT_MAX: Duration = Duration::from_secs(15 * 60);
const ACCOUNT_WAIT_MAX: Duration = Duration::from_secs(60);
/// Attempts at a time, until some have failed: a whole office may come in at nine.
const ADDRESS_AT_ONCE: u32 = 32;
const ACCOUNT_AT_ONCE: u32 = 4;
const ENTRIES_MAX: usize = 10_000;
/// Places that are remembered from which an account has signed in.
const HOMES_MAX: usize = 4;

#[derive(Default)]
pub(super) struct Guard {
    tables: Mutex<Tables>,
}

#[derive(Default)]
struct Tables {
    addresses: Table<IpAddr>,
    accounts: Table<Box<str>>,
    /// From where accounts have signed in, the latest first.
    homes: HashMap<Box<str>, VecDeque<IpAddr>>,
}

/// An attempt that has begun. It has failed if it is dropped without saying otherwise.
#[must_use = "an attempt that does not tell of its success counts as failed"]
pub(super) struct Attempt<'g> {
    guard: &'g Guard,
    address: IpAddr,
    /// None: no email was named.
    account: Option<Box<str>>,
    outcome: Outcome,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Failed,
    Succeeded,
    Withdrawn,
}

impl Guard {
    /// Lets an attempt begin, or says how long to wait.
    pub(super) fn enter(
        &self,
        address: IpAddr,
        account: Option<&str>,
    ) -> Result<Attempt<'_>, Duration> {
        let now = Instant::now();
        let address = host_of(address);
        let mut tables = self.lock();
        tables.addresses.admit(&address, ADDRESS_AT_ONCE, now)?;
        if let Some(account) = account
            && !tables.is_home(account, address)
            && let Err(wait) = tables.accounts.admit(account, ACCOUNT_AT_ONCE, now)
        {
            // Knocking all the time is not for nothing, or who knocks most gets every turn.
            tables.addresses.fail(address, ADDRESS_WAIT_MAX, now);
            return Err(wait);
        }
        let account: Option<Box<str>> = account.map(Box::from);
        tables.addresses.enter(address, now);
        if let Some(account) = &account {
            tables.accounts.enter(account.clone(), now);
        }
        Ok(Attempt {
            guard: self,
            address,
            account,
            outcome: Outcome::Failed,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().expect("nothing panics while it is held")
    }
}

impl Attempt<'_> {
    /// It succeeded: the account's failures are forgotten. Those of the address stay, or an account of one's own would
    /// pay for guessing at others.
    pub(super) fn succeeded(mut self) {
        self.outcome = Outcome::Succeeded;
    }

    /// Nobody looked at it, for reasons of Weir's own: it counts for nothing.
    pub(super) fn withdrawn(mut self) {
        self.outcome = Outcome::Withdrawn;
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        let now = Instant::now();
        let mut tables = self.guard.lock();
        match (self.outcome, &self.account) {
            (Outcome::Withdrawn, _) | (Outcome::Succeeded, None) => {}
            (Outcome::Succeeded, Some(account)) => {
                tables.accounts.forgive(account, now);
                tables.moves_in(account.clone(), self.address);
            }
            (Outcome::Failed, account) => {
                tables.addresses.fail(self.address, ADDRESS_WAIT_MAX, now);
                if let Some(account) = account {
                    let account = account.clone();
                    tables.accounts.fail(account, ACCOUNT_WAIT_MAX, now);
                }
            }
        }
        tables.addresses.leave(&self.address);
        if let Some(account) = &self.account {
            tables.accounts.leave(account);
        }
    }
}

impl Tables {
    /// Whether an account has signed in from this address.
    fn is_home(&self, account: &str, address: IpAddr) -> bool {
        let homes = self.homes.get(account);
        homes.is_some_and(|homes| homes.contains(&address))
    }

    fn moves_in(&mut self, account: Box<str>, address: IpAddr) {
        if self.homes.len() >= ENTRIES_MAX && !self.homes.contains_key(&account) {
            // Any: whoever it was signs in again, and is remembered again.
            let some: Vec<_> = self.homes.keys().take(ENTRIES_MAX / 4).cloned().collect();
            some.iter()
                .for_each(|account| drop(self.homes.remove(account)));
        }
        let homes = self.homes.entry(account).or_default();
        homes.retain(|home| *home != address);
        homes.truncate(HOMES_MAX - 1);
        homes.push_front(address);
    }
}

#[cfg(test)]
mod tests;
