//! Failures by place or by account, and what they mean for whoever comes next. Bounded.

use super::ENTRIES_MAX;
use std::{borrow::Borrow, collections::HashMap, hash::Hash, time::Duration};
use tokio::time::Instant;

/// Failures that cost nothing: people mistype.
pub(super) const FREE: u32 = 5;
/// What whoever comes while there are as many as may be is told to wait.
pub(super) const TURN: Duration = Duration::from_secs(1);
/// How long a failure is remembered after the wait that it brought.
pub(super) const MEMORY: Duration = Duration::from_secs(15 * 60);

pub(super) struct Table<K>(pub(super) HashMap<K, Failures>);

impl<K> Default for Table<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Failures {
    count: u32,
    /// Until when nobody may try.
    until: Instant,
    /// Attempts whose outcome is not known yet.
    in_flight: u32,
}

impl<K: Hash + Eq + Clone> Table<K> {
    /// Whether another attempt may begin, or how long it has to wait.
    pub(super) fn admit<Q>(&self, key: &Q, at_once: u32, now: Instant) -> Result<(), Duration>
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

    /// An attempt begins.
    pub(super) fn enter(&mut self, key: K, now: Instant) {
        self.at(key, now).in_flight += 1;
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

    pub(super) fn fail(&mut self, key: K, wait_max: Duration, now: Instant) {
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

    pub(super) fn leave<Q>(&mut self, key: &Q)
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

    pub(super) fn forgive<Q>(&mut self, key: &Q, now: Instant)
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
