//! An answer's body as a sequence of steps, each made when it is asked for.

use super::{
    manner::{Cut, Manner},
    refusal::Refusal,
    speech::Speech,
};
use bytes::Bytes;
use std::time::Duration;

/// What happens next to the body of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// These bytes go out, `after` the step before.
    Send {
        /// How long to wait first.
        after: Duration,
        /// One event of a stream, or (part of) a whole body.
        bytes: Bytes,
    },
    /// Nothing happens any more, and the connection stays open.
    Stall,
    /// The connection is reset.
    Die,
    /// The body is complete.
    End,
}

/// The body of an answer, played step by step.
#[derive(Debug)]
pub struct Play {
    kind: Kind,
    size: Option<u64>,
}

#[derive(Debug)]
enum Kind {
    /// A body in one piece, then how it breaks off, if it does.
    Whole(Bytes, Option<Cut>),
    Stream(Box<Stream>),
    Over(Option<Cut>),
}

impl Play {
    /// A body in one piece. What dies midway has sent half of it; what stalls has sent nothing.
    pub(super) fn whole(body: Vec<u8>, manner: Manner) -> Self {
        let mut body = Bytes::from(body);
        let size = body.len() as u64;
        let cut = match manner {
            Manner::DieMidstream => Some(Cut::Die),
            Manner::Stall => Some(Cut::Stall),
            _ => None,
        };
        match cut {
            Some(Cut::Die) => body.truncate(body.len() / 2),
            Some(_) => body.clear(),
            None => {}
        }
        Self {
            kind: Kind::Whole(body, cut),
            size: Some(size),
        }
    }

    /// A stream of events, with or without a report of usage.
    pub(super) fn stream(speech: Speech, manner: Manner, per_token: Duration, usage: bool) -> Self {
        let stream = Stream {
            cut: manner.cut(speech.tokens()),
            speech,
            phase: Phase::Open(0),
            turn: Turn {
                per_token,
                choice: 0,
                waited: false,
            },
            said: 0,
            usage,
        };
        Self {
            kind: Kind::Stream(Box::new(stream)),
            size: None,
        }
    }

    /// What `content-length` promises; a body that breaks off does not keep it.
    pub fn size(&self) -> Option<u64> {
        self.size
    }

    /// The next step. Once the play is over, every further one is the same.
    #[expect(
        clippy::should_implement_trait,
        reason = "a play has no end at which an iterator could stop"
    )]
    pub fn next(&mut self) -> Step {
        match &mut self.kind {
            Kind::Stream(stream) => {
                if let Some(step) = stream.next() {
                    return step;
                }
                self.kind = Kind::Over(stream.cut.map(|(_, cut)| cut));
            }
            Kind::Whole(body, cut) => {
                let (bytes, cut) = (std::mem::take(body), *cut);
                self.kind = Kind::Over(cut);
                if !bytes.is_empty() {
                    return now(bytes);
                }
            }
            Kind::Over(_) => {}
        }
        match self.kind {
            Kind::Over(Some(Cut::Die)) => Step::Die,
            Kind::Over(Some(Cut::Stall)) => Step::Stall,
            _ => Step::End,
        }
    }
}

#[derive(Debug)]
struct Stream {
    speech: Speech,
    phase: Phase,
    turn: Turn,
    /// After how many tokens it breaks off, and how.
    cut: Option<(u64, Cut)>,
    /// Tokens so far.
    said: u64,
    usage: bool,
}

/// Where a stream is; the number is the choice whose event is next.
#[derive(Clone, Copy, Debug)]
enum Phase {
    Open(usize),
    Speak,
    Close(usize),
    Usage,
    Done,
    Over,
}

/// Whose token is next. The choices speak at once: a round of them takes as long as one token.
#[derive(Debug)]
struct Turn {
    per_token: Duration,
    choice: usize,
    waited: bool,
}

impl Stream {
    /// The next event, until there is no more.
    fn next(&mut self) -> Option<Step> {
        loop {
            let (phase, step) = match self.phase {
                Phase::Open(choice) if choice < self.speech.choices() => {
                    let event = self.speech.open(choice, self.usage);
                    (Phase::Open(choice + 1), event.map(now))
                }
                Phase::Open(_) => (Phase::Speak, None),
                Phase::Speak if self.is_cut() => (Phase::Over, self.last_words()),
                Phase::Speak if self.said == self.speech.tokens() => (Phase::Close(0), None),
                Phase::Speak => (Phase::Speak, self.speak()),
                Phase::Close(choice) if choice < self.speech.choices() => (
                    Phase::Close(choice + 1),
                    Some(now(self.speech.close(choice, self.usage))),
                ),
                Phase::Close(_) => (Phase::Usage, None),
                Phase::Usage => (
                    Phase::Done,
                    self.usage.then(|| now(self.speech.usage_event())),
                ),
                Phase::Done => (
                    Phase::Over,
                    Some(now(Bytes::from_static(b"data: [DONE]\n\n"))),
                ),
                Phase::Over => return None,
            };
            self.phase = phase;
            if step.is_some() {
                return step;
            }
        }
    }

    fn is_cut(&self) -> bool {
        self.cut.is_some_and(|(at, _)| self.said == at)
    }

    fn last_words(&self) -> Option<Step> {
        let (_, cut) = self.cut?;
        let event = [
            b"data: ",
            Refusal::server_error().body().as_slice(),
            b"\n\n",
        ]
        .concat();
        (cut == Cut::Error).then(|| now(event.into()))
    }

    /// The token of the choice whose turn it is, if it has one left.
    fn speak(&mut self) -> Option<Step> {
        let bytes = self.speech.token(self.turn.choice, self.usage);
        let after = if self.turn.waited {
            Duration::ZERO
        } else {
            self.turn.per_token
        };
        self.turn.waited |= bytes.is_some();
        self.turn.choice += 1;
        if self.turn.choice == self.speech.choices() {
            self.turn = Turn {
                choice: 0,
                waited: false,
                ..self.turn
            };
        }
        let bytes = bytes?;
        self.said += 1;
        Some(Step::Send { after, bytes })
    }
}

fn now(bytes: Bytes) -> Step {
    Step::Send {
        after: Duration::ZERO,
        bytes,
    }
}
