//! What a call used, and how it ended.

use super::Endpoint;

/// Token counts as a provider reports them. A part that was not reported is `None`, which is not zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens of the prompt, cached ones included.
    pub input: Option<u64>,
    /// Tokens of the answer, reasoning included.
    pub output: Option<u64>,
    /// Prompt tokens that the provider read from its cache.
    pub cached: Option<u64>,
    /// Prompt tokens that the provider wrote to its cache.
    pub cache_write: Option<u64>,
    /// Answer tokens that were spent on reasoning.
    pub reasoning: Option<u64>,
    /// Audio tokens of the prompt.
    pub audio_input: Option<u64>,
    /// Audio tokens of the answer.
    pub audio_output: Option<u64>,
}

impl Usage {
    /// Whether it says what the answer to a call of `endpoint` came to: that of an embedding comes to nothing.
    pub fn settles(&self, endpoint: Endpoint) -> bool {
        match endpoint {
            Endpoint::Embeddings => self.input.is_some(),
            _ => self.output.is_some(),
        }
    }

    /// Whether it says enough of a call to `endpoint` that nothing has to be counted.
    pub fn is_whole(&self, endpoint: Endpoint) -> bool {
        self.input.is_some() && self.settles(endpoint)
    }
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The answer reached its own end.
    Completed,
    /// The client hung up first.
    ClientGone,
    /// The upstream failed, or broke off midway.
    UpstreamFailed,
    /// A time limit passed.
    TimedOut,
    /// Weir ended it: shutdown, or a fault of its own.
    Interrupted,
    /// It was refused before it went upstream.
    Rejected,
    /// A budget was spent, or a rate used up, before the answer's end.
    CutByBudget,
}

impl Outcome {
    /// All of them. A place in this list is stored in the flight table: new ones are added at the end.
    pub const ALL: [Self; 7] = [
        Self::Completed,
        Self::ClientGone,
        Self::UpstreamFailed,
        Self::TimedOut,
        Self::Interrupted,
        Self::Rejected,
        Self::CutByBudget,
    ];

    /// The name in metrics, events and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::ClientGone => "client_gone",
            Self::UpstreamFailed => "upstream_failed",
            Self::TimedOut => "timed_out",
            Self::Interrupted => "interrupted",
            Self::Rejected => "rejected",
            Self::CutByBudget => "cut_by_budget",
        }
    }
}
