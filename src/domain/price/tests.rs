use super::*;
use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};

fn price(text: &str) -> Price {
    text.parse().unwrap()
}

fn nanos(price: &str, usage: Usage) -> i64 {
    self::price(price).cost(&usage).nanos()
}

#[test]
fn known_calls_cost_what_providers_charge() {
    let usage = Usage {
        input: Some(1_000),
        output: Some(100),
        ..Usage::default()
    };
    assert_eq!(nanos("i2.5 c1.25 o10", usage), 3_500_000);
    let cached = Usage {
        cached: Some(400),
        reasoning: Some(60),
        ..usage
    };
    assert_eq!(nanos("i2.5 c1.25 o10", cached), 3_000_000);
    assert_eq!(nanos("i2.5 c1.25 o10 r20", cached), 3_600_000);
    let written = Usage {
        cache_write: Some(500),
        ..cached
    };
    // 400 read, 500 written, 100 plain: 120 + 1875 + 300, and 1500 for the answer.
    assert_eq!(nanos("i3 c0.3 w3.75 o15", written), 3_795_000);
    let spoken = Usage {
        audio_input: Some(200),
        audio_output: Some(90),
        ..usage
    };
    assert_eq!(nanos("i2.5 a40 o10 s80", spoken), 17_300_000);
}

#[test]
fn a_part_without_a_rate_costs_what_its_whole_costs() {
    let usage = Usage {
        input: Some(10),
        output: Some(10),
        cached: Some(3),
        cache_write: Some(3),
        reasoning: Some(5),
        audio_input: Some(3),
        audio_output: Some(5),
    };
    assert_eq!(nanos("i1 o2", usage), 30_000);
    assert_eq!(nanos("i1 c0 o2", usage), 27_000);
}

#[test]
fn parts_are_never_more_than_their_whole() {
    let usage = Usage {
        input: Some(10),
        output: Some(1),
        cached: Some(u64::MAX),
        cache_write: Some(7),
        reasoning: Some(9),
        ..Usage::default()
    };
    assert_eq!(nanos("i1 c0.5 w2 o3 r4", usage), 9_000);
    assert_eq!(nanos("i1 o1", Usage::default()), 0);
}

#[test]
fn a_long_prompt_changes_the_rates_of_the_whole_call() {
    let prompt = |input| Usage {
        input: Some(input),
        output: Some(1),
        ..Usage::default()
    };
    let text = "i1.25 o10 l200000 i2.5 o15";
    assert_eq!(nanos(text, prompt(200_000)), 250_010_000);
    assert_eq!(nanos(text, prompt(200_001)), 500_017_500);
}

#[test]
fn halves_are_rounded_up_once() {
    let usage = |input, output| Usage {
        input: Some(input),
        output: Some(output),
        ..Usage::default()
    };
    assert_eq!(nanos("i0.0004 o0.0001", usage(1, 0)), 0);
    assert_eq!(nanos("i0.0004 o0.0001", usage(1, 1)), 1);
    assert_eq!(nanos("i0.02 o0", usage(1, 0)), 20);
}

#[test]
fn images_cost_what_each_costs() {
    let price = price("i0 o0 p0.04");
    let cost = price.cost_with_images(&Usage::default(), 3);
    assert_eq!(cost.nanos(), 120_000_000);
}

#[test]
fn the_dearest_call_saturates() {
    let usage = Usage {
        input: Some(u64::MAX),
        output: Some(u64::MAX),
        ..Usage::default()
    };
    let dearest = price("i1000000 o1000000 p1000000");
    assert_eq!(dearest.cost(&usage), NanoDollars::MAX);
    assert_eq!(dearest.cost_with_images(&usage, u64::MAX), NanoDollars::MAX);
}

#[test]
fn only_its_own_text_is_a_price() {
    for wrong in [
        "",
        " ",
        "i",
        "i1",
        "o1",
        "i1 o1 ",
        "o1 i1",
        "i1 o1 o1",
        "i01 o1",
        "i1.0 o1",
        "i-1 o1",
        "i1 o1 x1",
        "i1 o1 l5",
        "i1 o1 l5 i1",
        "i1000000.1 o1",
        "é1",
    ] {
        assert_eq!(wrong.parse::<Price>(), Err(NotAPrice), "{wrong}");
    }
}

#[test]
fn the_longest_text_is_known() {
    let rate = "999999.123456789";
    let rates = format!("i{rate} c{rate} w{rate} a{rate} o{rate} r{rate} s{rate}");
    let text = format!("{rates} p{rate} l{} {rates}", u64::MAX);
    assert_eq!(price(&text).to_string(), text);
    assert_eq!(text.len(), Price::TEXT_BYTES_MAX);
}

fn rate() -> impl Strategy<Value = Rate> {
    prop_oneof![
        0..BILLIONTHS_MAX,
        Just(BILLIONTHS_MAX - 1),
        0..90_000_000_000_u64
    ]
    .prop_map(Rate)
}

fn rates() -> impl Strategy<Value = Rates> {
    let maybe = || proptest::option::of(rate());
    let all = (rate(), maybe(), maybe(), maybe(), rate(), maybe(), maybe());
    all.prop_map(
        |(input, cached_input, cache_write, audio_input, output, reasoning, audio_output)| Rates {
            input,
            cached_input,
            cache_write,
            audio_input,
            output,
            reasoning,
            audio_output,
        },
    )
}

fn any_price() -> impl Strategy<Value = Price> {
    let long = (any::<u64>(), rates()).prop_map(|(above, rates)| Long { above, rates });
    let image = (0..BILLIONTHS_MAX).prop_map(|nanos| NanoDollars::new(nanos.into()));
    let all = (
        rates(),
        proptest::option::of(long),
        proptest::option::of(image),
    );
    all.prop_map(|(rates, long, image)| Price { rates, long, image })
}

fn usage() -> impl Strategy<Value = Usage> {
    let count = || proptest::option::of(prop_oneof![0..1_000_000_u64, 0..1_u64 << 40]);
    let all = (
        count(),
        count(),
        count(),
        count(),
        count(),
        count(),
        count(),
    );
    all.prop_map(
        |(input, output, cached, cache_write, reasoning, audio_input, audio_output)| Usage {
            input,
            output,
            cached,
            cache_write,
            reasoning,
            audio_input,
            audio_output,
        },
    )
}

#[test]
fn a_call_about_text_is_not_held_at_the_price_of_sound() {
    let price = price("i2.5 a40 o10 s80");
    let rate = |text| Rate::parse(text).unwrap();
    let text = price.ceiling(1_000, || false);
    assert_eq!(text, (rate("2.5").cost(1_000), rate("10")));
    let sound = price.ceiling(1_000, || true);
    assert_eq!(sound, (rate("40").cost(1_000), rate("80")));
    self::price("i2.5 o10").ceiling(1_000, || panic!("nobody needs to know"));
}

proptest! {
    #[test]
    fn a_text_leads_back_to_its_price(price in any_price()) {
        let text = price.to_string();
        assert!(text.len() <= Price::TEXT_BYTES_MAX, "{}", text.len());
        assert_eq!(text.parse(), Ok(price));
    }

    #[test]
    fn whatever_is_written_is_answered(text in "([icwaorspl][0-9.]{0,6} ?|.){0,9}") {
        let _ = text.parse::<Price>();
    }

    #[test]
    fn more_tokens_never_cost_less(rates in rates(), usage in usage(), more in 0..1_u64 << 32) {
        let price = Price { rates, ..Price::default() };
        let cost = price.cost(&usage);
        let add = |count: Option<u64>| Some(count.unwrap_or(0) + more);
        assert!(price.cost(&Usage { input: add(usage.input), ..usage }) >= cost);
        assert!(price.cost(&Usage { output: add(usage.output), ..usage }) >= cost);
        // A part that grows takes its whole along.
        let parts = |usage: Usage| [
            Usage { cached: add(usage.cached), input: add(usage.input), ..usage },
            Usage { cache_write: add(usage.cache_write), input: add(usage.input), ..usage },
            Usage { audio_input: add(usage.audio_input), input: add(usage.input), ..usage },
            Usage { reasoning: add(usage.reasoning), output: add(usage.output), ..usage },
            Usage { audio_output: add(usage.audio_output), output: add(usage.output), ..usage },
        ];
        for grown in parts(sane(usage)) {
            assert!(price.cost(&grown) >= price.cost(&sane(usage)));
        }
        assert!(price.cost_with_images(&usage, more) >= cost);
    }

    #[test]
    fn no_call_costs_more_than_the_ceiling(price in any_price(), usage in usage(), has_sound in any::<bool>()) {
        let usage = sane(Usage {
            audio_input: usage.audio_input.filter(|_| has_sound),
            audio_output: usage.audio_output.filter(|_| has_sound),
            ..usage
        });
        let (prompt, answer) = price.ceiling(usage.input.unwrap_or(0), || has_sound);
        let most = prompt.nanos().saturating_add(answer.cost(usage.output.unwrap_or(0)).nanos());
        assert!(price.cost(&usage).nanos() <= most);
    }

    #[test]
    fn a_cost_is_the_exact_sum_rounded_once(price in any_price(), usage in usage()) {
        let usage = sane(usage);
        let count = |count: Option<u64>| u128::from(count.unwrap_or(0));
        let rates = match price.long {
            Some(long) if count(usage.input) > u128::from(long.above) => long.rates,
            _ => price.rates,
        };
        let own = |rate: Option<Rate>, whole: Rate| u128::from(rate.unwrap_or(whole).0);
        let (input, output) = (u128::from(rates.input.0), u128::from(rates.output.0));
        let plain_input = count(usage.input) - count(usage.cached) - count(usage.cache_write) - count(usage.audio_input);
        let plain_output = count(usage.output) - count(usage.reasoning) - count(usage.audio_output);
        let exact = plain_input * input
            + count(usage.cached) * own(rates.cached_input, rates.input)
            + count(usage.cache_write) * own(rates.cache_write, rates.input)
            + count(usage.audio_input) * own(rates.audio_input, rates.input)
            + plain_output * output
            + count(usage.reasoning) * own(rates.reasoning, rates.output)
            + count(usage.audio_output) * own(rates.audio_output, rates.output);
        let (whole, rest) = (exact / 1_000_000, exact % 1_000_000);
        let rounded = if rest >= 500_000 { whole + 1 } else { whole };
        assert_eq!(price.cost(&usage), NanoDollars::new(rounded));
    }
}

/// The same counts, with wholes that have room for their parts.
fn sane(usage: Usage) -> Usage {
    let sum = |counts: &[Option<u64>]| Some(counts.iter().map(|count| count.unwrap_or(0)).sum());
    Usage {
        input: sum(&[
            usage.input,
            usage.cached,
            usage.cache_write,
            usage.audio_input,
        ]),
        output: sum(&[usage.output, usage.reasoning, usage.audio_output]),
        ..usage
    }
}
