//! `weir usage --reconcile FILE`: a provider's own figures beside the ledger's, and every difference.

use super::{Ending, Format, Options, complain, say};
use crate::{
    domain::{Day, Endpoint, printable},
    ledger::{Ask, Column, Line, Reports, Sum, Width},
    wire::{
        csv,
        usage_export::{self, Figures, UsageExport},
    },
};
use anyhow::{Context, anyhow};
use serde_json::json;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::Read,
    path::Path,
};

/// The largest export that is read: it is held in memory.
const FILE_MAX_BYTES: u64 = 64 << 20;

type Used = BTreeMap<(Day, Option<String>), Figures>;

/// One figure about which the two do not agree.
struct Difference<'a> {
    day: String,
    model: &'a str,
    figure: &'static str,
    provider: u64,
    ledger: u64,
}

pub(super) async fn run(reports: &Reports, options: &Options, file: &Path) -> Result<(), Ending> {
    let name = file.display();
    let text = read(file).map_err(|error| Ending::Mistake(format!("{name}: {error:#}")))?;
    let export = usage_export::read(&text);
    let export = export.map_err(|fault| Ending::Mistake(format!("{name}: {fault}")))?;
    if export.is_cut {
        complain("the last page says that more follow: only what is there is compared");
    }
    if !export.untold.is_empty() {
        let untold: Vec<&str> = export.untold.iter().copied().collect();
        complain(&format!(
            "the file has no column for {}: not compared",
            untold.join(", ")
        ));
    }
    let endpoints = endpoints(&export.kinds).map_err(|kind| {
        let why = "no usage in tokens: export completions, embeddings or moderations";
        Ending::Mistake(format!("{name}: {kind}: {why}"))
    })?;
    let ledger = ledger(reports, options, &export, &endpoints).await?;
    show(options, &export, &ledger)
}

fn read(file: &Path) -> anyhow::Result<String> {
    let file = File::open(file)?;
    let mut text = String::new();
    file.take(FILE_MAX_BYTES + 1).read_to_string(&mut text)?;
    anyhow::ensure!(
        text.len() as u64 <= FILE_MAX_BYTES,
        "larger than {} MiB: export a shorter time",
        FILE_MAX_BYTES >> 20
    );
    Ok(text)
}

/// What a provider counts under these kinds; or the kind of which it counts no tokens.
fn endpoints(kinds: &BTreeSet<String>) -> Result<Vec<Endpoint>, &str> {
    use Endpoint::{Chat, Completions, Embeddings, Moderations, Responses};
    let mut endpoints = Vec::new();
    for kind in kinds {
        endpoints.extend_from_slice(match kind.as_str() {
            "completions" => &[Chat, Completions, Responses],
            "embeddings" => &[Embeddings],
            "moderations" => &[Moderations],
            other => return Err(other),
        });
    }
    if endpoints.is_empty() {
        // An export of days on which nothing was used does not say what was not.
        endpoints.extend([Chat, Completions, Responses]);
    }
    Ok(endpoints)
}

/// What the ledger says of the same time, by the models that answers named.
async fn ledger(
    reports: &Reports,
    options: &Options,
    export: &UsageExport,
    endpoints: &[Endpoint],
) -> Result<Used, Ending> {
    let names = endpoints
        .iter()
        .map(|endpoint| endpoint.as_str().to_owned());
    let mut only = options.filters.only();
    only.push((Column::Endpoint, names.collect()));
    // What a provider refuses it does not count.
    only.push((Column::Refused, vec!["no".to_owned()]));
    if options.filters.upstreams.is_empty() {
        only.push((Column::Provider, vec!["openai".to_owned()]));
    }
    let has_models = export.used.is_empty() || export.used.keys().any(|(_, model)| model.is_some());
    let mut ask = Ask {
        from: export.span.0 * 1000,
        until: export.span.1 * 1000,
        width: Width::Day,
        by: if has_models {
            vec![Column::Served]
        } else {
            Vec::new()
        },
        only,
        sums: &[Sum::Requests, Sum::Input, Sum::Cached, Sum::Output],
        lines_max: super::LINES_MAX,
    };
    let mut used = Used::new();
    while ask.from < ask.until {
        let usage = reports.usage(&ask).await;
        let usage = usage.context("the ledger cannot be read")?;
        for Line { start, group, sums } in usage.lines {
            let figures = Figures {
                requests: sums.requests,
                input: sums.input,
                cached: sums.cached,
                output: sums.output,
            };
            let model = group.into_iter().next().flatten();
            used.entry((Day::of_millis(start), model))
                .or_default()
                .add(figures);
        }
        ask.from = usage.until;
    }
    Ok(used)
}

fn show(options: &Options, export: &UsageExport, ledger: &Used) -> Result<(), Ending> {
    let provider = &export.used;
    let is_told = |one: &Difference<'_>| !export.untold.contains(one.figure);
    let all: BTreeSet<_> = provider.keys().chain(ledger.keys()).collect();
    let of = |used: &Used, key| used.get(key).copied().unwrap_or_default();
    let mut differences = Vec::new();
    let mut totals = (Figures::default(), Figures::default());
    for key @ (day, model) in &all {
        let (theirs, ours) = (of(provider, key), of(ledger, key));
        totals.0.add(theirs);
        totals.1.add(ours);
        let model = model.as_deref().unwrap_or("(all)");
        let found = compare(day.to_string(), model, theirs, ours);
        differences.extend(found.filter(|one| is_told(one) && one.provider != one.ledger));
    }
    let format = options.format.unwrap_or(Format::Table);
    let totals = compare("TOTAL".to_owned(), "", totals.0, totals.1);
    match format {
        Format::Table => table(&differences, totals.filter(is_told)),
        Format::Csv => {
            say("day,model,figure,provider,ledger");
            for one in &differences {
                let model = csv::field(one.model);
                let (day, figure) = (&one.day, one.figure);
                say(&format!(
                    "{day},{model},{figure},{},{}",
                    one.provider, one.ledger
                ));
            }
        }
        Format::Json => differences.iter().for_each(|one| {
            let line = json!({
                "day": one.day, "model": one.model, "figure": one.figure,
                "provider": one.provider, "ledger": one.ledger,
            });
            say(&line.to_string());
        }),
    }
    let compared = all.len();
    if differences.is_empty() && export.is_cut {
        return Err(Ending::Failure(anyhow!(
            "{compared} days and models agree, and more follow that are not in the file"
        )));
    }
    if differences.is_empty() {
        if format == Format::Table {
            say(&format!("{compared} days and models agree"));
        }
        return Ok(());
    }
    let found = differences.len();
    Err(Ending::Failure(anyhow!(
        "{found} figures differ in {compared} days and models"
    )))
}

fn compare(
    day: String,
    model: &str,
    theirs: Figures,
    ours: Figures,
) -> impl Iterator<Item = Difference<'_>> {
    let figures = theirs.named().into_iter().zip(ours.named());
    figures.map(move |((figure, provider), (_, ledger))| Difference {
        day: day.clone(),
        model,
        figure,
        provider,
        ledger,
    })
}

fn table<'a>(differences: &[Difference<'a>], totals: impl Iterator<Item = Difference<'a>>) {
    let width = differences
        .iter()
        .map(|one| one.model.chars().count())
        .max();
    let width = width.unwrap_or(0).max("MODEL".len());
    say(&format!(
        "{:<10}  {:<width$}  {:<8}  {:>15}  {:>15}  {:>15}",
        "DAY", "MODEL", "FIGURE", "PROVIDER", "LEDGER", "DIFFERENCE"
    ));
    let line = |one: &Difference<'_>| {
        say(&format!(
            "{:<10}  {:<width$}  {:<8}  {:>15}  {:>15}  {:>+15}",
            one.day,
            printable(one.model),
            one.figure,
            one.provider,
            one.ledger,
            i128::from(one.ledger) - i128::from(one.provider)
        ));
    };
    differences.iter().for_each(line);
    totals.for_each(|total| line(&total));
}
