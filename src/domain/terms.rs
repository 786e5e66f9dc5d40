//! What is agreed for a key, or for a user, that OpenAI's API has no words for.

use super::{Network, Priority};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, net::IpAddr};

/// The terms of a key; of a user, their tier alone. What is left out does not limit it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Terms {
    /// The name of the class of service that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tier: Option<Box<str>>,
    /// How urgent it is among the keys of its project, where requests have to wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<Priority>,
    /// How fast it may be used.
    #[serde(skip_serializing_if = "KeyLimits::is_empty")]
    pub limits: KeyLimits,
    /// What it may spend.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,
    /// The addresses that it may be used from; from all if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allowed_ips: Vec<Network>,
    /// Notes of whoever made it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
}

/// How fast a key may be used; none: without limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct KeyLimits {
    /// Requests a minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests_per_minute: Option<u64>,
    /// Tokens a minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens_per_minute: Option<u64>,
    /// Requests a day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests_per_day: Option<u64>,
    /// Tokens a day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens_per_day: Option<u64>,
    /// Requests at the same time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrent_requests: Option<u64>,
}

/// What may be spent in a span of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// How much, in cents.
    pub threshold_amount: u64,
    /// In which span.
    pub interval: Span,
}

/// A span of the calendar, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Span {
    /// An hour.
    Hour,
    /// A day.
    Day,
    /// A month.
    Month,
    /// All the time there is.
    Life,
}

impl Terms {
    /// Those that say nothing but a tier.
    pub fn of_tier(tier: &str) -> Self {
        Self {
            tier: Some(tier.into()),
            ..Self::default()
        }
    }

    /// Whether nothing was agreed.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether the key may be used from `address`.
    pub fn allows_from(&self, address: IpAddr) -> bool {
        let mut networks = self.allowed_ips.iter();
        self.allowed_ips.is_empty() || networks.any(|network| network.contains(address))
    }

    /// Whether they say how fast, how much or in which class: what is set from above.
    pub fn set_a_ceiling(&self) -> bool {
        self.tier.is_some() || self.budget.is_some() || !self.limits.is_empty()
    }
}

impl KeyLimits {
    /// The names of its figures, in requests and in the store alike.
    pub const NAMES: [&str; 5] = [
        "requests_per_minute",
        "tokens_per_minute",
        "requests_per_day",
        "tokens_per_day",
        "concurrent_requests",
    ];

    /// Its figures in the order of their names.
    pub fn figures(&self) -> [Option<u64>; 5] {
        [
            self.requests_per_minute,
            self.tokens_per_minute,
            self.requests_per_day,
            self.tokens_per_day,
            self.concurrent_requests,
        ]
    }

    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl From<[Option<u64>; 5]> for KeyLimits {
    fn from([requests, tokens, daily_requests, daily_tokens, at_once]: [Option<u64>; 5]) -> Self {
        Self {
            requests_per_minute: requests,
            tokens_per_minute: tokens,
            requests_per_day: daily_requests,
            tokens_per_day: daily_tokens,
            concurrent_requests: at_once,
        }
    }
}
