//! `weir limit`: changes the store directly, and a running gateway sees the change within a second.

use super::{
    Ending,
    office::{self, Office, ending},
    say,
};
use crate::{
    config::Flags,
    directory::{Allowance, RateLimit},
};
use clap::{Args, Subcommand};
use serde_json::json;

#[derive(Subcommand)]
pub(super) enum Action {
    /// Show what a project may do, or the organization as a whole
    List {
        /// The project's id [default: the organization]
        #[arg(long, value_name = "ID")]
        project: Option<String>,
        /// A JSON object with all of it
        #[arg(long)]
        json: bool,
    },
    /// Set what may be spent in a month
    Spend {
        /// How much, in cents; `none` for no limit
        #[arg(value_parser = amount)]
        cents: Amount,
        /// The project's id [default: the organization]
        #[arg(long, value_name = "ID")]
        project: Option<String>,
    },
    /// Set how fast a project may use a model; what is not named stays as it is
    Rate(Rate),
}

#[derive(Args)]
pub(super) struct Rate {
    /// The model
    model: String,
    /// The project's id
    #[arg(long, value_name = "ID")]
    project: String,
    /// Requests a minute; `none` for no limit, as in all of these
    #[arg(long, value_name = "N", value_parser = amount)]
    requests_per_minute: Option<Amount>,
    /// Tokens a minute
    #[arg(long, value_name = "N", value_parser = amount)]
    tokens_per_minute: Option<Amount>,
    /// Images a minute
    #[arg(long, value_name = "N", value_parser = amount)]
    images_per_minute: Option<Amount>,
    /// Megabytes of audio a minute
    #[arg(long, value_name = "N", value_parser = amount)]
    audio_megabytes_per_minute: Option<Amount>,
    /// Requests a day
    #[arg(long, value_name = "N", value_parser = amount)]
    requests_per_day: Option<Amount>,
    /// Input tokens of batches a day
    #[arg(long, value_name = "N", value_parser = amount)]
    batch_tokens_per_day: Option<Amount>,
}

/// A limit, or that there is none.
#[derive(Clone, Copy)]
pub(super) struct Amount(Option<u64>);

fn amount(text: &str) -> Result<Amount, String> {
    if text == "none" {
        return Ok(Amount(None));
    }
    let number = text
        .parse()
        .ok()
        .filter(|number| *number <= crate::auth::NUMBER_MAX);
    number
        .map(|number| Amount(Some(number)))
        .ok_or_else(|| "expected a number below 2^53, or none".to_owned())
}

pub(super) fn run(flags: &Flags, action: Action) -> Result<(), Ending> {
    office::run(flags, async |office| act(&office, action).await)
}

async fn act(office: &Office, action: Action) -> Result<(), Ending> {
    let Office { directory, by, .. } = office;
    match action {
        Action::List { project, json } => list(office, project, json).await,
        Action::Spend {
            cents: Amount(Some(0)),
            ..
        } => Err(Ending::Mistake(
            "a spend limit is one cent or more; `none` takes it away".to_owned(),
        )),
        Action::Spend {
            cents: Amount(cents),
            project,
        } => {
            let scope = project.clone();
            match cents {
                Some(cents) => directory.set_spend_limit(by.clone(), scope, cents).await,
                None => directory.delete_spend_limit(by.clone(), scope).await,
            }
            .map_err(ending)?;
            list(office, project, false).await
        }
        Action::Rate(rate) => {
            let figures = [
                rate.requests_per_minute,
                rate.tokens_per_minute,
                rate.images_per_minute,
                rate.audio_megabytes_per_minute,
                rate.requests_per_day,
                rate.batch_tokens_per_day,
            ];
            let figures = figures.map(|figure| figure.map(|Amount(limit)| limit));
            let project = rate.project.clone();
            let set = directory.set_rate_limit(by.clone(), project, rate.model, figures);
            set.await.map_err(ending)?;
            list(office, Some(rate.project), false).await
        }
    }
}

async fn list(office: &Office, project: Option<String>, as_json: bool) -> Result<(), Ending> {
    let allowance = office.directory.allowance(project).await.map_err(ending)?;
    match as_json {
        true => say(&whole(&allowance)),
        false => table(&allowance),
    }
    Ok(())
}

fn table(allowance: &Allowance) {
    let cents = |cents: u64| format!("${}.{:02} a month", cents / 100, cents % 100);
    say(&format!(
        "spend limit     {}",
        allowance.spend_limit.map_or("none".to_owned(), cents)
    ));
    for alert in &allowance.alerts {
        let recipients = alert.recipients.join(", ");
        say(&format!(
            "spend alert     {} to {recipients}",
            cents(alert.threshold)
        ));
    }
    if let Some(models) = &allowance.models {
        let mode = if models.is_allow_list {
            "only"
        } else {
            "all but"
        };
        say(&format!(
            "models          {mode} {}",
            models.models.join(", ")
        ));
    }
    for (model, limit) in &allowance.rate_limits {
        let figures = RateLimit::NAMES.into_iter().zip(limit.figures());
        let limits: Vec<String> = figures
            .filter_map(|(name, figure)| Some(format!("{name} {}", figure?)))
            .collect();
        let limits = if limits.is_empty() {
            "none".to_owned()
        } else {
            limits.join(", ")
        };
        say(&format!("rate limit      {model}: {limits}"));
    }
}

fn whole(allowance: &Allowance) -> String {
    let alerts = allowance.alerts.iter().map(|alert| {
        json!({"id": alert.id, "threshold_amount": alert.threshold, "recipients": alert.recipients})
    });
    let whole = json!({
        "spend_limit": allowance.spend_limit,
        "spend_alerts": alerts.collect::<Vec<_>>(),
        "model_permissions": allowance.models,
        "rate_limits": allowance.rate_limits,
    });
    whole.to_string()
}
