//! The member `weir` of keys: what is agreed for one that OpenAI has no words for.

mod change;
mod shapes;

pub(super) use change::read_change;
pub(super) use shapes::{ASKED, ASKED_OR_HEIR, CHANGED, TOLD, hangup_policy, named_tier, scopes};

use super::seconds;
use crate::{
    auth::{METADATA_MAX, MODELS_MAX, NAME_MAX_CHARS, NETWORKS_MAX, NUMBER_MAX, Record},
    directory::NewProjectKey,
    domain::{Budget, KeyId, KeyLimits, ModelRule, Network, OnHangup, Priority, Span, Terms},
    error::Error,
    wire::members::{Members, Mistake},
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Ten years: as long as anyone plans, and far from what a time can hold.
const LIFE_MAX_SECONDS: u64 = 10 * 366 * 86_400;
/// A rotation that takes longer than a month is two keys.
const OVERLAP_MAX_SECONDS: u64 = 31 * 86_400;
const SPANS: [(&str, Span); 4] = [
    ("hour", Span::Hour),
    ("day", Span::Day),
    ("month", Span::Month),
    ("life", Span::Life),
];
/// All that the member may have in a request, and what more where a key may take another's place.
const MEMBERS: [&str; 10] = [
    "tier",
    "priority",
    "models",
    "on_hangup",
    "limits",
    "budget",
    "allowed_ips",
    "metadata",
    "expires_at",
    "expires_in_seconds",
];
const OF_HEIRS: [&str; 2] = ["replaces", "overlap_seconds"];
const BUDGET: [&str; 3] = ["threshold_amount", "currency", "interval"];

/// What a request wants of a key.
pub(super) enum Wanted {
    /// A key of its own.
    New(Box<NewProjectKey>),
    /// One in place of another, which goes on for a while.
    Heir(KeyId, Duration),
}

/// Refuses OpenAI's scopes: a key that was to be narrowed must not come out with all rights.
pub(super) fn refuse_scopes(members: &Members) -> Result<(), Mistake> {
    let expected = "left out: `weir.models` says what a key may use";
    match members.texts("scopes", 0, 0) {
        Ok(_) => Ok(()),
        Err(_) => Err(members.wrong("scopes", expected)),
    }
}

/// Reads the member of a request that makes a key.
pub(super) fn read(members: &Members, name: String) -> Result<NewProjectKey, Error> {
    refuse_scopes(members)?;
    let Some(weir) = members.object("weir")? else {
        return Ok(NewProjectKey::named(name));
    };
    weir.only(&MEMBERS)?;
    agreed(&weir, name)
}

fn agreed(weir: &Members, name: String) -> Result<NewProjectKey, Error> {
    let terms = Terms {
        tier: tier(weir)?,
        priority: priority(weir)?,
        limits: limits(weir)?,
        budget: budget(weir)?,
        allowed_ips: networks(weir)?,
        metadata: metadata(weir)?,
    };
    Ok(NewProjectKey {
        name,
        models: models(weir)?,
        on_hangup: on_hangup(weir)?,
        terms,
        expires: expiry(weir)?,
    })
}

/// The same where a key may take another's place.
pub(super) fn read_or_heir(members: &Members, name: String) -> Result<Wanted, Error> {
    refuse_scopes(members)?;
    let weir = members.object("weir")?.unwrap_or_default();
    weir.only(&[&MEMBERS[..], &OF_HEIRS].concat())?;
    let overlap = weir.number("overlap_seconds", 0, OVERLAP_MAX_SECONDS)?;
    let Some(replaces) = weir.text("replaces", 1, NAME_MAX_CHARS)? else {
        return match overlap {
            None => Ok(Wanted::New(Box::new(agreed(&weir, name)?))),
            Some(_) => Err(weir.missing("replaces").into()),
        };
    };
    let id =
        KeyId::of_public(&replaces).ok_or_else(|| weir.wrong("replaces", "the id of a key"))?;
    for own in MEMBERS {
        if weir.has(own) {
            let expected = "left out: a key that replaces another has its terms";
            return Err(weir.wrong(own, expected).into());
        }
    }
    Ok(Wanted::Heir(id, Duration::from_secs(overlap.unwrap_or(0))))
}

/// Reads the member `tier` of the member.
pub(super) fn tier(weir: &Members) -> Result<Option<Box<str>>, Mistake> {
    let tier = weir.text("tier", 1, NAME_MAX_CHARS)?;
    Ok(tier.map(String::into_boxed_str))
}

fn priority(weir: &Members) -> Result<Option<Priority>, Mistake> {
    weir.word("priority", &Priority::NAMES)
}

fn metadata(weir: &Members) -> Result<BTreeMap<String, String>, Mistake> {
    let pairs = weir.pairs("metadata", METADATA_MAX)?;
    Ok(pairs.unwrap_or_default().into_iter().collect())
}

/// Reads the member `on_hangup` of the member.
pub(super) fn on_hangup(weir: &Members) -> Result<Option<OnHangup>, Mistake> {
    let text = weir.text("on_hangup", 1, NAME_MAX_CHARS)?;
    let wrong = |_| weir.wrong("on_hangup", "`cancel`, `finish` or `finish-up-to=TOKENS`");
    text.map(|text| text.parse().map_err(wrong)).transpose()
}

fn models(weir: &Members) -> Result<ModelRule, Mistake> {
    let names = weir.texts("models", MODELS_MAX, NAME_MAX_CHARS)?;
    let Some(names) = names else {
        return Ok(ModelRule::All);
    };
    match !names.is_empty() && names.iter().all(|name| name.matches('*').count() <= 1) {
        true => Ok(ModelRule::Only(
            names.into_iter().map(String::into_boxed_str).collect(),
        )),
        false => Err(weir.wrong("models", "one name or more, with at most one `*` each")),
    }
}

fn limits(weir: &Members) -> Result<KeyLimits, Mistake> {
    let Some(limits) = weir.object("limits")? else {
        return Ok(KeyLimits::default());
    };
    limits.only(&KeyLimits::NAMES)?;
    let mut figures = [None; KeyLimits::NAMES.len()];
    for (figure, name) in figures.iter_mut().zip(KeyLimits::NAMES) {
        *figure = limits.number(name, 0, NUMBER_MAX)?;
    }
    Ok(figures.into())
}

fn budget(weir: &Members) -> Result<Option<Budget>, Mistake> {
    let Some(budget) = weir.object("budget")? else {
        return Ok(None);
    };
    budget.only(&BUDGET)?;
    let amount = budget.number("threshold_amount", 0, NUMBER_MAX)?;
    let currency = budget.word("currency", &[("USD", ())])?;
    let interval = budget.word("interval", &SPANS)?;
    budget.required("currency", currency)?;
    Ok(Some(Budget {
        threshold_amount: budget.required("threshold_amount", amount)?,
        interval: budget.required("interval", interval)?,
    }))
}

fn networks(weir: &Members) -> Result<Vec<Network>, Mistake> {
    let texts = weir.texts("allowed_ips", NETWORKS_MAX, NAME_MAX_CHARS)?;
    let networks = texts.unwrap_or_default();
    let networks: Result<_, _> = networks.iter().map(|text| text.parse()).collect();
    networks.map_err(|_| weir.wrong("allowed_ips", "addresses, or ranges as 10.1.0.0/16"))
}

fn expiry(weir: &Members) -> Result<Option<SystemTime>, Mistake> {
    let now = SystemTime::now();
    let life = weir.number("expires_in_seconds", 1, LIFE_MAX_SECONDS)?;
    let seconds = seconds(now);
    let end = weir.number("expires_at", seconds + 1, seconds + LIFE_MAX_SECONDS)?;
    match (life, end) {
        (Some(_), Some(_)) => {
            Err(weir.wrong("expires_at", "left out where `expires_in_seconds` is given"))
        }
        (life, end) => {
            let end = end.map(|end| UNIX_EPOCH + Duration::from_secs(end));
            Ok(end.or(life.map(|life| now + Duration::from_secs(life))))
        }
    }
}

/// The member as answers have it.
pub(super) fn told(key: &Record) -> Value {
    let Record { models, terms, .. } = key;
    let models = match models {
        ModelRule::All => None,
        ModelRule::Only(names) => Some(names.to_vec()),
    };
    let budget = terms.budget.map(|budget| {
        json!({"threshold_amount": budget.threshold_amount, "currency": "USD", "interval": budget.interval})
    });
    let state = match (key.revoked, key.expires) {
        (Some(_), _) => "revoked",
        (None, Some(end)) if end <= SystemTime::now() => "expired",
        _ => "live",
    };
    json!({
        "state": state,
        "expires_at": key.expires.map(seconds),
        "replaced_by": key.replaced_by.map(|id| id.public()),
        "tier": terms.tier,
        "priority": terms.priority,
        "models": models,
        "on_hangup": key.on_hangup.map(|policy| policy.to_string()),
        "limits": terms.limits,
        "budget": budget,
        "allowed_ips": terms.allowed_ips,
        "metadata": terms.metadata,
    })
}
