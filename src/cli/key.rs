//! `weir key`: changes the store directly, and a running gateway sees the change within a second.

use super::{Ending, duration, mistake, say};
use crate::{
    auth::{self, Keys, Kind, NewKey, Record},
    config::{Flags, load_store},
    domain::{KeyId, ModelRule, OnHangup, Owner},
    store::Db,
};
use anyhow::Context;
use clap::{Args, Subcommand};
use serde_json::json;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

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
    /// The project that it is for: what it uses is added up by project too
    #[arg(long, value_name = "NAME", conflicts_with = "admin")]
    project: Option<String>,
    /// The user that it is for
    #[arg(long, value_name = "NAME", conflicts_with = "admin")]
    user: Option<String>,
    /// How long it works, as 12h or 30d [default: for ever]
    #[arg(long, value_parser = duration)]
    expires: Option<Duration>,
    /// A JSON object with the id and the key
    #[arg(long)]
    json: bool,
}

pub(super) fn run(flags: &Flags, action: Action) -> Result<(), Ending> {
    let store = load_store(flags).map_err(|problems| Ending::Mistake(problems.to_string()))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .context("no runtime")?;
    let db = Db::open(&store.at).map_err(|error| mistake(&store, error))?;
    runtime.block_on(async {
        let keys = Keys::open(db).await.context("the keys cannot be read")?;
        act(&keys, action).await
    })
}

async fn act(keys: &Keys, action: Action) -> Result<(), Ending> {
    match action {
        Action::Create(create) => self::create(keys, create).await,
        Action::List { json } => list(keys, json).await,
        Action::Revoke { key } => {
            let id = id_of(&key)?;
            keys.revoke(id).await.map_err(ending)?;
            say(&format!("revoked {id}"));
            Ok(())
        }
        Action::Rotate { key, overlap, json } => {
            let minted = keys.rotate(id_of(&key)?, overlap).await.map_err(ending)?;
            show(&minted, json);
            Ok(())
        }
    }
}

async fn create(keys: &Keys, create: Create) -> Result<(), Ending> {
    let models = match create.models {
        names if names.is_empty() => ModelRule::All,
        names => ModelRule::Only(names.into_iter().map(String::into_boxed_str).collect()),
    };
    let new = NewKey {
        name: create.name,
        kind: if create.admin { Kind::Admin } else { Kind::Api },
        models,
        on_hangup: create.on_hangup,
        owner: Owner {
            project: create.project.map(String::into_boxed_str),
            user: create.user.map(String::into_boxed_str),
        },
        expires: create.expires.map(|span| SystemTime::now() + span),
    };
    let minted = keys.create(new).await.map_err(ending)?;
    show(&minted, create.json);
    Ok(())
}

fn show(minted: &auth::Minted, as_json: bool) {
    match as_json {
        true => say(&json!({"id": minted.id.as_str(), "key": minted.key.expose()}).to_string()),
        false => say(minted.key.expose()),
    }
}

async fn list(keys: &Keys, as_json: bool) -> Result<(), Ending> {
    if !as_json {
        say(&format!(
            "{:<16}  {:<5}  {:<8}  {:<24}  {:<16}  {:<16}  MODELS",
            "ID", "KIND", "STATE", "NAME", "PROJECT", "USER"
        ));
    }
    let mut after = None;
    loop {
        let page = keys.list(after, PAGE).await.map_err(ending)?;
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
        "{:<16}  {:<5}  {:<8}  {:<24}  {:<16}  {:<16}  {models}",
        record.id,
        record.kind.as_str(),
        state(record),
        record.name,
        record.owner.project.as_deref().unwrap_or("-"),
        record.owner.user.as_deref().unwrap_or("-"),
    )
}

fn line_json(record: &Record) -> String {
    let seconds = |time: SystemTime| {
        time.duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs()
    };
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
        .unwrap_or(text);
    let id = bare.split('_').next().unwrap_or(bare);
    // Not repeated: it may be a secret with a slip in it.
    KeyId::parse(id.as_bytes()).ok_or_else(|| {
        Ending::Mistake("that is no id of a key: `weir key list` shows them".to_owned())
    })
}

/// A mistake of the caller's is said in one line; what failed beneath is said with its causes.
fn ending(error: auth::Error) -> Ending {
    match error {
        auth::Error::Random(_) | auth::Error::FirstKeysFile { .. } | auth::Error::Store(_) => {
            Ending::Failure(error.into())
        }
        mistake => Ending::Mistake(mistake.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_found_in_a_whole_key() {
        for text in [
            "0123456789abcdef",
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
