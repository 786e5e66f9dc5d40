//! The same in every order, and by many threads.

use super::{FAR, Later, ask, poll, queue, rules, state};
use crate::queue::{Queue, Turn, When};
use proptest::prelude::*;
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
};
use tokio::time::Instant;

#[derive(Clone, Debug)]
enum Step {
    Ask(usize),
    Poll(usize),
    Leave(usize),
    End(usize),
    Bound(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..3usize).prop_map(Step::Ask),
        3 => any::<usize>().prop_map(Step::Poll),
        2 => any::<usize>().prop_map(Step::Leave),
        4 => any::<usize>().prop_map(Step::End),
        1 => (1..5usize).prop_map(Step::Bound),
    ]
}

/// One of them, if there are any.
fn pick<T>(all: &mut Vec<T>, nth: usize) -> Option<T> {
    let at = nth.checked_rem(all.len())?;
    Some(all.swap_remove(at))
}

proptest! {
    #[test]
    fn no_turn_is_lost_and_none_is_given_twice(
        bound in 1..4usize,
        steps in prop::collection::vec(step(), 0..200),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        let _context = runtime.enter();
        let queue = queue(bound, usize::MAX);
        let (mut turns, mut waits): (Vec<Turn>, Vec<Later>) = Default::default();
        let (mut bound, mut most) = (bound, bound);
        for step in steps {
            match step {
                Step::Ask(project) => {
                    match ask(&queue, ["a", "b", "heavy"][project]).unwrap() {
                        When::Now(turn) => turns.push(turn),
                        When::Later(mut waiting) => {
                            let deadline = Instant::now() + FAR;
                            waits.push(Box::pin(async move { waiting.turn(deadline).await }));
                        }
                    }
                }
                Step::Poll(nth) => if let Some(mut it) = pick(&mut waits, nth) {
                    match poll(&mut it) {
                        Poll::Ready(turn) => turns.push(turn.unwrap()),
                        Poll::Pending => waits.push(it),
                    }
                }
                Step::Leave(nth) => drop(pick(&mut waits, nth)),
                Step::End(nth) => drop(pick(&mut turns, nth)),
                Step::Bound(to) => {
                    bound = to;
                    queue.follow(bound, rules(usize::MAX));
                }
            }
            let (taken, waiting) = state(&queue);
            // Those who were given a turn and have not heard of it yet hold it too.
            assert_eq!(taken, turns.len() + waits.len() - waiting);
            assert!(waiting == 0 || taken >= bound, "a turn lies idle");
            most = most.min(taken).max(bound);
            assert!(taken <= most, "a turn more than the bound");
        }
        while !waits.is_empty() {
            assert!(!turns.is_empty() || state(&queue).0 > 0);
            turns.clear();
            let before = waits.len();
            waits.retain_mut(|it| poll(it).is_pending());
            assert!(waits.len() < before, "nobody gets what came free");
        }
        turns.clear();
        assert_eq!(state(&queue), (0, 0));
    }
}

/// What many threads do to one queue.
struct Crowd {
    queue: Arc<Queue>,
    in_the_air: AtomicUsize,
    served: AtomicUsize,
}

impl Crowd {
    async fn call(self: Arc<Self>, i: usize) {
        let turn = match ask(&self.queue, ["a", "b", "heavy"][i % 3]).unwrap() {
            When::Now(turn) => turn,
            When::Later(mut waiting) => {
                let turn = waiting.turn(Instant::now() + FAR);
                // Some leave, at a moment that nobody knows.
                let soon = async {
                    match i.is_multiple_of(5) {
                        true => yields(i % 7).await,
                        false => std::future::pending().await,
                    }
                };
                tokio::select! { turn = turn => turn.unwrap(), () = soon => return }
            }
        };
        assert!(self.in_the_air.fetch_add(1, Ordering::SeqCst) < 3);
        yields(i % 4).await;
        self.in_the_air.fetch_sub(1, Ordering::SeqCst);
        self.served.fetch_add(1, Ordering::SeqCst);
        drop(turn);
    }
}

async fn yields(times: usize) {
    for _ in 0..times {
        tokio::task::yield_now().await;
    }
}

#[test]
fn threads_never_hold_more_than_there_are() {
    const THREADS: usize = 4;
    const CALLS: usize = 300;
    let crowd = Arc::new(Crowd {
        queue: queue(3, usize::MAX),
        in_the_air: AtomicUsize::new(0),
        served: AtomicUsize::new(0),
    });
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let mut runtime = tokio::runtime::Builder::new_current_thread();
                let runtime = runtime.enable_all().build().unwrap();
                runtime.block_on(async {
                    let calls = (0..CALLS).map(|i| Arc::clone(&crowd).call(i));
                    tokio::task::JoinSet::from_iter(calls).join_all().await;
                });
            });
        }
    });
    assert_eq!(state(&crowd.queue), (0, 0));
    assert!(crowd.served.load(Ordering::SeqCst) >= THREADS * CALLS * 4 / 5);
}
