//! `weir usage`: what was used, by key, model or day, for people and for spreadsheets.

use super::{Ending, duration, mistake, say};
use crate::{
    config::{Flags, load_store},
    domain::Day,
    ledger::{self, By, Line},
    store,
};
use anyhow::Context;
use clap::{Args, ValueEnum};
use serde_json::json;
use std::time::{SystemTime, UNIX_EPOCH};

#[derive(Args)]
pub(super) struct Options {
    /// What to add up by
    #[arg(long, value_enum, default_value = "day")]
    by: Group,
    /// From when on, as 2026-11-01 or as a span before now: 24h, 30d
    #[arg(long, default_value = "30d", value_name = "WHEN")]
    since: String,
    /// How to show it
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

#[derive(Clone, Copy, ValueEnum)]
enum Group {
    Key,
    Model,
    Day,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Table,
    Csv,
    Json,
}

/// Characters that the longest bar takes.
const BAR: u64 = 24;

pub(super) fn run(flags: &Flags, options: &Options) -> Result<(), Ending> {
    let place = load_store(flags).map_err(|problems| Ending::Mistake(problems.to_string()))?;
    let mut conn = store::connect_to_read(&place.at).map_err(|error| mistake(&place, error))?;
    let since = match (Day::parse(&options.since), duration(&options.since)) {
        (Some(day), _) => day.millis(),
        (None, Ok(span)) => SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .saturating_sub(span)
            .as_millis() as u64,
        (None, Err(_)) => {
            return Err(Ending::Mistake(
                "--since: expected a day, as 2026-11-01, or a span, as 24h or 30d".to_owned(),
            ));
        }
    };
    let (name, by) = match options.by {
        Group::Key => ("key", By::Key),
        Group::Model => ("model", By::Model),
        Group::Day => ("day", By::Day),
    };
    let lines = ledger::usage(&mut conn, by, since).context("the usage cannot be read")?;
    match options.format {
        Format::Table => table(name, &lines),
        Format::Csv => csv(name, &lines),
        Format::Json => lines.iter().for_each(|line| say(&object(name, line))),
    }
    Ok(())
}

fn table(name: &str, lines: &[Line]) {
    let width = lines.iter().map(|line| line.name.chars().count()).max();
    let width = width.unwrap_or(0).max(name.len());
    let most = lines.iter().map(tokens).max().unwrap_or(0);
    say(&format!(
        "{:<width$}  {:>10}  {:>12}  {:>12}  {:>12}  {:>12}  {:>10}",
        name.to_uppercase(),
        "REQUESTS",
        "INPUT",
        "CACHED",
        "OUTPUT",
        "REASONING",
        "UNREPORTED"
    ));
    for line in lines {
        let row = format!(
            "{:<width$}  {:>10}  {:>12}  {:>12}  {:>12}  {:>12}  {:>10}  {}",
            printable(&line.name),
            line.requests,
            line.input,
            line.cached,
            line.output,
            line.reasoning,
            line.unreported,
            bar(tokens(line), most)
        );
        say(row.trim_end());
    }
}

fn tokens(line: &Line) -> u64 {
    line.input + line.output
}

/// A model is what a client called it, which may be an instruction to a terminal.
fn printable(name: &str) -> String {
    name.chars()
        .map(|c| if c.is_control() { '?' } else { c })
        .collect()
}

/// A bar of `part` in `most`, in eighths of a character.
fn bar(part: u64, most: u64) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = u128::from(part) * u128::from(BAR * 8) / u128::from(most.max(1));
    let (whole, rest) = (eighths as usize / 8, eighths as usize % 8);
    "█".repeat(whole) + EIGHTHS[rest]
}

fn csv(name: &str, lines: &[Line]) {
    say(&format!(
        "{name},requests,unreported,input,cached,output,reasoning"
    ));
    for line in lines {
        let name = match line.name.contains(['"', ',', '\n', '\r']) {
            true => format!("\"{}\"", line.name.replace('"', "\"\"")),
            false => line.name.clone(),
        };
        say(&format!(
            "{name},{},{},{},{},{},{}",
            line.requests, line.unreported, line.input, line.cached, line.output, line.reasoning
        ));
    }
}

fn object(name: &str, line: &Line) -> String {
    let object = json!({
        name: line.name,
        "requests": line.requests,
        "unreported": line.unreported,
        "input": line.input,
        "cached": line.cached,
        "output": line.output,
        "reasoning": line.reasoning,
    });
    object.to_string()
}

#[cfg(test)]
mod tests {
    use super::bar;

    #[test]
    fn bars_are_in_proportion() {
        assert_eq!(bar(10, 10).chars().count(), 24);
        assert_eq!(bar(5, 10).chars().count(), 12);
        assert_eq!(bar(1, 192), "▏");
        assert_eq!(bar(0, 0), "");
    }
}
