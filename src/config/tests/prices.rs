//! What operators write about prices.

use super::{Given, UPSTREAM, written};
use crate::domain::{PriceList, Tier};

fn texts(file: &str) -> Vec<String> {
    let config = written(file);
    let text = |own: &crate::config::OwnPrice| own.price.to_string();
    config.prices.iter().map(text).collect()
}

#[test]
fn a_price_is_read_digit_for_digit() {
    let price = |figure: &str| {
        let file = format!("[[price]]\nmodel = 'm'\ninput = {figure}\noutput = 0");
        texts(&file).remove(0)
    };
    assert_eq!(price("0.1"), "i0.1 o0");
    assert_eq!(price("2.50"), "i2.5 o0");
    assert_eq!(price("'0.123456789'"), "i0.123456789 o0");
    assert_eq!(price("0.123456789"), "i0.123456789 o0");
    assert_eq!(price("7"), "i7 o0");
    assert_eq!(price("1_000.000_1"), "i1000.0001 o0");
}

#[test]
fn a_price_has_all_that_can_be_said() {
    let config = written(
        "[[price]]
model = 'gpt-*'
upstream = 'simulator'
tier = 'batch'
valid_from = 2026-03-01
input = 1.1
cached_input = '0.2'
cache_write = 1.3
audio_input = 4
output = 5.5
reasoning = 6
audio_output = 7
image = 0.04
long = { above = 200_000, input = 2, output = 10 }

[[price]]
model = 'gpt-*'
valid_from = '2026-04-01'
input = 0
output = 0
",
    );
    let [first, second] = &*config.prices else {
        panic!("{:?}", config.prices)
    };
    assert_eq!(
        first.price.to_string(),
        "i1.1 c0.2 w1.3 a4 o5.5 r6 s7 p0.04 l200000 i2 o10"
    );
    assert_eq!(first.upstream.as_deref(), Some("simulator"));
    assert_eq!((first.tier, second.tier), (Tier::Batch, Tier::Standard));
    assert_eq!(first.valid_from.to_string(), "2026-03-01");
    assert_eq!(second.valid_from.to_string(), "2026-04-01");
    assert_eq!(second.upstream, None);
}

#[test]
fn every_mistake_in_a_price_has_its_line() {
    let given = Given::file(
        "[[price]]
model = 'a*b*'
upstream = 'simulater'
tier = 'slow'
valid_from = '2026-02-30'
input = -1

[[price]]
model = 'm'
valid_from = 2026-02-01T00:00:00Z
input = 1e-3
output = true
imput = 1

[[price]]
model = 'n'
input = 0.1234567891
output = inf
image = 'free'
long = { above = 0, input = '1,5' }

[[price]]
model = 'o'
input = 1
output = 1

[[price]]
model = 'o'
input = 2000000
output = 2
",
    );
    let rate = "expected dollars for a million tokens, such as 2.50, with at most 9 decimals";
    let expected = [
        "1: price.0.output: is missing".to_owned(),
        "2: price.0.model: has more than one `*`".to_owned(),
        "3: price.0.upstream: there is no upstream of this name; did you mean `simulator`?"
            .to_owned(),
        "4: price.0.tier: expected one of `standard`, `batch`, `flex`, `priority`".to_owned(),
        "5: price.0.valid_from: expected a date, such as 2026-01-31".to_owned(),
        format!("6: price.0.input: {rate}"),
        "10: price.1.valid_from: expected a date, such as 2026-01-31".to_owned(),
        format!("11: price.1.input: {rate}"),
        "12: price.1.output: expected a number, found a boolean".to_owned(),
        "13: price.1.imput: unknown key; did you mean `input`?".to_owned(),
        format!("17: price.2.input: {rate}"),
        format!("18: price.2.output: {rate}"),
        "19: price.2.image: expected dollars an image, such as 0.04, with at most 9 decimals"
            .to_owned(),
        "20: price.2.long.above: must be from 1 to 1000000000".to_owned(),
        format!("20: price.2.long.input: {rate}"),
        "20: price.2.long.output: is missing".to_owned(),
        "28: price.4.model: has another price from the same day".to_owned(),
        format!("29: price.4.input: {rate}"),
    ];
    let expected: Vec<_> = expected.map(|line| format!("config.toml:{line}")).into();
    assert_eq!(given.problems(), expected);
}

#[test]
fn a_variable_sets_a_rate() {
    let file = "[[price]]\nmodel = 'm'\ninput = 1\noutput = 1";
    let given = Given::file(file).variable("WEIR__PRICE__0__INPUT", "0.30");
    assert_eq!(given.config().prices[0].price.to_string(), "i0.3 o1");
}

#[test]
fn the_price_of_an_upstream_that_is_left_out_goes_with_it() {
    let file = format!(
        "{UPSTREAM}[[upstream]]\nname = 'far'\nprovider = 'openai'\nbase_url = 'http://127.0.0.1:9'\n\
         api_key = '$NOT_THERE'\noptional = true\n\
         [[price]]\nmodel = 'm'\nupstream = 'far'\ninput = 1\noutput = 1"
    );
    assert!(written(&file).prices.is_empty());
}

#[test]
fn the_host_tells_whose_prices_hold() {
    let list = |lines: &str| {
        let file = format!("[[upstream]]\nname = 'a'\nprovider = 'openai'\n{lines}");
        written(&file).upstreams[0].price_list
    };
    assert_eq!(
        list("base_url = 'https://api.openai.com/v1'"),
        Some(PriceList::OpenAi)
    );
    assert_eq!(
        list("base_url = 'https://API.mistral.ai:443/v1'"),
        Some(PriceList::Mistral)
    );
    let local = "base_url = 'http://127.0.0.1:9/api.openai.com'";
    assert_eq!(list(local), None);
    assert_eq!(
        list(&format!("{local}\nprice_list = 'xai'")),
        Some(PriceList::XAi)
    );
    assert_eq!(
        list("base_url = 'https://api.openai.com/v1'\nprice_list = ''"),
        None
    );
    let wrong = Given::file(&format!("{UPSTREAM}price_list = 'openia'")).problems();
    assert!(
        wrong[0]
            .starts_with("config.toml:6: upstream.local.price_list: expected one of `anthropic`, ")
    );
}
