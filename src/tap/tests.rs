//! A tap between an upstream and a client that both do as they are told.

#![expect(
    clippy::disallowed_methods,
    reason = "a client that leaves is a task that is ended"
)]

use super::*;
use crate::{
    tasks::Signal,
    wire::{answer::Part, error::ErrorBody},
};
use http_body_util::BodyExt;
use std::{
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard},
    task::Waker,
};

/// What the watch was told, and what it answers.
#[derive(Default)]
struct Notes {
    /// Pieces that may still pass; none: all of them.
    allowance: Option<usize>,
    /// Nothing passes, and nothing is refused either.
    is_undecided: bool,
    /// Nothing is ever held back.
    is_free: bool,
    /// Its end is not written down.
    is_unsettled: bool,
    waits: Option<Waker>,
    chunks: u64,
    text: String,
    ends: Vec<(Outcome, u64)>,
}

#[derive(Clone, Default)]
struct Guard(Arc<Mutex<Notes>>);

impl Guard {
    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.0.lock().unwrap()
    }
}

impl Watch for Guard {
    fn wants_text(&self) -> bool {
        true
    }

    fn text(&mut self, _: u32, _: Part, text: &str) {
        self.notes().text.push_str(text);
    }

    fn text_passes(&mut self) {}

    fn may_hold_back(&self) -> bool {
        !self.notes().is_free
    }

    fn poll_pass(&mut self, _: u64, cx: &mut Context<'_>) -> Poll<Result<(), ErrorBody>> {
        let mut notes = self.notes();
        if notes.is_undecided {
            notes.waits = Some(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(match &mut notes.allowance {
            None => Ok(()),
            Some(0) => Err(ErrorBody::new("spent", "insufficient_quota", None, None)),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
        })
    }

    fn chunk(&mut self, chunks: u64, _: u64, _: Instant) {
        self.notes().chunks = chunks;
    }

    fn has_enough(&self) -> bool {
        false
    }

    fn end(&mut self, report: Report<'_>) {
        self.notes().ends.push((report.outcome, report.chunks));
    }

    fn poll_settled(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut notes = self.notes();
        match notes.is_unsettled {
            true => {
                notes.waits = Some(cx.waker().clone());
                Poll::Pending
            }
            false => Poll::Ready(()),
        }
    }
}

/// An upstream that has sent all of this, and then says nothing or is over.
struct Sent {
    pieces: VecDeque<&'static str>,
    is_over: bool,
}

impl Body for Sent {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.pieces.pop_front() {
            Some(piece) => Poll::Ready(Some(Ok(Frame::data(piece.into())))),
            None if self.is_over => Poll::Ready(None),
            None => Poll::Pending,
        }
    }
}

const EVENTS: Content = Content::Events {
    hide_usage: false,
    says_its_end: true,
};

fn tap(
    content: Content,
    pieces: &[&'static str],
    is_over: bool,
    guard: &Guard,
) -> Tap<Sent, Guard> {
    let source = Sent {
        pieces: pieces.iter().copied().collect(),
        is_over,
    };
    let manner = Manner {
        content,
        idle: Duration::from_secs(60),
        deadline: Instant::now() + Duration::from_secs(600),
        heartbeat: Duration::ZERO,
    };
    Tap::new(source, manner, Signal::default(), guard.clone())
}

/// A beat each ten seconds, and an end after the third.
fn beating() -> Pace {
    Pace::new(&Manner {
        content: EVENTS,
        idle: Duration::from_secs(60),
        deadline: Instant::now() + Duration::from_secs(35),
        heartbeat: Duration::from_secs(10),
    })
}

async fn read(tap: Tap<Sent, Guard>) -> String {
    let bytes = tap.collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.into()).unwrap()
}

const ONE: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n";
const TWO: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"b\"}}]}\n\n";
const DONE: &str = "data: [DONE]\n\n";

#[tokio::test(start_paused = true)]
async fn a_stream_that_may_not_go_on_ends_after_its_last_event_with_an_error() {
    let guard = Guard::default();
    guard.notes().allowance = Some(1);
    let seen = read(tap(EVENTS, &[ONE, TWO, DONE], true, &guard)).await;
    let error = seen.strip_prefix(ONE).expect("the first event passes");
    assert!(
        error.starts_with("data: {\"error\":{\"message\":\"spent\""),
        "{error}"
    );
    assert!(!error.contains("DONE") && error.ends_with("\n\n"));
    let notes = guard.notes();
    assert_eq!(notes.chunks, 1, "what was held back did not pass");
    assert_eq!(notes.ends, [(Outcome::CutByBudget, 1)]);
}

#[tokio::test(start_paused = true)]
async fn events_that_come_together_are_let_through_one_by_one() {
    for ends in ["\n\n", "\r\n\r\n", "\r\r"] {
        let events = [ONE, TWO, ONE, TWO].concat().replace("\n\n", ends);
        let events: &'static str = events.leak();
        let guard = Guard::default();
        guard.notes().allowance = Some(3);
        let seen = read(tap(EVENTS, &[events], false, &guard)).await;
        let passed = seen.split("data: {\"error\"").next().unwrap();
        let expected = [ONE, TWO, ONE].concat().replace("\n\n", ends);
        assert_eq!(passed, expected, "{ends:?}");
        assert_eq!(guard.notes().ends, [(Outcome::CutByBudget, 3)]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_waits_for_leave_and_then_goes_on() {
    let guard = Guard::default();
    guard.notes().is_undecided = true;
    let reading = tokio::spawn(read(tap(EVENTS, &[ONE, TWO, DONE], true, &guard)));
    while guard.notes().waits.is_none() {
        tokio::task::yield_now().await;
    }
    assert!(guard.notes().ends.is_empty() && guard.notes().chunks == 0);
    let waker = {
        let mut notes = guard.notes();
        notes.is_undecided = false;
        notes.waits.take().unwrap()
    };
    waker.wake();
    assert_eq!(reading.await.unwrap(), [ONE, TWO, DONE].concat());
    assert_eq!(guard.notes().ends, [(Outcome::Completed, 2)]);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_never_gets_leave_ends_at_its_deadline() {
    let guard = Guard::default();
    guard.notes().is_undecided = true;
    let seen = read(tap(EVENTS, &[ONE], false, &guard)).await;
    assert!(seen.starts_with("data: {\"error\""), "{seen}");
    assert_eq!(guard.notes().ends, [(Outcome::TimedOut, 0)]);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_waits_for_leave_is_kept_open_by_comments() {
    let guard = Guard::default();
    guard.notes().is_undecided = true;
    let mut tap = tap(EVENTS, &[ONE], false, &guard);
    tap.pace = beating();
    let seen = read(tap).await;
    let error = seen.strip_prefix(": ping\n: ping\n: ping\n");
    assert!(
        error.expect(&seen).starts_with("data: {\"error\""),
        "{seen}"
    );
    assert_eq!(guard.notes().ends, [(Outcome::TimedOut, 0)]);
}

#[tokio::test(start_paused = true)]
async fn nothing_of_weir_s_own_stands_inside_an_event() {
    // Too long to be held as a whole: it goes on in pieces, and the last of them may not.
    let begun: &'static str = format!("data: {}", "x".repeat(1 << 20)).leak();
    for (is_undecided, outcome) in [(false, Outcome::CutByBudget), (true, Outcome::TimedOut)] {
        let guard = Guard::default();
        guard.notes().allowance = Some(1);
        let mut tap = tap(EVENTS, &[begun, "x\n\n"], false, &guard);
        tap.pace = beating();
        let piece = tap.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(piece, begun);
        guard.notes().is_undecided = is_undecided;
        assert!(tap.frame().await.unwrap().is_err(), "the body breaks off");
        assert!(tap.frame().await.is_none());
        assert_eq!(guard.notes().ends, [(outcome, 0)]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_while_a_piece_is_held_back_never_had_it() {
    let guard = Guard::default();
    guard.notes().is_undecided = true;
    let reading = tokio::spawn(read(tap(EVENTS, &[ONE], false, &guard)));
    while guard.notes().waits.is_none() {
        tokio::task::yield_now().await;
    }
    reading.abort();
    assert!(reading.await.unwrap_err().is_cancelled());
    assert_eq!(guard.notes().ends, [(Outcome::ClientGone, 0)]);
}

#[tokio::test(start_paused = true)]
async fn a_document_is_not_cut() {
    let guard = Guard::default();
    guard.notes().allowance = Some(0);
    let seen = read(tap(Content::Document, &["{\"a\":", "1}"], true, &guard)).await;
    assert_eq!(seen, "{\"a\":1}");
    assert_eq!(guard.notes().ends, [(Outcome::Completed, 2)]);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_read_by_another_task_is_cut_there() {
    let guard = Guard::default();
    let mut tap = tap(EVENTS, &[ONE], false, &guard);
    let cut = tap.cut.clone();
    let mut elsewhere = Context::from_waker(Waker::noop());
    assert!(Pin::new(&mut tap).poll_frame(&mut elsewhere).is_ready());
    assert!(Pin::new(&mut tap).poll_frame(&mut elsewhere).is_pending());
    let reading = tokio::spawn(read(tap));
    tokio::task::yield_now().await;
    cut.raise();
    reading.await.unwrap();
    assert_eq!(guard.notes().ends, [(Outcome::Interrupted, 1)]);
}

#[tokio::test]
async fn an_upstream_is_let_go_before_the_client_has_read_how_its_answer_ended() {
    let guard = Guard::default();
    guard.notes().allowance = Some(0);
    let mut tap = tap(EVENTS, &[ONE], false, &guard);
    assert!(tap.frame().await.is_some());
    assert!(tap.source.is_none());
    assert!(tap.frame().await.is_none());
}

/// What passes of the pieces of a stream that then falls silent, and what its watch is told.
fn passed(pieces: &[&'static str], guard: &Guard) -> String {
    let mut tap = tap(EVENTS, pieces, false, guard);
    let mut context = Context::from_waker(Waker::noop());
    let mut passed = Vec::new();
    while let Poll::Ready(Some(frame)) = Pin::new(&mut tap).poll_frame(&mut context) {
        passed.extend_from_slice(&frame.unwrap().into_data().unwrap());
    }
    String::from_utf8(passed).unwrap()
}

#[tokio::test(start_paused = true)]
async fn the_text_of_an_event_is_told_once_the_event_is_complete() {
    for ends in ["\n\n", "\r\n\r\n", "\r\r", "\n\r\n", "\r\n\n"] {
        let events = [ONE, TWO, ONE].concat().replace("\n\n", ends);
        let events: &'static str = events.leak();
        for (first, second) in (0..events.len()).map(|cut| events.split_at(cut)) {
            for is_free in [false, true] {
                let guard = Guard::default();
                guard.notes().is_free = is_free;
                let bytes: Vec<_> = first.split_inclusive(|_| true).collect();
                for pieces in [&[first][..], &[first, second], &bytes] {
                    guard.notes().text.clear();
                    let passed = passed(pieces, &guard);
                    let texts = passed.split("\"content\":\"").skip(1);
                    let texts: String = texts.map(|text| &text[..1]).collect();
                    assert_eq!(guard.notes().text, texts, "{passed:?} of {pieces:?}");
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_learns_of_the_end_once_it_is_written_down() {
    let document = "{\"choices\":[]}";
    for (content, pieces) in [
        (EVENTS, &[ONE, DONE][..]),
        (Content::Document, &[document]),
        (EVENTS, &[ONE]),
    ] {
        let guard = Guard::default();
        guard.notes().is_unsettled = true;
        let reading = tokio::spawn(read(tap(content, pieces, true, &guard)));
        while guard.notes().waits.is_none() {
            tokio::task::yield_now().await;
        }
        // Neither the upstream's silence nor anything else is held against it.
        tokio::time::advance(Duration::from_secs(6000)).await;
        tokio::task::yield_now().await;
        assert!(!reading.is_finished());
        let outcome = match pieces {
            [ONE] => Outcome::UpstreamFailed,
            _ => Outcome::Completed,
        };
        assert_eq!(guard.notes().ends, [(outcome, 1)]);
        let waker = {
            let mut notes = guard.notes();
            notes.is_unsettled = false;
            notes.waits.take().unwrap()
        };
        waker.wake();
        let whole = reading.await.unwrap();
        assert!(whole.starts_with(&pieces.concat()), "{whole}");
    }
}
