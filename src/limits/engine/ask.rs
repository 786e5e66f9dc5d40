//! What is asked of the engine, and what it answers.

use super::{budget::Mark, holder::Holder, lease::Lease, period::Period};
use crate::domain::{Kind, Level, Standing};
use std::{sync::Arc, time::Duration};

/// What a call wants before it begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ask {
    /// Tokens of the prompt, rather too many than too few.
    pub input: u64,
    /// Tokens of the answer to pay ahead; none where answers are not made of tokens.
    pub output: u64,
    /// How few of them will do when it gets short; at most `output`.
    pub output_least: u64,
    /// The answer comes as a whole and cannot be cut: it takes as many as are left, and not a part of those.
    pub is_whole: bool,
    /// What it costs; unknown where nobody knows the price.
    pub price: Option<Charge>,
    /// Whether a call without a price may pass a budget in dollars, at no charge.
    pub allows_unpriced: bool,
}

/// What a call costs while it runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Charge {
    /// Nano-dollars for the whole of the prompt.
    pub input_nanos: u64,
    /// Nano-dollars for a million tokens of the answer.
    pub output_rate: u64,
}

impl Charge {
    /// What so many tokens of the answer cost, rounded up.
    pub(super) fn output(&self, tokens: u64) -> u64 {
        let nanos = u128::from(tokens) * u128::from(self.output_rate);
        u64::try_from(nanos.div_ceil(1_000_000)).unwrap_or(u64::MAX)
    }
}

/// What a call has come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// Tokens of the prompt.
    pub input: u64,
    /// Tokens of the answer.
    pub output: u64,
    /// Nano-dollars; where nobody knows, the prompt costs what was held for it, and the answer its rate.
    pub cost: Option<u64>,
}

/// What came of asking for all of a call's limits at once.
#[derive(Debug)]
pub enum Admitted {
    /// All were taken. The call goes on as long as its lease.
    Granted(Lease, Standing),
    /// None was taken, and this is the limit that is in the way.
    Refused(Refusal),
    /// None was taken: nobody has told yet what was spent before the engine was there.
    /// [`unready`](super::Engine::unready) says of what.
    Unready,
    /// None was taken: this node holds too little, and has to draw more. Only where the source is [`Source::Drawn`].
    Short(Shortage),
}

/// Why a lease was not extended.
#[derive(Debug)]
pub enum Denied {
    /// A limit is in the way.
    Refused(Refusal),
    /// This node holds too little, and has to draw more.
    Short(Shortage),
}

/// Where a meter's amount comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Source {
    /// From its rule: this process alone keeps the limit.
    #[default]
    Own,
    /// From a store that several nodes share: a meter gives what it was granted, and refills by nothing else.
    Drawn,
}

/// The limit that is in the way of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Whose it is.
    pub level: Level,
    /// What it counts.
    pub kind: Kind,
    /// How much it is.
    pub amount: u64,
    /// How much of it is left.
    pub left: u64,
    /// After how long the same call passes; unknown for what does not come back by itself.
    pub wait: Option<Duration>,
    /// When it is whole again: a budget with its next period, a rate when nobody uses it.
    pub resets_in: Option<Duration>,
    /// Why it is in the way.
    pub reason: Reason,
    /// How the rates stand that were asked.
    pub standing: Standing,
}

/// Why a limit is in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Too little is left.
    Short,
    /// A budget in dollars cannot hold what has no price.
    Unpriced,
    /// More is asked than there will ever be.
    TooLarge,
}

/// Budgets of which nobody has told what was spent.
#[derive(Debug)]
pub struct Unready {
    /// They.
    pub budgets: Vec<Unknown>,
}

/// A budget of which nobody has told what was spent. It stands for the moment at which it was looked at.
#[derive(Debug)]
pub struct Unknown {
    /// Whose it is.
    pub holder: Arc<Holder>,
    /// Which one.
    pub kind: Kind,
    /// In which period.
    pub period: Period,
    /// What was settled here by then, which is in what somebody finds who asks after that.
    pub(super) mark: Mark,
}

/// What a node has to draw before a call can go on.
#[derive(Debug)]
pub struct Shortage {
    /// From each meter that has too little.
    pub meters: Vec<Short>,
    /// Whether the call has begun: it goes before those who wait to begin.
    pub has_begun: bool,
}

/// A meter that holds too little.
#[derive(Clone, Debug)]
pub struct Short {
    /// Whose it is.
    pub holder: Arc<Holder>,
    /// Which one.
    pub kind: Kind,
    /// The period of a budget.
    pub period: Option<Period>,
    /// How much more it needs at least.
    pub needed: u64,
    /// How much more it could use now, if that is to be had.
    pub wanted: u64,
}

/// One limit as it stands, for people and for tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MeterView {
    /// What it counts.
    pub kind: Kind,
    /// How much it is.
    pub amount: u64,
    /// How much of it is used, what calls in the air hold included.
    pub used: u64,
    /// How much of that is held by calls in the air; rates don't tell it apart.
    pub held: u64,
    /// How much is left now; of a rate, at most its burst.
    pub left: u64,
    /// When it is whole again: a budget with its next period, a rate when nobody uses it.
    pub resets_in: Option<Duration>,
    /// Whether what was spent before is still unknown.
    pub is_unknown: bool,
}

/// What a sweep has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Holders that were looked at.
    pub seen: usize,
    /// Holders whose memory was given back.
    pub gone: usize,
}
