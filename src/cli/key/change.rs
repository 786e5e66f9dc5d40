//! `weir key change`.

use super::{admin_key, ceiling::Ceiling, id_of, list::line_json};
use crate::{
    auth::{self, Kind},
    cli::{
        Ending,
        office::{Office, ending, ending_of_key},
        say,
    },
    domain::Owner,
};
use clap::Args;
use std::time::SystemTime;

#[derive(Args)]
pub(in crate::cli) struct Change {
    /// The key's id, or the key itself
    #[arg(requires = "ceiling")]
    key: String,
    #[command(flatten)]
    ceiling: Ceiling,
    /// The key as a JSON object, as `weir key list` has it
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(office: &Office, wanted: Change) -> Result<(), Ending> {
    let id = id_of(&wanted.key)?;
    let old = office.keys.record(id).await.map_err(ending_of_key)?;
    if old.kind == Kind::Admin {
        return Err(admin_key(id));
    }
    if old.revoked.is_some() {
        return Err(ending_of_key(auth::Error::AlreadyRevoked(id)));
    }
    let change = wanted.ceiling.change(&old.terms)?;
    let project = old.owner.project.as_deref();
    let project = project.unwrap_or(Owner::DEFAULT_PROJECT).to_owned();
    let by = office.by.clone();
    let changed = office.directory.update_project_key(by, project, id, change);
    let (key, _) = changed.await.map_err(ending)?;
    say(&match wanted.json {
        true => line_json(&key, SystemTime::now()),
        false => format!("changed {}", id.public()),
    });
    Ok(())
}
