//! Slows guessing down: whoever fails again and again has to wait, by address and by account.
//!
//! An account's wait stays short, and whoever has signed in from where they are is spared it, or strangers could lock
//! its owner out; an address's grows long. All tables are bounded: a flood from ever new places pushes out the oldest,
//! while the passwords that can be checked at all stay few.

use crate::domain::host_of;
use std::{
    borrow::Borrow,
    collections::{HashMap, VecDeque},
    hash::Hash,
    net::IpAddr,
    sync::{Mutex, MutexGuard},
    time::Duration,
};
use tokio::time::Instant;

/// Failures that cost nothing: people mistype.
const FREE: u32 = 5;
const ADDRESS_WAIT_MAX: Duration = Duration::from_secs(15 * 60);
const ACCOUNT_WAIT_MAX: Duration = Duration::from_secs(60);
/// Attempts at a time, until some have failed: a whole office may come in at nine.
const ADDRESS_AT_ONCE: u32 = 32;
const ACCOUNT_AT_ONCE: u32 = 4;
/// What whoever comes while there are as many is told to wait.
const TURN: Duration = Duration::from_secs(1);
/// How long a failure is remembered after the wait that it brought.
const MEMORY: Duration = Duration::from_secs(15 * 60);
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

struct Table<K>(HashMap<K, Failures>);

impl<K> Default for Table<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

#[derive(Clone, Copy, Debug)]
struct Failures {
    count: u32,
    /// Until when nobody may try.
    until: Instant,
    /// Attempts whose outcome is not known yet.
    in_flight: u32,
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
        tables.addresses.at(address, now).in_flight += 1;
        if let Some(account) = &account {
            tables.accounts.at(account.clone(), now).in_flight += 1;
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

impl<K: Hash + Eq + Clone> Table<K> {
    /// Whether another attempt may begin, or how long it has to wait.
    fn admit<Q>(&self, key: &Q, at_once: u32, now: Instant) -> Result<(), Duration>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let Some(failures) = self.0.get(key) else {
            return Ok(());
        };
        let wait = failures.until.saturating_duration_since(now);
        if !wait.is_zero() {
            return Err(wait);
        }
        // Who has failed so often has one guess at a time.
        let room = if failures.is_many(now) { 1 } else { at_once };
        match failures.in_flight < room {
            true => Ok(()),
            false => Err(TURN),
        }
    }

    fn at(&mut self, key: K, now: Instant) -> &mut Failures {
        if self.0.len() >= ENTRIES_MAX && !self.0.contains_key(&key) {
            self.make_room(now);
        }
        self.0.entry(key).or_insert(Failures {
            count: 0,
            until: now,
            in_flight: 0,
        })
    }

    fn fail(&mut self, key: K, wait_max: Duration, now: Instant) {
        let failures = self.at(key, now);
        if failures.is_forgotten(now) {
            failures.count = 0;
        }
        failures.count = failures.count.saturating_add(1);
        // 1 s after the sixth, 2 s after the seventh, and so on.
        let wait = match failures.count.checked_sub(FREE + 1) {
            None => Duration::ZERO,
            Some(doublings) => Duration::from_secs(1 << doublings.min(20)).min(wait_max),
        };
        failures.until = failures.until.max(now + wait);
    }

    fn leave<Q>(&mut self, key: &Q)
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        if let Some(failures) = self.0.get_mut(key) {
            failures.in_flight = failures.in_flight.saturating_sub(1);
            if failures.in_flight == 0 && failures.count == 0 {
                self.0.remove(key);
            }
        }
    }

    fn forgive<Q>(&mut self, key: &Q, now: Instant)
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        if let Some(failures) = self.0.get_mut(key) {
            (failures.count, failures.until) = (0, now);
        }
    }

    /// Forgets what is over, and if that is nothing, the quarter that is over soonest.
    fn make_room(&mut self, now: Instant) {
        self.0
            .retain(|_, failures| failures.in_flight > 0 || !failures.is_forgotten(now));
        if self.0.len() < ENTRIES_MAX {
            return;
        }
        let mut ends: Vec<Instant> = self.0.values().map(|failures| failures.until).collect();
        let (_, limit, _) = ends.select_nth_unstable(ENTRIES_MAX / 4);
        let limit = *limit;
        self.0
            .retain(|_, failures| failures.in_flight > 0 || failures.until > limit);
    }
}

impl Failures {
    fn is_forgotten(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.until) > MEMORY
    }

    fn is_many(&self, now: Instant) -> bool {
        self.count >= FREE && !self.is_forgotten(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, Ipv6Addr};

    const HOME: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    fn address(number: u32) -> IpAddr {
        IpAddr::V4(number.into())
    }

    fn fail(guard: &Guard, address: IpAddr, account: &str) -> Result<(), Duration> {
        guard.enter(address, Some(account)).map(drop)
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_waits_longer_and_longer() {
        let guard = Guard::default();
        for number in 0..=FREE {
            assert_eq!(fail(&guard, HOME, &number.to_string()), Ok(()));
        }
        assert_eq!(fail(&guard, HOME, "x"), Err(Duration::from_secs(1)));
        assert_eq!(
            fail(&guard, address(9), "x"),
            Ok(()),
            "others are not slowed"
        );
        let mut waited = Vec::new();
        for number in 0..12 {
            let Err(wait) = fail(&guard, HOME, "x") else {
                panic!("{number} was let in too early");
            };
            waited.push(wait.as_secs());
            tokio::time::advance(wait).await;
            assert_eq!(
                fail(&guard, HOME, &format!("y{number}")),
                Ok(()),
                "the wait was true"
            );
        }
        assert_eq!(waited, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]);
        tokio::time::advance(ADDRESS_WAIT_MAX + MEMORY * 2).await;
        for number in 0..=FREE {
            assert_eq!(
                fail(&guard, HOME, &format!("z{number}")),
                Ok(()),
                "forgotten"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_account_is_slowed_from_everywhere_and_never_locked() {
        let guard = Guard::default();
        let mut longest = Duration::ZERO;
        for number in 0..40 {
            while let Err(wait) = fail(&guard, address(number), "ana") {
                longest = longest.max(wait);
                tokio::time::advance(wait).await;
            }
        }
        assert_eq!(longest, ACCOUNT_WAIT_MAX);
    }

    #[tokio::test(start_paused = true)]
    async fn success_clears_the_account_and_not_the_address() {
        let guard = Guard::default();
        for _ in 0..FREE {
            assert_eq!(fail(&guard, HOME, "ana"), Ok(()));
        }
        guard.enter(HOME, Some("own")).unwrap().succeeded();
        guard.enter(address(2), Some("ana")).unwrap().succeeded();
        assert_eq!(fail(&guard, HOME, "ana"), Ok(()), "one more is free");
        assert_eq!(fail(&guard, HOME, "ana"), Err(Duration::from_secs(1)));
    }

    #[tokio::test(start_paused = true)]
    async fn many_may_come_in_at_once_and_guesses_are_few() {
        let guard = Guard::default();
        let office: Vec<_> = (0..14)
            .map(|number| guard.enter(HOME, Some(&number.to_string())).ok().unwrap())
            .collect();
        office.into_iter().for_each(Attempt::succeeded);
        let guesses: Vec<_> = (0..100)
            .filter_map(|_| guard.enter(HOME, Some("ana")).ok())
            .collect();
        assert_eq!(guesses.len(), ACCOUNT_AT_ONCE as usize);
        drop(guesses);
        let _ = fail(&guard, address(1), "ana");
        let one = guard.enter(address(2), Some("ana")).ok().unwrap();
        assert_eq!(fail(&guard, address(3), "ana"), Err(TURN), "one at a time");
        drop(one);
    }

    #[tokio::test(start_paused = true)]
    async fn strangers_keep_nobody_out_of_their_home() {
        let guard = Guard::default();
        guard.enter(HOME, Some("ana")).ok().unwrap().succeeded();
        for number in 1..20 {
            while let Err(wait) = fail(&guard, address(number), "ana") {
                tokio::time::advance(wait).await;
            }
        }
        assert!(fail(&guard, address(50), "ana").is_err());
        guard.enter(HOME, Some("ana")).ok().unwrap().succeeded();
        assert_eq!(
            fail(&guard, address(51), "ana"),
            Ok(()),
            "and all is forgiven"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn knocking_all_the_time_is_not_for_nothing() {
        let guard = Guard::default();
        for number in 1..=FREE + 3 {
            let _ = fail(&guard, address(number), "ana");
        }
        let refused = (0..FREE + 1).map(|_| fail(&guard, HOME, "ana"));
        assert!(refused.into_iter().all(|answer| answer.is_err()));
        assert!(fail(&guard, HOME, "ben").is_err(), "the address waits now");
    }

    #[tokio::test(start_paused = true)]
    async fn what_nobody_looked_at_counts_for_nothing() {
        let guard = Guard::default();
        for _ in 0..3 * FREE {
            guard.enter(HOME, Some("ana")).unwrap().withdrawn();
        }
        for _ in 0..=FREE {
            assert_eq!(fail(&guard, HOME, "ana"), Ok(()));
        }
        assert_eq!(fail(&guard, HOME, "ana"), Err(Duration::from_secs(1)));
    }

    #[tokio::test(start_paused = true)]
    async fn the_tables_are_bounded_and_keep_those_who_wait() {
        let guard = Guard::default();
        for _ in 0..=FREE {
            let _ = fail(&guard, HOME, "ana");
        }
        for number in 0..3 * ENTRIES_MAX as u32 {
            let _ = fail(&guard, address(number), &format!("a{number}"));
        }
        let tables = guard.lock();
        assert!(tables.addresses.0.len() <= ENTRIES_MAX);
        assert!(tables.accounts.0.len() <= ENTRIES_MAX);
        assert!(tables.accounts.0.contains_key("ana"));
    }

    #[test]
    fn the_addresses_of_one_host_are_one() {
        let v6 = |text: &str| host_of(text.parse().unwrap());
        assert_eq!(v6("2001:db8::1"), v6("2001:db8::ffff:1"));
        assert_ne!(v6("2001:db8::1"), v6("2001:db8:0:1::1"));
        assert_eq!(v6("::ffff:127.0.0.1"), HOME);
        assert_ne!(host_of(Ipv6Addr::LOCALHOST.into()), HOME);
    }
}
