//! Where the password of a user comes from.

use super::ending;
use crate::{cli::Ending, domain::Secret, people::PasswordHash};
use anyhow::Context;
use clap::Args;
use std::{
    fs::File,
    io::{self, IsTerminal, Read},
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// Longer than any password may be.
const PASSWORD_BYTES_MAX: u64 = 4096;

/// Where a password comes from; never from the command line, where others can read it.
#[derive(Args)]
pub(in crate::cli) struct Source {
    /// A file with the password, or `-` for standard input [default: ask for it]
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

impl Source {
    /// The hash of the password that it names.
    pub(super) fn hash(&self) -> Result<PasswordHash, Ending> {
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
