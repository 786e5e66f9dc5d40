//! `weir user`: changes the store directly, and a running gateway sees the change within a second.

use super::{Ending, mistake, office, say};
use crate::{
    config::{Flags, load_store},
    domain::{Membership, ProjectRole, Role, Secret},
    people::{self, NewUser, PasswordHash, Record, UserId, Users},
    store::Db,
};
use anyhow::Context;
use clap::{Args, Subcommand};
use serde_json::json;
use std::{
    fs::File,
    io::{self, IsTerminal, Read},
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};
use zeroize::Zeroizing;

/// How many users are read from the store at a time.
const PAGE: usize = 1000;
/// Longer than any password may be.
const PASSWORD_BYTES_MAX: u64 = 4096;

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
    /// Lock a user out and end their sign-ins
    Disable {
        /// Their email or their id
        user: String,
    },
    /// Let a user in again
    Enable {
        /// Their email or their id
        user: String,
    },
    /// Give a user a new password and end their sign-ins
    Password {
        /// Their email or their id
        user: String,
        #[command(flatten)]
        source: Source,
    },
    /// Make a user an owner of the organization, or a reader
    Role {
        /// Their email or their id
        user: String,
        /// owner or reader
        #[arg(value_parser = role)]
        role: Role,
    },
    /// Give a user a part in a project
    Join {
        /// Their email or their id
        user: String,
        /// The project's id
        project: String,
        /// owner or member
        #[arg(long, default_value = "member", value_parser = project_role)]
        role: ProjectRole,
    },
    /// Take a user out of a project
    Leave {
        /// Their email or their id
        user: String,
        /// The project's id
        project: String,
    },
}

#[derive(Args)]
pub(super) struct Create {
    /// What they sign in with
    email: String,
    /// What people call them [default: their email]
    #[arg(long)]
    name: Option<String>,
    /// owner or reader
    #[arg(long, default_value = "reader", value_parser = role)]
    role: Role,
    /// A project that they work in; repeat for more
    #[arg(long = "project", value_name = "ID")]
    projects: Vec<String>,
    /// Without a password: they cannot sign in until they are given one
    #[arg(long, conflicts_with = "password_file")]
    no_password: bool,
    #[command(flatten)]
    source: Source,
    /// A JSON object with what was made
    #[arg(long)]
    json: bool,
}

/// Where a password comes from; never from the command line, where others can read it.
#[derive(Args)]
pub(super) struct Source {
    /// A file with the password, or `-` for standard input [default: ask for it]
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

pub(super) fn run(flags: &Flags, action: Action) -> Result<(), Ending> {
    let store = load_store(flags).map_err(|problems| Ending::Mistake(problems.to_string()))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .context("no runtime")?;
    let db = Db::open(&store.at).map_err(|error| mistake(&store, error))?;
    runtime.block_on(async {
        let users = Users::open(db).await.context("the users cannot be read")?;
        act(&users, action).await
    })
}

async fn act(users: &Users, action: Action) -> Result<(), Ending> {
    let by = office::by();
    let changed = match action {
        Action::Create(create) => return self::create(users, create).await,
        Action::List { json } => return list(users, json).await,
        Action::Disable { user } => {
            users
                .update(by, find(users, &user).await?, None, Some(true))
                .await
        }
        Action::Enable { user } => {
            users
                .update(by, find(users, &user).await?, None, Some(false))
                .await
        }
        Action::Role { user, role } => {
            users
                .update(by, find(users, &user).await?, Some(role), None)
                .await
        }
        Action::Password { user, source } => {
            let id = find(users, &user).await?;
            users.set_password(by, id, source.hash()?).await
        }
        Action::Join {
            user,
            project,
            role,
        } => {
            let project = project.into_boxed_str();
            let id = find(users, &user).await?;
            let joined = users.join(by, id, Membership { project, role }).await;
            joined.map(|member| member.user)
        }
        Action::Leave { user, project } => {
            let left = users.leave(by, find(users, &user).await?, project).await;
            left.map(|member| member.user)
        }
    };
    say(&line(&changed.map_err(ending)?));
    Ok(())
}

async fn create(users: &Users, create: Create) -> Result<(), Ending> {
    let password = match create.no_password {
        true => None,
        false => Some(create.source.hash()?),
    };
    let membership = |project: String| Membership {
        project: project.into_boxed_str(),
        role: ProjectRole::Member,
    };
    let new = NewUser {
        name: create.name.unwrap_or_else(|| create.email.clone()),
        email: create.email,
        role: create.role,
        password,
        memberships: create.projects.into_iter().map(membership).collect(),
    };
    let made = users.create(office::by(), new).await.map_err(ending)?;
    say(&match create.json {
        true => line_json(&made),
        false => line(&made),
    });
    Ok(())
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
        let Some(last) = page.last() else {
            return Ok(());
        };
        after = Some(last.id);
        for record in &page {
            say(&match as_json {
                true => line_json(record),
                false => line(record),
            });
        }
    }
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

fn line_json(record: &Record) -> String {
    let added = record.added.duration_since(UNIX_EPOCH);
    json!({
        "id": record.id.to_string(),
        "email": record.email,
        "name": record.name,
        "role": record.role.as_str(),
        "state": state(record),
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

impl Source {
    /// The hash of the password that it names.
    fn hash(&self) -> Result<PasswordHash, Ending> {
        let password = match &self.password_file {
            Some(path) => read(path)?,
            None if io::stdin().is_terminal() => prompt()?,
            None => {
                return Err(Ending::Mistake(
                    "there is no terminal to ask for the password: use --password-file FILE, or - for standard input"
                        .to_owned(),
                ));
            }
        };
        PasswordHash::of(&password).map_err(ending)
    }
}

fn prompt() -> Result<Secret, Ending> {
    let ask = |text| rpassword::prompt_password(text).map(Secret::new);
    let first = ask("Password: ").context("no password")?;
    let again = ask("Again: ").context("no password")?;
    match first == again {
        true => Ok(first),
        false => Err(Ending::Mistake("the two differ".to_owned())),
    }
}

/// The first line of a file.
fn read(path: &Path) -> Result<Secret, Ending> {
    let mut text = Zeroizing::new(String::new());
    let read = match path == Path::new("-") {
        true => io::stdin()
            .take(PASSWORD_BYTES_MAX)
            .read_to_string(&mut text),
        false => File::open(path)
            .and_then(|file| file.take(PASSWORD_BYTES_MAX).read_to_string(&mut text)),
    };
    read.map_err(|error| Ending::Mistake(format!("{} cannot be read: {error}", path.display())))?;
    Ok(Secret::new(text.lines().next().unwrap_or_default()))
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
