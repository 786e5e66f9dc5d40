//! The model servers: what is written of each, those that are left out, and the one inside Weir.

mod values;

use super::{
    Provider, Timeouts, Upstream,
    authorities::authorities,
    credential::{Found, secret},
    environment::Environment,
    read::{At, Section},
    values::{count, duration},
};
use crate::domain::{PriceList, Secret, nearest};
use std::{num::NonZeroU32, ops::RangeInclusive, sync::Arc, time::Duration};
use values::{base_url, headers, list_of, price_list, provider, upstream_name};

/// What to lay timeouts over when there is nothing: the shipped `[timeouts]` has all of them.
pub(super) const UNSET: Timeouts = Timeouts::each(Duration::ZERO);

/// The name of the simulator that nobody has to write.
const SIMULATOR: &str = "simulator";

const RETRIES: u32 = 2;
const CONCURRENCY_MAX: u32 = 1_000_000; // more than a machine has sockets
const PACE: RangeInclusive<u32> = 1..=100_000;
const WAIT: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(86_400);

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
