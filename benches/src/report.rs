//! What `load` tells `run`: one JSON line.

use serde::{Deserialize, Serialize};

/// One measurement.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Report {
    /// How long it was measured.
    pub seconds: f64,
    /// Requests that ended well.
    pub requests: u64,
    /// Events of streams.
    pub events: u64,
    /// Requests that did not end as they should.
    pub errors: u64,
    /// CPU that the target used.
    pub target_cpu_us: f64,
    /// CPU that the client itself used, from its start.
    pub client_cpu_us: f64,
    /// The target's memory before the first request.
    pub rss_before_bytes: u64,
    /// The most memory that the target was seen with.
    pub rss_peak_bytes: u64,
    /// From a request to its whole answer.
    pub latency_us: Quantiles,
    /// From a request to the first event of its stream.
    pub first_us: Quantiles,
    /// From the moment an event was made to its arrival.
    pub event_us: Quantiles,
}

/// Half of the samples, and all but one in a hundred, are at most this.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Quantiles {
    /// Half.
    pub p50: f64,
    /// Ninety-nine of a hundred.
    pub p99: f64,
}

impl Quantiles {
    /// Of samples in nanoseconds; in microseconds.
    pub fn of(samples: &mut [u64]) -> Self {
        samples.sort_unstable();
        let at = |share: f64| {
            let index = (samples.len().saturating_sub(1) as f64 * share).round() as usize;
            samples.get(index).map_or(0.0, |&nanos| nanos as f64 / 1e3)
        };
        Self {
            p50: at(0.5),
            p99: at(0.99),
        }
    }
}
