//! `weir project`: changes the store directly, and a running gateway sees the change within a second.

mod accounts;

use super::{
    Ending,
    office::{self, Office, ending, seconds},
    say,
};
use crate::{
    config::Flags,
    directory::{Cursor, NewProject, Project, ProjectChange},
};
use clap::Subcommand;
use serde_json::json;

/// How many projects are read from the store at a time.
const PAGE: usize = 1000;

#[derive(Subcommand)]
pub(super) enum Action {
    /// Make a project and print its id
    Create {
        /// What to call it
        name: String,
        /// An id of your own choosing, of letters, digits, `-`, `_` and `.` [default: a new one]
        #[arg(long)]
        id: Option<String>,
        /// A JSON object with all of it
        #[arg(long)]
        json: bool,
    },
    /// List the projects
    List {
        /// Archived ones too
        #[arg(long)]
        archived: bool,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Show a project
    Show {
        /// The project's id
        project: String,
        /// A JSON object with all of it
        #[arg(long)]
        json: bool,
    },
    /// Give a project another name
    Rename {
        /// The project's id
        project: String,
        /// What to call it
        name: String,
        /// A JSON object with all of it
        #[arg(long)]
        json: bool,
    },
    /// Archive a project for good, and revoke all of its keys
    Archive {
        /// The project's id
        project: String,
        /// A JSON object with all of it
        #[arg(long)]
        json: bool,
    },
    /// Make, list and delete service accounts of a project
    #[command(subcommand)]
    Accounts(accounts::Action),
}

pub(super) fn run(flags: &Flags, action: Action) -> Result<(), Ending> {
    office::run(flags, async |office| act(&office, action).await)
}

async fn act(office: &Office, action: Action) -> Result<(), Ending> {
    let Office { directory, by, .. } = office;
    let by = by.clone();
    match action {
        Action::Create { name, id, json } => {
            let new = NewProject {
                id,
                name,
                ..NewProject::default()
            };
            let made = directory.create_project(by, new).await.map_err(ending)?;
            say(&if json { line_json(&made) } else { made.id });
        }
        Action::List { archived, json } => list(office, archived, json).await?,
        Action::Show { project, json } => {
            let found = directory.project(project).await.map_err(ending)?;
            show(&found, json);
        }
        Action::Rename {
            project,
            name,
            json,
        } => {
            let change = ProjectChange {
                name: Some(name),
                ..ProjectChange::default()
            };
            let changed = directory.update_project(by, project, change).await;
            show(&changed.map_err(ending)?, json);
        }
        Action::Archive { project, json } => {
            let archived = directory.archive_project(by, project).await;
            let archived = archived.map_err(ending)?;
            say(&match json {
                true => line_json(&archived),
                false => format!("archived {}", archived.id),
            });
        }
        Action::Accounts(action) => accounts::act(office, action).await?,
    }
    Ok(())
}

async fn list(office: &Office, with_archived: bool, as_json: bool) -> Result<(), Ending> {
    if !as_json {
        say(&heading());
    }
    let mut after = None;
    loop {
        let cursor = Cursor::after(after, PAGE);
        let page = office
            .directory
            .projects(cursor, with_archived)
            .await
            .map_err(ending)?;
        for project in &page.items {
            say(&if as_json {
                line_json(project)
            } else {
                line(project)
            });
        }
        let Some(last) = page.into_last() else {
            return Ok(());
        };
        after = Some(last.id);
    }
}

/// One project, as a list of one.
fn show(project: &Project, as_json: bool) {
    match as_json {
        true => say(&line_json(project)),
        false => say(&format!("{}\n{}", heading(), line(project))),
    }
}

fn status(project: &Project) -> &'static str {
    match project.archived {
        None => "active",
        Some(_) => "archived",
    }
}

fn heading() -> String {
    format!("{:<29}  {:<8}  NAME", "ID", "STATUS")
}

fn line(project: &Project) -> String {
    format!(
        "{:<29}  {:<8}  {}",
        project.id,
        status(project),
        project.name
    )
}

fn line_json(project: &Project) -> String {
    let project = json!({
        "id": project.id,
        "name": project.name,
        "status": status(project),
        "created_at": seconds(project.created),
        "archived_at": project.archived.map(seconds),
        "external_key_id": project.external_key_id,
        "residency": project.residency,
    });
    project.to_string()
}
