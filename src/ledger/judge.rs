//! Which figures an entry gets: what the provider said as far as it can be, else what was counted or may be guessed;
//! and what that costs.

use super::entry::{Counted, Counts, Source, Tokens};
use crate::{
    domain::{Endpoint, NanoDollars, Price, Usage},
    tokens::estimate_stream,
};

/// Bytes of an answer in JSON for each of its tokens: English text has about four, and the rest is framing.
const BYTES_A_TOKEN: u64 = 5;
/// More tokens than any call can use; beyond it a figure is nonsense, and sums stay far from what 64 bits hold.
const TOKENS_MAX: u64 = 1 << 40;
/// More than any call can cost; beyond it the figure is nonsense, and sums stay far from what 64 bits hold.
const COST_MAX: NanoDollars = NanoDollars::new(1 << 44); // 17,592 dollars

/// What a call costs whose figures are known; none if nobody knows them, or the price.
pub(super) fn charge(
    price: Option<&Price>,
    endpoint: Endpoint,
    usage: &Usage,
    source: Option<Source>,
    quantity: Option<u64>,
) -> Option<NanoDollars> {
    let price = price?;
    let images = quantity.filter(|_| endpoint.makes_images() && price.image.is_some());
    if source.is_none() && images.is_none() {
        return None;
    }
    let cost = price.cost_with_images(usage, images.unwrap_or(0));
    (cost <= COST_MAX).then_some(cost)
}

/// A number of images, characters or seconds, if it can be one.
pub(super) fn sane_quantity(quantity: Option<u64>) -> Option<u64> {
    quantity.filter(|quantity| *quantity <= TOKENS_MAX)
}

/// What a provider said was used.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Said {
    pub(super) usage: Option<Usage>,
    /// Its figures are the least.
    pub(super) is_running: bool,
}

/// The usage to write down, where it comes from, and whether a part of what the provider said was refused.
pub(super) fn judge(
    said: Said,
    counted: Option<Counted>,
    endpoint: Endpoint,
    answer: Option<(u16, bool)>,
    counts: Counts,
) -> (Usage, Option<Source>, bool) {
    if endpoint.uses_nothing() {
        return (Usage::default(), None, false);
    }
    let (said, is_running, refused) = match said.usage.map(sane) {
        Some((usage, refused)) => (usage, said.is_running, refused),
        None => Default::default(),
    };
    if counted.is_none() && said.settles(endpoint) && !is_running {
        return (said, Some(Source::Provider), refused);
    }
    let counted = counted.or_else(|| {
        let output = estimate(endpoint, answer, counts)?;
        Some(Counted {
            output: Some(output.count),
            exact: output.exact,
            ..Counted::default()
        })
    });
    let counted = counted.unwrap_or_default();
    let figure = |said: Option<u64>, counted: Option<u64>| match is_running {
        true => said.max(counted),
        false => said.or(counted),
    };
    let usage = Usage {
        input: figure(said.input, counted.input),
        output: figure(said.output, counted.output),
        reasoning: figure(said.reasoning, counted.reasoning),
        audio_output: figure(said.audio_output, counted.audio),
        ..said
    };
    // What is said to be a part of something may be more than was counted of it.
    let (usage, is_less) = sane(usage);
    let source = match (usage.input, usage.output) {
        (None, None) => None,
        figures if figures == (said.input, said.output) => Some(Source::Provider),
        _ if counted.exact => Some(Source::Counted),
        _ => Some(Source::Estimated),
    };
    (usage, source, refused || is_less)
}

/// What a provider may say: parts that are no larger than their whole, and figures that a call can have. And whether
/// anything else was left out.
pub fn sane(mut usage: Usage) -> (Usage, bool) {
    let mut refused = false;
    let mut bound = |part: &mut Option<u64>, max: Option<u64>| {
        if part.is_some_and(|part| part > max.unwrap_or(TOKENS_MAX)) {
            *part = None;
            refused = true;
        }
    };
    bound(&mut usage.input, None);
    bound(&mut usage.output, None);
    bound(&mut usage.cached, usage.input);
    bound(&mut usage.cache_write, usage.input);
    bound(&mut usage.reasoning, usage.output);
    bound(&mut usage.audio_input, usage.input);
    bound(&mut usage.audio_output, usage.output);
    (usage, refused)
}

/// Tokens of an answer about which nobody said anything: as far as its text was counted, or else a chunk of a stream is
/// about a token.
fn estimate(endpoint: Endpoint, answer: Option<(u16, bool)>, counts: Counts) -> Option<Tokens> {
    let about = |count| Tokens {
        count,
        exact: false,
    };
    match (endpoint, answer?) {
        // These are charged by what is not tokens.
        (endpoint, _) if endpoint.makes_images() || endpoint == Endpoint::Speech => None,
        (_, (200..=299, true)) => match counts.tokens {
            Some(tokens) if tokens.exact => Some(tokens),
            tokens => {
                let guess = tokens.map_or(0, |tokens| tokens.count);
                Some(about(estimate_stream(guess, counts.chunks)))
            }
        },
        (Endpoint::Chat | Endpoint::Completions, (200..=299, false)) => {
            Some(about(counts.bytes / BYTES_A_TOKEN))
        }
        // Not everything that is passed on has tokens, and an error has none.
        _ => None,
    }
}
