//! The model servers: what is written of each, those that are left out, and the one inside Weir.

use super::{
    Provider, Timeouts, Upstream,
    authorities::authorities,
    credential::{Found, secret},
    environment::Environment,
    read::{At, Section},
    values::{count, duration},
};
use crate::domain::{PriceList, Secret, nearest};
use http::{HeaderName, HeaderValue, Uri, header};
use std::{num::NonZeroU32, ops::RangeInclusive, sync::Arc, time::Duration};

/// What to lay timeouts over when there is nothing: the shipped `[timeouts]` has all of them.
pub(super) const UNSET: Timeouts = Timeouts::each(Duration::ZERO);

/// The name of the simulator that nobody has to write.
const SIMULATOR: &str = "simulator";

const NAME_BYTES_MAX: usize = 64; // it labels metrics and log lines
const RETRIES: u32 = 2;
const CONCURRENCY_MAX: u32 = 1_000_000; // more than a machine has sockets
const PACE: RangeInclusive<u32> = 1..=100_000;
const WAIT: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(86_400);

/// Words of the design that this version cannot speak yet.
const LATER: &[&str] = &["azure", "anthropic", "gemini", "bedrock"];

/// Headers that the connection or the credential decides.
const RESERVED: &[HeaderName] = &[
    header::AUTHORIZATION,
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::HOST,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

impl Timeouts {
    /// As long for one thing as for another.
    pub const fn each(wait: Duration) -> Self {
        Self {
            connect: wait,
            first_byte: wait,
            idle: wait,
            total: wait,
        }
    }
}

impl Upstream {
    /// A server that speaks OpenAI's dialect, or only HTTP, and of which nothing else is known.
    pub fn bare(name: Arc<str>, base_url: String, timeouts: Timeouts) -> Self {
        Self {
            name,
            provider: Provider::OpenAi,
            base_url,
            api_key: None,
            authorities: None,
            headers: Vec::new(),
            stream_usage: true,
            timeouts,
            concurrency: None,
            retries: 0,
            price_list: None,
            words_per_second: 0,
        }
    }
}

/// Every upstream that was written, and which of them can be used.
pub(super) struct Upstreams {
    /// Those that can be used, in the order written.
    pub(super) all: Vec<Arc<Upstream>>,
    /// The names of the optional ones whose credential is missing.
    pub(super) left_out: Vec<String>,
    /// The simulator, if it is there without being written.
    pub(super) implied_simulator: Option<Arc<Upstream>>,
}

/// What an upstream has that says nothing about it.
struct Defaults {
    timeouts: Timeouts,
    words_per_second: u32,
}

impl Upstreams {
    /// Reads `[[upstream]]`, and what applies to all of them.
    pub(super) fn read(root: &mut Section<'_>, environment: &Environment) -> Self {
        let mut simulator = root.section("simulator");
        let is_wanted = simulator.need("enabled", At::switch);
        let defaults = Defaults {
            timeouts: timeouts(root.section("timeouts"), UNSET),
            words_per_second: simulator.need("words_per_second", count(PACE)),
        };
        let mut upstreams = Self {
            all: Vec::new(),
            left_out: Vec::new(),
            implied_simulator: None,
        };
        for written in root.sections("upstream") {
            upstreams.add(written, environment, &defaults);
        }
        let is_simulator = |upstream: &Arc<Upstream>| upstream.provider == Provider::Simulator;
        if is_wanted && !upstreams.all.iter().any(is_simulator) && !upstreams.has(SIMULATOR) {
            let simulator = Arc::new(implied_simulator(&defaults));
            upstreams.all.push(Arc::clone(&simulator));
            upstreams.implied_simulator = Some(simulator);
        }
        upstreams
    }

    /// The upstream that the text of `at` names. None if it is left out; if there is none, `at` is refused too.
    pub(super) fn find(&self, at: &At<'_>) -> Option<Arc<Upstream>> {
        let name = at.text()?;
        let found = self.all.iter().find(|upstream| *upstream.name == *name);
        if found.is_none() && !self.left_out.contains(&name) {
            let names: Vec<&str> = self.all.iter().map(|upstream| &*upstream.name).collect();
            let hint = match nearest(&name, &names) {
                Some(near) => format!("; did you mean `{near}`?"),
                None => String::new(),
            };
            return at.refuse(format!("there is no upstream of this name{hint}"));
        }
        found.cloned()
    }

    fn has(&self, name: &str) -> bool {
        self.left_out.iter().any(|out| out == name)
            || self.all.iter().any(|upstream| *upstream.name == *name)
    }

    fn add(&mut self, mut written: Section<'_>, environment: &Environment, defaults: &Defaults) {
        let name = written.need("name", upstream_name);
        if !name.is_empty() && self.has(&name) {
            written.refuse("name", "is the name of another upstream too");
        }
        let is_optional = written.may("optional", At::switch).unwrap_or(false);
        let (api_key, missing) = match written.may("api_key", secret(environment)) {
            Some(Found::Here(secret)) => (Some(secret), None),
            Some(Found::Missing(why)) => (None, Some(why)),
            None => (None, None),
        };
        // What is left out is read all the same: its mistakes should not wait for its credential.
        if let Some(why) = missing.as_ref().filter(|_| !is_optional) {
            written.refuse("api_key", why);
        }
        let upstream = upstream(name, written, api_key, defaults);
        if missing.is_some() && is_optional {
            self.left_out.push(upstream.name.to_string());
        } else {
            self.all.push(Arc::new(upstream));
        }
    }
}

/// Reads a table of timeouts; what it does not say, `base` does.
pub(super) fn timeouts(mut written: Section<'_>, base: Timeouts) -> Timeouts {
    let mut timeout = |key, base| written.may(key, duration(WAIT)).unwrap_or(base);
    Timeouts {
        connect: timeout("connect", base.connect),
        first_byte: timeout("first_byte", base.first_byte),
        idle: timeout("idle", base.idle),
        total: timeout("total", base.total),
    }
}

fn upstream(
    name: String,
    mut written: Section<'_>,
    api_key: Option<Secret>,
    defaults: &Defaults,
) -> Upstream {
    let provider = written.must("provider", provider);
    let base_url = match provider {
        Some(Provider::OpenAi) => written.need("base_url", base_url),
        _ => written.may("base_url", base_url).unwrap_or_default(),
    };
    let upstream = Upstream {
        name: name.into(),
        provider: provider.unwrap_or(Provider::OpenAi),
        price_list: match (provider, written.may("price_list", price_list)) {
            (Some(Provider::Simulator), _) => Some(PriceList::Simulator),
            (_, Some(named)) => named,
            (_, None) => list_of(&base_url),
        },
        base_url,
        api_key,
        authorities: written.may("ca_file", authorities).flatten(),
        headers: headers(written.section("headers")),
        stream_usage: written.may("stream_usage", At::switch).unwrap_or(true),
        timeouts: timeouts(written.section("timeouts"), defaults.timeouts),
        concurrency: written
            .may("concurrency", count(0..=CONCURRENCY_MAX))
            .and_then(NonZeroU32::new),
        retries: written.may("retries", count(0..=10)).unwrap_or(RETRIES),
        words_per_second: written
            .may("words_per_second", count(PACE))
            .unwrap_or(defaults.words_per_second),
    };
    let foreign: &[_] = match provider {
        Some(Provider::Simulator) => &["base_url", "api_key", "ca_file", "price_list"],
        Some(Provider::OpenAi) => &["words_per_second"],
        None => &[],
    };
    for key in foreign.iter().filter(|key| written.has(key)) {
        written.refuse(key, "means nothing to this provider");
    }
    upstream
}

fn implied_simulator(defaults: &Defaults) -> Upstream {
    Upstream {
        provider: Provider::Simulator,
        retries: RETRIES,
        price_list: Some(PriceList::Simulator),
        words_per_second: defaults.words_per_second,
        ..Upstream::bare(SIMULATOR.into(), String::new(), defaults.timeouts)
    }
}

fn upstream_name(at: At<'_>) -> Option<String> {
    let name = at.text()?;
    let is_plain = name
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
    if is_plain && (1..=NAME_BYTES_MAX).contains(&name.len()) {
        return Some(name);
    }
    at.refuse(format!(
        "expected 1 to {NAME_BYTES_MAX} of the characters A-Z a-z 0-9 . _ -"
    ))
}

fn provider(at: At<'_>) -> Option<Provider> {
    match at.text()?.as_str() {
        "openai" => Some(Provider::OpenAi),
        "simulator" => Some(Provider::Simulator),
        later if LATER.contains(&later) => {
            at.refuse(format!("`{later}` is not in this version of Weir"))
        }
        _ => at.refuse("expected one of `openai`, `simulator`"),
    }
}

/// A URL that paths can be appended to. It is not quoted, since it may hold a password that does not belong there.
fn base_url(at: At<'_>) -> Option<String> {
    let text = at.text()?;
    let url = text.trim_end_matches('/');
    if !url.starts_with("http://") && !url.starts_with("https://") {
        return at.refuse("expected a URL that begins with http:// or https://");
    }
    // `Uri` drops a fragment without a word.
    if url.contains(['?', '#']) {
        return at.refuse("expected a URL without a query and a fragment");
    }
    let uri = url.parse::<Uri>().ok();
    let Some(authority) = uri.as_ref().and_then(Uri::authority) else {
        return at.refuse("is not a URL");
    };
    if authority.as_str().contains('@') {
        return at.refuse("expected a URL without credentials; those go into `api_key`");
    }
    let has_port = authority.as_str().len() > authority.host().len();
    if authority.host().is_empty() || (has_port && authority.port().is_none()) {
        return at.refuse("has no valid host and port");
    }
    Some(url.to_owned())
}

/// The list that an upstream bills by, as its address tells.
fn list_of(base_url: &str) -> Option<PriceList> {
    let uri = base_url.parse::<Uri>().ok()?;
    PriceList::of_host(uri.host()?)
}

/// The name of a price list, or nothing, for none.
fn price_list(at: At<'_>) -> Option<Option<PriceList>> {
    let name = at.text()?;
    if name.is_empty() {
        return Some(None);
    }
    let list = PriceList::named(&name);
    list.map(Some).or_else(|| {
        let names: Vec<_> = PriceList::names().map(|name| format!("`{name}`")).collect();
        at.refuse(format!("expected one of {}", names.join(", ")))
    })
}

fn headers(mut written: Section<'_>) -> Vec<(HeaderName, HeaderValue)> {
    written
        .all()
        .into_iter()
        .filter_map(|(name, at)| header(name, &at))
        .collect()
}

fn header(mut name: String, at: &At<'_>) -> Option<(HeaderName, HeaderValue)> {
    if at.is_variable() {
        name = name.replace('_', "-"); // the name of a variable cannot hold a dash
    }
    let Ok(name) = HeaderName::try_from(name) else {
        return at.refuse("is not the name of a header");
    };
    if RESERVED.contains(&name) {
        return at.refuse("is not for the configuration to set; a credential goes into `api_key`");
    }
    let Ok(mut value) = HeaderValue::try_from(at.text()?) else {
        return at.refuse("is not the value of a header");
    };
    // Some servers take their credential in a header of their own: it should not be printed.
    value.set_sensitive(true);
    Some((name, value))
}
