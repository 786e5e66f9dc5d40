//! `weir limit list`: every limit with what is used and left, by the running gateway if it can be asked.

use super::{everyone, show};
use crate::{
    auth::Kind,
    cli::{
        Ending, complain,
        gateway::{Gateway, secret},
        key::{admin_key, id_of},
        office::{Office, ending, ending_of_key},
        say,
    },
    config::{Flags, Server, load_limits},
    directory::Allowance,
    domain::Secret,
    limits::{Limited, Lookout, Now, Policy},
    wire::percent,
};
use anyhow::Context;
use clap::Args;
use serde_json::{Value, json};
use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

#[derive(Args)]
pub(in crate::cli) struct List {
    #[command(flatten)]
    whose: Whose,
    /// The control plane [default: the one that the configuration describes]
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// An admin key, to ask the running gateway. Better in the variable: a flag can be seen
    #[arg(long, env = "WEIR_ADMIN_KEY", hide_env_values = true, value_parser = secret)]
    admin_key: Option<Secret>,
    /// A JSON object with all of it
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
#[group(id = "whose", multiple = false)]
struct Whose {
    /// Those of the organization, with its alerts and what it may do besides [default: those of everyone]
    #[arg(long)]
    organization: bool,
    /// Those of a project: its id
    #[arg(long, value_name = "ID")]
    project: Option<String>,
    /// Those of a key: its id
    #[arg(long, value_name = "ID")]
    key: Option<String>,
    /// Those of a user: their id, or a service account's
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
}

impl Whose {
    fn is_everyone(&self) -> bool {
        let ids = [&self.project, &self.key, &self.user];
        !self.organization && ids.iter().all(|id| id.is_none())
    }
}

pub(super) async fn run(flags: &Flags, office: &Office, wanted: List) -> Result<(), Ending> {
    let (limits, server) =
        load_limits(flags).map_err(|problems| Ending::Mistake(problems.to_string()))?;
    let policy = Policy::new(&limits);
    let List {
        whose,
        url,
        admin_key,
        json,
    } = wanted;
    let gateway = gateway(&server, url, admin_key);
    if whose.is_everyone() {
        return everyone::run(office, &policy, gateway, json).await;
    }
    // Before the gateway is asked: a key that is not there is a mistake of whoever asks.
    let (limited, allowance) = limited(office, &policy, &whose).await?;
    let asked = match gateway {
        Ok(gateway) => ask(&gateway, &whose).await,
        Err(why) => Err(why),
    };
    let (lines, is_live) = match asked {
        Ok(lines) => (lines, true),
        Err(why) => {
            warn(&why);
            (by_the_ledger(office, &policy, &limited).await?, false)
        }
    };
    match (json, allowance) {
        (true, allowance) => {
            let mut whole = allowance.map_or_else(|| json!({}), |one| show::whole_value(&one));
            whole["is_live"] = is_live.into();
            whole["limits"] = lines;
            say(&whole.to_string());
        }
        (false, allowance) => {
            allowance.iter().for_each(|one| show::table(one));
            let mut shown = show::Lines::begin(false, is_live);
            shown.add(&lines);
            shown.end();
        }
    }
    Ok(())
}

/// Says that the store alone is asked, and why.
pub(super) fn warn(why: &str) {
    complain(&format!(
        "{why}: rates are not known, and what is in the air is not counted"
    ));
}

/// That the running gateway was asked in vain.
pub(super) fn untold(error: &anyhow::Error) -> String {
    format!("the gateway does not tell ({error:#})")
}

/// Who has which limits, by the store and the configuration at hand; of a project and of the organization also all else
/// that they may do.
async fn limited(
    office: &Office,
    policy: &Policy,
    whose: &Whose,
) -> Result<(Vec<Limited>, Option<Arc<Allowance>>), Ending> {
    if let Some(id) = &whose.key {
        let record = office.keys.record(id_of(id)?).await;
        let record = record.map_err(ending_of_key)?;
        if record.kind == Kind::Admin {
            return Err(admin_key(record.id));
        }
        let limited = Limited::key(policy, record.id, Some(&Arc::new(record.terms)));
        return Ok((limited.into_iter().collect(), None));
    }
    if let Some(id) = &whose.user {
        let terms = office.terms_of_user(id).await?;
        let limited = Limited::user(policy, id, terms.as_ref());
        return Ok((limited.into_iter().collect(), None));
    }
    let allowance = office.directory.allowance(whose.project.clone());
    let allowance = Arc::new(allowance.await.map_err(ending)?);
    let limited = match &whose.project {
        Some(id) => Limited::project(policy, id, &allowance),
        None => Limited::organization(policy, &allowance),
    };
    Ok((limited, Some(allowance)))
}

/// How limits stand, as far as the store can tell.
pub(super) async fn by_the_ledger(
    office: &Office,
    policy: &Policy,
    limited: &[Limited],
) -> anyhow::Result<Value> {
    let wall = SystemTime::now().duration_since(UNIX_EPOCH);
    let lookout = Lookout {
        policy,
        reports: &office.reports,
        engine: None,
        now: Now {
            mono: 0,
            wall: wall.unwrap_or_default().as_millis() as u64,
        },
    };
    let lines = lookout.lines(limited).await;
    let lines = lines.context("what was spent cannot be read")?;
    serde_json::to_value(lines).context("the limits cannot be written")
}

/// The running gateway, or why it is not asked.
fn gateway(
    server: &Server,
    url: Option<String>,
    admin_key: Option<Secret>,
) -> Result<Gateway, String> {
    let key = admin_key.ok_or("the gateway is not asked without WEIR_ADMIN_KEY")?;
    let url = match url {
        Some(url) => url.trim_end_matches('/').to_owned(),
        None => {
            let is_tls = server.control_tls.is_some();
            let scheme = if is_tls { "https" } else { "http" };
            format!("{scheme}://{}", server.control_listen)
        }
    };
    Gateway::new(&url, "/admin", key)
}

/// The limits by the running gateway.
async fn ask(gateway: &Gateway, whose: &Whose) -> Result<Value, String> {
    // What is pasted may be a whole key, which is for nobody to see.
    let key = whose.key.as_deref().and_then(|key| id_of(key).ok());
    let named = [
        (
            "organization",
            whose.organization.then(|| "true".to_owned()),
        ),
        ("project", whose.project.clone()),
        ("key", key.map(|id| id.public())),
        ("user", whose.user.clone()),
    ];
    let named = named.into_iter().find_map(|(name, id)| Some((name, id?)));
    let query = named.map_or_else(String::new, |(name, id)| {
        format!("?{name}={}", percent::encode(&id))
    });
    let found = gateway.get(&format!("/limits{query}")).await;
    let mut found = found.map_err(|error| untold(&error))?;
    Ok(found["data"].take())
}
