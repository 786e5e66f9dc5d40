//! Slows guessing down: whoever fails again and again has to wait, by address and by account.
//!
//! An account's wait stays short, or strangers could lock its owner out; an address's grows long. Both tables are
//! bounded: a flood from ever new places pushes out the oldest, while the passwords that can be checked at all stay few.

use std::{
    collections::HashMap,
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
/// How long a failure is remembered after the wait that it brought.
const MEMORY: Duration = Duration::from_secs(15 * 60);
const ENTRIES_MAX: usize = 10_000;

#[derive(Default)]
pub(super) struct Guard {
    tables: Mutex<Tables>,
}

#[derive(Default)]
struct Tables {
    addresses: Table<IpAddr>,
    accounts: Table<Box<str>>,
}

struct Table<K>(HashMap<K, Failures>);

impl<K> Default for Table<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Failures {
    count: u32,
    /// Until when nobody may try.
    until: Instant,
}

/// An attempt that has begun. It counts as failed unless it says otherwise, so that many at once count too.
#[must_use = "an attempt that does not tell of its success counts as failed"]
pub(super) struct Attempt<'g> {
    guard: &'g Guard,
    address: IpAddr,
    /// None: no email was named.
    account: Option<Box<str>>,
    /// The failures of the address and of the account, each without this one and with it.
    of_address: [Failures; 2],
    of_account: Option<[Failures; 2]>,
}

impl Guard {
    /// Lets an attempt begin, or says how long to wait.
    pub(super) fn enter(
        &self,
        address: IpAddr,
        account: Option<&str>,
    ) -> Result<Attempt<'_>, Duration> {
        let now = Instant::now();
        let address = network(address);
        let mut tables = self.lock();
        let waits = [
            tables.addresses.wait(&address, now),
            account.and_then(|account| tables.accounts.wait(account, now)),
        ];
        if let Some(wait) = waits.into_iter().flatten().max() {
            return Err(wait);
        }
        let account: Option<Box<str>> = account.map(Box::from);
        let accounts = &mut tables.accounts;
        let fail = |account: &str| accounts.fail(account.into(), ACCOUNT_WAIT_MAX, now);
        let of_account = account.as_deref().map(fail);
        Ok(Attempt {
            guard: self,
            address,
            account,
            of_address: tables.addresses.fail(address, ADDRESS_WAIT_MAX, now),
            of_account,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().expect("nothing panics while it is held")
    }
}

impl Attempt<'_> {
    /// It succeeded: the account's failures are forgotten, and this was none of the address's. Those of the address
    /// stay, or an account of one's own would pay for guessing at others.
    pub(super) fn succeeded(self) {
        let mut tables = self.guard.lock();
        if let Some(account) = &self.account {
            tables.accounts.0.remove(account);
        }
        tables.addresses.undo(&self.address, self.of_address);
    }

    /// Nobody looked at it, for reasons of Weir's own: it counts for nothing.
    pub(super) fn withdrawn(self) {
        let mut tables = self.guard.lock();
        if let (Some(account), Some(failures)) = (&self.account, self.of_account) {
            tables.accounts.undo(account, failures);
        }
        tables.addresses.undo(&self.address, self.of_address);
    }
}

impl<K: Hash + Eq + Clone> Table<K> {
    fn wait<Q>(&self, key: &Q, now: Instant) -> Option<Duration>
    where
        K: std::borrow::Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let failures = self.0.get(key)?;
        let wait = failures.until.checked_duration_since(now)?;
        (!wait.is_zero()).then_some(wait)
    }

    /// Notes a failure; what was there before, and what is now.
    fn fail(&mut self, key: K, wait_max: Duration, now: Instant) -> [Failures; 2] {
        if self.0.len() >= ENTRIES_MAX && !self.0.contains_key(&key) {
            self.make_room(now);
        }
        let failures = self.0.entry(key).or_insert(Failures {
            count: 0,
            until: now,
        });
        if now.saturating_duration_since(failures.until) > MEMORY {
            failures.count = 0;
        }
        let before = *failures;
        failures.count = failures.count.saturating_add(1);
        // 1 s after the sixth, 2 s after the seventh, and so on.
        let wait = match failures.count.checked_sub(FREE + 1) {
            None => Duration::ZERO,
            Some(doublings) => Duration::from_secs(1 << doublings.min(20)).min(wait_max),
        };
        failures.until = now + wait;
        [before, *failures]
    }

    /// Takes a failure back.
    fn undo<Q>(&mut self, key: &Q, [before, after]: [Failures; 2])
    where
        K: std::borrow::Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        if let Some(failures) = self.0.get_mut(key) {
            match *failures == after {
                true => *failures = before,
                // Others have failed meanwhile, and the wait that they brought stays; unless what is left costs nothing.
                false => {
                    failures.count = failures.count.saturating_sub(1);
                    if failures.count <= FREE {
                        failures.until = failures.until.min(Instant::now());
                    }
                }
            }
        }
    }

    /// Forgets what is over, and if that is nothing, the quarter that is over soonest.
    fn make_room(&mut self, now: Instant) {
        self.0
            .retain(|_, failures| now.saturating_duration_since(failures.until) <= MEMORY);
        if self.0.len() < ENTRIES_MAX {
            return;
        }
        let mut ends: Vec<Instant> = self.0.values().map(|failures| failures.until).collect();
        let (_, limit, _) = ends.select_nth_unstable(ENTRIES_MAX / 4);
        let limit = *limit;
        self.0.retain(|_, failures| failures.until > limit);
    }
}

/// What one host has for itself: of a version 6 address, the first half.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let bits = u128::from(address) >> 64 << 64;
            IpAddr::V6(bits.into())
        }
        address => address,
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
    async fn many_successes_at_once_slow_nobody() {
        let guard = Guard::default();
        let at_once = (0..=FREE).map(|number| guard.enter(HOME, Some(&number.to_string())));
        let at_once: Vec<_> = at_once.collect::<Result<_, _>>().unwrap();
        at_once.into_iter().for_each(Attempt::succeeded);
        assert_eq!(fail(&guard, HOME, "ana"), Ok(()));
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
        let v6 = |text: &str| network(text.parse().unwrap());
        assert_eq!(v6("2001:db8::1"), v6("2001:db8::ffff:1"));
        assert_ne!(v6("2001:db8::1"), v6("2001:db8:0:1::1"));
        assert_eq!(v6("::ffff:127.0.0.1"), HOME);
        assert_ne!(network(Ipv6Addr::LOCALHOST.into()), HOME);
    }
}
