//! What is added up of entries, each sum by its name.

/// What is added up; 0 where it was not asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Calls.
    pub requests: u64,
    /// Those among them whose provider did not say what was used.
    pub unreported: u64,
    /// Those among them without a cost.
    pub unpriced: u64,
    /// Tokens of prompts, the next two included.
    pub input: u64,
    /// Tokens of prompts that a provider read from its cache.
    pub cached: u64,
    /// Tokens of prompts that a provider wrote to its cache.
    pub cache_write: u64,
    /// Tokens of answers, reasoning included.
    pub output: u64,
    /// Tokens of answers that were spent on reasoning.
    pub reasoning: u64,
    /// Tokens of sound in prompts.
    pub audio_input: u64,
    /// Tokens of sound in answers.
    pub audio_output: u64,
    /// Nano-dollars.
    pub cost: u64,
    /// Images, characters or seconds, by what was asked.
    pub quantity: u64,
}

/// One of the [`Sums`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sum {
    /// Calls.
    Requests,
    /// Those whose provider did not say what was used.
    Unreported,
    /// Those without a cost.
    Unpriced,
    /// Tokens of prompts.
    Input,
    /// Those from a provider's cache.
    Cached,
    /// Those to a provider's cache.
    CacheWrite,
    /// Tokens of answers.
    Output,
    /// Those of reasoning.
    Reasoning,
    /// Tokens of sound in prompts.
    AudioInput,
    /// Tokens of sound in answers.
    AudioOutput,
    /// Nano-dollars.
    Cost,
    /// Images, characters or seconds.
    Quantity,
}

impl Sum {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Requests,
        Self::Unreported,
        Self::Unpriced,
        Self::Input,
        Self::Cached,
        Self::CacheWrite,
        Self::Output,
        Self::Reasoning,
        Self::AudioInput,
        Self::AudioOutput,
        Self::Cost,
        Self::Quantity,
    ];

    /// The column of a rollup.
    pub(super) fn column(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Unreported => "unreported",
            Self::Unpriced => "unpriced",
            Self::Input => "input",
            Self::Cached => "cached",
            Self::CacheWrite => "cache_write",
            Self::Output => "output",
            Self::Reasoning => "reasoning",
            Self::AudioInput => "audio_input",
            Self::AudioOutput => "audio_output",
            Self::Cost => "cost",
            Self::Quantity => "quantity",
        }
    }
}

impl Sums {
    pub(super) fn of(&mut self, sum: Sum) -> &mut u64 {
        match sum {
            Sum::Requests => &mut self.requests,
            Sum::Unreported => &mut self.unreported,
            Sum::Unpriced => &mut self.unpriced,
            Sum::Input => &mut self.input,
            Sum::Cached => &mut self.cached,
            Sum::CacheWrite => &mut self.cache_write,
            Sum::Output => &mut self.output,
            Sum::Reasoning => &mut self.reasoning,
            Sum::AudioInput => &mut self.audio_input,
            Sum::AudioOutput => &mut self.audio_output,
            Sum::Cost => &mut self.cost,
            Sum::Quantity => &mut self.quantity,
        }
    }

    /// Adds `more` to each.
    pub fn add(&mut self, mut more: Self) {
        for sum in Sum::ALL {
            let all = self.of(sum);
            *all = all.saturating_add(*more.of(sum));
        }
    }

    /// All tokens.
    pub fn tokens(&self) -> u64 {
        self.input.saturating_add(self.output)
    }
}
