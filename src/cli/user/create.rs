//! `weir user create`.

use super::{ending, password::Source, role, show};
use crate::{
    cli::{Ending, office},
    domain::{Membership, ProjectRole, Role},
    people::{self, NewUser, Users},
};
use clap::Args;

#[derive(Args)]
pub(in crate::cli) struct Create {
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

pub(super) async fn run(users: &Users, create: Create) -> Result<(), Ending> {
    // Before anybody is asked for a password.
    match users.find_email(&create.email).await {
        Err(people::Error::NoSuchUser(_)) => {}
        Err(error) => return Err(ending(error)),
        Ok(_) => return Err(ending(people::Error::EmailTaken)),
    }
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
    show(users, &[made], create.json).await
}
