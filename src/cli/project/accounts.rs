//! `weir project accounts`: service accounts, who in a project are no people.

use crate::{
    cli::{
        Ending,
        key::was_shown,
        office::{Office, ending, seconds},
        say,
    },
    directory::{Account, Cursor, Made, NewAccount, NewProjectKey},
};
use clap::Subcommand;
use serde_json::{Value, json};

/// How many accounts are read from the store at a time.
const PAGE: usize = 1000;

#[derive(Subcommand)]
pub(in crate::cli) enum Action {
    /// Make a service account with a key, and print the key, this once
    Create {
        /// The project's id
        project: String,
        /// What to call it
        name: String,
        /// Without a key; print the account's id
        #[arg(long)]
        no_key: bool,
        /// A JSON object with all of it
        #[arg(long)]
        json: bool,
    },
    /// List a project's service accounts
    List {
        /// The project's id
        project: String,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Delete a service account, and revoke its keys
    Delete {
        /// The project's id
        project: String,
        /// The account's id
        account: String,
        /// A JSON object with what became of it
        #[arg(long)]
        json: bool,
    },
}

pub(super) async fn act(office: &Office, action: Action) -> Result<(), Ending> {
    let Office { directory, by, .. } = office;
    match action {
        Action::Create {
            project,
            name,
            no_key,
            json,
        } => {
            let key = (!no_key).then(|| NewProjectKey::named(name.clone()));
            let new = NewAccount { name, key };
            let made = directory.create_account(by.clone(), project, new).await;
            let (account, key) = made.map_err(ending)?;
            say(&match (&key, json) {
                (_, true) => with_key(&account, key.as_ref()).to_string(),
                (Some(made), false) => made.key.expose().to_owned(),
                (None, false) => account.id,
            });
            key.map_or(Ok(()), |made| was_shown(made.record.id))
        }
        Action::List { project, json } => list(office, &project, json).await,
        Action::Delete {
            project,
            account,
            json,
        } => {
            let delete = directory.delete_account(by.clone(), project, account.clone());
            delete.await.map_err(ending)?;
            say(&match json {
                true => json!({"id": account, "deleted": true}).to_string(),
                false => format!("deleted {account}"),
            });
            Ok(())
        }
    }
}

async fn list(office: &Office, project: &str, as_json: bool) -> Result<(), Ending> {
    if !as_json {
        say(&format!("{:<33}  {:<6}  NAME", "ID", "ROLE"));
    }
    let mut after = None;
    loop {
        let cursor = Cursor::after(after, PAGE);
        let page = office.directory.accounts(project.to_owned(), cursor).await;
        let page = page.map_err(ending)?;
        for account in &page.items {
            let Account { id, name, role, .. } = account;
            say(&match as_json {
                true => told(account).to_string(),
                false => format!("{id:<33}  {:<6}  {name}", role.as_str()),
            });
        }
        let Some(last) = page.into_last() else {
            return Ok(());
        };
        after = Some(last.id);
    }
}

fn told(account: &Account) -> Value {
    json!({
        "id": account.id,
        "name": account.name,
        "role": account.role.as_str(),
        "created_at": seconds(account.created),
    })
}

fn with_key(account: &Account, key: Option<&Made>) -> Value {
    let mut told = told(account);
    told["api_key"] = key.map_or(
        Value::Null,
        |made| json!({"id": made.record.id.public(), "value": made.key.expose()}),
    );
    told
}
