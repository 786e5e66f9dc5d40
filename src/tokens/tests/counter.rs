//! The threads that count.

use super::*;
use crate::{tokens::counter::Lane, wire::answer::Part};
use bytes::Bytes;

#[test]
fn a_prompt_is_counted_on_another_thread() {
    let counter = Counter::start().unwrap();
    let body = Bytes::from_static(br#"{"messages":[{"role":"user","content":"hello world"}]}"#);
    let (count, thread) = wait(|done| {
        counter.prompt(gpt4o(), Endpoint::Chat, body, |count| {
            done((count, std::thread::current().name().map(str::to_owned)));
        });
    });
    assert_eq!(count, Count::exact(9));
    assert_eq!(thread.as_deref(), Some("weir-count"));
}

#[test]
fn a_long_prompt_is_not_before_a_short_one() {
    let counter = Counter::start().unwrap();
    let (sender, order) = mpsc::channel();
    let long = format!(r#"{{"prompt":"{}"}}"#, "word ".repeat(400_000));
    for (name, body) in [("long", long), ("short", r#"{"prompt":"word"}"#.into())] {
        let sender = sender.clone();
        counter.prompt(gpt4(), Endpoint::Completions, body.into(), move |_| {
            let _ = sender.send(name);
        });
    }
    assert_eq!(order.recv_timeout(PATIENCE), Ok("short"));
    assert_eq!(order.recv_timeout(PATIENCE), Ok("long"));
}

#[test]
fn what_finds_no_room_is_estimated_and_says_so() {
    let counter = Counter::start().unwrap();
    let full = counter.reserve(Lane::Long, 64 << 20).unwrap();
    let body = Bytes::from(vec![b'x'; 8 << 20]);
    let count = wait(|done| counter.prompt(gpt4o(), Endpoint::Chat, body.clone(), done));
    assert_eq!(count, Count::estimated(2 << 20, Why::Overloaded));
    let mut answer = counter.answer(&gpt4o());
    let piece = "hello world ".repeat(10_000);
    for _ in 0..100 {
        answer.push(0, Part::Content, &piece);
    }
    drop(full);
    let answered = wait(|done| answer.finish(done));
    assert_eq!(answered.output.estimated, Some(Why::Overloaded));
    assert!(answered.output.tokens > 1_500_000);
    let count = wait(|done| counter.prompt(gpt4o(), Endpoint::Chat, body, done));
    assert_eq!(count.estimated, Some(Why::Unreadable));
}

#[test]
fn what_was_sent_is_counted_before_the_counter_is_gone() {
    let counter = Counter::start().unwrap();
    let (sender, receiver) = mpsc::channel();
    for _ in 0..100 {
        let sender = sender.clone();
        let body = Bytes::from_static(br#"{"prompt":"hello world"}"#);
        counter.prompt(gpt4(), Endpoint::Completions, body, move |count| {
            let _ = sender.send(count);
        });
    }
    drop(counter);
    assert_eq!(
        receiver.try_iter().collect::<Vec<_>>(),
        [Count::exact(2); 100]
    );
}
