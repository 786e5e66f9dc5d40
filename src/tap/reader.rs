//! What is read of a body beside it, by what it is. Only a stream of events has places where something may stand.

use super::{
    Content,
    events::{Events, Fed},
};
use crate::wire::answer::{DocumentReader, Hear, Seen};
use bytes::Bytes;
use std::collections::VecDeque;

pub(super) enum Reader {
    Opaque(Box<Seen>),
    Document(Box<DocumentReader>),
    Events(Box<Events>),
}

impl Reader {
    pub(super) fn new(content: Content) -> Self {
        match content {
            Content::Opaque => Self::Opaque(Box::default()),
            Content::Document => Self::Document(Box::default()),
            Content::Events {
                hide_usage,
                says_its_end,
            } => Self::Events(Box::new(Events::new(hide_usage, says_its_end))),
        }
    }

    /// Has the texts of the answer told from now on.
    pub(super) fn listen(&mut self) {
        match self {
            Self::Opaque(_) => {}
            Self::Document(reader) => reader.listen(),
            Self::Events(events) => events.listen(),
        }
    }

    pub(super) fn seen(&self) -> &Seen {
        match self {
            Self::Opaque(seen) => seen,
            Self::Document(reader) => reader.seen(),
            Self::Events(events) => events.seen(),
        }
    }

    /// Takes in what has come.
    pub(super) fn feed(
        &mut self,
        data: Bytes,
        ready: &mut VecDeque<Bytes>,
        hear: &mut Hear<'_>,
    ) -> Fed {
        match self {
            Self::Opaque(_) => {}
            Self::Document(reader) => reader.feed(&data, hear),
            Self::Events(events) => return events.feed(data, ready, hear),
        }
        ready.push_back(data);
        Fed {
            content: 1,
            texts: None,
        }
    }

    /// The body is over; returns how many pieces with content are ready that waited for more.
    pub(super) fn finish(&mut self, ready: &mut VecDeque<Bytes>) -> u64 {
        match self {
            Self::Opaque(_) | Self::Document(_) => 0,
            Self::Events(events) => events.finish(ready),
        }
    }

    pub(super) fn is_stream(&self) -> bool {
        self.events().is_some()
    }

    /// As [`Events::is_complete`]; any other body is complete where it ends.
    pub(super) fn is_complete(&self) -> bool {
        self.events().is_none_or(Events::is_complete)
    }

    /// As [`Events::is_done`].
    pub(super) fn is_done(&self) -> bool {
        self.events().is_some_and(Events::is_done)
    }

    /// As [`Events::has_said_all`].
    pub(super) fn has_said_all(&self) -> bool {
        self.events().is_some_and(Events::has_said_all)
    }

    /// As [`Events::can_interject`].
    pub(super) fn can_interject(&self) -> bool {
        self.events().is_some_and(Events::can_interject)
    }

    /// As [`Events::interject`].
    pub(super) fn interject(&mut self) {
        if let Self::Events(events) = self {
            events.interject();
        }
    }

    /// As [`Events::lies_between`].
    pub(super) fn lies_between(&self) -> bool {
        self.events().is_some_and(Events::lies_between)
    }

    /// As [`Events::can_end`].
    pub(super) fn can_end(&self) -> bool {
        self.events().is_some_and(Events::can_end)
    }

    fn events(&self) -> Option<&Events> {
        match self {
            Self::Events(events) => Some(events),
            Self::Opaque(_) | Self::Document(_) => None,
        }
    }
}
