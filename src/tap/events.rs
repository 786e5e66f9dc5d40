//! A stream of events on its way through: whole events go on, a piece of one waits for its rest.

use crate::wire::answer::{Event, EventReader, Hear, Seen};
use bytes::{Bytes, BytesMut};
use std::{cell::Cell, collections::VecDeque, ops::Range};

/// An event that grows beyond this goes on in pieces, as it comes: memory a stream is bounded.
const HELD_MAX_BYTES: usize = 1 << 20;

/// What came of a piece that was taken in.
pub(super) struct Fed {
    /// Pieces with content that it made ready.
    pub(super) content: u64,
    /// If an event has ended in it: how many of the texts in it go on with such. No text of an earlier piece stays.
    pub(super) texts: Option<usize>,
}

pub(super) struct Events {
    reader: EventReader,
    hide_usage: bool,
    says_its_end: bool,
    /// The beginning of an event that is not complete.
    held: BytesMut,
    /// Pieces of the event in progress have gone on already.
    open: bool,
    /// The event before was dropped; an LF that still belongs to it goes too.
    dropped_last: bool,
}

impl Events {
    pub(super) fn new(hide_usage: bool, says_its_end: bool) -> Self {
        Self {
            reader: EventReader::default(),
            hide_usage,
            says_its_end,
            held: BytesMut::new(),
            open: false,
            dropped_last: false,
        }
    }

    /// Has the texts of the answer told from now on.
    pub(super) fn listen(&mut self) {
        self.reader.listen();
    }

    pub(super) fn seen(&self) -> &Seen {
        self.reader.seen()
    }

    /// Whether the stream may end here without that being a lie.
    pub(super) fn is_complete(&self) -> bool {
        !self.says_its_end || self.seen().ended || self.seen().error
    }

    /// Whether the stream has said its last word, `[DONE]`.
    pub(super) fn is_done(&self) -> bool {
        self.seen().done
    }

    /// Whether what follows can add nothing: `[DONE]` was said, or an answer that has no such word has told its usage.
    pub(super) fn has_said_all(&self) -> bool {
        let seen = self.seen();
        seen.done || !self.says_its_end && seen.ended && seen.usage.is_some()
    }

    /// Whether the client's reader is between two events, so that something of Weir's own may stand here. Behind
    /// `[DONE]` nothing may.
    pub(super) fn can_interject(&self) -> bool {
        !self.open && !self.is_done()
    }

    /// Something of Weir's own goes to the client. An LF that would belong to the CR before it is not needed any more.
    pub(super) fn interject(&mut self) {
        self.dropped_last |= self.lies_between();
    }

    /// Whether an event has just ended in a CR, and nothing of the next has been seen.
    pub(super) fn lies_between(&self) -> bool {
        self.reader.awaits_lf() && self.held.is_empty() && !self.open
    }

    /// Whether the client's reader is between two events, so that Weir may add the last one.
    pub(super) fn can_end(&self) -> bool {
        !self.open
    }

    /// Takes in what the upstream sent.
    pub(super) fn feed(
        &mut self,
        piece: Bytes,
        ready: &mut VecDeque<Bytes>,
        hear: &mut Hear<'_>,
    ) -> Fed {
        let mut piece = piece;
        if self.lies_between() && piece.first() == Some(&b'\n') {
            // It belongs to the event before, and shares its fate.
            let line_feed = piece.split_to(1);
            self.read(&line_feed, hear);
            if !self.dropped_last {
                ready.push_back(line_feed);
            }
        }
        let read = self.read(&piece, hear);
        self.pass(piece, &read, ready);
        Fed {
            content: read.content,
            texts: match self.open {
                true => Some(read.heard), // the event goes on in pieces, and its texts with them
                false => read.end.map(|_| read.texts),
            },
        }
    }

    /// The upstream's stream is over; what is held is the last event, though no blank line ends it.
    pub(super) fn finish(&mut self, ready: &mut VecDeque<Bytes>) -> u64 {
        let mut read = Read {
            start: self.reader.position() - self.held.len(),
            ..Read::default()
        };
        let hide = self.hide_usage && !self.open;
        self.reader
            .finish(|end, event| read.event(end, &event, hide));
        // Half an event at the end of a stream that broke off is no event.
        if self.is_complete() {
            let rest = without(self.held.split().freeze(), read.start, &read.cuts);
            if !rest.is_empty() {
                ready.push_back(rest);
            }
        }
        read.content
    }

    fn read(&mut self, piece: &[u8], hear: &mut Hear<'_>) -> Read {
        let mut read = Read {
            start: self.reader.position() - self.held.len(),
            ..Read::default()
        };
        let (hide_usage, mut open) = (self.hide_usage, self.open);
        let heard = Cell::new(0);
        let mut hear = |choice, part, text: &str| {
            heard.set(heard.get() + 1);
            hear(choice, part, text);
        };
        self.reader.feed(piece, &mut hear, |end, event| {
            read.event(end, &event, hide_usage && !open);
            read.texts = heard.get();
            open = false;
        });
        read.heard = heard.get();
        read
    }

    fn pass(&mut self, mut piece: Bytes, read: &Read, ready: &mut VecDeque<Bytes>) {
        let Some(end) = read.end else {
            self.hold(piece, ready);
            return;
        };
        self.open = false;
        self.dropped_last = self.hide_usage && read.last_only_usage;
        let base = read.start;
        let rest_len = self.reader.position() - end;
        let rest = piece.split_off(piece.len() - rest_len);
        let whole = if self.held.is_empty() {
            piece
        } else {
            self.held.extend_from_slice(&piece);
            self.held.split().freeze()
        };
        let whole = without(whole, base, &read.cuts);
        if !whole.is_empty() {
            ready.push_back(whole);
        }
        self.hold(rest, ready);
    }

    fn hold(&mut self, piece: Bytes, ready: &mut VecDeque<Bytes>) {
        if piece.is_empty() {
            return;
        }
        if !self.open && self.held.len() + piece.len() <= HELD_MAX_BYTES {
            self.held.extend_from_slice(&piece);
            return;
        }
        if !self.held.is_empty() {
            ready.push_back(self.held.split().freeze());
        }
        ready.push_back(piece);
        self.open = true;
    }
}

/// What one piece of the stream held. Places are bytes of the stream.
#[derive(Default)]
struct Read {
    /// Where the event in progress before this piece began.
    start: usize,
    /// The end of the last event that is complete.
    end: Option<usize>,
    /// What the client is not to see.
    cuts: Vec<Range<usize>>,
    content: u64,
    /// Texts in it, and those among them that are of complete events.
    heard: usize,
    texts: usize,
    last_only_usage: bool,
}

impl Read {
    fn event(&mut self, end: usize, event: &Event, hide_usage: bool) {
        let start = self.end.unwrap_or(self.start);
        self.end = Some(end);
        self.content += u64::from(event.content);
        self.last_only_usage = event.only_usage;
        if hide_usage {
            if event.only_usage {
                self.cuts.push(start..end);
            } else if let Some(cut) = &event.null_usage {
                self.cuts.push(cut.clone());
            }
        }
    }
}

/// `bytes`, which begin at `base` in the stream, without the cuts. Nothing is copied if nothing is cut.
fn without(bytes: Bytes, base: usize, cuts: &[Range<usize>]) -> Bytes {
    if cuts.is_empty() {
        return bytes;
    }
    // To the byte, so that it becomes `Bytes` as it is.
    let mut left = Vec::with_capacity(bytes.len() - cuts.iter().map(Range::len).sum::<usize>());
    let mut from = 0;
    for cut in cuts {
        left.extend_from_slice(&bytes[from..cut.start - base]);
        from = cut.end - base;
    }
    left.extend_from_slice(&bytes[from..]);
    left.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passed(ready: VecDeque<Bytes>) -> Vec<u8> {
        Vec::from(ready).concat()
    }

    #[test]
    fn behind_a_bare_cr_something_may_stand_and_a_line_feed_that_follows_goes() {
        for rest in ["\ndata: 2\r\r", "data: 2\r\r"] {
            let (mut events, mut ready) = (Events::new(false, false), VecDeque::new());
            events.feed("data: 1\r\r".into(), &mut ready, &mut |_, _, _| {});
            assert!(events.can_interject());
            events.interject();
            ready.push_back(": ping\n".into());
            events.feed(rest.into(), &mut ready, &mut |_, _, _| {});
            assert_eq!(passed(ready), b"data: 1\r\r: ping\ndata: 2\r\r");
        }
    }

    #[test]
    fn behind_the_last_word_nothing_may_stand() {
        let (mut events, mut ready) = (Events::new(false, true), VecDeque::new());
        assert!(events.can_interject());
        events.feed("data: [DONE]\n\n".into(), &mut ready, &mut |_, _, _| {});
        assert!(!events.can_interject());
    }

    #[test]
    fn a_line_feed_shares_the_fate_of_its_event() {
        let event = "data: {\"choices\":[{}]}\r\n\r\n";
        let usage = "data: {\"choices\":[],\"usage\":{}}\r\n\r\n";
        let done = "data: [DONE]\r\n\r\n";
        let stream = Bytes::from([event, usage, done].concat());
        for cut in 0..stream.len() {
            let (mut events, mut ready) = (Events::new(true, false), VecDeque::new());
            for piece in [stream.slice(..cut), stream.slice(cut..)] {
                events.feed(piece, &mut ready, &mut |_, _, _| {});
            }
            events.finish(&mut ready);
            let expected = [event, done].concat();
            assert_eq!(passed(ready), expected.as_bytes(), "cut at {cut}");
        }
    }
}
