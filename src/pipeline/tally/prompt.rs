//! The tokens of a prompt, if somebody needs them.

use crate::{
    app::Reserved,
    domain::Endpoint,
    tokens::{Count, Counter, Model},
};
use bytes::Bytes;
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

/// The length from which a prompt that waits for its answer's end is worth the work of counting it at once.
pub(super) const LONG_BYTES: usize = 16 << 10;

/// A request's body, kept in case that its tokens have to be counted.
pub(in crate::pipeline) struct Prompt {
    pub(in crate::pipeline) body: Bytes,
    /// The memory that it takes.
    pub(in crate::pipeline) reserved: Reserved,
}

pub(super) enum PromptCount {
    /// Nobody has asked yet.
    Kept(Prompt),
    Begun(Arc<Mutex<Begun>>),
}

/// A count that was asked for before its call is over.
pub(super) enum Begun {
    /// Whoever is here waits for it.
    Pending(Option<Waker>),
    Counted(Count),
    Awaited(Box<dyn FnOnce(Count) + Send>),
}

impl Default for Begun {
    fn default() -> Self {
        Self::Pending(None)
    }
}

impl PromptCount {
    /// Counts it from now on, on another thread, if nobody does yet.
    pub(super) fn begin(&mut self, counter: &Counter, model: &Model, endpoint: Endpoint) {
        if let Self::Kept(_) = self {
            let begun = Arc::<Mutex<Begun>>::default();
            let kept = std::mem::replace(self, Self::Begun(Arc::clone(&begun)));
            kept.finish(counter, model.clone(), endpoint, move |count| {
                let before = std::mem::replace(&mut *lock(&begun), Begun::Counted(count));
                match before {
                    Begun::Awaited(done) => done(count),
                    Begun::Pending(waker) => waker.into_iter().for_each(Waker::wake),
                    Begun::Counted(_) => {}
                }
            });
        }
    }

    /// What it comes to, once that is known; without end if nobody counts it for this.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<u64> {
        let Self::Begun(begun) = self else {
            return Poll::Ready(u64::MAX);
        };
        match &mut *lock(begun) {
            Begun::Counted(count) => Poll::Ready(count.tokens),
            Begun::Pending(waker) => {
                *waker = Some(cx.waker().clone());
                Poll::Pending
            }
            Begun::Awaited(_) => Poll::Ready(u64::MAX),
        }
    }

    /// Hands what it comes to to `done`, which runs once: on a thread that counts, or here and now.
    pub(super) fn finish(
        self,
        counter: &Counter,
        model: Model,
        endpoint: Endpoint,
        done: impl FnOnce(Count) + Send + 'static,
    ) {
        match self {
            Self::Kept(Prompt { body, reserved }) => {
                counter.prompt(model, endpoint, body, move |count| {
                    drop(reserved);
                    done(count);
                });
            }
            Self::Begun(begun) => {
                let mut state = lock(&begun);
                if let Begun::Counted(count) = *state {
                    drop(state);
                    return done(count);
                }
                *state = Begun::Awaited(Box::new(done));
            }
        }
    }
}

/// Nobody waits for it: it is held for a store or two.
fn lock(begun: &Mutex<Begun>) -> MutexGuard<'_, Begun> {
    begun.lock().unwrap_or_else(PoisonError::into_inner)
}
