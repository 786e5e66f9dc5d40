//! `weir limit`: changes the store directly, and a running gateway sees the change within a second.

mod everyone;
mod list;
mod rate;
mod show;

use super::{
    Ending,
    amount::{Amount, amount},
    office::{self, Office, ending},
    say,
};
use crate::{
    auth::NUMBER_MAX,
    config::{Flags, load_models},
    directory::{ModelPermissions, NewAlert, Retention},
};
use clap::{Args, Subcommand};

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Options {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    list: list::List,
}

#[derive(Subcommand)]
enum Action {
    /// Show every limit, or those of one holder: used, left, and when it is whole again (also what `weir limit` alone does)
    List(list::List),
    /// Set what may be spent in a month
    Spend {
        /// How much, in cents; `none` for no limit
        #[arg(value_parser = amount)]
        cents: Amount,
        #[command(flatten)]
        scope: Scope,
    },
    /// Set how fast a project may use a model; what is not named stays as it is
    Rate(rate::Rate),
    /// Set which models a project may use
    Models(Models),
    /// Make or delete an alert of what was spent
    #[command(subcommand)]
    Alert(Alert),
    /// Note how long what is said may be kept
    Retention {
        /// OpenAI's word, as `zero_data_retention` or, for a project, `organization_default`
        #[arg(value_parser = retention)]
        word: Retention,
        #[command(flatten)]
        scope: Scope,
    },
}

/// Of whom, and how it is shown.
#[derive(Args)]
pub(super) struct Scope {
    /// The project's id [default: the organization]
    #[arg(long, value_name = "ID")]
    project: Option<String>,
    /// A JSON object with all of it
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(super) struct Models {
    #[command(flatten)]
    which: Which,
    /// The project's id
    #[arg(long, value_name = "ID")]
    project: String,
    /// A JSON object with all that it may do
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
#[group(id = "which", required = true, multiple = false)]
struct Which {
    /// A model that it may use, and no others; one `*` stands for any text; repeat for more
    #[arg(long, value_name = "NAME")]
    allow: Vec<String>,
    /// A model that it may not use; repeat for more
    #[arg(long, value_name = "NAME")]
    deny: Vec<String>,
    /// All of them
    #[arg(long)]
    all: bool,
}

#[derive(Subcommand)]
pub(super) enum Alert {
    /// Make one and print its id
    Create {
        /// When it goes off, in cents a month
        #[arg(value_parser = clap::value_parser!(u64).range(..=NUMBER_MAX))]
        cents: u64,
        /// An address that it tells; repeat for more
        #[arg(long = "to", value_name = "ADDRESS", required = true)]
        recipients: Vec<String>,
        /// What its messages begin with
        #[arg(long, value_name = "TEXT")]
        subject_prefix: Option<String>,
        #[command(flatten)]
        scope: Scope,
    },
    /// Delete one
    Delete {
        /// Its id: `weir limit list --project` or `--organization` shows them
        alert: String,
        #[command(flatten)]
        scope: Scope,
    },
}

fn retention(text: &str) -> Result<Retention, String> {
    let found = Retention::WORDS.iter().find(|(word, _)| *word == text);
    found.map(|(_, retention)| *retention).ok_or_else(|| {
        let words = Retention::WORDS.map(|(word, _)| word);
        format!("expected one of {}", words.join(", "))
    })
}

pub(super) fn run(flags: &Flags, options: Options) -> Result<(), Ending> {
    let action = options.action.unwrap_or(Action::List(options.list));
    let models = match &action {
        Action::Rate(_) => load_models(flags),
        _ => Ok(Vec::new()),
    };
    let models = models.map_err(|problems| Ending::Mistake(problems.to_string()))?;
    office::run(flags, async |office| {
        act(flags, &office, action, &models).await
    })
}

async fn act(
    flags: &Flags,
    office: &Office,
    action: Action,
    models: &[String],
) -> Result<(), Ending> {
    let Office { directory, by, .. } = office;
    let by = by.clone();
    let scope = match action {
        Action::List(wanted) => return list::run(flags, office, wanted).await,
        Action::Spend {
            cents: Amount(Some(0)),
            ..
        } => {
            return Err(Ending::Mistake(
                "a spend limit is one cent or more; `none` takes it away".to_owned(),
            ));
        }
        Action::Spend {
            cents: Amount(cents),
            scope,
        } => {
            let project = scope.project.clone();
            match cents {
                Some(cents) => directory.set_spend_limit(by, project, cents).await,
                None => directory.delete_spend_limit(by, project).await,
            }
            .map_err(ending)?;
            scope
        }
        Action::Rate(rate) => rate::set(office, rate, models).await?,
        Action::Models(wanted) => {
            let Models {
                which,
                project,
                json,
            } = wanted;
            let set = directory.set_model_permissions(by, project.clone(), which.permissions());
            set.await.map_err(ending)?;
            Scope {
                project: Some(project),
                json,
            }
        }
        Action::Alert(Alert::Create {
            cents,
            recipients,
            subject_prefix,
            scope,
        }) => {
            let new = NewAlert {
                threshold: cents,
                recipients: recipients.into_iter().map(String::into_boxed_str).collect(),
                subject_prefix,
            };
            let made = directory.create_alert(by, scope.project, new).await;
            let made = made.map_err(ending)?;
            say(&match scope.json {
                true => show::alert(&made).to_string(),
                false => made.id,
            });
            return Ok(());
        }
        Action::Alert(Alert::Delete { alert, scope }) => {
            let delete = directory.delete_alert(by, scope.project.clone(), alert);
            delete.await.map_err(ending)?;
            scope
        }
        Action::Retention { word, scope } => {
            let of_projects = [Retention::OrganizationDefault, Retention::None];
            if scope.project.is_none() && of_projects.contains(&word) {
                let why = format!("`{}` is for a project: name one", word.as_str());
                return Err(Ending::Mistake(why));
            }
            let set = directory.set_retention(by, scope.project.clone(), word);
            set.await.map_err(ending)?;
            scope
        }
    };
    let allowance = directory.allowance(scope.project).await.map_err(ending)?;
    match scope.json {
        true => say(&show::whole(&allowance)),
        false => show::table(&allowance),
    }
    Ok(())
}

impl Which {
    fn permissions(self) -> Option<ModelPermissions> {
        let is_allow_list = !self.allow.is_empty();
        let names = if is_allow_list { self.allow } else { self.deny };
        (!self.all).then(|| ModelPermissions {
            is_allow_list,
            models: names.into_iter().map(String::into_boxed_str).collect(),
        })
    }
}
