//! What tokens cost, and the one place where counts become money.
//!
//! All of it in whole numbers: rates are nano-dollars for a million tokens, in which every price list is exact, and a
//! cost is rounded once, at its end.

use super::{
    Usage,
    money::{NanoDollars, parse_billionths, write_billionths},
};
use std::{fmt, ops::Deref, str::FromStr};

/// Rates are for so many tokens.
const PER_TOKENS: u128 = 1_000_000;

/// A dollar a token, or a million dollars an image, is a slip of the pen. Below it, no sum of products overflows.
const BILLIONTHS_MAX: u64 = 1_000_000 * 1_000_000_000;

/// Nano-dollars for a million tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rate(u64);

impl Rate {
    /// Reads dollars for a million tokens, such as `2.50`: up to a million, with up to nine decimals.
    pub fn parse(text: &str) -> Option<Self> {
        parse_bounded(text).map(Self)
    }

    /// In nano-dollars.
    pub fn per_million(self) -> u64 {
        self.0
    }

    /// What so many tokens cost, rounded up to a nano-dollar.
    pub fn cost(self, tokens: u64) -> NanoDollars {
        let product = u128::from(tokens) * u128::from(self.0);
        NanoDollars::new(product.div_ceil(PER_TOKENS))
    }
}

/// As [`Rate::parse`] reads it.
impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_billionths(f, self.0)
    }
}

/// Reads what an image costs in dollars, as [`Rate::parse`] does.
pub fn parse_image(text: &str) -> Option<NanoDollars> {
    parse_bounded(text).map(|nanos| NanoDollars::new(nanos.into()))
}

/// What each kind of token costs. A kind without a rate of its own costs what its whole costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// Tokens of the prompt.
    pub input: Rate,
    /// Those of them that were read from the provider's cache.
    pub cached_input: Option<Rate>,
    /// Those of them that were written to it.
    pub cache_write: Option<Rate>,
    /// Those of them that are audio.
    pub audio_input: Option<Rate>,
    /// Tokens of the answer.
    pub output: Rate,
    /// Those of them that were spent on reasoning.
    pub reasoning: Option<Rate>,
    /// Those of them that are audio.
    pub audio_output: Option<Rate>,
}

/// What all tokens of a call cost whose prompt is long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Long {
    /// A prompt with more tokens than this is long, cached ones included.
    pub above: u64,
    /// The rates then.
    pub rates: Rates,
}

/// The price of a model.
///
/// Its `Display` is short, never changes for the same price, and is read back by `parse`: a row keeps the price that
/// it was charged at. `i2.5 c1.25 o10 l200000 i5 o15` is 2.5 dollars for a million tokens of input, 1.25 cached, 10 for
/// output; and 5 and 15 for prompts above 200000 tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Price {
    /// What tokens cost.
    pub rates: Rates,
    /// What they cost if the prompt is long, if that differs.
    pub long: Option<Long>,
    /// What each image costs that was made.
    pub image: Option<NanoDollars>,
}

impl Price {
    /// The most bytes that its text takes.
    pub const TEXT_BYTES_MAX: usize = 291;

    /// What a call costs, rounded to the nearest nano-dollar, halves up.
    ///
    /// Cached, written and audio tokens are parts of the input, reasoning and audio tokens are parts of the output.
    /// Parts are taken in this order, and never more than there is left of their whole. What was not reported counts
    /// as none: a call of which nothing is known has to be counted first.
    pub fn cost(&self, usage: &Usage) -> NanoDollars {
        self.cost_with_images(usage, 0)
    }

    /// What the prompt of a call can cost at most, and each token of its answer: what is cached is cheaper, and what
    /// is written to a cache may be dearer. Whether it is about sound is asked only where that has a price of its own.
    pub fn ceiling(&self, input: u64, has_sound: impl FnOnce() -> bool) -> (NanoDollars, Rate) {
        let rates = match &self.long {
            Some(long) if input > long.above => &long.rates,
            _ => &self.rates,
        };
        let of_sound = [rates.audio_input, rates.audio_output];
        let has_sound = of_sound.iter().any(Option::is_some) && has_sound();
        let [heard, spoken] = of_sound.map(|rate| rate.filter(|_| has_sound));
        let most = |whole: Rate, parts: [Option<Rate>; 3]| {
            parts.into_iter().flatten().fold(whole, Rate::max)
        };
        let prompt = most(rates.input, [rates.cached_input, rates.cache_write, heard]);
        let answer = most(rates.output, [rates.reasoning, spoken, None]);
        (prompt.cost(input), answer)
    }

    /// As [`Price::cost`], of a call that also made images.
    pub fn cost_with_images(&self, usage: &Usage, images: u64) -> NanoDollars {
        let input = usage.input.unwrap_or(0);
        let rates = match &self.long {
            Some(long) if input > long.above => &long.rates,
            _ => &self.rates,
        };
        let inputs = [
            (usage.cached, rates.cached_input),
            (usage.cache_write, rates.cache_write),
            (usage.audio_input, rates.audio_input),
        ];
        let outputs = [
            (usage.reasoning, rates.reasoning),
            (usage.audio_output, rates.audio_output),
        ];
        let image = u128::from(self.image.unwrap_or_default().nanos().unsigned_abs());
        let total = (image * PER_TOKENS)
            .saturating_mul(images.into())
            .saturating_add(share(input, rates.input, &inputs))
            .saturating_add(share(usage.output.unwrap_or(0), rates.output, &outputs));
        NanoDollars::new(total.saturating_add(PER_TOKENS / 2) / PER_TOKENS)
    }
}

/// What `whole` tokens cost, some of which have a rate of their own.
fn share(whole: u64, rate: Rate, parts: &[(Option<u64>, Option<Rate>)]) -> u128 {
    let product = |count: u64, rate: Rate| u128::from(count) * u128::from(rate.0);
    let (mut left, mut sum) = (whole, 0);
    for (count, own) in parts {
        let count = count.unwrap_or(0).min(left);
        left -= count;
        sum += product(count, own.unwrap_or(rate));
    }
    sum + product(left, rate)
}

/// A price and its text: every call writes that down twice, so it is made once, where the price becomes known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriceTag {
    price: Price,
    text: Box<str>,
}

impl PriceTag {
    /// The price's text.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl From<Price> for PriceTag {
    fn from(price: Price) -> Self {
        Self {
            price,
            text: price.to_string().into(),
        }
    }
}

impl FromStr for PriceTag {
    type Err = NotAPrice;

    fn from_str(text: &str) -> Result<Self, NotAPrice> {
        text.parse().map(|price: Price| price.into())
    }
}

impl Deref for PriceTag {
    type Target = Price;

    fn deref(&self) -> &Price {
        &self.price
    }
}

/// A text that no price wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the text of a price")]
pub struct NotAPrice;

impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.rates)?;
        if let Some(image) = self.image {
            write!(f, " p{image}")?;
        }
        if let Some(long) = &self.long {
            write!(f, " l{} {}", long.above, long.rates)?;
        }
        Ok(())
    }
}

/// The letters and their rates, in the order of the text.
impl fmt::Display for Rates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "i{}", self.input)?;
        let write = |f: &mut fmt::Formatter<'_>, letter, rate: Option<Rate>| match rate {
            Some(rate) => write!(f, " {letter}{rate}"),
            None => Ok(()),
        };
        write(f, 'c', self.cached_input)?;
        write(f, 'w', self.cache_write)?;
        write(f, 'a', self.audio_input)?;
        write(f, 'o', Some(self.output))?;
        write(f, 'r', self.reasoning)?;
        write(f, 's', self.audio_output)
    }
}

impl FromStr for Price {
    type Err = NotAPrice;

    fn from_str(text: &str) -> Result<Self, NotAPrice> {
        let price = parse_price(text).ok_or(NotAPrice)?;
        // One price, one text: anything else that could be understood was not written here.
        match price.to_string() == text {
            true => Ok(price),
            false => Err(NotAPrice),
        }
    }
}

fn parse_price(text: &str) -> Option<Price> {
    let mut price = Price::default();
    for word in text.split(' ') {
        let letter = word.chars().next()?;
        let figure = &word[letter.len_utf8()..];
        let rates = match &mut price.long {
            Some(long) => &mut long.rates,
            None => &mut price.rates,
        };
        match letter {
            'i' => rates.input = Rate::parse(figure)?,
            'c' => rates.cached_input = Some(Rate::parse(figure)?),
            'w' => rates.cache_write = Some(Rate::parse(figure)?),
            'a' => rates.audio_input = Some(Rate::parse(figure)?),
            'o' => rates.output = Rate::parse(figure)?,
            'r' => rates.reasoning = Some(Rate::parse(figure)?),
            's' => rates.audio_output = Some(Rate::parse(figure)?),
            'p' => price.image = Some(parse_image(figure)?),
            'l' => {
                price.long = Some(Long {
                    above: figure.parse().ok()?,
                    rates: Rates::default(),
                });
            }
            _ => return None,
        }
    }
    Some(price)
}

fn parse_bounded(text: &str) -> Option<u64> {
    parse_billionths(text).filter(|amount| *amount <= BILLIONTHS_MAX)
}

#[cfg(test)]
mod tests;
