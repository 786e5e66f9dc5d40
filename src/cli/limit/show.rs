//! What a project may do, or the organization, for people and for scripts.

use crate::{
    cli::say,
    directory::{Alert, Allowance, RateLimit},
    store::Millis,
};
use serde_json::{Value, json};

pub(super) fn table(allowance: &Allowance) {
    let row = |name: &str, value: &str| say(&format!("{name:<14}  {value}"));
    let cents = |cents: u64| format!("${}.{:02} a month", cents / 100, cents % 100);
    let spend = allowance.spend_limit.map_or("none".to_owned(), cents);
    row("spend limit", &spend);
    for Alert {
        id,
        threshold,
        recipients,
        ..
    } in &allowance.alerts
    {
        let (at, to) = (cents(*threshold), recipients.join(", "));
        row("spend alert", &format!("{at} to {to} ({id})"));
    }
    if let Some(models) = &allowance.models {
        let (mode, names) = (mode(models.is_allow_list), models.models.join(", "));
        row("models", &format!("{mode}: {names}"));
    }
    if let Some(retention) = allowance.retention {
        row("data retention", retention.as_str());
    }
    for (model, limit) in &allowance.rate_limits {
        let figures = RateLimit::NAMES.into_iter().zip(limit.figures());
        let limits: Vec<String> = figures
            .filter_map(|(name, figure)| Some(format!("{name} {}", figure?)))
            .collect();
        row("rate limit", &format!("{model}: {}", limits.join(", ")));
    }
}

/// OpenAI's word.
fn mode(is_allow_list: bool) -> &'static str {
    match is_allow_list {
        true => "allow_list",
        false => "deny_list",
    }
}

/// One alert, as OpenAI names what it has.
pub(super) fn alert(alert: &Alert) -> Value {
    json!({
        "id": alert.id, "threshold_amount": alert.threshold, "currency": "USD", "interval": "month",
        "recipients": alert.recipients, "subject_prefix": alert.subject_prefix,
        "last_fired_at": alert.last_fired.map(Millis::seconds),
    })
}

pub(super) fn whole(allowance: &Allowance) -> String {
    whole_value(allowance).to_string()
}

pub(super) fn whole_value(allowance: &Allowance) -> Value {
    let models = allowance.models.as_ref();
    let models = models
        .map(|models| json!({"mode": mode(models.is_allow_list), "model_ids": models.models}));
    json!({
        "spend_limit": allowance.spend_limit,
        "spend_alerts": allowance.alerts.iter().map(alert).collect::<Vec<_>>(),
        "model_permissions": models,
        "data_retention": allowance.retention.map(|retention| retention.as_str()),
        "rate_limits": allowance.rate_limits,
    })
}

/// How limits stand, a line each, as they come: for people, or as one JSON object.
pub(super) struct Lines {
    as_json: bool,
    /// Whether there was one.
    is_begun: bool,
}

impl Lines {
    pub(super) fn begin(as_json: bool, is_live: bool) -> Self {
        if as_json {
            say(&format!("{{\"is_live\":{is_live},\"limits\":["));
        }
        Self {
            as_json,
            is_begun: false,
        }
    }

    pub(super) fn add(&mut self, limits: &Value) {
        for limit in limits.as_array().into_iter().flatten() {
            let is_first = !std::mem::replace(&mut self.is_begun, true);
            match (self.as_json, is_first) {
                (true, true) => say(&limit.to_string()),
                (true, false) => say(&format!(",{limit}")),
                (false, true) => {
                    row(HEADING);
                    line(limit);
                }
                (false, false) => line(limit),
            }
        }
    }

    pub(super) fn end(self) {
        match (self.as_json, self.is_begun) {
            (true, _) => say("]}"),
            (false, true) => {}
            (false, false) => say("no limits"),
        }
    }
}

const HEADING: [&str; 8] = [
    "WHOSE",
    "LIMIT",
    "MODEL",
    "AMOUNT",
    "USED",
    "LEFT",
    "RESETS IN",
    "NAME",
];

fn row([whose, limit, model, amount, used, left, resets, name]: [&str; 8]) {
    let line = format!(
        "{whose:<38}  {limit:<26}  {model:<16}  {amount:>14}  {used:>14}  {left:>14}  {resets:<9}  {name}"
    );
    say(line.trim_end());
}

fn line(limit: &Value) {
    let word = |member: &str| limit[member].as_str().unwrap_or_default();
    let is_money = word("limit") == "dollars";
    let figure = |member: &str| match &limit[member] {
        Value::Number(number) if is_money => format!("${number}"),
        Value::Number(number) => number.to_string(),
        _ => "-".to_owned(),
    };
    // A model of a project has its own column.
    let level = word("level").trim_end_matches("_model");
    let whose = format!("{level} {}", word("id"));
    let counts = match word("per") {
        "" => word("limit").to_owned(),
        "total" => format!("{} in total", word("limit")),
        span => format!("{} a {span}", word("limit")),
    };
    let resets = limit["resets_in_ms"].as_u64();
    let resets = resets.map_or_else(String::new, span);
    let [amount, used, left] = ["amount", "used", "left"].map(figure);
    let (model, name) = (word("model"), word("name"));
    row([&whose, &counts, model, &amount, &used, &left, &resets, name]);
}

/// A span in the two largest units that it has: `3d 4h`, `1m 2s`.
fn span(millis: u64) -> String {
    const UNITS: [(&str, u64); 4] = [("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)];
    let mut seconds = millis.div_ceil(1000);
    let mut parts = Vec::new();
    for (unit, worth) in UNITS {
        if seconds >= worth && parts.len() < 2 {
            parts.push(format!("{}{unit}", seconds / worth));
        }
        seconds %= worth;
    }
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::span;

    #[test]
    fn spans_are_shown_in_two_units_at_most() {
        assert_eq!(span(1), "1s");
        assert_eq!(span(61_001), "1m 2s");
        assert_eq!(span(90_061_000), "1d 1h");
        assert_eq!(span(3_600_000), "1h");
        assert_eq!(span(0), "");
    }
}
