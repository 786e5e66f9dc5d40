//! What is written down of a call, and when: as it begins, when an upstream answers, when it is over.

use crate::{
    domain::{Endpoint, KeyId, NanoDollars, Outcome, Price, PriceTag, Usage},
    tokens::estimate_stream,
};

/// Names one entry. Begins with the milliseconds since 1970, so that entries sort by time.
///
/// Not the request's id, which may be a client's own and come twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct EntryId(pub(super) [u8; 16]);

impl EntryId {
    /// The id of what began at `millis`: `unique` differs between all that began in the same millisecond.
    pub(super) fn new(millis: u64, unique: u128) -> Self {
        Self((u128::from(millis) << 80 | unique & ((1 << 80) - 1)).to_be_bytes())
    }
}

/// A call that begins.
#[derive(Clone, Debug)]
pub struct Admission<'a> {
    /// When it came in, in milliseconds since 1970.
    pub started: u64,
    /// Who pays.
    pub key: KeyId,
    /// The project that the key is for.
    pub project: Option<&'a str>,
    /// The user that the key is for.
    pub user: Option<&'a str>,
    /// What is asked.
    pub endpoint: Endpoint,
    /// Whether a stream is asked for.
    pub stream: bool,
    /// The request's id.
    pub request: &'a str,
    /// The model that it asks for.
    pub model: &'a str,
    /// What the client noted of it, as JSON; at most [`METADATA_MAX_BYTES`].
    pub metadata: Option<&'a str>,
}

/// An upstream that answers.
#[derive(Clone, Debug)]
pub struct Answer<'a> {
    /// The status that the client gets.
    pub status: u16,
    /// Whether it answers with a stream.
    pub stream: bool,
    /// Its name.
    pub upstream: &'a str,
    /// Its dialect.
    pub provider: &'a str,
    /// Its id of the request.
    pub upstream_request: Option<&'a str>,
    /// What a call costs that breaks off from here on.
    pub price: Option<&'a PriceTag>,
}

/// A call that is over.
#[derive(Clone, Debug)]
pub struct Settlement<'a> {
    /// How it ended.
    pub outcome: Outcome,
    /// The status that the client got.
    pub status: u16,
    /// What the provider said was used, if it said.
    pub usage: Option<Usage>,
    /// More of the answer may have passed than that says: its figures are the least.
    pub usage_is_running: bool,
    /// A part of that was no count of anything and is left out.
    pub usage_refused: bool,
    /// What Weir counted itself, where the provider did not say.
    pub counted: Option<Counted>,
    /// How often an upstream was tried.
    pub attempts: u32,
    /// From the start to the first piece of the answer.
    pub first_us: Option<u64>,
    /// From the start to the end.
    pub duration_us: u64,
    /// The model that the answer named.
    pub served_model: Option<&'a str>,
    /// Why the answer ended, in its own words.
    pub finish_reason: Option<&'a str>,
    /// What it costs.
    pub price: Option<&'a PriceTag>,
    /// Images that the answer holds, or seconds of what it transcribes.
    pub quantity: Option<u64>,
}

/// What a settlement came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    /// A part of the usage was no count of anything and was left out.
    pub usage_refused: bool,
    /// It used something whose price nobody knows.
    pub unpriced: bool,
    /// Tokens of the prompt.
    pub input: u64,
    /// Tokens of the answer.
    pub output: u64,
    /// What it costs, as far as anybody knows.
    pub cost: NanoDollars,
}

/// Tokens that Weir counted itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Those of the prompt.
    pub input: Option<u64>,
    /// Those of the answer.
    pub output: Option<u64>,
    /// Those among them that are reasoning.
    pub reasoning: Option<u64>,
    /// Those among them that are sound.
    pub audio: Option<u64>,
    /// All of these are exact.
    pub exact: bool,
}

/// What the text of an answer has come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tokens {
    /// How many.
    pub count: u64,
    /// It is no estimate.
    pub exact: bool,
}

/// Where the figures of an entry come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// The provider said so.
    Provider,
    /// Made up from what was seen to pass, since nobody said.
    Estimated,
    /// Weir counted them as the model does, since nobody said.
    Counted,
}

impl Source {
    /// All of them. A place in this list is stored in the flight table: new ones are added at the end.
    pub(super) const ALL: [Self; 3] = [Self::Provider, Self::Estimated, Self::Counted];

    /// The name on the ledger.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::Estimated => "estimated",
            Self::Counted => "counted",
        }
    }
}

/// One call on the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) id: EntryId,
    pub(super) started: u64,
    pub(super) request: String,
    pub(super) key: KeyId,
    pub(super) project: Option<String>,
    pub(super) user: Option<String>,
    pub(super) endpoint: Endpoint,
    pub(super) model: String,
    pub(super) served_model: Option<String>,
    pub(super) provider: Option<String>,
    pub(super) upstream: Option<String>,
    pub(super) stream: bool,
    pub(super) usage: Usage,
    pub(super) source: Option<Source>,
    pub(super) quantity: Option<u64>,
    pub(super) image_size: Option<String>,
    pub(super) cost: Option<NanoDollars>,
    pub(super) price: Option<String>,
    pub(super) first_us: Option<u64>,
    pub(super) duration_us: u64,
    pub(super) attempts: u32,
    pub(super) outcome: Outcome,
    pub(super) status: Option<u16>,
    pub(super) finish_reason: Option<String>,
    pub(super) upstream_request: Option<String>,
    pub(super) metadata: Option<String>,
}

impl Entry {
    /// Whether it used something whose price nobody knows.
    pub(super) fn is_unpriced(&self) -> bool {
        self.cost.is_none() && (self.source.is_some() || self.quantity.is_some())
    }
}

/// What was seen of an answer, for an estimate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) chunks: u64,
    pub(super) bytes: u64,
    pub(super) first_us: Option<u64>,
    pub(super) last_us: u64,
    pub(super) tokens: Option<Tokens>,
}

/// Bytes of an answer in JSON for each of its tokens: English text has about four, and the rest is framing.
const BYTES_A_TOKEN: u64 = 5;
/// More tokens than any call can use; beyond it a figure is nonsense, and sums stay far from what 64 bits hold.
const TOKENS_MAX: u64 = 1 << 40;

/// The longest text that a client may note of a call.
pub const METADATA_MAX_BYTES: usize = 2032;
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
