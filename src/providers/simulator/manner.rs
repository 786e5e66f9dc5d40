//! How a model behaves, by its name: the plain simulator, or one of the faults that users rehearse.

use super::{Pace, refusal::Refusal};
use std::time::Duration;

/// What follows `simulator/` in a model's name, and what that model does. `simulator` itself just answers.
pub const MODELS: &[(&str, &str)] = &[
    ("fast", "answers without any delay"),
    ("slow", "two tokens a second"),
    ("slow-start", "the first byte comes after three seconds"),
    ("long", "about 2,000 tokens"),
    ("die-midstream", "the connection breaks halfway"),
    ("stall", "falls silent halfway and stays connected"),
    ("error-event", "a stream ends halfway with an error event"),
    (
        "no-done",
        "a stream ends with neither a finish reason nor [DONE]",
    ),
    ("no-usage", "never reports usage, also when asked"),
    ("401", "refuses the credential"),
    ("429", "refuses: rate limit reached, retry after a second"),
    ("500", "fails with a server error"),
    ("503", "is overloaded"),
];

const NATURAL_TOKENS: u64 = 40; // a short paragraph
const LONG_TOKENS: u64 = 2_000;
const WHOLE_WAIT_MAX: Duration = Duration::from_secs(2); // nobody watches an answer that comes in one piece
const SLOW_WAIT_MAX: Duration = Duration::from_secs(30);
const LATE_START: Duration = Duration::from_secs(3);

/// One way to behave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    Plain,
    Fast,
    Slow,
    SlowStart,
    Long,
    DieMidstream,
    Stall,
    ErrorEvent,
    NoDone,
    NoUsage,
    BadCredential,
    RateLimited,
    ServerError,
    Overloaded,
}

/// When the parts of an answer are due.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tempo {
    /// Before the head.
    pub(super) start: Duration,
    /// Before each token of a stream.
    pub(super) per_token: Duration,
    /// The most that an answer in one piece waits for all its tokens.
    pub(super) whole_max: Duration,
}

/// How an answer breaks off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// The connection is reset.
    Die,
    /// Nothing comes any more.
    Stall,
    /// An error event, then the end of the stream.
    Error,
    /// The end of the stream, as if nothing were missing.
    End,
}

impl Manner {
    /// The manner of `model`; a name that is not the simulator's own (a target may map any name here) is plain.
    pub(super) fn of(model: &str) -> Option<Self> {
        let Some(suffix) = model.strip_prefix("simulator/") else {
            return Some(Self::Plain);
        };
        Some(match suffix {
            "fast" => Self::Fast,
            "slow" => Self::Slow,
            "slow-start" => Self::SlowStart,
            "long" => Self::Long,
            "die-midstream" => Self::DieMidstream,
            "stall" => Self::Stall,
            "error-event" => Self::ErrorEvent,
            "no-done" => Self::NoDone,
            "no-usage" => Self::NoUsage,
            "401" => Self::BadCredential,
            "429" => Self::RateLimited,
            "500" => Self::ServerError,
            "503" => Self::Overloaded,
            _ => return None,
        })
    }

    /// The error that it answers to everything.
    pub(super) fn refusal(self) -> Option<Refusal> {
        match self {
            Self::BadCredential => Some(Refusal::bad_credential()),
            Self::RateLimited => Some(Refusal::rate_limited()),
            Self::ServerError => Some(Refusal::server_error()),
            Self::Overloaded => Some(Refusal::overloaded()),
            _ => None,
        }
    }

    /// How fast it is where the operator set `pace`.
    pub(super) fn tempo(self, pace: Pace) -> Tempo {
        let plain = Tempo {
            start: Duration::ZERO,
            per_token: pace.per_token(),
            whole_max: WHOLE_WAIT_MAX,
        };
        match self {
            Self::Fast => Tempo {
                per_token: Duration::ZERO,
                ..plain
            },
            Self::Slow => Tempo {
                per_token: Duration::from_millis(500),
                whole_max: SLOW_WAIT_MAX,
                ..plain
            },
            Self::SlowStart => Tempo {
                start: LATE_START,
                ..plain
            },
            _ => plain,
        }
    }

    /// How many tokens a text has at least, when the request does not say less.
    pub(super) fn natural_tokens(self) -> u64 {
        if self == Self::Long {
            LONG_TOKENS
        } else {
            NATURAL_TOKENS
        }
    }

    /// Whether it reports usage.
    pub(super) fn reports_usage(self) -> bool {
        self != Self::NoUsage
    }

    /// How a stream of `tokens` breaks off, and after how many of them.
    pub(super) fn cut(self, tokens: u64) -> Option<(u64, Cut)> {
        match self {
            Self::DieMidstream => Some((tokens / 2, Cut::Die)),
            Self::Stall => Some((tokens / 2, Cut::Stall)),
            Self::ErrorEvent => Some((tokens / 2, Cut::Error)),
            Self::NoDone => Some((tokens, Cut::End)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_model_behaves_in_a_way_of_its_own() {
        let manners: Vec<_> = MODELS
            .iter()
            .map(|(suffix, _)| Manner::of(&format!("simulator/{suffix}")).expect(suffix))
            .collect();
        for (i, manner) in manners.iter().enumerate() {
            assert_ne!(*manner, Manner::Plain);
            assert!(!manners[..i].contains(manner), "{manner:?} is listed twice");
        }
    }

    #[test]
    fn a_mapped_name_is_plain_and_an_unknown_fault_is_nothing() {
        assert_eq!(Manner::of("simulator"), Some(Manner::Plain));
        assert_eq!(Manner::of("gpt-4o/stall"), Some(Manner::Plain));
        assert_eq!(Manner::of("simulator/"), None);
        assert_eq!(Manner::of("simulator/418"), None);
    }
}
