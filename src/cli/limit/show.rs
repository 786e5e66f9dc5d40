//! What a project may do, or the organization, for people and for scripts.

use crate::{
    cli::say,
    directory::{Alert, Allowance, RateLimit},
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
    })
}

pub(super) fn whole(allowance: &Allowance) -> String {
    let models = allowance.models.as_ref();
    let models = models
        .map(|models| json!({"mode": mode(models.is_allow_list), "model_ids": models.models}));
    let whole = json!({
        "spend_limit": allowance.spend_limit,
        "spend_alerts": allowance.alerts.iter().map(alert).collect::<Vec<_>>(),
        "model_permissions": models,
        "data_retention": allowance.retention.map(|retention| retention.as_str()),
        "rate_limits": allowance.rate_limits,
    });
    whole.to_string()
}
