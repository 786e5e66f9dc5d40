//! How fast places come free at a saturated upstream, to tell those who are refused when to come back.

use std::{collections::VecDeque, time::Duration};
use tokio::time::Instant;

/// As many places that came free as an estimate looks back on.
const LATELY: usize = 64;
/// Who comes back sooner than this has not let go of anything.
const LEAST: Duration = Duration::from_millis(100);
/// OpenAI's SDKs believe only what is shorter than a minute.
const MOST: Duration = Duration::from_secs(59);

/// The pace of one upstream, on a clock that runs only while it is saturated: what an idle hour did not free says
/// nothing about the next busy minute.
#[derive(Debug)]
pub(super) struct Pace {
    /// What the clock showed when it last stopped.
    before: Duration,
    /// When it was started, while it runs.
    since: Option<Instant>,
    /// When places came free on this clock; the first entry is where the looking back begins.
    freed: VecDeque<Duration>,
}

impl Pace {
    pub(super) fn new() -> Self {
        Self {
            before: Duration::ZERO,
            since: None,
            freed: VecDeque::from([Duration::ZERO]),
        }
    }

    /// Whether the upstream is saturated from `now` on.
    pub(super) fn saturated(&mut self, is_saturated: bool, now: Instant) {
        match (is_saturated, self.since) {
            (true, None) => self.since = Some(now),
            (false, Some(_)) => {
                self.before = self.reading(now);
                self.since = None;
            }
            _ => {}
        }
    }

    /// A place has come free.
    pub(super) fn freed(&mut self, now: Instant) {
        if self.freed.len() > LATELY {
            self.freed.pop_front();
        }
        self.freed.push_back(self.reading(now));
    }

    /// How long until `places` more have come free, if it goes on like this.
    pub(super) fn estimate(&self, places: usize, now: Instant) -> Duration {
        let first = self.freed.front().copied().unwrap_or_default();
        let span = self.reading(now).saturating_sub(first).as_nanos();
        let freed = (self.freed.len().saturating_sub(1)).max(1) as u128;
        let wait = span.saturating_mul(places as u128) / freed;
        let wait = u64::try_from(wait).map_or(MOST, Duration::from_nanos);
        wait.clamp(LEAST, MOST)
    }

    fn reading(&self, now: Instant) -> Duration {
        let running = self.since.map(|since| now.saturating_duration_since(since));
        self.before + running.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::{LATELY, LEAST, MOST, Pace};
    use std::time::Duration;
    use tokio::time::Instant;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn it_is_the_pace_of_late_while_saturated() {
        let start = Instant::now();
        let mut pace = Pace::new();
        pace.saturated(true, start);
        for i in 1..=10 {
            pace.freed(start + SECOND * i);
        }
        assert_eq!(pace.estimate(5, start + SECOND * 10), SECOND * 5);
        // An idle hour is not counted, and a busy one wears the old pace off.
        pace.saturated(false, start + SECOND * 10);
        let later = start + SECOND * 3610;
        pace.saturated(true, later);
        assert_eq!(pace.estimate(5, later), SECOND * 5);
        for i in 1..=2 * LATELY as u32 {
            pace.freed(later + SECOND * i / 2);
        }
        let now = later + SECOND * LATELY as u32;
        assert_eq!(pace.estimate(8, now), SECOND * 4);
    }

    #[test]
    fn it_is_never_nothing_and_never_more_than_an_sdk_believes() {
        let start = Instant::now();
        let mut pace = Pace::new();
        assert_eq!(pace.estimate(1, start), LEAST);
        pace.saturated(true, start);
        assert_eq!(pace.estimate(1, start), LEAST);
        // As long as nothing came free, one place takes at least as long as it has taken already.
        assert_eq!(pace.estimate(2, start + SECOND * 7), SECOND * 14);
        assert_eq!(pace.estimate(2, start + SECOND * 3600), MOST);
        assert_eq!(pace.estimate(usize::MAX, start + SECOND * 3600), MOST);
    }
}
