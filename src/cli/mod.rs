//! The command line: its commands, and how they end.
//!
//! Exit code 0 is success, 1 a failure, 2 a mistake in what was asked for: flags, configuration, a port that is taken.

mod amount;
mod chat;
mod check;
mod completions;
mod doctor;
mod gateway;
mod key;
mod limit;
mod office;
mod project;
mod serve;
mod usage;
mod user;

use crate::{
    config::{Flags, Store},
    domain, store,
};
use clap::{Args, Parser, Subcommand};
use std::{
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
    sync::OnceLock,
    time::Duration,
};

/// An OpenAI-compatible gateway that meters every token.
#[derive(Parser)]
#[command(name = "weir", version, disable_help_subcommand = true)]
struct Command {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    listeners: serve::Listeners,
    #[command(subcommand)]
    action: Option<Action>,
}

/// Where the configuration and the data are.
#[derive(Args)]
struct Place {
    /// The configuration file [default: $WEIR_CONFIG, else ./config.toml if it is there]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where Weir keeps its files, over `server.data_dir`
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Action {
    /// Serve (also what `weir` alone does)
    Serve(serve::Listeners),
    /// Check the configuration and print every mistake
    Check,
    /// Talk to a model through the running gateway
    Chat(chat::Options),
    /// Make, list, change, revoke and rotate API keys, whether or not the gateway runs
    #[command(subcommand)]
    Key(key::Action),
    /// Make, list and archive projects, whether or not the gateway runs
    #[command(subcommand)]
    Project(project::Action),
    /// Show every limit and how it stands, and set what a project, or the organization, may spend and how fast
    Limit(limit::Options),
    /// Add, list, lock out and change users, whether or not the gateway runs
    #[command(subcommand)]
    User(user::Action),
    /// Show what was used, export it, or lay a provider's figures beside it
    Usage(usage::Options),
    /// Compare the ledger, its sums and the flight table, verify the audit log, and name what differs
    Doctor,
    /// Print a script that completes commands and flags in a shell
    Completions(completions::Options),
}

/// Why a command ended badly.
pub(crate) enum Ending {
    /// What was asked for cannot be done as it was asked.
    Mistake(String),
    /// Something failed.
    Failure(anyhow::Error),
}

impl From<anyhow::Error> for Ending {
    fn from(error: anyhow::Error) -> Self {
        Self::Failure(error)
    }
}

/// Runs the command that the process was started with.
pub fn run() -> ExitCode {
    let command = Command::parse();
    let mut flags = Flags {
        config: command.place.config,
        data_dir: command.place.data_dir,
        ..Flags::default()
    };
    let serves = matches!(command.action, None | Some(Action::Serve(_)));
    let ending = match command.action {
        None => serve::run(flags_for(&mut flags, command.listeners)),
        Some(Action::Serve(listeners)) => {
            serve::run(flags_for(&mut flags, listeners.or(command.listeners)))
        }
        Some(Action::Check) => check::run(&flags),
        Some(Action::Chat(options)) => chat::run(&flags, options),
        Some(Action::Key(action)) => key::run(&flags, action),
        Some(Action::Project(action)) => project::run(&flags, action),
        Some(Action::Limit(options)) => limit::run(&flags, options),
        Some(Action::User(action)) => user::run(&flags, action),
        Some(Action::Usage(options)) => usage::run(&flags, &options),
        Some(Action::Doctor) => doctor::run(&flags),
        Some(Action::Completions(options)) => completions::run(&options),
    };
    // A gateway is there to serve, whoever heard its greeting.
    let ending = match serves {
        true => ending,
        false => ending.and_then(|()| all_was_said()),
    };
    match ending {
        Ok(()) => ExitCode::SUCCESS,
        Err(Ending::Mistake(why)) => {
            complain(&why);
            ExitCode::from(2)
        }
        Err(Ending::Failure(error)) => {
            complain(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn flags_for(flags: &mut Flags, listeners: serve::Listeners) -> Flags {
    Flags {
        listen: listeners.listen,
        control_listen: listeners.control_listen,
        ..std::mem::take(flags)
    }
}

/// That there is a store to ask. To open a file that is not there would make one, and an empty store has an answer for
/// everything.
fn must_exist(place: &Store) -> Result<(), Ending> {
    match &place.at {
        domain::Place::Sqlite(path) if matches!(path.try_exists(), Ok(false)) => {
            Err(Ending::Mistake(format!(
                "there is no store at {}: the first start of a gateway makes it",
                place.at
            )))
        }
        _ => Ok(()),
    }
}

/// That the store cannot be used.
fn mistake(place: &Store, error: store::Error) -> Ending {
    let error = anyhow::Error::new(error);
    Ending::Mistake(format!("the store {} cannot be used: {error:#}", place.at))
}

/// Reads `90s`, `15m`, `12h` or `30d`.
fn duration(text: &str) -> Result<Duration, String> {
    let (digits, unit) = text.split_at(text.len() - text.chars().last().map_or(0, char::len_utf8));
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return Err("expected a number with s, m, h or d behind it".to_owned()),
    };
    let number: u32 = digits
        .parse()
        .map_err(|_| "expected a number with s, m, h or d behind it".to_owned())?;
    Ok(Duration::from_secs(u64::from(number) * seconds))
}

#[expect(
    clippy::print_stderr,
    reason = "this is how a command speaks to the person who ran it"
)]
fn complain(why: &str) {
    eprintln!("weir: {why}");
}

/// Why the output takes no more. It is the process's own, as what is known of it is.
static UNSAID: OnceLock<io::Error> = OnceLock::new();

/// Prints what a command was run for. Once that has failed, nothing more is printed: [`was_said`] tells.
fn say(text: &str) {
    if UNSAID.get().is_none()
        && let Err(error) = writeln!(io::stdout(), "{text}")
    {
        let _ = UNSAID.set(error); // the first is the one that counts
    }
}

/// Whether all that was to be printed was.
fn was_said() -> Result<(), &'static io::Error> {
    UNSAID.get().map_or(Ok(()), Err)
}

/// The same at the end of a command. Whoever does not read on has seen enough, as `head` has.
fn all_was_said() -> Result<(), Ending> {
    match was_said() {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            let why = format!("the output cannot be written: {error}");
            Err(anyhow::Error::msg(why).into())
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_and_nonsense_is_refused() {
        assert_eq!(duration("30d"), Ok(Duration::from_secs(30 * 86_400)));
        assert_eq!(duration("0s"), Ok(Duration::ZERO));
        for bad in ["", "d", "5", "-1h", "1w", "1é"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }
}
