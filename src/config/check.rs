//! From what was written to what it means. A new key is a line here and a line in `config.toml`.

use super::{
    Config, Cors, Ledger, Level, Log, LogFormat, Network, Server, Tls, credential,
    environment::Environment,
    limits, people, prices, queue,
    read::{At, Section},
    report::Report,
    routes, store,
    tokenizers::Tokenizers,
    upstreams::Upstreams,
    values::{address, count, days, duration, duration_or_off, list, size, word},
};
use crate::domain::OnHangup;
use std::{
    fs::File,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    thread::available_parallelism,
    time::Duration,
};

const BLINK: Duration = Duration::from_millis(10); // less than this is a slip, or a busy loop
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const TIB: u64 = 1 << 40;

const LEVELS: &[(&str, Level)] = &[
    ("error", Level::Error),
    ("warn", Level::Warn),
    ("info", Level::Info),
    ("debug", Level::Debug),
];

const FORMATS: &[(&str, LogFormat)] = &[("text", LogFormat::Text), ("json", LogFormat::Json)];

/// Reads every key there is. What comes back is only good if `report` holds no problem.
///
/// The names are those of the upstreams that were left out, for want of their credentials.
pub(super) fn check(
    mut root: Section<'_>,
    environment: &Environment,
    tokenizers: Tokenizers,
    report: &Report,
) -> (Config, Vec<String>) {
    let mut written = root.section("server");
    let mut server = server(&mut written);
    let own_data_dir = written.is_own("data_dir");
    let store = store::read(
        root.section("store"),
        environment,
        own_data_dir,
        &mut server.data_dir,
    );
    let upstreams = Upstreams::read(&mut root, environment);
    let config = Config {
        server,
        cors: cors(root.section("cors")),
        log: log(root.section("log")),
        store,
        ledger: ledger(root.section("ledger")),
        queue: queue::queue(root.section("queue")),
        models: routes::models(root.sections("model"), &upstreams, tokenizers),
        forwards: routes::forwards(root.sections("forward"), &upstreams),
        prices: prices::prices(root.sections("price"), &upstreams),
        people: people::people(&mut root, environment),
        limits: limits::limits(&mut root),
        admin_key: credential::admin_key(environment, report),
        upstreams: upstreams.all,
    };
    (config, upstreams.left_out)
}

fn server(written: &mut Section<'_>) -> Server {
    let nowhere = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
    let server = Server {
        listen: written.must("listen", address).unwrap_or(nowhere),
        control_listen: written.must("control_listen", address).unwrap_or(nowhere),
        tls: tls(written, "tls_cert", "tls_key"),
        control_tls: tls(written, "control_tls_cert", "control_tls_key"),
        workers: match written.need("workers", count(0..=1024)) {
            0 => available_parallelism().map_or(1, usize::from),
            workers => workers,
        },
        data_dir: written.need("data_dir", directory),
        trusted_proxies: written.need("trusted_proxies", list(network)),
        connections_max: written.need("connections_max", count(1..=1_000_000)),
        body_max_bytes: written.need("body_max", size(KIB..=GIB)),
        upload_max_bytes: written.need("upload_max", size(KIB..=TIB)),
        body_memory_max_bytes: written.need("body_memory_max", size(KIB..=TIB)),
        // hyper takes no smaller buffer than the least, and one larger than the most is an attack.
        header_max_bytes: written.need("header_max", size(8 * KIB..=MIB)),
        json_depth_max: written.need("json_depth_max", count(1..=128)),
        header_timeout: written.need("header_timeout", duration(BLINK..=HOUR)),
        body_timeout: written.need("body_timeout", duration(BLINK..=HOUR)),
        write_timeout: written.need("write_timeout", duration(BLINK..=HOUR)),
        idle_timeout: written.need("idle_timeout", duration(BLINK..=DAY)),
        shutdown_grace: written.need("shutdown_grace", duration(Duration::ZERO..=HOUR)),
        heartbeat: written.need("heartbeat", duration_or_off(BLINK..=HOUR)),
        on_hangup: written.need("on_hangup", on_hangup),
    };
    if collide(server.listen, server.control_listen) {
        written.refuse(
            "control_listen",
            "is the same address as `listen`; the planes are apart",
        );
    }
    // From 1, since zero stands in for what could not be read.
    if (1..server.body_max_bytes).contains(&server.body_memory_max_bytes) {
        written.refuse(
            "body_memory_max",
            "is less than `body_max`: such a body would never fit",
        );
    }
    server
}

fn on_hangup(at: At<'_>) -> Option<OnHangup> {
    match at.text()?.parse::<OnHangup>() {
        Ok(policy) => Some(policy),
        Err(expected) => at.refuse(expected.to_string()),
    }
}

/// Whether two listeners cannot both be opened.
fn collide(a: SocketAddr, b: SocketAddr) -> bool {
    let same_ip = a.ip() == b.ip() || a.ip().is_unspecified() || b.ip().is_unspecified();
    a.port() != 0 && a.port() == b.port() && same_ip
}

fn tls(written: &mut Section<'_>, cert: &'static str, key: &'static str) -> Option<Tls> {
    let alone = |other| format!("is set, and `{other}` is not");
    match (written.must(cert, readable), written.must(key, readable)) {
        (Some(Some(cert)), Some(Some(key))) => return Some(Tls { cert, key }),
        (Some(Some(_)), Some(None)) => written.refuse(cert, alone(key)),
        (Some(None), Some(Some(_))) => written.refuse(key, alone(cert)),
        _ => {}
    }
    None
}

/// A file that can be read, or none.
fn readable(at: At<'_>) -> Option<Option<PathBuf>> {
    let text = at.text()?;
    if text.is_empty() {
        return Some(None);
    }
    match File::open(&text).and_then(|file| file.metadata()) {
        Ok(metadata) if metadata.is_file() => Some(Some(text.into())),
        Ok(_) => at.refuse(format!("{text} is not a file")),
        Err(error) => at.refuse(format!("{text} cannot be read: {error}")),
    }
}

fn directory(at: At<'_>) -> Option<PathBuf> {
    match at.text()? {
        text if text.is_empty() => at.refuse("is empty; `.` is the working directory"),
        text => Some(text.into()),
    }
}

fn network(at: At<'_>) -> Option<Network> {
    let network = Network::parse(&at.text()?);
    network.or_else(|| at.refuse("expected an address or a block, such as 10.0.0.0/8"))
}

fn cors(mut written: Section<'_>) -> Cors {
    Cors {
        origins: written.need("origins", list(origin)),
        max_age: written.need("max_age", duration(Duration::ZERO..=DAY)),
    }
}

/// What a browser sends as `origin`, or `*`.
fn origin(at: At<'_>) -> Option<String> {
    let text = at.text()?.to_ascii_lowercase();
    let bare = |authority: &str| {
        !authority.is_empty()
            && !authority.contains(|c: char| "/?#@*".contains(c) || c.is_whitespace())
    };
    match text.split_once("://") {
        _ if text == "*" => Some(text),
        Some((scheme, authority)) if !scheme.is_empty() && bare(authority) => Some(text),
        _ => at.refuse("expected `*` or an origin without a path, such as https://example.com"),
    }
}

fn log(mut written: Section<'_>) -> Log {
    Log {
        level: written.must("level", word(LEVELS)).unwrap_or(Level::Info),
        format: written
            .must("format", word(FORMATS))
            .unwrap_or(LogFormat::Text),
        access: written.need("access", At::switch),
    }
}

fn ledger(mut written: Section<'_>) -> Ledger {
    Ledger {
        slots: written.need("slots", count(16..=4_194_304)),
        flush: written.need("flush", duration_or_off(BLINK..=HOUR)),
        retention: written.need("retention", days(0..=36_500)),
    }
}
