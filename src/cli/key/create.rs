//! `weir key create`, and all that can be agreed for a key.

use super::{ceiling::Ceiling, show};
use crate::{
    cli::{
        Ending, duration,
        office::{Office, ending},
    },
    directory::NewProjectKey,
    domain::{ModelRule, Network, OnHangup, Owner, Priority, Terms},
};
use clap::Args;
use std::time::{Duration, SystemTime};

#[derive(Args)]
pub(in crate::cli) struct Create {
    /// What to call it
    #[arg(long, default_value = "unnamed")]
    name: String,
    /// A key for the control plane
    #[arg(long, conflicts_with_all = ["agreed", "ceiling"])]
    admin: bool,
    /// The id of the project that it is for: `weir project list` shows them
    #[arg(long, value_name = "ID", default_value = Owner::DEFAULT_PROJECT, conflicts_with = "admin")]
    project: String,
    /// The user that it is for: a name, or the id of a user or a service account of the project
    #[arg(long, value_name = "NAME", conflicts_with = "admin")]
    user: Option<String>,
    #[command(flatten)]
    agreed: Agreed,
    #[command(flatten)]
    ceiling: Ceiling,
    /// How long it works, as 12h or 30d [default: for ever]
    #[arg(long, value_parser = duration)]
    expires: Option<Duration>,
    /// A JSON object with the id and the key
    #[arg(long)]
    json: bool,
}

/// What is agreed for a key of a project, beyond its ceilings and its end.
#[derive(Args)]
#[group(id = "agreed", multiple = true)]
struct Agreed {
    /// A model that it may use; one `*` stands for any text; repeat for more [default: all]
    #[arg(long = "model", value_name = "NAME")]
    models: Vec<String>,
    /// What becomes of its answers if it hangs up: cancel, finish or finish-up-to=TOKENS [default: as the config says]
    #[arg(long, value_name = "POLICY")]
    on_hangup: Option<OnHangup>,
    /// How urgent it is among the keys of its project, where requests wait: high, normal or low [default: normal]
    #[arg(long, value_name = "CLASS", value_parser = priority)]
    priority: Option<Priority>,
    /// An address, or a range as 10.1.0.0/16, that it may be used from; repeat for more [default: all]
    #[arg(long = "from", value_name = "RANGE")]
    networks: Vec<Network>,
    /// A note on it; repeat for more
    #[arg(long = "metadata", value_name = "NAME=TEXT", value_parser = note)]
    metadata: Vec<(String, String)>,
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
    fn read(
        self,
        name: String,
        ceiling: Ceiling,
        expires: Option<SystemTime>,
    ) -> Result<NewProjectKey, Ending> {
        let models = self.models.into_iter().map(String::into_boxed_str);
        Ok(NewProjectKey {
            name,
            models: match models.len() {
                0 => ModelRule::All,
                _ => ModelRule::Only(models.collect()),
            },
            on_hangup: self.on_hangup,
            terms: Terms {
                priority: self.priority,
                allowed_ips: self.networks,
                metadata: self.metadata.into_iter().collect(),
                ..ceiling.terms()?
            },
            expires,
        })
    }
}

pub(super) async fn run(office: &Office, create: Create) -> Result<(), Ending> {
    let Office { directory, by, .. } = office;
    let Create {
        name,
        agreed,
        ceiling,
        ..
    } = create;
    let expires = create.expires.map(|span| SystemTime::now() + span);
    let made = match create.admin {
        true => directory.create_admin_key(by.clone(), name, expires).await,
        false => {
            let new = agreed.read(name, ceiling, expires)?;
            directory
                .create_key(by.clone(), create.project, create.user, new)
                .await
        }
    };
    let made = made.map_err(ending)?;
    show(made.record.id, &made.key, create.json)?;
    Ok(())
}
