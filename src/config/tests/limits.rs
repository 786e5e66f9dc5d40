//! What operators write about limits.

use super::{Given, written};
use crate::{
    config::{Unpriced, WithoutRedis},
    domain::{Coin, Flow, Kind, Level, Pace, Rule, Rules, Span},
};
use std::time::Duration;

fn rules(rules: &Rules) -> Vec<Rule> {
    rules.iter().copied().collect()
}

fn rate(flow: Flow, amount: u64, burst: u64) -> Rule {
    Rule {
        burst,
        ..Rule::new(Kind::Rate(flow, Pace::Minute), amount)
    }
}

fn budget(coin: Coin, span: Span, amount: u64) -> Rule {
    Rule::new(Kind::Budget(coin, span), amount)
}

#[test]
fn without_a_word_limits_are_these() {
    let limits = Given::nothing().config().limits;
    assert_eq!((limits.slice, limits.output_reserve), (256, 4096));
    assert_eq!((limits.reasoning_factor, limits.nodes), (4, 1));
    assert_eq!(limits.unpriced, Unpriced::Refuse);
    assert_eq!(limits.without_redis, WithoutRedis::Share);
    assert_eq!(limits.pause, Duration::from_secs(10));
    assert!(limits.tiers.is_empty() && limits.sets.is_empty());
}

#[test]
fn a_limit_has_all_that_can_be_said() {
    let limits = written(
        "[[tier]]
name = 'free'
requests_per_minute = 60
requests_burst = 10
requests_per_day = 1000
tokens_per_minute = 20_000
input_tokens_per_minute = 15_000
output_tokens_per_minute = 5_000
tokens_burst = 8_000
tokens_per_day = 500_000
concurrent_requests = 4
budgets = [{ dollars = 30.10, per = 'month' }, { tokens = 7, per = 'hour' }, { dollars = '0.000000001', per = 'total' }]

[[tier]]
name = 'boundless'

[[limit]]
on = 'model'
name = 'gpt-*'
concurrent_requests = 9

[[limit]]
on = 'organization'
budgets = [{ dollars = 1, per = 'day' }]
",
    )
    .limits;
    let day = |flow| Kind::Rate(flow, Pace::Day);
    let expected = [
        rate(Flow::Requests, 60, 10),
        rate(Flow::Tokens, 20_000, 8_000),
        rate(Flow::Input, 15_000, 8_000),
        rate(Flow::Output, 5_000, 5_000),
        Rule::new(day(Flow::Requests), 1000),
        Rule::new(day(Flow::Tokens), 500_000),
        Rule::new(Kind::InFlight, 4),
        budget(Coin::Dollars, Span::Month, 30_100_000_000),
        budget(Coin::Tokens, Span::Hour, 7),
        budget(Coin::Dollars, Span::Life, 1),
    ];
    assert_eq!(rules(&limits.tiers["free"]), expected);
    assert!(limits.tiers["boundless"].is_empty());
    let [model, organization] = &*limits.sets else {
        panic!("{:?}", limits.sets)
    };
    assert_eq!((model.on, &*model.name), (Level::Model, "gpt-*"));
    assert_eq!(
        (organization.on, &*organization.name),
        (Level::Organization, "*")
    );
    assert_eq!(
        rules(&organization.rules),
        [budget(Coin::Dollars, Span::Day, 1_000_000_000)]
    );
}

#[test]
fn every_mistake_in_a_limit_has_its_line() {
    let given = Given::file(
        "[limits]
slice = 0
unpriced = 'perhaps'
pause = '1h'
nodes = 0

[[tier]]
name = 'a'
requests_per_minute = 0
requests_burst = 3

[[tier]]
name = 'a'
tokens_per_minute = 5
tokens_burst = 6
request_per_day = 1

[[limit]]
on = 'address'
tokens_per_day = 1

[[limit]]
on = 'team'
name = 'a*b*'
concurrent_requests = 1

[[limit]]
on = 'key'

[[limit]]
on = 'organization'
name = 'x'
budgets = [{ dollars = 0, per = 'day' }, { per = 'day' }, { dollars = 1, tokens = 1, per = 'day' }, { tokens = 1, per = 'year' }, { dollars = -1, per = 'day' }]
",
    );
    let dollars = "expected dollars, such as 30.00, with at most 9 decimals";
    let expected = [
        "2: limits.slice: must be from 16 to 65536".to_owned(),
        "3: limits.unpriced: expected one of `refuse`, `allow`".to_owned(),
        "4: limits.pause: must be from 0 to 5m".to_owned(),
        "5: limits.nodes: must be from 1 to 1024".to_owned(),
        "9: tier.a.requests_per_minute: must be from 1 to 9007199254740991".to_owned(),
        "10: tier.a.requests_burst: needs `requests_per_minute`".to_owned(),
    ];
    let problems = given.problems();
    let expected: Vec<_> = expected.map(|line| format!("config.toml:{line}")).into();
    assert_eq!(problems[..expected.len()], expected, "{problems:#?}");
    let has = |text: &str| {
        assert!(
            problems.iter().any(|line| line.contains(text)),
            "{text}: {problems:#?}"
        );
    };
    has("config.toml:13: tier.");
    has("name: is the name of another tier too");
    has("tokens_burst: is more than comes in a minute");
    has("unknown key; did you mean `requests_per_day`?");
    has("an address is limited in requests only");
    has("on: expected one of `organization`, `project`, `user`, `key`, `model`, `address`");
    has("name: has more than one `*`");
    has("on: has no limit; name one, such as requests_per_minute");
    has("name: means nothing here: there is one organization");
    has(&format!("budgets.0.dollars: {dollars}"));
    has("budgets.1.dollars: is missing; a budget is in `dollars` or in `tokens`");
    has("budgets.2.tokens: stands beside `dollars`: each is a budget of its own");
    has("budgets.3.per: expected one of `hour`, `day`, `month`, `total`");
    has(&format!("budgets.4.dollars: {dollars}"));
}

#[test]
fn variables_set_limits_too() {
    let limits = Given::nothing()
        .variable("WEIR__LIMITS__SLICE", "64")
        .variable("WEIR__LIMIT", "[{ on = 'key', requests_per_minute = 3 }]")
        .config()
        .limits;
    assert_eq!(limits.slice, 64);
    assert_eq!(rules(&limits.sets[0].rules), [rate(Flow::Requests, 3, 3)]);
}
