//! The series of queues, which are looked up once for each upstream that has one.

use super::QUEUE_WAIT;
use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use std::time::Duration;

/// Why a call got no turn at an upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoTurn {
    /// There was no room to wait, or it had to make room.
    Full,
    /// It had waited as long as it may.
    RanOut,
}

/// How a wait in a queue ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waited {
    /// With a turn.
    Turn,
    /// Without one.
    Refused(NoTurn),
    /// The client left, or Weir had to end.
    Gone,
}

/// The metrics of one upstream's queue.
pub struct QueueMetrics {
    taken: Gauge,
    waiting: Gauge,
    waits: [Histogram; 4],
    refusals: [Counter; 2],
}

const RESULTS: [&str; 4] = ["turn", "full", "ran_out", "gone"];

impl QueueMetrics {
    /// Those of this upstream.
    pub fn new(upstream: &str) -> Self {
        let upstream = || upstream.to_owned();
        let wait = |result| histogram!(QUEUE_WAIT, "upstream" => upstream(), "result" => result);
        let refusal =
            |why| counter!("weir_queue_refusals_total", "upstream" => upstream(), "reason" => why);
        Self {
            taken: gauge!("weir_queue_turns_taken", "upstream" => upstream()),
            waiting: gauge!("weir_queue_waiting", "upstream" => upstream()),
            waits: RESULTS.map(wait),
            refusals: ["full", "ran_out"].map(refusal),
        }
    }

    /// Sets how many have a turn, and how many wait for one.
    pub fn show(&self, taken: usize, waiting: usize) {
        self.taken.set(taken as f64);
        self.waiting.set(waiting as f64);
    }

    /// Counts a wait that is over.
    pub fn waited(&self, how: Waited, long: Duration) {
        let result = match how {
            Waited::Turn => 0,
            Waited::Refused(NoTurn::Full) => 1,
            Waited::Refused(NoTurn::RanOut) => 2,
            Waited::Gone => 3,
        };
        self.waits[result].record(long.as_secs_f64());
    }

    /// Counts a call that got no turn.
    pub fn refused(&self, why: NoTurn) {
        self.refusals[usize::from(why == NoTurn::RanOut)].increment(1);
    }
}
