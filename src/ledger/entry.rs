//! What is written down of a call, and when: as it begins, when an upstream answers, when it is over.

use crate::domain::{Endpoint, KeyId, NanoDollars, Outcome, PriceTag, Usage};

/// Names one entry. Begins with the milliseconds since 1970, so that entries sort by time.
///
/// Not the request's id, which may be a client's own and come twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct EntryId(pub(super) [u8; 16]);

impl EntryId {
    /// The id of what began at `millis`: `unique` differs between all that began in the same millisecond.
    pub(super) fn new(millis: u64, unique: u128) -> Self {
        // Times beyond what there is room for would be at the beginning again.
        let millis = millis.min((1 << 48) - 1);
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

/// The longest text that a client may note of a call.
pub const METADATA_MAX_BYTES: usize = 2032;
