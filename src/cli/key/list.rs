//! `weir key list`: a page of the keys, for people or for scripts.

use super::id_of;
use crate::{
    auth::Record,
    cli::{
        Ending, complain,
        office::{Office, ending, ending_of_key, seconds},
        say,
    },
    domain::ModelRule,
};
use clap::Args;
use serde_json::json;
use std::time::SystemTime;

/// How many keys are read from the store at a time.
const PAGE: usize = 1000;

#[derive(Args)]
pub(in crate::cli) struct List {
    /// Keys of this project only
    #[arg(long, value_name = "ID")]
    project: Option<String>,
    /// How many at most
    #[arg(long, value_name = "N", default_value_t = 500)]
    limit: usize,
    /// Those that were made after this one: its id
    #[arg(long, value_name = "ID")]
    after: Option<String>,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(office: &Office, list: List) -> Result<(), Ending> {
    let Office {
        keys, directory, ..
    } = office;
    if let Some(project) = &list.project {
        // One that is not there has no keys either, but that would be an answer to a mistake.
        directory.project(project.clone()).await.map_err(ending)?;
    }
    if !list.json {
        say(&heading());
    }
    let mut after = list.after.as_deref().map(id_of).transpose()?;
    let mut left = list.limit;
    loop {
        // One more than is shown tells whether there are more.
        let page = keys.list_of(list.project.clone(), after, left.min(PAGE) + 1);
        let page = page.await.map_err(ending_of_key)?;
        let shown = page.len().min(left.min(PAGE));
        for record in &page[..shown] {
            let now = SystemTime::now();
            say(&match list.json {
                true => line_json(record, now),
                false => line(record, now),
            });
        }
        left -= shown;
        if page.len() == shown {
            return Ok(());
        }
        match page[..shown].last() {
            Some(last) if left > 0 => after = Some(last.id),
            last => {
                let next = last.map_or(String::new(), |last| {
                    format!(" `--after {}` begins there;", last.id.public())
                });
                complain(&format!("there are more:{next} `--limit` shows more"));
                return Ok(());
            }
        }
    }
}

fn heading() -> String {
    format!(
        "{:<20}  {:<5}  {:<7}  {:<24}  {:<29}  {:<33}  MODELS",
        "ID", "KIND", "STATE", "NAME", "PROJECT", "USER"
    )
}

fn line(record: &Record, now: SystemTime) -> String {
    let models = match &record.models {
        ModelRule::All => "all".to_owned(),
        ModelRule::Only(names) => names.join(", "),
    };
    format!(
        "{:<20}  {:<5}  {:<7}  {:<24}  {:<29}  {:<33}  {models}",
        record.id.public(),
        record.kind.as_str(),
        state(record, now),
        record.name,
        record.owner.project.as_deref().unwrap_or("-"),
        record.owner.user.as_deref().unwrap_or("-"),
    )
}

/// A key as a JSON object.
pub(super) fn line_json(record: &Record, now: SystemTime) -> String {
    let models = match &record.models {
        ModelRule::All => None,
        ModelRule::Only(names) => Some(names.to_vec()),
    };
    let record = json!({
        "id": record.id.public(),
        "kind": record.kind.as_str(),
        "name": record.name,
        "state": state(record, now),
        "models": models,
        "on_hangup": record.on_hangup.map(|policy| policy.to_string()),
        "project": record.owner.project,
        "user": record.owner.user,
        "created_at": seconds(record.created),
        "expires_at": record.expires.map(seconds),
        "revoked_at": record.revoked.map(seconds),
        "replaced_by": record.replaced_by.map(|id| id.public()),
        "terms": record.terms,
    });
    record.to_string()
}

fn state(record: &Record, now: SystemTime) -> &'static str {
    if record.revoked.is_some() {
        "revoked"
    } else if record.expires.is_some_and(|end| end <= now) {
        "expired"
    } else {
        "live"
    }
}
