//! `weir completions`: what a shell needs to complete commands and flags.

use super::{Command, Ending};
use anyhow::Context;
use clap::{Args, CommandFactory, ValueEnum};
use clap_complete::{Generator, aot};
use std::io::Write;

/// For which shell.
#[derive(Args)]
pub(super) struct Options {
    /// The shell
    shell: Shell,
}

#[derive(Clone, Copy, ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
}

pub(super) fn run(options: &Options) -> Result<(), Ending> {
    let script = match options.shell {
        Shell::Bash => script(aot::Bash),
        Shell::Zsh => script(aot::Zsh),
        Shell::Fish => script(aot::Fish),
    };
    let written = std::io::stdout().write_all(&script);
    written.context("the script cannot be written")?;
    Ok(())
}

fn script(shell: impl Generator) -> Vec<u8> {
    let mut script = Vec::new();
    aot::generate(shell, &mut Command::command(), "weir", &mut script);
    script
}
