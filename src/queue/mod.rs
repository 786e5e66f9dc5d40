//! Turns at upstreams that take so many requests at a time, and the queues before those that are full.
//!
//! A call that goes to an upstream with a bound holds a [`Turn`] from before its attempt to the end of its answer.
//! When all are taken it waits in the upstream's [`line`], which shares turns among projects by weight. Whoever waits
//! is a future: dropping it leaves the line, and a turn that was given to it meanwhile goes on to the next.

mod line;
mod pace;
mod room;
mod rounds;
mod wait;

pub use wait::Waiting;

use crate::{
    config::{self, Upstream},
    domain::Priority,
    telemetry::metrics::{NoTurn, QueueMetrics},
};
use arc_swap::ArcSwap;
use line::{Joined, Line, Ticket, Wish};
use pace::Pace;
use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};
use tokio::{sync::oneshot, time::Instant};

/// The queues of all upstreams that have a bound, by name. They outlive the configuration that made them.
#[derive(Default)]
pub struct Queues(ArcSwap<ByName>);

/// The names are the config's words, so that a quick hash will do.
type ByName = HashMap<Arc<str>, Arc<Queue>, foldhash::fast::RandomState>;

/// Turns at one upstream, and who waits for one.
pub struct Queue {
    state: Mutex<State>,
    metrics: QueueMetrics,
}

struct State {
    /// Turns there are.
    bound: usize,
    /// Turns that are taken. More than the bound only after that was lowered.
    taken: usize,
    line: Line<oneshot::Sender<Turn>>,
    pace: Pace,
    rules: config::Queue,
}

/// A place among the requests that an upstream has at a time. Dropping it passes it on.
#[must_use = "dropping it gives the turn to the next"]
pub struct Turn(Option<Arc<Queue>>);

/// Who asks for a turn.
#[derive(Clone, Copy, Debug)]
pub struct Asker<'a> {
    /// The project that pays.
    pub project: &'a str,
    /// The config's name for the model.
    pub model: &'a Arc<str>,
    /// How urgent it is among the project's own.
    pub priority: Priority,
    /// How long it has waited elsewhere already.
    pub waited: Duration,
}

/// There is no turn for a call, and no room to wait for one any longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("upstream saturated")]
pub struct Saturated {
    /// When there may be one, as far as the pace of late tells.
    pub retry_after: Duration,
}

/// When somebody who asks for a turn has it.
pub enum When {
    /// They have it now.
    Now(Turn),
    /// They have to wait.
    Later(Waiting),
}

impl Queues {
    /// Follows a configuration: more turns are given at once, and fewer hold for those who come.
    ///
    /// A queue whose upstream has no bound any more, or is gone, lets everybody through, and goes when it is empty.
    pub fn take_up(&self, upstreams: &[Arc<Upstream>], rules: &config::Queue) {
        let old = self.0.load();
        let bounds = upstreams
            .iter()
            .filter_map(|upstream| Some((&upstream.name, upstream.concurrency?.get() as usize)));
        let mut new: ByName = bounds
            .map(|(name, bound)| {
                let queue = old.get(name).cloned();
                let queue = queue.unwrap_or_else(|| Arc::new(Queue::new(name)));
                queue.follow(bound, rules.clone());
                (Arc::clone(name), queue)
            })
            .collect();
        for (name, queue) in old.iter() {
            if !new.contains_key(name) {
                queue.follow(usize::MAX, rules.clone());
                if queue.lock().taken > 0 {
                    new.insert(Arc::clone(name), Arc::clone(queue));
                }
            }
        }
        self.0.store(Arc::new(new));
    }

    /// The queue of an upstream; none if it has no bound and nobody has a turn there.
    pub fn find(&self, upstream: &str) -> Option<Arc<Queue>> {
        self.0.load().get(upstream).cloned()
    }
}

impl Queue {
    fn new(upstream: &str) -> Self {
        Self {
            state: Mutex::new(State {
                bound: 0,
                taken: 0,
                line: Line::new(),
                pace: Pace::new(),
                rules: config::Queue::default(),
            }),
            metrics: QueueMetrics::new(upstream),
        }
    }

    /// Asks for a turn.
    pub fn ask(self: &Arc<Self>, asker: &Asker<'_>) -> Result<When, Saturated> {
        let mut state = self.lock();
        if state.taken < state.bound {
            state.take();
            self.show(&state);
            return Ok(When::Now(Turn(Some(Arc::clone(self)))));
        }
        let now = Instant::now();
        let patience = state.rules.wait.saturating_sub(asker.waited);
        let (sender, word) = oneshot::channel();
        let State { line, rules, .. } = &mut *state;
        let wish = Wish {
            project: asker.project,
            model: asker.model,
            priority: asker.priority,
        };
        let joined = match patience.is_zero() {
            true => None,
            false => line.join(wish, rules.max, |project| rules.weight(project), sender),
        };
        let Some(Joined { ticket, pushed_out }) = joined else {
            self.metrics.refused(match patience.is_zero() {
                true => NoTurn::RanOut,
                false => NoTurn::Full,
            });
            return Err(state.saturated(now));
        };
        self.show(&state);
        drop(state);
        // Whoever had to make room hears of it by this, and looks at the queue, so not before it is let go.
        drop(pushed_out);
        let until = now + patience;
        let waiting = Waiting::new(Arc::clone(self), ticket, word, now, until);
        Ok(When::Later(waiting))
    }

    fn follow(self: &Arc<Self>, bound: usize, rules: config::Queue) {
        let mut state = self.lock();
        if state.rules.weights != rules.weights {
            state.line.reweigh(|project| rules.weight(project));
        }
        if state.bound != bound {
            state.pace = Pace::new();
        }
        (state.bound, state.rules) = (bound, rules);
        state.look();
        let given = state.give();
        self.show(&state);
        drop(state);
        self.hand_over(given);
    }

    /// A turn is over.
    fn pass_on(self: &Arc<Self>) {
        let mut state = self.lock();
        state.free();
        let given = state.give();
        self.show(&state);
        drop(state);
        self.hand_over(given);
    }

    /// Hands out turns that are counted as taken. Nobody may hold the lock: it wakes whoever waits.
    fn hand_over(self: &Arc<Self>, mut given: VecDeque<oneshot::Sender<Turn>>) {
        while let Some(to) = given.pop_front() {
            if let Err(mut turn) = to.send(Turn(Some(Arc::clone(self)))) {
                // It was left in the moment in which its turn came; a loop, so that many of those are no recursion.
                turn.0 = None;
                let mut state = self.lock();
                state.free();
                given.extend(state.give());
                self.show(&state);
            }
        }
    }

    /// Takes somebody out of the line; false if their turn was given already.
    fn leave(&self, ticket: &Ticket) -> bool {
        let mut state = self.lock();
        let left = state.line.leave(ticket);
        self.show(&state);
        left.is_some()
    }

    fn saturated(&self) -> Saturated {
        self.lock().saturated(Instant::now())
    }

    fn show(&self, state: &State) {
        self.metrics.show(state.taken, state.line.len());
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it is held")
    }
}

impl State {
    fn take(&mut self) {
        self.taken += 1;
        self.look();
    }

    fn free(&mut self) {
        let now = Instant::now();
        self.pace.freed(now);
        self.taken -= 1;
    }

    /// Starts or stops the clock of the pace.
    fn look(&mut self) {
        let is_saturated = self.taken >= self.bound;
        self.pace.saturated(is_saturated, Instant::now());
    }

    /// Takes the turns that are free for those who are next.
    fn give(&mut self) -> VecDeque<oneshot::Sender<Turn>> {
        let mut given = VecDeque::new();
        while self.taken < self.bound
            && let Some(next) = self.line.next()
        {
            self.taken += 1;
            given.push_back(next);
        }
        self.look();
        given
    }

    /// What those who are refused are told: all who wait go first.
    fn saturated(&self, now: Instant) -> Saturated {
        let ahead = self.line.len() + 1;
        Saturated {
            retry_after: self.pace.estimate(ahead, now),
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(queue) = self.0.take() {
            queue.pass_on();
        }
    }
}

#[cfg(test)]
mod tests;
