//! `weir usage`: what was used, for people and for spreadsheets; entry by entry; and beside a provider's own figures.

mod export;
mod reconcile;
mod table;

use super::{Ending, complain, duration, mistake, must_exist, say};
use crate::{
    auth::Keys,
    config::{Flags, load_store},
    domain::{Day, KeyId, Outcome},
    ledger::{Ask, Column, Reports, Sum, Width},
    store::Db,
};
use anyhow::Context;
use clap::{Args, ValueEnum};
use std::{
    collections::HashMap,
    path::PathBuf,
    time::{SystemTime, UNIX_EPOCH},
};

#[derive(Args)]
pub(super) struct Options {
    /// What to add up by
    #[arg(long, value_enum, default_value = "day")]
    by: Group,
    /// From when on, as 2026-11-01 or as a span before now: 24h, 30d [default: 30d; with --export: ever]
    #[arg(long, value_name = "WHEN", conflicts_with = "reconcile")]
    since: Option<String>,
    /// Until when, in the same way; that day itself is not counted [default: now]
    #[arg(long, value_name = "WHEN", conflicts_with = "reconcile")]
    until: Option<String>,
    /// How to show it; an export has no table
    #[arg(long, value_enum)]
    format: Option<Format>,
    #[command(flatten)]
    filters: Filters,
    /// Write out every call, one a line
    #[arg(long, conflicts_with_all = ["by", "reconcile"])]
    export: bool,
    /// Go on with an export behind the call with this id, the last one that it wrote
    #[arg(long, value_name = "ID", requires = "export")]
    after: Option<String>,
    /// Lay a provider's own usage export beside the ledger: pages of OpenAI's usage API, or their CSV
    #[arg(long, value_name = "FILE", conflicts_with = "by")]
    reconcile: Option<PathBuf>,
}

impl Options {
    /// From and until when, in milliseconds since 1970.
    fn span(&self, usual: Option<&str>) -> Result<(u64, u64), Ending> {
        let at = |flag, text: Option<&str>| text.map(|text| when(flag, text)).transpose();
        let since = at("--since", self.since.as_deref().or(usual))?.unwrap_or(0);
        // Nothing is in the future, and a round time can be told from sums alone.
        let until = at("--until", self.until.as_deref())?.unwrap_or(FAR_MILLIS);
        match since <= until {
            true => Ok((since, until)),
            false => Err(Ending::Mistake(
                "--until: expected a time that is not before `--since`".to_owned(),
            )),
        }
    }
}

/// What counts. Each may be repeated.
#[derive(Args)]
struct Filters {
    /// Calls of this key only (its id)
    #[arg(long = "key", value_name = "ID")]
    keys: Vec<String>,
    /// Calls of this project only
    #[arg(long = "project", value_name = "ID")]
    projects: Vec<String>,
    /// Calls of this user only
    #[arg(long = "user", value_name = "ID")]
    users: Vec<String>,
    /// Calls of this model only, as clients name it
    #[arg(long = "model", value_name = "NAME")]
    models: Vec<String>,
    /// Calls that this upstream answered only
    #[arg(long = "upstream", value_name = "NAME")]
    upstreams: Vec<String>,
    /// Calls with this outcome only
    #[arg(long = "outcome", value_name = "OUTCOME", value_parser = Outcome::ALL.map(Outcome::as_str))]
    outcomes: Vec<String>,
}

impl Filters {
    fn only(&self) -> Vec<(Column, Vec<String>)> {
        let all = [
            (Column::Key, &self.keys),
            (Column::Project, &self.projects),
            (Column::User, &self.users),
            (Column::Model, &self.models),
            (Column::Upstream, &self.upstreams),
            (Column::Outcome, &self.outcomes),
        ];
        let set = all.into_iter().filter(|(_, values)| !values.is_empty());
        let recorded = |(column, values): (Column, &Vec<String>)| match column {
            Column::Key => (
                column,
                values.iter().map(|name| KeyId::recorded(name)).collect(),
            ),
            _ => (column, values.clone()),
        };
        set.map(recorded).collect()
    }
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Group {
    Key,
    Project,
    User,
    Model,
    Upstream,
    Endpoint,
    Outcome,
    Day,
}

impl Group {
    /// Its name in a heading.
    fn name(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Project => "project",
            Self::User => "user",
            Self::Model => "model",
            Self::Upstream => "upstream",
            Self::Endpoint => "endpoint",
            Self::Outcome => "outcome",
            Self::Day => "day",
        }
    }

    fn column(self) -> Option<Column> {
        match self {
            Self::Key => Some(Column::Key),
            Self::Project => Some(Column::Project),
            Self::User => Some(Column::User),
            Self::Model => Some(Column::Model),
            Self::Upstream => Some(Column::Upstream),
            Self::Endpoint => Some(Column::Endpoint),
            Self::Outcome => Some(Column::Outcome),
            Self::Day => None,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Table,
    Csv,
    /// An object a line
    #[value(alias = "jsonl")]
    Json,
}

/// Beyond the year 9999, and a whole day.
const FAR_MILLIS: u64 = 4_000_000 * 86_400_000;
/// Lines of a table at most: beyond it a person wants a filter.
const LINES_MAX: usize = 1_000_000;

pub(super) fn run(flags: &Flags, options: &Options) -> Result<(), Ending> {
    let place = load_store(flags).map_err(|problems| Ending::Mistake(problems.to_string()))?;
    must_exist(&place)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .context("no runtime")?;
    let db = Db::open_for_long(&place.at).map_err(|error| mistake(&place, error))?;
    let reports = Reports::new(db.clone());
    runtime.block_on(async {
        match &options.reconcile {
            Some(file) => reconcile::run(&reports, options, file).await,
            None if options.export => export::run(&reports, options).await,
            None => show(db, &reports, options).await,
        }
    })
}

async fn show(db: Db, reports: &Reports, options: &Options) -> Result<(), Ending> {
    let (from, until) = options.span(Some("30d"))?;
    let ask = Ask {
        from,
        until,
        width: match options.by {
            Group::Day => Width::Day,
            _ => Width::Whole,
        },
        by: options.by.column().into_iter().collect(),
        only: options.filters.only(),
        sums: &Sum::ALL,
        lines_max: LINES_MAX,
    };
    let usage = reports.usage(&ask).await;
    let mut lines = usage.context("the usage cannot be read")?.lines;
    let names = match options.by {
        Group::Key => Some(key_names(db).await.context("the keys cannot be read")?),
        _ => None,
    };
    if options.by != Group::Day {
        lines.sort_by_key(|line| std::cmp::Reverse((line.sums.tokens(), line.sums.requests)));
    }
    table::print(
        options.by,
        options.format.unwrap_or(Format::Table),
        &lines,
        names.as_ref(),
    );
    Ok(())
}

/// What people call the keys, by id.
async fn key_names(db: Db) -> Result<HashMap<String, String>, crate::auth::Error> {
    const PAGE: usize = 1000;
    let keys = Keys::open(db).await?;
    let mut names = HashMap::new();
    let mut after = None;
    loop {
        let page = keys.list(after, PAGE).await?;
        let Some(last) = page.last() else {
            return Ok(names);
        };
        after = Some(last.id);
        let pairs = page
            .into_iter()
            .map(|record| (record.id.to_string(), record.name));
        names.extend(pairs);
    }
}

/// When that is, in milliseconds since 1970: the beginning of a day, or a span before now.
fn when(flag: &str, text: &str) -> Result<u64, Ending> {
    if let Some(day) = Day::parse(text) {
        return Ok(day.millis());
    }
    let span = duration(text).map_err(|_| {
        Ending::Mistake(format!(
            "{flag}: expected a day, as 2026-11-01, or a span, as 24h or 30d"
        ))
    })?;
    Ok(millis(SystemTime::now()).saturating_sub(span.as_millis() as u64))
}

fn millis(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_millis() as u64
}
