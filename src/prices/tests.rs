use super::{
    Prices,
    table::{SHIPPED, rows},
};
use crate::{
    config::{OwnPrice, Timeouts, Upstream},
    domain::{Day, Price, PriceList, Tier, Usage},
};
use std::{collections::HashSet, time::Duration};

fn upstream(name: &str, price_list: Option<PriceList>) -> Upstream {
    let nothing = Timeouts::each(Duration::ZERO);
    Upstream {
        price_list,
        ..Upstream::bare(name.into(), String::new(), nothing)
    }
}

fn day(text: &str) -> Day {
    Day::parse(text).unwrap()
}

fn own(model: &str, upstream: Option<&str>, from: &str, price: &str) -> OwnPrice {
    OwnPrice {
        model: model.into(),
        upstream: upstream.map(Into::into),
        tier: Tier::Standard,
        valid_from: day(from),
        price: price.parse().unwrap(),
    }
}

fn shipped(list: PriceList, model: &str, tier: Tier) -> Option<Price> {
    let upstream = upstream("a", Some(list));
    let prices = Prices::new(&[]);
    prices
        .find(&upstream, model, tier, day("2026-12-01"))
        .map(|price| **price)
}

fn text(list: PriceList, model: &str, tier: Tier) -> Option<String> {
    shipped(list, model, tier).map(|price| price.to_string())
}

#[test]
fn every_line_of_the_table_is_well_formed() {
    let header = "list,models,tier,valid_from,above,input,cached_input,cache_write,output,reasoning,audio_input,\
                  audio_output,image";
    assert_eq!(SHIPPED.lines().next(), Some(header));
    assert!(SHIPPED.ends_with('\n') && SHIPPED.is_ascii());
    let rows = rows(SHIPPED);
    assert!(rows.len() > 300);
    let mut known = HashSet::new();
    for (row, line) in rows.iter().zip(SHIPPED.lines().skip(1)) {
        for model in row.models.split('|') {
            assert!(!model.is_empty() && model.bytes().all(|b| b.is_ascii_graphic()));
            assert!(model.matches('*').count() <= 1, "{line}");
            let is_long = row.above.is_some();
            assert!(
                known.insert((row.list, model, row.tier, row.valid_from, is_long)),
                "twice: {line}"
            );
        }
        assert!(row.image.is_none() || row.above.is_none(), "{line}");
        let decimals = line.split(',').skip(5).filter(|cell| !cell.is_empty());
        for decimal in decimals {
            let is_shortest = !decimal.contains('.') || !decimal.ends_with(['0', '.']);
            assert!(is_shortest, "{line}");
        }
    }
}

#[test]
fn the_table_is_sorted_and_long_prompts_follow_their_price() {
    let rows = rows(SHIPPED);
    for pair in rows.windows(2) {
        let [before, after] = pair else {
            unreachable!("windows of two")
        };
        let key = |row: &super::table::Row| {
            let first = row.models.split('|').next();
            (
                row.list,
                first,
                row.tier.as_str(),
                row.valid_from,
                row.above,
            )
        };
        assert!(key(before) < key(after), "{:?}", key(after));
        if after.above.is_some() {
            let same = (before.list, before.models, before.tier, before.valid_from);
            assert_eq!(
                same,
                (after.list, after.models, after.tier, after.valid_from)
            );
            assert_eq!(before.above, None);
        }
    }
}

#[test]
fn nothing_is_free_by_mistake() {
    let is_free = |row: &super::table::Row| {
        row.rates.input == Default::default()
            && row.rates.output == Default::default()
            && row.image.is_none()
    };
    let rows = rows(SHIPPED);
    let free: Vec<_> = rows
        .iter()
        .filter(|row| is_free(row))
        .map(|row| row.models)
        .collect();
    assert_eq!(
        free,
        ["omni-moderation-2024-09-26|omni-moderation-latest", "*"]
    );
}

#[test]
fn known_models_have_their_prices() {
    use PriceList::{Anthropic, Gemini, OpenAi};
    let is = |price: Option<String>, text: &str| assert_eq!(price.as_deref(), Some(text));
    is(text(OpenAi, "gpt-4o", Tier::Standard), "i2.5 c1.25 o10");
    is(text(OpenAi, "gpt-4o-2024-08-06", Tier::Batch), "i1.25 o5");
    is(text(OpenAi, "gpt-4o-2024-05-13", Tier::Standard), "i5 o15");
    is(
        text(OpenAi, "text-embedding-3-small", Tier::Standard),
        "i0.02 o0",
    );
    is(
        text(Anthropic, "claude-sonnet-4-5-20250929", Tier::Standard),
        "i3 c0.3 w3.75 o15",
    );
    is(
        text(Gemini, "gemini-2.5-pro", Tier::Standard),
        "i1.25 c0.125 o10 l200000 i2.5 c0.25 o15",
    );
    let call = Usage {
        input: Some(1_000),
        output: Some(500),
        cached: Some(200),
        ..Usage::default()
    };
    let cost = shipped(OpenAi, "gpt-4o", Tier::Standard).map(|price| price.cost(&call));
    assert_eq!(cost.unwrap().to_string(), "0.00725");
}

#[test]
fn a_similar_name_has_no_price() {
    use PriceList::OpenAi;
    assert_eq!(text(OpenAi, "gpt-4o-2031-01-01", Tier::Standard), None);
    assert_eq!(text(OpenAi, "gpt-4", Tier::Flex), None);
    assert_eq!(text(OpenAi, "GPT-4o", Tier::Standard), None);
    assert_eq!(text(PriceList::Groq, "gpt-4o", Tier::Standard), None);
    let fine_tuned = "ft:gpt-4o-mini-2024-07-18:acme::1";
    assert_eq!(
        text(OpenAi, fine_tuned, Tier::Standard).as_deref(),
        Some("i0.3 c0.15 o1.2")
    );
}

#[test]
fn an_upstream_of_no_list_has_the_prices_of_the_config_only() {
    let prices = Prices::new(&[own("llama", None, "1970-01-01", "i1 o2")]);
    let here = upstream("here", None);
    let day = day("2026-12-01");
    let find = |model| prices.find(&here, model, Tier::Standard, day);
    assert_eq!(find("llama").unwrap().to_string(), "i1 o2");
    assert_eq!(find("gpt-4o"), None);
    assert_eq!(prices.find(&here, "llama", Tier::Batch, day), None);
}

#[test]
fn the_price_that_says_most_counts() {
    let from = "1970-01-01";
    let prices = Prices::new(&[
        own("*", None, from, "i1 o1"),
        own("gpt-*", None, from, "i2 o2"),
        own("gpt-4o", None, from, "i3 o3"),
        own("gpt-*", Some("a"), from, "i4 o4"),
        own("gpt-4o-mini", Some("b"), from, "i5 o5"),
    ]);
    let find = |name, model| {
        let upstream = upstream(name, Some(PriceList::OpenAi));
        let price = prices.find(&upstream, model, Tier::Standard, day("2026-12-01"));
        price.unwrap().to_string()
    };
    assert_eq!(find("a", "gpt-4o"), "i4 o4");
    assert_eq!(find("b", "gpt-4o"), "i3 o3");
    assert_eq!(find("b", "gpt-4o-mini"), "i5 o5");
    assert_eq!(find("b", "gpt-4.1"), "i2 o2");
    assert_eq!(find("b", "o3"), "i1 o1");
}

#[test]
fn a_price_holds_from_its_day_until_the_next() {
    let prices = Prices::new(&[
        own("gpt-4o", None, "2026-06-01", "i1 o1"),
        own("gpt-4o", None, "2026-09-01", "i2 o2"),
    ]);
    let openai = upstream("a", Some(PriceList::OpenAi));
    let find = |on| {
        let price = prices.find(&openai, "gpt-4o", Tier::Standard, day(on));
        price.map(|price| price.text().to_owned())
    };
    let is = |on, text: &str| assert_eq!(find(on).as_deref(), Some(text), "{on}");
    assert_eq!(find("2025-12-31"), None);
    is("2026-05-31", "i2.5 c1.25 o10");
    is("2026-06-01", "i1 o1");
    is("2026-08-31", "i1 o1");
    is("2027-01-01", "i2 o2");
}

#[test]
fn every_price_of_the_table_fits_a_row() {
    let rows = rows(SHIPPED);
    for row in &rows {
        for model in row.models.split('|') {
            let name = model.replace('*', "x");
            let price = shipped(row.list, &name, row.tier).unwrap();
            assert_eq!(price.to_string().parse(), Ok(price));
            assert!(price.to_string().len() <= 128, "{price}");
        }
    }
}
