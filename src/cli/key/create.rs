//! `weir key create`, and all that can be agreed for a key.

use super::show;
use crate::{
    cli::{
        Ending, duration,
        office::{Office, ending},
    },
    directory::NewProjectKey,
    domain::{Budget, KeyLimits, ModelRule, Network, OnHangup, Owner, Priority, Span, Terms},
};
use clap::Args;
use std::time::{Duration, SystemTime};

#[derive(Args)]
pub(in crate::cli) struct Create {
    /// What to call it
    #[arg(long, default_value = "unnamed")]
    name: String,
    /// A key for the control plane
    #[arg(long)]
    admin: bool,
    /// The id of the project that it is for: `weir project list` shows them
    #[arg(long, value_name = "ID", default_value = Owner::DEFAULT_PROJECT, conflicts_with = "admin")]
    project: String,
    /// The user that it is for: a name, or the id of a user or a service account of the project
    #[arg(long, value_name = "NAME", conflicts_with = "admin")]
    user: Option<String>,
    #[command(flatten)]
    agreed: Agreed,
    /// How long it works, as 12h or 30d [default: for ever]
    #[arg(long, value_parser = duration)]
    expires: Option<Duration>,
    /// A JSON object with the id and the key
    #[arg(long)]
    json: bool,
}

/// What is agreed for a key of a project, beyond its end.
#[derive(Args)]
#[group(id = "agreed", conflicts_with = "admin", multiple = true)]
struct Agreed {
    /// A model that it may use; one `*` stands for any text; repeat for more [default: all]
    #[arg(long = "model", value_name = "NAME")]
    models: Vec<String>,
    /// What becomes of its answers if it hangs up: cancel, finish or finish-up-to=TOKENS [default: as the config says]
    #[arg(long, value_name = "POLICY")]
    on_hangup: Option<OnHangup>,
    /// The class of service that it belongs to
    #[arg(long, value_name = "NAME")]
    tier: Option<String>,
    /// How urgent it is among the keys of its project, where requests wait: high, normal or low [default: normal]
    #[arg(long, value_name = "CLASS", value_parser = priority)]
    priority: Option<Priority>,
    /// An address, or a range as 10.1.0.0/16, that it may be used from; repeat for more [default: all]
    #[arg(long = "from", value_name = "RANGE")]
    networks: Vec<Network>,
    /// Requests a minute
    #[arg(long, value_name = "N")]
    requests_per_minute: Option<u64>,
    /// Tokens a minute
    #[arg(long, value_name = "N")]
    tokens_per_minute: Option<u64>,
    /// Requests a day
    #[arg(long, value_name = "N")]
    requests_per_day: Option<u64>,
    /// Tokens a day
    #[arg(long, value_name = "N")]
    tokens_per_day: Option<u64>,
    /// Requests at the same time
    #[arg(long, value_name = "N")]
    concurrent_requests: Option<u64>,
    /// What it may spend, in cents
    #[arg(long, value_name = "CENTS")]
    budget: Option<u64>,
    /// In which time: hour, day, month or life
    #[arg(long, value_name = "SPAN", value_parser = span, default_value = "month", requires = "budget")]
    budget_interval: Span,
    /// A note on it; repeat for more
    #[arg(long = "metadata", value_name = "NAME=TEXT", value_parser = note)]
    metadata: Vec<(String, String)>,
}

fn span(text: &str) -> Result<Span, String> {
    match text {
        "hour" => Ok(Span::Hour),
        "day" => Ok(Span::Day),
        "month" => Ok(Span::Month),
        "life" => Ok(Span::Life),
        _ => Err("expected hour, day, month or life".to_owned()),
    }
}

fn priority(text: &str) -> Result<Priority, String> {
    let named = Priority::NAMES.iter().find(|(name, _)| *name == text);
    named
        .map(|(_, priority)| *priority)
        .ok_or_else(|| "expected high, normal or low".to_owned())
}

fn note(text: &str) -> Result<(String, String), String> {
    let (name, text) = text
        .split_once('=')
        .ok_or_else(|| "expected a name, `=` and a text".to_owned())?;
    Ok((name.to_owned(), text.to_owned()))
}

impl Agreed {
    fn read(self, name: String, expires: Option<SystemTime>) -> NewProjectKey {
        let models = self.models.into_iter().map(String::into_boxed_str);
        let limits = [
            self.requests_per_minute,
            self.tokens_per_minute,
            self.requests_per_day,
            self.tokens_per_day,
            self.concurrent_requests,
        ];
        let interval = self.budget_interval;
        NewProjectKey {
            name,
            models: match models.len() {
                0 => ModelRule::All,
                _ => ModelRule::Only(models.collect()),
            },
            on_hangup: self.on_hangup,
            terms: Terms {
                tier: self.tier.map(String::into_boxed_str),
                priority: self.priority,
                limits: KeyLimits::from(limits),
                budget: self.budget.map(|threshold_amount| Budget {
                    threshold_amount,
                    interval,
                }),
                allowed_ips: self.networks,
                metadata: self.metadata.into_iter().collect(),
            },
            expires,
        }
    }
}

pub(super) async fn run(office: &Office, create: Create) -> Result<(), Ending> {
    let Office { directory, by, .. } = office;
    let Create { name, agreed, .. } = create;
    let expires = create.expires.map(|span| SystemTime::now() + span);
    let made = match create.admin {
        true => directory.create_admin_key(by.clone(), name, expires).await,
        false => {
            let new = agreed.read(name, expires);
            directory
                .create_key(by.clone(), create.project, create.user, new)
                .await
        }
    };
    let made = made.map_err(ending)?;
    show(made.record.id, &made.key, create.json);
    Ok(())
}
