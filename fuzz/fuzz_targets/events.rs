//! Any bytes of any upstream, cut anywhere: a stream reads the same, and its client gets what it should.

#![no_main]

use bytes::Bytes;
use http_body::{Body, Frame};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use std::{
    collections::{BTreeMap, VecDeque},
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll, Waker},
    time::Duration,
};
use tokio::time::Instant;
use weir::{
    tap::{Content, Manner, Report, Tap, Watch},
    tasks::Signal,
    wire::{
        answer::{EventReader, Part},
        error::ErrorBody,
    },
};

fuzz_target!(|input: &[u8]| {
    let Some((_, text, pieces)) = weir_fuzz::layout(input) else {
        return;
    };
    assert_eq!(read(&pieces), read(&[text]), "reading depends on the cuts");
    assert_eq!(tap(&pieces, false), text, "what passes is not what came");
    let hidden = tap(&pieces, true);
    assert_eq!(hidden, tap(&[text], true), "hiding depends on the cuts");
    if let (Some(events), Some(left)) = (documents(text), documents(&hidden)) {
        let expected: Vec<Value> = events.into_iter().filter_map(without_usage).collect();
        assert_eq!(left, expected, "hiding usage took too much or too little");
    }
});

/// All that a stream is found to say. Where events end is left out: an LF may come after its CR.
fn read(pieces: &[&[u8]]) -> (Vec<String>, String) {
    let mut reader = EventReader::default();
    let (mut events, mut texts) = (Vec::new(), BTreeMap::<_, String>::new());
    reader.listen();
    for piece in pieces {
        let mut hear = |choice, part, text: &str| {
            texts
                .entry((choice, format!("{part:?}")))
                .or_default()
                .push_str(text);
        };
        reader.feed(piece, &mut hear, |_, event| {
            events.push(format!("{event:?}"))
        });
    }
    reader.finish(|_, event| events.push(format!("{event:?}")));
    if reader.seen().unreadable {
        texts.clear(); // how far a broken document is told is not promised
    }
    (events, format!("{:?} {texts:?}", reader.seen()))
}

/// What a client gets of a stream that comes in these pieces.
fn tap(pieces: &[&[u8]], hide_usage: bool) -> Vec<u8> {
    let content = Content::Events {
        hide_usage,
        says_its_end: false,
    };
    let hour = Duration::from_secs(3600);
    let manner = Manner {
        content,
        idle: hour,
        deadline: Instant::now() + hour,
        heartbeat: Duration::ZERO,
    };
    let source = Pieces(
        pieces
            .iter()
            .map(|piece| Bytes::copy_from_slice(piece))
            .collect(),
    );
    let mut tap = Tap::new(source, manner, Signal::default(), Nobody);
    let mut passed = Vec::new();
    let mut context = Context::from_waker(Waker::noop());
    while let Poll::Ready(Some(frame)) = Pin::new(&mut tap).poll_frame(&mut context) {
        let frame = frame.expect("a stream that does not break off passes to its end");
        passed.extend_from_slice(frame.data_ref().expect("a stream of data only"));
    }
    assert!(
        tap.is_end_stream(),
        "a source that is always ready leaves nothing to wait for"
    );
    passed
}

/// The data of all events, if each is one JSON object or `[DONE]`, read the slow way.
fn documents(text: &[u8]) -> Option<Vec<Value>> {
    let text = std::str::from_utf8(text).ok()?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut documents = Vec::new();
    let mut data: Option<String> = None;
    for line in lines.split('\n').chain([""]) {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        if line.is_empty() {
            documents.extend(data.take());
        } else if name == "data" {
            let value = value.strip_prefix(' ').unwrap_or(value);
            data = Some(data.map_or(value.to_owned(), |old| old + "\n" + value));
        }
    }
    documents.iter().map(|data| document(data)).collect()
}

fn document(data: &str) -> Option<Value> {
    if data.trim_ascii() == "[DONE]" {
        return Some("[DONE]".into());
    }
    let value: Value = serde_json::from_str(data).ok()?;
    // Of members that are there twice serde keeps the last, and Weir cuts as many as there are names to cut.
    let is_plain = value.is_object() && !data.contains('\\');
    let once = ["\"usage\"", "\"choices\""]
        .iter()
        .all(|name| data.matches(name).count() <= 1);
    (is_plain && once).then_some(value)
}

/// What is left of an event for a client that did not ask for usage.
fn without_usage(mut event: Value) -> Option<Value> {
    let choices = event.get("choices").and_then(Value::as_array);
    let has_choices = choices.is_none_or(|all| all.iter().any(Value::is_object));
    let usage = event.get("usage");
    if !has_choices && usage.is_some_and(Value::is_object) {
        return None;
    }
    if usage.is_some_and(Value::is_null) {
        event.as_object_mut()?.remove("usage");
    }
    Some(event)
}

/// A body that is always ready.
struct Pieces(VecDeque<Bytes>);

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(|piece| Ok(Frame::data(piece))))
    }
}

struct Nobody;

impl Watch for Nobody {
    fn wants_text(&self) -> bool {
        true
    }
    fn text(&mut self, _: u32, _: Part, _: &str) {}
    fn text_passes(&mut self) {}

    fn may_hold_back(&self) -> bool {
        true
    }

    fn poll_pass(&mut self, _: u64, _: &mut Context<'_>) -> Poll<Result<(), ErrorBody>> {
        Poll::Ready(Ok(()))
    }

    fn has_enough(&self) -> bool {
        false
    }
    fn chunk(&mut self, _: u64, _: u64, _: Instant) {}
    fn end(&mut self, _: Report<'_>) {}
    fn poll_settled(&mut self, _: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }
}
