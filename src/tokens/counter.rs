//! The threads that count, so that those that serve do not.
//!
//! Two lanes with a thread each: a long prompt is counted beside the short ones, not before them. What waits is
//! bounded in number and in bytes; what finds no room is estimated where it stands, and says so.

use super::{Answer, Count, Model, Running, Slot, Why, prompt};
use crate::domain::Endpoint;
use bytes::Bytes;
use std::{
    fmt, io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread::{self, JoinHandle},
};

/// What is longer takes over a millisecond, and goes on the lane where that delays nobody.
const SHORT_MAX_BYTES: usize = 32 << 10;

/// Jobs that a lane holds; beyond these, estimates serve callers better than waiting.
const LANE_JOBS: usize = 1024;

/// Text that a lane holds: two of the largest bodies that Weir takes by default, and many of the usual.
const LANE_BYTES: usize = 64 << 20;

/// A handle to the threads that count; clones share them.
///
/// When the last handle is dropped, what was sent is counted to its end before `drop` returns.
#[derive(Clone)]
pub struct Counter(Arc<[Thread; 2]>);

impl Counter {
    /// Starts the threads. No encoding is loaded until one is needed.
    pub fn start() -> io::Result<Self> {
        let lanes = [
            Thread::start("weir-count")?,
            Thread::start("weir-count-long")?,
        ];
        Ok(Self(Arc::new(lanes)))
    }

    /// Counts the prompt in the body of a request to `endpoint`.
    ///
    /// `done` runs once: on a counting thread, where it must not block, or here and now with an estimate if there is
    /// no room.
    pub fn prompt(
        &self,
        model: Model,
        endpoint: Endpoint,
        body: Bytes,
        done: impl FnOnce(Count) + Send + 'static,
    ) {
        let overloaded =
            |body: &[u8]| Count::estimated(prompt::unread(body).tokens, Why::Overloaded);
        let Some(place) = self.reserve(Lane::of(body.len()), body.len()) else {
            return done(overloaded(&body));
        };
        place.send(move || {
            let count = guarded(|| prompt::count(&model, endpoint, &body));
            done(count.unwrap_or_else(|| overloaded(&body)));
        });
    }

    /// Loads what `model` needs, so that the first count does not wait for it. Returns at once.
    pub fn prepare(&self, model: &Model) {
        let Some(encoding) = model.encoding().filter(|encoding| !encoding.is_loaded()) else {
            return;
        };
        if let Some(place) = self.reserve(Lane::Long, 0) {
            place.send(move || {
                encoding.load();
            });
        }
    }

    /// Begins to count an answer of `model`.
    pub fn answer(&self, model: &Model) -> Answer {
        Answer::new(self.clone(), model)
    }

    /// Goes on to count an answer of `model` whose texts have begun.
    pub fn resume(&self, model: &Model, begun: Vec<(Slot, Running)>) -> Answer {
        Answer::resume(self.clone(), model, begun)
    }

    /// Takes a place in a lane for `bytes` of text, if it has one.
    pub(super) fn reserve(&self, lane: Lane, bytes: usize) -> Option<Place<'_>> {
        let thread = &self.0[lane as usize];
        // Made before it is known to be allowed: dropping it takes both back.
        let held = Held {
            load: Arc::clone(&thread.load),
            bytes,
        };
        let jobs = held.load.jobs.fetch_add(1, Ordering::Relaxed);
        let queued = held.load.bytes.fetch_add(bytes, Ordering::Relaxed);
        (jobs < LANE_JOBS && queued + bytes <= LANE_BYTES).then_some(Place { thread, held })
    }
}

impl fmt::Debug for Counter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Counter(..)")
    }
}

/// Runs `work`; nothing comes of it if it panics.
pub(super) fn guarded<T>(work: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(work)).ok()
}

/// Which thread counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    Short,
    Long,
}

impl Lane {
    pub(super) fn of(bytes: usize) -> Self {
        match bytes <= SHORT_MAX_BYTES {
            true => Self::Short,
            false => Self::Long,
        }
    }
}

/// A place in a lane that nobody else can take.
pub(super) struct Place<'a> {
    thread: &'a Thread,
    held: Held,
}

impl Place<'_> {
    pub(super) fn send(self, work: impl FnOnce() + Send + 'static) {
        let held = self.held;
        let job = move || {
            work();
            drop(held);
        };
        if let Some(jobs) = &self.thread.jobs {
            // The thread takes jobs for as long as there is a handle, and a handle is what brought us here.
            let _ = jobs.send(Box::new(job));
        }
    }
}

/// What a lane has to do.
#[derive(Debug, Default)]
struct Load {
    jobs: AtomicUsize,
    bytes: AtomicUsize,
}

/// A part of a lane's load, until its job is done.
struct Held {
    load: Arc<Load>,
    bytes: usize,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.load.jobs.fetch_sub(1, Ordering::Relaxed);
        self.load.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

type Job = Box<dyn FnOnce() + Send>;

struct Thread {
    load: Arc<Load>,
    /// `None` only while it is dropped.
    jobs: Option<mpsc::Sender<Job>>,
    /// `None` only while it is dropped.
    thread: Option<JoinHandle<()>>,
}

impl Thread {
    fn start(name: &str) -> io::Result<Self> {
        let (jobs, queue) = mpsc::channel::<Job>();
        let work = move || {
            while let Ok(job) = queue.recv() {
                // A panic ends this job alone.
                guarded(job);
            }
        };
        let thread = thread::Builder::new().name(name.into()).spawn(work)?;
        Ok(Self {
            load: Arc::default(),
            jobs: Some(jobs),
            thread: Some(thread),
        })
    }

    /// Has the thread finish what it was sent, and waits for that.
    fn close(&mut self) {
        drop(self.jobs.take());
        // The last handle may go with a job, and a thread cannot wait for itself.
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != thread::current().id()
        {
            let _ = thread.join(); // its jobs cannot make it panic
        }
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        self.close();
    }
}
