//! The configuration, checked: complete, parsed, with no `Option` that means "default".
//!
//! `config.toml` as written is read by `file`, every mistake in it is found by `check`, and what comes out is a
//! [`Config`]. Parts receive their own section, never the whole. Nothing else in Weir reads the environment.

mod check;
mod file;
pub mod reload;

pub use check::{Problem, Problems};
pub use file::{Flags, load};

use crate::domain::Secret;
use std::{net::IpAddr, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

/// Everything that an operator can set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Listeners and the bounds on what comes through them.
    pub server: Server,
    /// Which web pages may call the data plane.
    pub cors: Cors,
    /// What is written to standard error.
    pub log: Log,
    /// Where keys (and later usage) are kept.
    pub store: Store,
    /// The model servers, by name.
    pub upstreams: Vec<Arc<Upstream>>,
    /// What clients may ask for, in the order written.
    pub models: Vec<Model>,
    /// Where paths go that Weir does not read itself; the longest prefix wins.
    pub forwards: Vec<Forward>,
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
    /// How long a connection may stay open that asks for nothing.
    pub idle_timeout: Duration,
    /// How long streams may go on after SIGTERM.
    pub shutdown_grace: Duration,
    /// How long a stream may be silent before a comment keeps it open; zero is never.
    pub heartbeat: Duration,
}

/// A certificate and its key, taken up again when the files change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// PEM file of the chain, leaf first.
    pub cert: PathBuf,
    /// PEM file of the private key.
    pub key: PathBuf,
}

/// A block of addresses, such as `10.0.0.0/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    base: IpAddr,
    prefix: u8,
}

impl Network {
    /// Reads `address` or `address/prefix`.
    pub fn parse(text: &str) -> Option<Self> {
        let (base, prefix) = match text.split_once('/') {
            Some((base, prefix)) => (base.parse().ok()?, Some(prefix.parse().ok()?)),
            None => (text.parse().ok()?, None),
        };
        let widest = match base {
            IpAddr::V4(_) => 32,
            IpAddr::V6(_) => 128,
        };
        let prefix = prefix.unwrap_or(widest);
        (prefix <= widest).then_some(Self { base, prefix })
    }

    /// Whether `address` is in the block. An IPv4 address in IPv6 clothes counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        let same = |a: u128, b: u128, width: u8| {
            let shift = u32::from(width - self.prefix);
            a.checked_shr(shift).unwrap_or(0) == b.checked_shr(shift).unwrap_or(0)
        };
        match (self.base, address.to_canonical()) {
            (IpAddr::V4(base), IpAddr::V4(address)) => {
                same(u32::from(base).into(), u32::from(address).into(), 32)
            }
            (IpAddr::V6(base), IpAddr::V6(address)) => same(base.into(), address.into(), 128),
            _ => false,
        }
    }
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
    /// The SQLite file.
    pub sqlite: PathBuf,
}

/// One model server and how to talk to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// What `[[model]]` calls it.
    pub name: String,
    /// Its dialect.
    pub provider: Provider,
    /// The URL that OpenAI paths are appended to, without a slash at its end. Empty for the simulator.
    pub base_url: String,
    /// The credential that Weir shows it.
    pub api_key: Option<Secret>,
    /// Headers sent with every request, such as `openai-organization`.
    pub headers: Vec<(http::HeaderName, http::HeaderValue)>,
    /// Whether it understands `stream_options.include_usage`.
    pub stream_usage: bool,
    /// How long Weir waits for it.
    pub timeouts: Timeouts,
    /// How often an attempt is repeated that never reached it.
    pub retries: u32,
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
    pub name: String,
    /// Where it goes, in order of preference; never empty.
    pub to: Vec<Target>,
}

/// One place that can answer for a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The server.
    pub upstream: Arc<Upstream>,
    /// The model's name over there, if it differs from what the client asked for.
    pub model: Option<String>,
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

#[cfg(test)]
mod tests {
    use super::Network;

    #[test]
    fn a_network_holds_its_own_addresses() {
        let holds = |net: &str, ip: &str| Network::parse(net).unwrap().contains(ip.parse().unwrap());
        assert!(holds("10.0.0.0/8", "10.9.8.7"));
        assert!(holds("10.0.0.0/8", "::ffff:10.9.8.7"));
        assert!(!holds("10.0.0.0/8", "11.0.0.1"));
        assert!(holds("0.0.0.0/0", "1.2.3.4"));
        assert!(holds("::1", "::1"));
        assert!(!holds("::/0", "1.2.3.4"));
        assert!(Network::parse("10.0.0.0/33").is_none());
    }
}
