//! How those who settle wake the thread that commits.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, Thread},
    time::Duration,
};

/// Wakes the writer, and costs next to nothing while it is awake.
#[derive(Default)]
pub(super) struct Bell {
    asleep: AtomicBool,
    writer: OnceLock<Thread>,
}

impl Bell {
    /// Something was pushed on the queue. That store and this load are in one order with the writer's store and its
    /// look at the queue: one of the two sees the other.
    pub(super) fn ring(&self) {
        if self.asleep.load(Ordering::SeqCst)
            && self.asleep.swap(false, Ordering::SeqCst)
            && let Some(writer) = self.writer.get()
        {
            writer.unpark();
        }
    }

    /// Sleeps until it rings, or `at_most` so long, unless there is something to do.
    pub(super) fn wait(&self, at_most: Duration, is_idle: impl FnOnce() -> bool) {
        self.writer.get_or_init(thread::current);
        self.asleep.store(true, Ordering::SeqCst);
        if is_idle() {
            thread::park_timeout(at_most);
        }
        self.asleep.store(false, Ordering::SeqCst);
    }
}
