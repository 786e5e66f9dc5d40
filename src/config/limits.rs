//! How much may be used, and what limits do: `[limits]`, `[[tier]]` and `[[limit]]`.

use super::{
    read::{At, Section},
    routes::pattern,
    values::{count, duration, word},
};
use crate::domain::{Coin, Flow, Kind, Level, NanoDollars, Pace, Rule, Rules, Span, is_visible};
use std::{collections::BTreeMap, ops::RangeInclusive, time::Duration};

/// Larger figures are not whole in the JSON of half of the world.
const FIGURE: RangeInclusive<u64> = 1..=(1 << 53) - 1;
const TIER_CHARS_MAX: usize = 128; // as in the terms of keys
const PAUSE: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(300);

const HOLDERS: &[(&str, Level)] = &[
    ("organization", Level::Organization),
    ("project", Level::Project),
    ("user", Level::User),
    ("key", Level::Key),
    ("model", Level::Model),
    ("address", Level::Address),
];
const SPANS: &[(&str, Span)] = &[
    ("hour", Span::Hour),
    ("day", Span::Day),
    ("month", Span::Month),
    ("total", Span::Life),
];

/// What limits do, and those that the operator sets here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Tokens of an answer that are paid ahead.
    pub slice: u64,
    /// Tokens that are held for an answer that is no stream and whose request bounds it by nothing.
    pub output_reserve: u64,
    /// What a token that can be seen counts for while a model answers that also spends tokens nobody sees.
    pub reasoning_factor: u64,
    /// What becomes of a call under a budget in dollars whose price nobody knows.
    pub unpriced: Unpriced,
    /// How long a stream waits for tokens of a rate before it is ended.
    pub pause: Duration,
    /// What a node does while the state that it shares is away.
    pub without_redis: WithoutRedis,
    /// How many nodes share limits.
    pub nodes: u64,
    /// Named sets of limits, that keys and users carry.
    pub tiers: BTreeMap<Box<str>, Rules>,
    /// Limits of holders, in the order written.
    pub sets: Vec<LimitSet>,
}

/// What becomes of a call under a budget in dollars whose price nobody knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unpriced {
    /// It is refused: nobody could say when the budget is spent.
    Refuse,
    /// It passes, and the budget counts nothing for it.
    Allow,
}

/// What a node does while the state that it shares is away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WithoutRedis {
    /// It goes on with its share.
    Share,
    /// It refuses what limits would have to look at.
    Closed,
}

/// Limits of every holder that a name covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitSet {
    /// What kind of holder; never a project's model, which the store knows.
    pub on: Level,
    /// Its id, or a pattern in which one `*` stands for any text. Each one that it covers has the limits for itself,
    /// but models, which have them together.
    pub name: Box<str>,
    /// The limits; never empty.
    pub rules: Rules,
}

pub(super) fn limits(root: &mut Section<'_>) -> Limits {
    let mut written = root.section("limits");
    let unpriced = [("refuse", Unpriced::Refuse), ("allow", Unpriced::Allow)];
    let away = [
        ("share", WithoutRedis::Share),
        ("closed", WithoutRedis::Closed),
    ];
    Limits {
        slice: written.need("slice", count(16..=65_536)),
        output_reserve: written.need("output_reserve", count(1..=1_000_000)),
        reasoning_factor: written.need("reasoning_factor", count(1..=100)),
        unpriced: written
            .must("unpriced", word(&unpriced))
            .unwrap_or(Unpriced::Refuse),
        pause: written.need("pause", duration(PAUSE)),
        without_redis: written
            .must("without_redis", word(&away))
            .unwrap_or(WithoutRedis::Share),
        nodes: written.need("nodes", count(1..=1024)),
        tiers: tiers(root.sections("tier")),
        sets: root.sections("limit").into_iter().map(set).collect(),
    }
}

fn tiers(written: Vec<Section<'_>>) -> BTreeMap<Box<str>, Rules> {
    let mut tiers = BTreeMap::new();
    for mut written in written {
        let name = written.need("name", tier_name);
        let rules = figures(&mut written);
        if !name.is_empty() && tiers.insert(name.into_boxed_str(), rules).is_some() {
            written.refuse("name", "is the name of another tier too");
        }
    }
    tiers
}

fn tier_name(at: At<'_>) -> Option<String> {
    let name = at.text()?;
    let is_good =
        (1..=TIER_CHARS_MAX).contains(&name.chars().count()) && name.chars().all(is_visible);
    if is_good {
        return Some(name);
    }
    at.refuse(format!("expected 1 to {TIER_CHARS_MAX} characters"))
}

fn set(mut written: Section<'_>) -> LimitSet {
    let on = written.must("on", word(HOLDERS));
    let name = written.may("name", pattern);
    let rules = figures(&mut written);
    if on == Some(Level::Organization) && written.has("name") {
        written.refuse("name", "means nothing here: there is one organization");
    }
    let is_of_requests = |rule: &Rule| matches!(rule.kind, Kind::Rate(Flow::Requests, _));
    if on == Some(Level::Address) && !rules.iter().all(is_of_requests) {
        written.refuse(
            "on",
            "an address is limited in requests only: whoever shows no key spends nothing",
        );
    }
    if rules.is_empty() {
        written.refuse("on", "has no limit; name one, such as requests_per_minute");
    }
    LimitSet {
        on: on.unwrap_or(Level::Organization),
        name: name.unwrap_or_else(|| "*".to_owned()).into_boxed_str(),
        rules,
    }
}

/// The limits that a table names; a tier may have none.
fn figures(written: &mut Section<'_>) -> Rules {
    let mut rules = Rules::default();
    let rate = |flow, pace| Kind::Rate(flow, pace);
    let requests = [("requests_per_minute", rate(Flow::Requests, Pace::Minute))];
    let tokens = [
        ("tokens_per_minute", rate(Flow::Tokens, Pace::Minute)),
        ("input_tokens_per_minute", rate(Flow::Input, Pace::Minute)),
        ("output_tokens_per_minute", rate(Flow::Output, Pace::Minute)),
    ];
    add(written, "requests_burst", &requests, &mut rules);
    add(written, "tokens_burst", &tokens, &mut rules);
    let whole = [
        ("requests_per_day", rate(Flow::Requests, Pace::Day)),
        ("tokens_per_day", rate(Flow::Tokens, Pace::Day)),
        ("concurrent_requests", Kind::InFlight),
    ];
    for (key, kind) in whole {
        if let Some(amount) = written.may(key, count(FIGURE)) {
            rules.add(Rule::new(kind, amount));
        }
    }
    let budgets = written.may("budgets", |at| at.items()).unwrap_or_default();
    budgets
        .into_iter()
        .filter_map(At::section)
        .filter_map(budget)
        .for_each(|rule| rules.add(rule));
    rules
}

/// Adds the rates of a minute, and how much of them may be used at once.
fn add(
    written: &mut Section<'_>,
    burst_key: &'static str,
    rates: &[(&'static str, Kind)],
    rules: &mut Rules,
) {
    let burst = written.may(burst_key, count(FIGURE));
    let mut largest = None;
    for (key, kind) in rates {
        if let Some(amount) = written.may(key, count(FIGURE)) {
            largest = largest.max(Some(amount));
            rules.add(Rule {
                kind: *kind,
                amount,
                burst: burst.unwrap_or(amount).min(amount),
            });
        }
    }
    match (burst, largest) {
        (Some(_), None) => written.refuse(burst_key, format!("needs `{}`", rates[0].0)),
        (Some(burst), Some(largest)) if burst > largest => {
            written.refuse(burst_key, "is more than comes in a minute");
        }
        _ => {}
    }
}

fn budget(mut written: Section<'_>) -> Option<Rule> {
    let dollars = written.may("dollars", dollars);
    let tokens = written.may("tokens", count(FIGURE));
    let span = written.must("per", word(SPANS));
    let (coin, amount) = match (written.has("dollars"), written.has("tokens")) {
        (true, false) => (Coin::Dollars, dollars?),
        (false, true) => (Coin::Tokens, tokens?),
        (true, true) => {
            written.refuse(
                "tokens",
                "stands beside `dollars`: each is a budget of its own",
            );
            return None;
        }
        (false, false) => {
            written.refuse(
                "dollars",
                "is missing; a budget is in `dollars` or in `tokens`",
            );
            return None;
        }
    };
    Some(Rule::new(Kind::Budget(coin, span?), amount))
}

fn dollars(at: At<'_>) -> Option<u64> {
    let amount = NanoDollars::parse(&at.decimal()?).map(|amount| amount.nanos().unsigned_abs());
    amount
        .filter(|nanos| *nanos > 0)
        .or_else(|| at.refuse("expected dollars, such as 30.00, with at most 9 decimals"))
}
