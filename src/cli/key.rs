//! `weir key`: changes the store directly, and a running gateway sees the change within a second.

use super::{
    Ending, duration,
    office::{self, Office, ending, ending_of_key, seconds},
    say,
};
use crate::{
    auth::{Keys, Record},
    config::Flags,
    directory::NewProjectKey,
    domain::{Budget, KeyId, KeyLimits, ModelRule, Network, OnHangup, Owner, Secret, Span, Terms},
};
use clap::{Args, Subcommand};
use serde_json::json;
use std::time::{Duration, SystemTime};

/// How many keys are read from the store at a time.
const PAGE: usize = 1000;

#[derive(Subcommand)]
pub(super) enum Action {
    /// Make a key and print it, this once
    Create(Create),
    /// List all keys, those that ended too
    List {
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// End a key now and for good
    Revoke {
        /// The key's id, or the key itself
        key: String,
    },
    /// Make a key in place of another and print it, this once
    Rotate {
        /// The key's id, or the key itself
        key: String,
        /// How long the old key goes on working
        #[arg(long, default_value = "0s", value_parser = duration)]
        overlap: Duration,
        /// A JSON object with the id and the key
        #[arg(long)]
        json: bool,
    },
}

#[derive(Args)]
pub(super) struct Create {
    /// What to call it
    #[arg(long, default_value = "unnamed")]
    name: String,
    /// A key for the control plane
    #[arg(long)]
    admin: bool,
    /// A model that it may use; one `*` stands for any text; repeat for more [default: all]
    #[arg(long = "model", value_name = "NAME", conflicts_with = "admin")]
    models: Vec<String>,
    /// What becomes of its answers if it hangs up: cancel, finish or finish-up-to=TOKENS [default: as the config says]
    #[arg(long, value_name = "POLICY", conflicts_with = "admin")]
    on_hangup: Option<OnHangup>,
    /// The id of the project that it is for: `weir project list` shows them
    #[arg(long, value_name = "ID", default_value = Owner::DEFAULT_PROJECT, conflicts_with = "admin")]
    project: String,
    /// The user that it is for: a name, or the id of a user or a service account of the project
    #[arg(long, value_name = "NAME", conflicts_with = "admin")]
    user: Option<String>,
    #[command(flatten)]
    terms: Agreed,
    /// How long it works, as 12h or 30d [default: for ever]
    #[arg(long, value_parser = duration)]
    expires: Option<Duration>,
    /// A JSON object with the id and the key
    #[arg(long)]
    json: bool,
}

/// What is agreed for a key beyond its models.
#[derive(Args)]
#[group(id = "agreed", conflicts_with = "admin", multiple = true)]
struct Agreed {
    /// The class of service that it belongs to
    #[arg(long, value_name = "NAME")]
    tier: Option<String>,
    /// An address, or a range as 10.1.0.0/16, that it may be used from; repeat for more [default: all]
    #[arg(long = "from", value_name = "RANGE")]
    networks: Vec<Network>,
    /// Requests a minute
    #[arg(long, value_name = "N")]
    requests_per_minute: Option<u64>,
    /// Tokens a minute
    #[arg(long, value_name = "N")]
    tokens_per_minute: Option<u64>,
    /// What it may spend in a month, in cents
    #[arg(long, value_name = "CENTS")]
    budget: Option<u64>,
}

impl Agreed {
    fn read(self) -> Terms {
        Terms {
            tier: self.tier.map(String::into_boxed_str),
            limits: KeyLimits {
                requests_per_minute: self.requests_per_minute,
                tokens_per_minute: self.tokens_per_minute,
                ..KeyLimits::default()
            },
            budget: self.budget.map(|threshold_amount| Budget {
                threshold_amount,
                interval: Span::Month,
            }),
            allowed_ips: self.networks,
            ..Terms::default()
        }
    }
}

pub(super) fn run(flags: &Flags, action: Action) -> Result<(), Ending> {
    office::run(flags, async |office| act(office, action).await)
}

async fn act(office: Office, action: Action) -> Result<(), Ending> {
    let Office { keys, by, .. } = &office;
    match action {
        Action::Create(create) => self::create(&office, create).await,
        Action::List { json } => list(keys, json).await,
        Action::Revoke { key } => {
            let id = id_of(&key)?;
            keys.revoke(by.clone(), id).await.map_err(ending_of_key)?;
            say(&format!("revoked {id}"));
            Ok(())
        }
        Action::Rotate { key, overlap, json } => {
            let minted = keys.rotate(by.clone(), id_of(&key)?, overlap).await;
            let minted = minted.map_err(ending_of_key)?;
            show(minted.id, &minted.key, json);
            Ok(())
        }
    }
}

async fn create(office: &Office, create: Create) -> Result<(), Ending> {
    let Office { directory, by, .. } = office;
    let expires = create.expires.map(|span| SystemTime::now() + span);
    let made = match create.admin {
        true => {
            directory
                .create_admin_key(by.clone(), create.name, expires)
                .await
        }
        false => {
            let new = NewProjectKey {
                name: create.name,
                models: match create.models {
                    names if names.is_empty() => ModelRule::All,
                    names => {
                        ModelRule::Only(names.into_iter().map(String::into_boxed_str).collect())
                    }
                },
                on_hangup: create.on_hangup,
                terms: create.terms.read(),
                expires,
            };
            directory
                .create_key(by.clone(), create.project, create.user, new)
                .await
        }
    };
    let made = made.map_err(ending)?;
    show(made.record.id, &made.key, create.json);
    Ok(())
}

fn show(id: KeyId, key: &Secret, as_json: bool) {
    match as_json {
        true => say(&json!({"id": id.as_str(), "key": key.expose()}).to_string()),
        false => say(key.expose()),
    }
}

async fn list(keys: &Keys, as_json: bool) -> Result<(), Ending> {
    if !as_json {
        say(&format!(
            "{:<16}  {:<5}  {:<8}  {:<24}  {:<29}  {:<33}  MODELS",
            "ID", "KIND", "STATE", "NAME", "PROJECT", "USER"
        ));
    }
    let mut after = None;
    loop {
        let page = keys.list(after, PAGE).await.map_err(ending_of_key)?;
        let Some(last) = page.last() else {
            return Ok(());
        };
        after = Some(last.id);
        for record in &page {
            say(&if as_json {
                line_json(record)
            } else {
                line(record)
            });
        }
    }
}

fn line(record: &Record) -> String {
    let models = match &record.models {
        ModelRule::All => "all".to_owned(),
        ModelRule::Only(names) => names.join(", "),
    };
    format!(
        "{:<16}  {:<5}  {:<8}  {:<24}  {:<29}  {:<33}  {models}",
        record.id,
        record.kind.as_str(),
        state(record),
        record.name,
        record.owner.project.as_deref().unwrap_or("-"),
        record.owner.user.as_deref().unwrap_or("-"),
    )
}

fn line_json(record: &Record) -> String {
    let models = match &record.models {
        ModelRule::All => None,
        ModelRule::Only(names) => Some(names.to_vec()),
    };
    let record = json!({
        "id": record.id.as_str(),
        "kind": record.kind.as_str(),
        "name": record.name,
        "state": state(record),
        "models": models,
        "on_hangup": record.on_hangup.map(|policy| policy.to_string()),
        "project": record.owner.project,
        "user": record.owner.user,
        "created_at": seconds(record.created),
        "expires_at": record.expires.map(seconds),
        "revoked_at": record.revoked.map(seconds),
        "replaced_by": record.replaced_by.map(|id| id.to_string()),
        "terms": record.terms,
    });
    record.to_string()
}

fn state(record: &Record) -> &'static str {
    if record.revoked.is_some() {
        "revoked"
    } else if record.expires.is_some_and(|end| end <= SystemTime::now()) {
        "expired"
    } else {
        "live"
    }
}

/// The id in what a person pastes: an id, or a whole key.
fn id_of(text: &str) -> Result<KeyId, Ending> {
    let bare = text
        .strip_prefix("sk-weir-admin-")
        .or_else(|| text.strip_prefix("sk-weir-"))
        .or_else(|| text.strip_prefix(KeyId::PREFIX))
        .unwrap_or(text);
    let id = bare.split('_').next().unwrap_or(bare);
    // Not repeated: it may be a secret with a slip in it.
    KeyId::parse(id.as_bytes()).ok_or_else(|| {
        Ending::Mistake("that is no id of a key: `weir key list` shows them".to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_found_in_a_whole_key() {
        for text in [
            "0123456789abcdef",
            "key_0123456789abcdef",
            "sk-weir-0123456789abcdef_x",
            "sk-weir-admin-0123456789abcdef_x",
        ] {
            assert!(
                id_of(text).is_ok_and(|id| id.as_str() == "0123456789abcdef"),
                "{text}"
            );
        }
        assert!(id_of("nope").is_err());
    }
}
