//! `weir key`: changes the store directly, and a running gateway sees the change within a second.

mod ceiling;
mod change;
mod create;
mod list;

use super::{
    Ending, duration,
    office::{self, Office, ending_of_key},
    say, was_said,
};
use crate::{
    config::Flags,
    domain::{KeyId, Secret},
};
use clap::Subcommand;
use serde_json::json;
use std::time::Duration;

#[derive(Subcommand)]
pub(super) enum Action {
    /// Make a key and print it, this once
    Create(Box<create::Create>),
    /// List keys in the order in which they were made, those that ended too
    List(list::List),
    /// Change how fast, how much and in which class a key may be used; what is not named stays as it is
    Change(Box<change::Change>),
    /// End a key now and for good
    Revoke {
        /// The key's id, or the key itself
        key: String,
        /// A JSON object with what became of it
        #[arg(long)]
        json: bool,
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

pub(super) fn run(flags: &Flags, action: Action) -> Result<(), Ending> {
    office::run(flags, async |office| act(office, action).await)
}

async fn act(office: Office, action: Action) -> Result<(), Ending> {
    let Office { keys, by, .. } = &office;
    match action {
        Action::Create(create) => create::run(&office, *create).await,
        Action::List(list) => list::run(&office, list).await,
        Action::Change(change) => change::run(&office, *change).await,
        Action::Revoke { key, json } => {
            let id = id_of(&key)?;
            keys.revoke(by.clone(), id).await.map_err(ending_of_key)?;
            say(&match json {
                true => json!({"id": id.public(), "state": "revoked"}).to_string(),
                false => format!("revoked {}", id.public()),
            });
            Ok(())
        }
        Action::Rotate { key, overlap, json } => {
            let minted = keys.rotate(by.clone(), id_of(&key)?, overlap).await;
            let minted = minted.map_err(ending_of_key)?;
            show(minted.id, &minted.key, json)
        }
    }
}

fn show(id: KeyId, key: &Secret, as_json: bool) -> Result<(), Ending> {
    match as_json {
        true => say(&json!({"id": id.public(), "key": key.expose()}).to_string()),
        false => say(key.expose()),
    }
    was_shown(id)
}

/// A key that nobody has seen lets nobody in, and nobody will miss it either.
pub(in crate::cli) fn was_shown(id: KeyId) -> Result<(), Ending> {
    was_said().map_err(|error| {
        let id = id.public();
        let why = format!("the key {id} is made and cannot be shown ({error}): revoke it");
        Ending::Failure(anyhow::Error::msg(why))
    })
}

/// The id in what a person pastes: an id, or a whole key.
pub(in crate::cli) fn id_of(text: &str) -> Result<KeyId, Ending> {
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

/// That a key is one of those that have no limits.
pub(in crate::cli) fn admin_key(id: KeyId) -> Ending {
    Ending::Mistake(format!(
        "{} is an admin key, which has no limits",
        id.public()
    ))
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
