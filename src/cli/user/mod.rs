//! `weir user`: changes the store directly, and a running gateway sees the change within a second.

mod create;
mod password;

use super::{Ending, office, say};
use crate::{
    config::Flags,
    domain::{Membership, ProjectRole, Role},
    people::{self, Record, UserChange, UserId, Users},
};
use anyhow::Context;
use clap::{Args, Subcommand};
use create::Create;
use password::Source;
use serde_json::json;
use std::time::{SystemTime, UNIX_EPOCH};

/// How many users are read from the store at a time.
const PAGE: usize = 1000;

#[derive(Subcommand)]
pub(super) enum Action {
    /// Add a user
    Create(Create),
    /// List all users
    List {
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Lock a user out, and end their sign-ins and their keys
    Disable(Whom),
    /// Let a user in again
    Enable(Whom),
    /// Take a user out of the organization for good, and end their sign-ins and their keys
    Delete(Whom),
    /// Give a user a new password and end their sign-ins
    Password {
        #[command(flatten)]
        whom: Whom,
        #[command(flatten)]
        source: Source,
    },
    /// Make a user an owner of the organization, or a reader
    Role {
        #[command(flatten)]
        whom: Whom,
        /// owner or reader
        #[arg(value_parser = role)]
        role: Role,
    },
    /// Give a user a tier, which limits all that they do together
    Tier {
        #[command(flatten)]
        whom: Whom,
        /// A [[tier]] of the configuration; `none` for no tier
        tier: String,
    },
    /// Give a user a part in a project
    Join {
        #[command(flatten)]
        whom: Whom,
        /// The project's id
        project: String,
        /// owner or member
        #[arg(long, default_value = "member", value_parser = project_role)]
        role: ProjectRole,
    },
    /// Take a user out of a project, and end the keys that they have in it
    Leave {
        #[command(flatten)]
        whom: Whom,
        /// The project's id
        project: String,
    },
}

/// Which user, and how to show them.
#[derive(Args)]
pub(super) struct Whom {
    /// Their email or their id
    user: String,
    /// A JSON object with the user
    #[arg(long)]
    json: bool,
}

pub(super) fn run(flags: &Flags, action: Action) -> Result<(), Ending> {
    office::on_store(flags, async |db| {
        let users = Users::open(db).await.context("the users cannot be read")?;
        act(&users, action).await
    })
}

async fn act(users: &Users, action: Action) -> Result<(), Ending> {
    let by = office::by();
    let (changed, as_json) = match action {
        Action::Create(create) => return create::run(users, create).await,
        Action::List { json } => return list(users, json).await,
        Action::Disable(whom) => {
            let id = find(users, &whom.user).await?;
            (users.update(by, id, disabled(true)).await, whom.json)
        }
        Action::Enable(whom) => {
            let id = find(users, &whom.user).await?;
            (users.update(by, id, disabled(false)).await, whom.json)
        }
        Action::Delete(whom) => {
            let id = find(users, &whom.user).await?;
            (users.delete(by, id).await, whom.json)
        }
        Action::Role { whom, role } => {
            let id = find(users, &whom.user).await?;
            let change = UserChange {
                role: Some(role),
                ..UserChange::default()
            };
            (users.update(by, id, change).await, whom.json)
        }
        Action::Tier { whom, tier } => {
            let id = find(users, &whom.user).await?;
            let tier = (tier != "none").then(|| tier.into_boxed_str());
            let change = UserChange {
                tier: Some(tier),
                ..UserChange::default()
            };
            (users.update(by, id, change).await, whom.json)
        }
        Action::Password { whom, source } => {
            let id = find(users, &whom.user).await?;
            let record = users.find(id).await.map_err(ending)?;
            let changed = users.set_password(by, record.id, source.hash()?).await;
            (changed, whom.json)
        }
        Action::Join {
            whom,
            project,
            role,
        } => {
            let project = project.into_boxed_str();
            let id = find(users, &whom.user).await?;
            let joined = users.join(by, id, Membership { project, role }).await;
            (joined.map(|member| member.user), whom.json)
        }
        Action::Leave { whom, project } => {
            let id = find(users, &whom.user).await?;
            let left = users.leave(by, id, project).await;
            (left.map(|member| member.user), whom.json)
        }
    };
    show(users, &[changed.map_err(ending)?], as_json).await
}

fn disabled(is: bool) -> UserChange {
    UserChange {
        disabled: Some(is),
        ..UserChange::default()
    }
}

async fn list(users: &Users, as_json: bool) -> Result<(), Ending> {
    if !as_json {
        say(&format!(
            "{:<21}  {:<6}  {:<11}  {:<32}  NAME",
            "ID", "ROLE", "STATE", "EMAIL"
        ));
    }
    let mut after = None;
    loop {
        let page = users.list(after, Vec::new(), PAGE).await.map_err(ending)?;
        show(users, &page.items, as_json).await?;
        let Some(last) = page.into_last() else {
            return Ok(());
        };
        after = Some(last.id);
    }
}

/// Prints users, one a line.
async fn show(users: &Users, records: &[Record], as_json: bool) -> Result<(), Ending> {
    if !as_json {
        records.iter().for_each(|record| say(&line(record)));
        return Ok(());
    }
    let ids = records.iter().map(|record| record.id).collect();
    let parts = users.parts(ids).await.map_err(ending)?;
    for (record, parts) in records.iter().zip(&parts) {
        say(&line_json(record, parts));
    }
    Ok(())
}

fn line(record: &Record) -> String {
    format!(
        "{:<21}  {:<6}  {:<11}  {:<32}  {}",
        record.id,
        record.role.as_str(),
        state(record),
        record.email,
        record.name
    )
}

fn line_json(record: &Record, parts: &[Membership]) -> String {
    let part = |one: &Membership| json!({"id": one.project, "role": one.role.as_str()});
    let added = record.added.duration_since(UNIX_EPOCH);
    json!({
        "id": record.id.to_string(),
        "email": record.email,
        "name": record.name,
        "role": record.role.as_str(),
        "tier": record.tier,
        "state": state(record).replace(' ', "_"),
        "projects": parts.iter().map(part).collect::<Vec<_>>(),
        "added_at": added.unwrap_or_default().as_secs(),
    })
    .to_string()
}

fn state(record: &Record) -> &'static str {
    match (record.disabled, record.has_password) {
        (Some(since), _) if since <= SystemTime::now() => "disabled",
        (_, true) => "live",
        (_, false) => "no password",
    }
}

/// The user that an email or an id names.
async fn find(users: &Users, text: &str) -> Result<UserId, Ending> {
    match UserId::parse(text) {
        Some(id) => Ok(id),
        None => {
            let found = users.find_email(text).await;
            found.map(|record| record.id).map_err(ending)
        }
    }
}

fn role(text: &str) -> Result<Role, &'static str> {
    Role::named(text).ok_or("expected owner or reader")
}

fn project_role(text: &str) -> Result<ProjectRole, &'static str> {
    ProjectRole::named(text).ok_or("expected owner or member")
}

/// A mistake of whoever typed it is said in one line; what failed beneath is said with its causes.
fn ending(error: people::Error) -> Ending {
    match error {
        people::Error::Random(_) | people::Error::Store(_) => Ending::Failure(error.into()),
        mistake => Ending::Mistake(mistake.to_string()),
    }
}
