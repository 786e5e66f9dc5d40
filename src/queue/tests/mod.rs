//! Turns taken, waited for, left and passed on.

mod orders;

use super::{Asker, Queue, Queues, Saturated, Turn, When};
use crate::{
    config::{self, Timeouts, Upstream},
    domain::Priority,
};
use std::{
    num::NonZeroU32,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};
use tokio::time::Instant;

const FAR: Duration = Duration::from_secs(3000);

fn rules(max: usize) -> config::Queue {
    config::Queue {
        max,
        wait: Duration::from_secs(30),
        weights: [("heavy".to_owned(), 3)].into(),
    }
}

fn queue(bound: usize, max: usize) -> Arc<Queue> {
    let queue = Arc::new(Queue::new("up"));
    queue.follow(bound, rules(max));
    queue
}

fn ask(queue: &Arc<Queue>, project: &str) -> Result<When, Saturated> {
    queue.ask(&Asker {
        project,
        model: &"m".into(),
        priority: Priority::Normal,
        waited: Duration::ZERO,
    })
}

#[track_caller]
fn now(queue: &Arc<Queue>, project: &str) -> Turn {
    match ask(queue, project) {
        Ok(When::Now(turn)) => turn,
        _ => panic!("no turn at once"),
    }
}

/// Somebody who waits, polled by hand.
type Later = Pin<Box<dyn Future<Output = Result<Turn, Saturated>>>>;

#[track_caller]
fn later(queue: &Arc<Queue>, project: &str) -> Later {
    match ask(queue, project) {
        Ok(When::Later(mut waiting)) => {
            let deadline = Instant::now() + FAR;
            Box::pin(async move { waiting.turn(deadline).await })
        }
        Ok(When::Now(_)) => panic!("a turn at once"),
        Err(_) => panic!("refused"),
    }
}

fn poll(later: &mut Later) -> Poll<Result<Turn, Saturated>> {
    later.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

#[track_caller]
fn ready(later: &mut Later) -> Result<Turn, Saturated> {
    match poll(later) {
        Poll::Ready(turn) => turn,
        Poll::Pending => panic!("it still waits"),
    }
}

fn state(queue: &Arc<Queue>) -> (usize, usize) {
    let state = queue.lock();
    (state.taken, state.line.len())
}

#[tokio::test(start_paused = true)]
async fn a_turn_passes_on_to_who_waits() {
    let queue = queue(1, 9);
    let first = now(&queue, "a");
    let mut second = later(&queue, "a");
    let mut third = later(&queue, "a");
    assert!(poll(&mut second).is_pending());
    drop(first);
    let second = ready(&mut second).unwrap();
    assert!(poll(&mut third).is_pending());
    drop(second);
    drop(ready(&mut third).unwrap());
    assert_eq!(state(&queue), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn who_leaves_takes_nothing_along() {
    let queue = queue(1, 9);
    let first = now(&queue, "a");
    let waits = later(&queue, "a");
    let mut polled = later(&queue, "a");
    assert!(poll(&mut polled).is_pending());
    let mut last = later(&queue, "a");
    drop(waits);
    assert_eq!(state(&queue), (1, 2));
    // The turn is given to one who leaves before hearing of it.
    drop(first);
    assert_eq!(state(&queue), (1, 1));
    drop(polled);
    drop(ready(&mut last).unwrap());
    assert_eq!(state(&queue), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_wait_runs_out() {
    let queue = queue(1, 9);
    let _turn = now(&queue, "a");
    let start = Instant::now();
    let refused = later(&queue, "a").await.map(drop).unwrap_err();
    assert_eq!(start.elapsed(), Duration::from_secs(30));
    // In 30 s no place came free, so one takes at least as long.
    assert_eq!(refused.retry_after, Duration::from_secs(30));
    assert_eq!(state(&queue), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_call_waits_no_longer_for_two_upstreams_than_for_one() {
    let queue = queue(1, 9);
    let _turn = now(&queue, "a");
    let model = Arc::from("m");
    let asker = |waited| Asker {
        project: "a",
        model: &model,
        priority: Priority::Normal,
        waited,
    };
    let start = Instant::now();
    match queue.ask(&asker(Duration::from_secs(20))) {
        Ok(When::Later(mut waiting)) => {
            assert!(waiting.turn(start + FAR).await.is_err());
            assert_eq!(waiting.so_far(), Duration::from_secs(10));
        }
        _ => panic!("there is room"),
    }
    assert!(queue.ask(&asker(Duration::from_secs(30))).is_err());
    assert!(queue.ask(&asker(Duration::MAX)).is_err());
    // And never beyond the deadline of the call.
    match queue.ask(&asker(Duration::ZERO)) {
        Ok(When::Later(mut waiting)) => {
            let deadline = Instant::now() + Duration::from_secs(2);
            assert!(waiting.turn(deadline).await.is_err());
            assert_eq!(waiting.so_far(), Duration::from_secs(2));
        }
        _ => panic!("there is room"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_refuses_who_floods_and_has_room_for_others() {
    let queue = queue(1, 4);
    let _turn = now(&queue, "flood");
    let mut flood: Vec<_> = (0..4).map(|_| later(&queue, "flood")).collect();
    assert!(ask(&queue, "flood").is_err());
    let _other = later(&queue, "other");
    assert!(ready(&mut flood[3]).is_err(), "the newest makes room");
    assert!(poll(&mut flood[2]).is_pending());
    let _heavy: Vec<_> = (0..2).map(|_| later(&queue, "heavy")).collect();
    assert!(ready(&mut flood[2]).is_err() && ready(&mut flood[1]).is_err());
    assert!(poll(&mut flood[0]).is_pending());
    assert!(ask(&queue, "flood").is_err() && ask(&queue, "other").is_err());
    assert_eq!(state(&queue), (1, 4));
}

#[tokio::test(start_paused = true)]
async fn without_room_to_wait_whoever_finds_no_turn_is_refused() {
    let queue = queue(2, 0);
    let _turns = [now(&queue, "a"), now(&queue, "b")];
    assert!(ask(&queue, "a").is_err());
}

#[tokio::test(start_paused = true)]
async fn the_bound_follows_the_configuration() {
    let queue = queue(1, 9);
    let first = now(&queue, "a");
    let mut waits: Vec<_> = (0..4).map(|_| later(&queue, "a")).collect();
    queue.follow(3, rules(9));
    assert_eq!(state(&queue), (3, 2));
    let turns: Vec<_> = waits.drain(..2).map(|mut it| ready(&mut it)).collect();
    queue.follow(1, rules(9));
    drop(first);
    assert_eq!(state(&queue), (2, 2), "those in the air end first");
    drop(turns);
    assert_eq!(state(&queue), (1, 1));
    queue.follow(usize::MAX, rules(9));
    assert_eq!(state(&queue), (2, 0));
    drop(now(&queue, "a"));
    drop(waits);
    assert_eq!(state(&queue), (0, 0));
}

fn upstream(name: &str, concurrency: u32) -> Arc<Upstream> {
    let timeouts = Timeouts::each(Duration::from_secs(1));
    Arc::new(Upstream {
        concurrency: NonZeroU32::new(concurrency),
        ..Upstream::bare(name.into(), "http://127.0.0.1:1".to_owned(), timeouts)
    })
}

#[tokio::test(start_paused = true)]
async fn queues_outlive_the_configuration_that_made_them() {
    let queues = Queues::default();
    queues.take_up(&[upstream("a", 1), upstream("b", 0)], &rules(9));
    let queue = queues.find("a").unwrap();
    assert!(queues.find("b").is_none());
    let first = now(&queue, "p");
    let mut second = later(&queue, "p");
    queues.take_up(&[upstream("a", 1)], &rules(9));
    assert!(Arc::ptr_eq(&queue, &queues.find("a").unwrap()));
    assert!(poll(&mut second).is_pending());
    // Without a bound all are let through, and what they hold is remembered in case there is one again.
    queues.take_up(&[upstream("a", 0)], &rules(9));
    let second = ready(&mut second).unwrap();
    queues.take_up(&[upstream("a", 1)], &rules(9));
    assert!(Arc::ptr_eq(&queue, &queues.find("a").unwrap()));
    assert_eq!(state(&queue), (2, 0));
    drop((first, second));
    queues.take_up(&[], &rules(9));
    assert!(queues.find("a").is_none());
}
