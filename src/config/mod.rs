//! The configuration, checked: complete, parsed, with no `Option` that means "default".
//!
//! `file` finds what was written (the shipped `config.toml`, the operator's, the environment, flags) and lays it over
//! one another as a `tree` that remembers places; `check` reads every key of it with the readers of `values`; and what
//! comes out is a [`Config`], or every mistake at once. Parts receive their own section, never the whole. Nothing else
//! in Weir reads the environment.

mod authorities;
mod check;
mod credential;
mod environment;
mod file;
mod limits;
mod network;
mod people;
mod prices;
mod queue;
mod read;
mod redis;
pub mod reload;
mod report;
mod routes;
mod store;
mod tokenizers;
mod tree;
mod upstreams;
mod values;

#[cfg(test)]
mod tests;

pub use file::{Flags, Loaded, load, load_limits, load_models, load_store};
pub use limits::{LimitSet, Limits, Unpriced, WithoutRedis};
pub use network::Network;
pub use people::{Issuer, People, may_fetch};
pub use queue::Queue;
pub use report::{Problem, Problems};

use crate::{
    domain::{Authorities, Day, OnHangup, Place, PriceList, PriceTag, Redis, Secret, Tier},
    tokenizer::Tokenizer,
};
use std::{net::SocketAddr, num::NonZeroU32, path::PathBuf, sync::Arc, time::Duration};

/// Everything that an operator can set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Listeners and the bounds on what comes through them.
    pub server: Server,
    /// Which web pages may call the data plane.
    pub cors: Cors,
    /// What is written to standard error.
    pub log: Log,
    /// Where keys and usage are kept.
    pub store: Store,
    /// How usage is written down.
    pub ledger: Ledger,
    /// How requests wait for upstreams that have no room.
    pub queue: Queue,
    /// The model servers, by name.
    pub upstreams: Vec<Arc<Upstream>>,
    /// What clients may ask for, in the order written.
    pub models: Vec<Model>,
    /// Where paths go that Weir does not read itself; the longest prefix wins.
    pub forwards: Vec<Forward>,
    /// How users sign in, and whose tokens are believed.
    pub people: People,
    /// How much may be used, and what limits do.
    pub limits: Limits,
    /// What the operator says of prices, in the order written.
    pub prices: Vec<OwnPrice>,
    /// The bearer of this may use the control plane; from `WEIR_ADMIN_KEY`.
    pub admin_key: Option<Secret>,
}

/// Listeners and the bounds on what comes through them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// The data plane's address.
    pub listen: SocketAddr,
    /// The control plane's address.
    pub control_listen: SocketAddr,
    /// Certificate and key of the data plane, if it speaks TLS.
    pub tls: Option<Tls>,
    /// Certificate and key of the control plane, if it speaks TLS.
    pub control_tls: Option<Tls>,
    /// Threads that serve the data plane; at least 1.
    pub workers: usize,
    /// Where Weir keeps its files.
    pub data_dir: PathBuf,
    /// Peers whose `forwarded` headers are believed.
    pub trusted_proxies: Vec<Network>,
    /// Open client connections, both planes together.
    pub connections_max: usize,
    /// The largest request body that Weir reads itself.
    pub body_max_bytes: usize,
    /// The largest request body that is forwarded as it comes.
    pub upload_max_bytes: u64,
    /// Request bodies held at one time, all requests together.
    pub body_memory_max_bytes: usize,
    /// The largest block of request headers.
    pub header_max_bytes: usize,
    /// How deep a request's JSON may nest; at most 128.
    pub json_depth_max: usize,
    /// From the first byte of a request to the end of its headers.
    pub header_timeout: Duration,
    /// Between two pieces of a request body.
    pub body_timeout: Duration,
    /// How long a client may take nothing of what is written to it.
    pub write_timeout: Duration,
    /// How long a connection may stay open that asks for nothing.
    pub idle_timeout: Duration,
    /// How long streams may go on after SIGTERM.
    pub shutdown_grace: Duration,
    /// How long a stream may be silent before a comment keeps it open; zero is never.
    pub heartbeat: Duration,
    /// What becomes of an answer whose client hangs up, unless its key says otherwise.
    pub on_hangup: OnHangup,
}

/// A certificate and its key, taken up again when the files change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// PEM file of the chain, leaf first.
    pub cert: PathBuf,
    /// PEM file of the private key.
    pub key: PathBuf,
}

/// Which web pages may call the data plane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cors {
    /// Origins that are let in; `*` is any. None: no CORS headers at all.
    pub origins: Vec<String>,
    /// How long a browser may remember a preflight.
    pub max_age: Duration,
}

/// What is written to standard error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// The least severe level that is written.
    pub level: Level,
    /// One line of text, or one JSON object, an entry.
    pub format: LogFormat,
    /// Whether each request leaves a line.
    pub access: bool,
}

/// How much is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Level {
    Error,
    Warn,
    Info,
    Debug,
}

/// How a log entry looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For collectors.
    Json,
}

/// Where what must last is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    /// The database.
    pub at: Place,
    /// What several nodes share besides; none if there is only one, or nothing is limited.
    pub redis: Option<Redis>,
    /// The flight table's file, in the data directory.
    pub flight: PathBuf,
}

/// How usage is written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ledger {
    /// Calls that can be in the air or wait for the store.
    pub slots: u32,
    /// How often the flight table is written to the disk; zero leaves that to the kernel.
    pub flush: Duration,
    /// How long an entry is kept; zero is for ever.
    pub retention: Duration,
}

/// One model server and how to talk to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// What `[[model]]` calls it.
    pub name: Arc<str>,
    /// Its dialect.
    pub provider: Provider,
    /// The URL that OpenAI paths are appended to, without a slash at its end. Empty for the simulator.
    pub base_url: String,
    /// The credential that Weir shows it.
    pub api_key: Option<Secret>,
    /// Who may vouch for it instead of the public's authorities.
    pub authorities: Option<Authorities>,
    /// Headers sent with every request, such as `openai-organization`.
    pub headers: Vec<(http::HeaderName, http::HeaderValue)>,
    /// Whether it understands `stream_options.include_usage`.
    pub stream_usage: bool,
    /// How long Weir waits for it.
    pub timeouts: Timeouts,
    /// How many requests it has at a time; none: as many as there are.
    pub concurrency: Option<NonZeroU32>,
    /// How often an attempt is repeated that never reached it.
    pub retries: u32,
    /// Whose prices hold for it, besides those of the config.
    pub price_list: Option<PriceList>,
    /// The simulator's pace.
    pub words_per_second: u32,
}

/// The dialects that Weir speaks to an upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provider {
    /// OpenAI's own API, or a server that imitates it.
    OpenAi,
    /// The one inside Weir.
    Simulator,
}

impl Provider {
    /// The name in the config and on the ledger.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Simulator => "simulator",
        }
    }
}

/// How long Weir waits for an upstream. Each is greater than zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// To open a connection.
    pub connect: Duration,
    /// From the request to the first byte of the answer.
    pub first_byte: Duration,
    /// Between two bytes of the answer.
    pub idle: Duration,
    /// From the request to the end of the answer.
    pub total: Duration,
}

/// A name that clients may ask for, and where it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    /// The name, or a pattern in which one `*` stands for any text.
    pub name: Arc<str>,
    /// Where it goes, in order of preference; never empty.
    pub to: Vec<Target>,
}

/// One place that can answer for a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The server.
    pub upstream: Arc<Upstream>,
    /// The model's name over there, if it differs from what the client asked for.
    pub model: Option<Arc<str>>,
    /// What its text is counted by; none: what is known of its name.
    pub tokenizer: Option<Arc<Tokenizer>>,
    /// Its share among the targets that have a weight; zero: only in its turn.
    pub weight: u32,
    /// The upstream's, or this target's own.
    pub timeouts: Timeouts,
}

/// Where paths go that Weir does not read itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forward {
    /// A path, such as `/v1/files`; it covers what is below it.
    pub path: String,
    /// The upstream, or `None` to close the path.
    pub to: Option<Arc<Upstream>>,
}

/// A price that the operator knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnPrice {
    /// The model by its name at the upstream, or a pattern in which one `*` stands for any text.
    pub model: Arc<str>,
    /// The upstream that it holds for; none: all of them.
    pub upstream: Option<Arc<str>>,
    /// The tier that it holds for.
    pub tier: Tier,
    /// The first day that it holds; the next one of the same model ends it.
    pub valid_from: Day,
    /// The price.
    pub price: PriceTag,
}
