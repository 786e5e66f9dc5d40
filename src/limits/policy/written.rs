//! What the store and the terms of keys say, as rules.

use crate::directory::{Allowance, RateLimit};
use crate::domain::{Budget, Coin, Flow, KeyLimits, Kind, Pace, Rule, Rules, Span};

/// What a cent is in nano-dollars.
const CENT: u64 = 10_000_000;

/// Whether it has figures that are enforced.
pub(super) fn is_enforced(limit: &RateLimit) -> bool {
    let figures = [
        limit.max_requests_per_1_minute,
        limit.max_tokens_per_1_minute,
        limit.max_requests_per_1_day,
    ];
    figures.iter().any(Option::is_some)
}

pub(super) fn spend_limit(allowance: &Allowance, rules: &mut Rules) {
    if let Some(cents) = allowance.spend_limit {
        rules.add(dollars(cents, Span::Month));
    }
}

fn dollars(cents: u64, span: Span) -> Rule {
    Rule::new(
        Kind::Budget(Coin::Dollars, span),
        cents.saturating_mul(CENT),
    )
}

pub(super) fn budget(budget: &Budget) -> Rule {
    dollars(budget.threshold_amount, budget.interval)
}

/// Images, sound and batches are noted for OpenAI's clients and not enforced.
pub(super) fn rate_limit(limit: &RateLimit, rules: &mut Rules) {
    let rates = [
        (
            limit.max_requests_per_1_minute,
            Flow::Requests,
            Pace::Minute,
        ),
        (limit.max_tokens_per_1_minute, Flow::Tokens, Pace::Minute),
        (limit.max_requests_per_1_day, Flow::Requests, Pace::Day),
    ];
    for (amount, flow, pace) in rates {
        if let Some(amount) = amount {
            rules.add(Rule::new(Kind::Rate(flow, pace), amount));
        }
    }
}

pub(super) fn key_limits(limits: &KeyLimits, rules: &mut Rules) {
    let rates = [
        (limits.requests_per_minute, Flow::Requests, Pace::Minute),
        (limits.tokens_per_minute, Flow::Tokens, Pace::Minute),
        (limits.requests_per_day, Flow::Requests, Pace::Day),
        (limits.tokens_per_day, Flow::Tokens, Pace::Day),
    ];
    for (amount, flow, pace) in rates {
        if let Some(amount) = amount {
            rules.add(Rule::new(Kind::Rate(flow, pace), amount));
        }
    }
    if let Some(amount) = limits.concurrent_requests {
        rules.add(Rule::new(Kind::InFlight, amount));
    }
}
