//! The time that all nodes have in common: the server's.

use crate::limits::engine::Now;
use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};
use tokio::time::Instant;

/// Tells the time as the server last told it, and by this machine's clock before the server was heard of. Between two
/// answers only the monotonic clock moves it, so that setting this machine's clock changes nothing.
pub(super) struct Clock {
    beginning: Instant,
    /// Milliseconds since 1970 at the beginning.
    offset: AtomicI64,
}

impl Clock {
    pub(super) fn new() -> Self {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH);
        let wall = wall.unwrap_or_default().as_millis();
        Self {
            beginning: Instant::now(),
            offset: AtomicI64::new(i64::try_from(wall).unwrap_or(0)),
        }
    }

    pub(super) fn now(&self) -> Now {
        let since = self.beginning.elapsed();
        let millis = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
        let wall = self.offset.load(Ordering::Relaxed).saturating_add(millis);
        Now {
            mono: u64::try_from(since.as_nanos()).unwrap_or(u64::MAX),
            wall: u64::try_from(wall).unwrap_or(0),
        }
    }

    /// The server has said what time it is.
    pub(super) fn heard(&self, micros: u64) {
        let millis = i64::try_from(micros / 1000).unwrap_or(i64::MAX);
        let since = i64::try_from(self.beginning.elapsed().as_millis()).unwrap_or(i64::MAX);
        self.offset
            .store(millis.saturating_sub(since), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::Clock;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn it_goes_on_from_where_the_server_was() {
        let clock = Clock::new();
        clock.heard(5_000_000);
        tokio::time::advance(Duration::from_millis(1500)).await;
        let now = clock.now();
        assert_eq!((now.wall, now.mono), (6500, 1_500_000_000));
    }
}
