//! What the operator knows of prices: `[[price]]`, laid over the lists that Weir comes with.

use super::{
    OwnPrice,
    read::{At, Section},
    routes::pattern,
    upstreams::Upstreams,
    values::{count, word},
};
use crate::domain::{Day, Long, NanoDollars, Price, Rate, Rates, Tier, parse_image};
use std::collections::BTreeSet;

/// Longer prompts than this are not sold by the token.
const PROMPT_TOKENS_MAX: u64 = 1_000_000_000;

/// Reads `[[price]]`. One for an upstream that is left out is left out too.
pub(super) fn prices(written: Vec<Section<'_>>, upstreams: &Upstreams) -> Vec<OwnPrice> {
    let mut prices = Vec::new();
    let mut known = BTreeSet::new();
    for mut written in written {
        let model = written.need("model", pattern);
        let upstream = written.may("upstream", |at| upstreams.find(&at));
        let tier = written.may("tier", word(&Tier::NAMES)).unwrap_or_default();
        let valid_from = written.may("valid_from", day).unwrap_or_default();
        let price = Price {
            rates: rates(&mut written),
            long: written.may("long", At::section).map(long),
            image: written.may("image", image),
        };
        let upstream = upstream.map(|upstream| upstream.name.clone());
        if written.has("upstream") && upstream.is_none() {
            continue;
        }
        let id = (model.clone(), upstream.clone(), tier, valid_from);
        if !model.is_empty() && !known.insert(id) {
            written.refuse("model", "has another price from the same day");
        }
        prices.push(OwnPrice {
            model: model.into(),
            upstream,
            tier,
            valid_from,
            price: price.into(),
        });
    }
    prices
}

fn long(mut written: Section<'_>) -> Long {
    Long {
        above: written.need("above", count(1..=PROMPT_TOKENS_MAX)),
        rates: rates(&mut written),
    }
}

fn rates(written: &mut Section<'_>) -> Rates {
    Rates {
        input: written.need("input", rate),
        cached_input: written.may("cached_input", rate),
        cache_write: written.may("cache_write", rate),
        audio_input: written.may("audio_input", rate),
        output: written.need("output", rate),
        reasoning: written.may("reasoning", rate),
        audio_output: written.may("audio_output", rate),
    }
}

fn rate(at: At<'_>) -> Option<Rate> {
    let rate = Rate::parse(&at.decimal()?);
    rate.or_else(|| {
        at.refuse("expected dollars for a million tokens, such as 2.50, with at most 9 decimals")
    })
}

fn image(at: At<'_>) -> Option<NanoDollars> {
    let image = parse_image(&at.decimal()?);
    image.or_else(|| at.refuse("expected dollars an image, such as 0.04, with at most 9 decimals"))
}

fn day(at: At<'_>) -> Option<Day> {
    let day = Day::parse(&at.date()?);
    day.or_else(|| at.refuse("expected a date, such as 2026-01-31"))
}
