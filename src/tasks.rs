//! Background work, and telling everything that runs to end.

use std::{
    future::Future,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    task::Waker,
};

/// Starts `work` on this thread's runtime; it ends with the runtime.
///
/// The one place that spawns, so that what runs in the background can be found by who calls it.
pub fn spawn(work: impl Future<Output = ()> + Send + 'static) {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the function that stands in for it"
    )]
    tokio::spawn(work);
}

/// Something that happens once and that many wait for, each at the price of one lock for all its life.
///
/// `tokio::sync::Notify` takes its lock at every poll, which a stream does for every chunk.
#[derive(Clone, Default)]
pub struct Signal(Arc<Shared>);

#[derive(Default)]
struct Shared {
    raised: AtomicBool,
    wakers: Mutex<Wakers>,
}

#[derive(Default)]
struct Wakers {
    places: Vec<Option<Waker>>,
    free: Vec<usize>,
}

impl Signal {
    /// Raises it and wakes all who wait.
    pub fn raise(&self) {
        self.0.raised.store(true, Ordering::SeqCst);
        let woken: Vec<Waker> = self.0.lock().places.iter().flatten().cloned().collect();
        woken.into_iter().for_each(Waker::wake);
    }

    /// Whether it has been raised.
    pub fn is_raised(&self) -> bool {
        self.0.raised.load(Ordering::Relaxed)
    }

    /// Has `waker` woken when the signal is raised, until the ticket is dropped.
    ///
    /// Look at [`Signal::is_raised`] after this, not before: in between it may have been raised.
    pub fn register(&self, waker: &Waker) -> Ticket {
        let mut wakers = self.0.lock();
        let place = match wakers.free.pop() {
            Some(place) => {
                wakers.places[place] = Some(waker.clone());
                place
            }
            None => {
                wakers.places.push(Some(waker.clone()));
                wakers.places.len() - 1
            }
        };
        Ticket {
            signal: Arc::clone(&self.0),
            place,
            waker: waker.clone(),
        }
    }

    /// Waits until it is raised.
    pub async fn raised(&self) {
        let mut ticket = None;
        std::future::poll_fn(|cx| {
            ticket
                .get_or_insert_with(|| self.register(cx.waker()))
                .follow(cx.waker());
            if self.is_raised() {
                std::task::Poll::Ready(())
            } else {
                std::task::Poll::Pending
            }
        })
        .await;
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, Wakers> {
        self.wakers.lock().expect("nothing panics while it is held")
    }
}

/// A place among those who wait for a [`Signal`].
pub struct Ticket {
    signal: Arc<Shared>,
    place: usize,
    waker: Waker,
}

impl Ticket {
    /// Has `waker` woken from now on: who waits may have moved to another task. Costs nothing where it has not.
    pub fn follow(&mut self, waker: &Waker) {
        if !self.waker.will_wake(waker) {
            self.waker.clone_from(waker);
            self.signal.lock().places[self.place] = Some(waker.clone());
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut wakers = self.signal.lock();
        wakers.places[self.place] = None;
        wakers.free.push(self.place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn all_who_wait_are_woken_and_places_are_used_again() {
        let signal = Signal::default();
        let waiting: Vec<_> = (0..3)
            .map(|_| signal.clone())
            .map(|s| async move { s.raised().await })
            .collect();
        let raise = async {
            tokio::task::yield_now().await;
            signal.raise();
        };
        let mut all = tokio::task::JoinSet::new();
        waiting.into_iter().for_each(|wait| {
            all.spawn(wait);
        });
        raise.await;
        all.join_all().await;
        let wakers = signal.0.lock();
        assert!(wakers.places.iter().all(Option::is_none));
        assert_eq!(wakers.free.len(), wakers.places.len());
    }

    #[tokio::test]
    async fn who_has_moved_to_another_task_is_woken_there() {
        let signal = Signal::default();
        let waited = signal.clone();
        let mut waiting = Box::pin(async move { waited.raised().await });
        let mut elsewhere = std::task::Context::from_waker(Waker::noop());
        assert!(waiting.as_mut().poll(&mut elsewhere).is_pending());
        let raise = async {
            tokio::task::yield_now().await;
            signal.raise();
        };
        let mut all = tokio::task::JoinSet::new();
        all.spawn(waiting);
        raise.await;
        all.join_all().await;
    }
}
