//! What has been counted so far. Cells, because everything runs on one thread.

use crate::Args;
use std::cell::{Cell, RefCell};
use weir_benches::{
    process::{self, Used},
    report::{Quantiles, Report},
    stamp,
};

/// Counts while it is open, ignores what happens before and after.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) is_open: Cell<bool>,
    requests: Cell<u64>,
    events: Cell<u64>,
    errors: Cell<u64>,
    latencies: RefCell<Vec<u64>>,
    firsts: RefCell<Vec<u64>>,
    delays: RefCell<Vec<u64>>,
}

impl Tally {
    pub(crate) fn answered(&self, latency_ns: u64) {
        if self.is_open.get() {
            self.requests.update(|n| n + 1);
            self.latencies.borrow_mut().push(latency_ns);
        }
    }

    /// An error counts whenever it happens: figures of a target that fails mean nothing.
    pub(crate) fn failed(&self) {
        self.errors.update(|n| n + 1);
    }

    pub(crate) fn first(&self, wait_ns: u64) {
        if self.is_open.get() {
            self.firsts.borrow_mut().push(wait_ns);
        }
    }

    pub(crate) fn event(&self, delay_ns: u64) {
        if self.is_open.get() {
            self.events.update(|n| n + 1);
            self.delays.borrow_mut().push(delay_ns);
        }
    }

    pub(crate) fn report(&self, meter: &Meter) -> Report {
        Report {
            seconds: meter.seconds,
            requests: self.requests.get(),
            events: self.events.get(),
            errors: self.errors.get(),
            target_cpu_us: meter.cpu_ns as f64 / 1e3,
            client_cpu_us: process::tree(std::process::id()).cpu_ns as f64 / 1e3,
            rss_before_bytes: meter.rss_before_bytes,
            rss_peak_bytes: meter.rss_peak_bytes,
            latency_us: Quantiles::of(&mut self.latencies.borrow_mut()),
            first_us: Quantiles::of(&mut self.firsts.borrow_mut()),
            event_us: Quantiles::of(&mut self.delays.borrow_mut()),
        }
    }
}

/// What the target uses over a span of time.
pub(crate) struct Meter {
    pid: Option<u32>,
    begun_ns: u64,
    start: Used,
    seconds: f64,
    cpu_ns: u64,
    rss_before_bytes: u64,
    rss_peak_bytes: u64,
}

impl Meter {
    /// Takes the memory before any load.
    pub(crate) fn new(args: &Args) -> Self {
        let start = args.pid.map(process::tree).unwrap_or_default();
        Self {
            pid: args.pid,
            begun_ns: stamp::now(),
            start,
            seconds: 0.0,
            cpu_ns: 0,
            rss_before_bytes: start.rss_bytes,
            rss_peak_bytes: start.rss_bytes,
        }
    }

    /// The span begins.
    pub(crate) fn begin(&mut self) {
        self.start = self.read();
        self.begun_ns = stamp::now();
    }

    /// The span ends, for now.
    pub(crate) fn end(&mut self) {
        self.cpu_ns = self.read().cpu_ns.saturating_sub(self.start.cpu_ns);
        self.seconds = (stamp::now() - self.begun_ns) as f64 / 1e9;
    }

    fn read(&mut self) -> Used {
        let used = self.pid.map(process::tree).unwrap_or_default();
        self.rss_peak_bytes = self.rss_peak_bytes.max(used.rss_bytes);
        used
    }
}
