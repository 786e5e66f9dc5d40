//! What happens to calls, told to whoever asked to hear it.
//!
//! Telling never waits: a subscriber that is too slow loses events, which are counted, and no stream is the slower.

use crate::{
    domain::{Endpoint, KeyId, Outcome, RequestId},
    telemetry::metrics,
};
use arc_swap::ArcSwap;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::SystemTime,
};
use tokio::sync::mpsc;

/// Something that happened to a call.
#[derive(Clone, Debug)]
pub struct Event {
    /// When.
    pub at: SystemTime,
    /// To which call; none: to no single one.
    pub call: Option<Arc<CallInfo>>,
    /// What.
    pub what: What,
}

/// The call that an event is about.
#[derive(Clone, Debug)]
pub struct CallInfo {
    /// Its id.
    pub request: RequestId,
    /// Whose it is.
    pub key: KeyId,
    /// What it asks.
    pub endpoint: Endpoint,
    /// The model it asks for.
    pub model: Arc<str>,
    /// Whether its answer is a stream.
    pub stream: bool,
}

/// What happened.
#[derive(Clone, Debug)]
pub enum What {
    /// `request.started`: it was admitted.
    RequestStarted,
    /// `attempt.retried`: an upstream failed and another try is made.
    AttemptRetried {
        /// The upstream that failed.
        upstream: Arc<str>,
        /// Why.
        reason: &'static str,
    },
    /// `stream.started`: the upstream began to answer.
    StreamStarted {
        /// Who answers.
        upstream: Arc<str>,
    },
    /// `stream.chunk`: a piece of the answer passed.
    StreamChunk {
        /// Pieces so far.
        chunks: u64,
    },
    /// `stream.completed`: the stream is over.
    StreamCompleted(End),
    /// `request.completed`: the call ended as it should.
    RequestCompleted(End),
    /// `request.failed`: it did not.
    RequestFailed(End),
    /// `alert.fired`: as much was spent in a month as a spend alert waits for.
    AlertFired(AlertFired),
}

/// A spend alert that went off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertFired {
    /// The alert.
    pub id: Arc<str>,
    /// Whose spending it watches; none: the organization's.
    pub project: Option<Arc<str>>,
    /// Where it was set, in cents a month.
    pub threshold: u64,
    /// What was spent by then, in nano-dollars.
    pub spent: u64,
    /// When the month began, in milliseconds since 1970.
    pub period: u64,
}

/// How a call ended.
#[derive(Clone, Copy, Debug)]
pub struct End {
    /// In a word.
    pub outcome: Outcome,
    /// The status that the client got.
    pub status: u16,
    /// Pieces of the answer.
    pub chunks: u64,
    /// Bytes of the answer.
    pub bytes: u64,
    /// Tokens of the prompt, if the upstream said.
    pub input: Option<u64>,
    /// Tokens of the answer, if the upstream said.
    pub output: Option<u64>,
}

/// The kinds of event, as subscribers name them.
pub const KINDS: [&str; 8] = [
    "request.started",
    "attempt.retried",
    "stream.started",
    "stream.chunk",
    "stream.completed",
    "request.completed",
    "request.failed",
    "alert.fired",
];

impl What {
    /// Its name.
    pub fn kind(&self) -> &'static str {
        KINDS[self.index()]
    }

    fn index(&self) -> usize {
        match self {
            Self::RequestStarted => 0,
            Self::AttemptRetried { .. } => 1,
            Self::StreamStarted { .. } => 2,
            Self::StreamChunk { .. } => 3,
            Self::StreamCompleted(_) => 4,
            Self::RequestCompleted(_) => 5,
            Self::RequestFailed(_) => 6,
            Self::AlertFired(_) => 7,
        }
    }
}

/// A set of kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kinds(u32);

impl Kinds {
    /// Every kind.
    pub const ALL: Self = Self((1 << KINDS.len()) - 1);

    /// The kinds named in a list with commas; `stream.*` names a family.
    pub fn parse(list: &str) -> Result<Self, String> {
        let mut set = 0;
        for name in list
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty())
        {
            let covers = |kind: &str| match name.strip_suffix('*') {
                Some(family) => kind.starts_with(family),
                None => kind == name,
            };
            let named = (0..KINDS.len())
                .filter(|&i| covers(KINDS[i]))
                .fold(0, |set, i| set | 1 << i);
            if named == 0 {
                return Err(name.to_owned());
            }
            set |= named;
        }
        Ok(Self(set))
    }
}

/// Where events are told.
#[derive(Default)]
pub struct Bus {
    /// The kinds that anybody wants, so that the others cost one load.
    wanted: AtomicU32,
    subscribers: ArcSwap<Vec<Subscriber>>,
}

#[derive(Clone)]
struct Subscriber {
    kinds: Kinds,
    sender: mpsc::Sender<Arc<Event>>,
}

impl Bus {
    /// Hears events of these kinds from now on; `waiting_max` of them may wait to be read.
    pub fn subscribe(&self, kinds: Kinds, waiting_max: usize) -> mpsc::Receiver<Arc<Event>> {
        let (sender, receiver) = mpsc::channel(waiting_max);
        self.update(|all| {
            all.push(Subscriber {
                kinds,
                sender: sender.clone(),
            })
        });
        receiver
    }

    /// Tells what happened to a call. Never waits.
    pub fn publish(&self, call: &Arc<CallInfo>, what: What) {
        self.tell(Some(call), what);
    }

    /// Tells of an alert. Never waits.
    pub fn publish_alert(&self, alert: AlertFired) {
        self.tell(None, What::AlertFired(alert));
    }

    fn tell(&self, call: Option<&Arc<CallInfo>>, what: What) {
        let kind = 1 << what.index();
        if self.wanted.load(Ordering::Relaxed) & kind == 0 {
            return;
        }
        let event = Arc::new(Event {
            at: SystemTime::now(),
            call: call.cloned(),
            what,
        });
        let mut somebody_left = false;
        for subscriber in self
            .subscribers
            .load()
            .iter()
            .filter(|s| s.kinds.0 & kind != 0)
        {
            match subscriber.sender.try_send(Arc::clone(&event)) {
                Ok(()) => {}
                Err(mpsc::error::TrySendError::Full(_)) => metrics::event_dropped(),
                Err(mpsc::error::TrySendError::Closed(_)) => somebody_left = true,
            }
        }
        if somebody_left {
            self.update(|all| all.retain(|subscriber| !subscriber.sender.is_closed()));
        }
    }

    fn update(&self, change: impl Fn(&mut Vec<Subscriber>)) {
        self.subscribers.rcu(|all| {
            let mut all = Vec::clone(all);
            change(&mut all);
            all
        });
        let wanted = self
            .subscribers
            .load()
            .iter()
            .fold(0, |set, subscriber| set | subscriber.kinds.0);
        self.wanted.store(wanted, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call() -> Arc<CallInfo> {
        let key = KeyId::parse(b"0123456789abcdef").unwrap();
        let request = RequestId::new(1, 1);
        Arc::new(CallInfo {
            request,
            key,
            endpoint: Endpoint::Chat,
            model: "m".into(),
            stream: true,
        })
    }

    #[test]
    fn a_subscriber_hears_its_kinds_and_no_others() {
        let bus = Bus::default();
        let mut heard = bus.subscribe(Kinds::parse("stream.*").unwrap(), 4);
        bus.publish(&call(), What::RequestStarted);
        bus.publish(&call(), What::StreamChunk { chunks: 1 });
        assert_eq!(heard.try_recv().unwrap().what.kind(), "stream.chunk");
        assert!(heard.try_recv().is_err());
    }

    #[test]
    fn a_slow_subscriber_loses_events_and_holds_up_nobody() {
        let bus = Bus::default();
        let mut slow = bus.subscribe(Kinds::ALL, 1);
        let mut quick = bus.subscribe(Kinds::ALL, 8);
        (0..5).for_each(|_| bus.publish(&call(), What::RequestStarted));
        assert_eq!(std::iter::from_fn(|| slow.try_recv().ok()).count(), 1);
        assert_eq!(std::iter::from_fn(|| quick.try_recv().ok()).count(), 5);
    }

    #[test]
    fn one_who_left_is_forgotten() {
        let bus = Bus::default();
        drop(bus.subscribe(Kinds::ALL, 1));
        bus.publish(&call(), What::RequestStarted);
        assert!(bus.subscribers.load().is_empty());
        assert_eq!(bus.wanted.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn an_unknown_kind_is_named() {
        assert_eq!(Kinds::parse("stream.chunk, nope"), Err("nope".to_owned()));
    }
}
