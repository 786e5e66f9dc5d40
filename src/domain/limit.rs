//! What limits say: how fast, how many at once, how much in all, and for whom.

use super::Span;

/// Whom a limit is for: each one of them for itself. In the order in which they are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Level {
    /// All calls together.
    Organization,
    /// The calls of a project.
    Project,
    /// The calls of a project for a model, or for the models under one pattern.
    ProjectModel,
    /// The calls for a model, or for the models under one pattern, whoever pays.
    Model,
    /// The calls of a user.
    User,
    /// The calls with a key.
    Key,
    /// The calls from an address that shows no key.
    Address,
}

impl Level {
    /// All of them, in order.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Organization,
        Self::Project,
        Self::ProjectModel,
        Self::Model,
        Self::User,
        Self::Key,
        Self::Address,
    ];

    /// How many there are: a call is asked about by one of each at most.
    pub const COUNT: usize = 7;

    /// The word for it in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Organization => "organization",
            Self::Project => "project",
            Self::ProjectModel => "model in its project",
            Self::Model => "model",
            Self::User => "user",
            Self::Key => "key",
            Self::Address => "address",
        }
    }

    /// The word for it in metrics.
    pub fn label(self) -> &'static str {
        match self {
            Self::ProjectModel => "project_model",
            level => level.as_str(),
        }
    }
}

/// What a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// So many in a span of any beginning, which come back evenly.
    Rate(Flow, Pace),
    /// Requests in the air.
    InFlight,
    /// So much in a span of the calendar, which does not come back before the next.
    Budget(Coin, Span),
}

impl Kind {
    /// The word for it in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rate(Flow::Requests, Pace::Minute) => "requests_per_minute",
            Self::Rate(Flow::Requests, Pace::Day) => "requests_per_day",
            Self::Rate(Flow::Tokens, Pace::Minute) => "tokens_per_minute",
            Self::Rate(Flow::Tokens, Pace::Day) => "tokens_per_day",
            Self::Rate(Flow::Input, Pace::Minute) => "input_tokens_per_minute",
            Self::Rate(Flow::Input, Pace::Day) => "input_tokens_per_day",
            Self::Rate(Flow::Output, Pace::Minute) => "output_tokens_per_minute",
            Self::Rate(Flow::Output, Pace::Day) => "output_tokens_per_day",
            Self::InFlight => "concurrent_requests",
            Self::Budget(Coin::Dollars, _) => "dollars",
            Self::Budget(Coin::Tokens, _) => "tokens",
        }
    }
}

/// What flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Flow {
    /// Requests.
    Requests,
    /// Tokens of prompts and of answers.
    Tokens,
    /// Tokens of prompts.
    Input,
    /// Tokens of answers.
    Output,
}

/// The span of a rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Pace {
    /// A minute.
    Minute,
    /// 24 hours.
    Day,
}

/// What is spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Coin {
    /// Nano-dollars.
    Dollars,
    /// Tokens of prompts and of answers.
    Tokens,
}

/// One limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// What it counts.
    pub kind: Kind,
    /// How much there is, in what it counts; nano-dollars of dollars.
    pub amount: u64,
    /// How much of a rate may be used at once; at least 1 and at most `amount`. Means nothing for the others.
    pub burst: u64,
}

impl Rule {
    /// Whether it is spent, rather than coming back.
    pub fn is_budget(&self) -> bool {
        matches!(self.kind, Kind::Budget(..))
    }

    /// A limit that may be used up at once.
    pub fn new(kind: Kind, amount: u64) -> Self {
        Self {
            kind,
            amount,
            burst: amount,
        }
    }
}

/// The limits of one holder: of each kind, the tightest that was set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules(Vec<Rule>);

impl Rules {
    /// Adds a limit; where there is one of the same kind, the tighter one stays.
    pub fn add(&mut self, rule: Rule) {
        match self.0.iter_mut().find(|known| known.kind == rule.kind) {
            Some(known) => {
                known.amount = known.amount.min(rule.amount);
                known.burst = known.burst.min(rule.burst);
            }
            None => self.0.push(rule),
        }
    }

    /// Adds those of another set.
    pub fn add_all(&mut self, other: &Self) {
        other.0.iter().for_each(|rule| self.add(*rule));
    }

    /// They.
    pub fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.0.iter()
    }

    /// Whether nothing is limited.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Pace {
    /// In seconds.
    pub fn seconds(self) -> u64 {
        match self {
            Self::Minute => 60,
            Self::Day => 24 * 60 * 60,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tighter_of_two_limits_of_a_kind_stays() {
        let kind = Kind::Rate(Flow::Requests, Pace::Minute);
        let mut rules = Rules::default();
        rules.add(Rule::new(kind, 100));
        rules.add(Rule::new(Kind::InFlight, 3));
        rules.add(Rule {
            burst: 5,
            ..Rule::new(kind, 200)
        });
        let found: Vec<_> = rules.iter().map(|rule| (rule.amount, rule.burst)).collect();
        assert_eq!(found, [(100, 5), (3, 3)]);
    }
}
