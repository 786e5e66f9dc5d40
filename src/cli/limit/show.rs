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

/// How limits stand, a line each.
pub(super) fn lines(limits: &Value) {
    let limits = limits.as_array().map_or(&[][..], Vec::as_slice);
    if limits.is_empty() {
        return say("no limits");
    }
    let row = |[limit, model, amount, used, left, resets]: [&str; 6]| {
        let line =
            format!("{limit:<26}  {model:<16}  {amount:>14}  {used:>14}  {left:>14}  {resets}");
        say(line.trim_end());
    };
    row(["LIMIT", "MODEL", "AMOUNT", "USED", "LEFT", "RESETS IN"]);
    for limit in limits {
        let word = |member: &str| limit[member].as_str().unwrap_or_default();
        let is_money = word("limit") == "dollars";
        let figure = |member: &str| match &limit[member] {
            Value::Number(number) if is_money => format!("${number}"),
            Value::Number(number) => number.to_string(),
            _ => "-".to_owned(),
        };
        let name = match word("per") {
            "" => word("limit").to_owned(),
            "total" => format!("{} in total", word("limit")),
            span => format!("{} a {span}", word("limit")),
        };
        let resets = limit["resets_in_ms"]
            .as_u64()
            .map_or_else(String::new, span);
        let [amount, used, left] = ["amount", "used", "left"].map(figure);
        row([&name, word("model"), &amount, &used, &left, &resets]);
    }
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
