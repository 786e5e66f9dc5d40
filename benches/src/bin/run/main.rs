//! The benchmark: Weir beside nginx and a bare hyper proxy, in turn, on this machine, now.
//!
//! It prints tables and judges nothing: a time says something about a machine, only a ratio says something about Weir.

mod build;
mod machine;
mod measure;
mod scenario;
mod table;
mod target;

use anyhow::{Context, bail};
use clap::Parser;
use measure::{Bench, Results};
use scenario::Scenario;
use std::{fs::File, path::PathBuf, process::ExitCode, time::Instant};
use target::Target;

#[derive(Parser)]
#[command(about = "Measure Weir beside nginx and a bare hyper proxy")]
struct Args {
    /// How often everything is measured; medians are printed
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Threads that serve, in every target [default: one a core, but no more than two]
    #[arg(long)]
    workers: Option<usize>,
    /// Scenarios, by name or by its beginning, as `stream` or `plain,idle` [default: all but paced and prompt]
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Targets, by name [default: all]
    #[arg(long, value_delimiter = ',')]
    targets: Vec<String>,
    /// Measure this binary instead of building Weir
    #[arg(long, value_name = "FILE")]
    weir: Option<PathBuf>,
    /// Measure another Weir in the same run, to compare two builds
    #[arg(long, value_name = "NAME=FILE")]
    also: Vec<String>,
    /// Times as long for each measurement
    #[arg(long, default_value_t = 1.0)]
    longer: f64,
    /// Seconds that may go, in all, into measuring again what others disturbed: for a machine that is shared
    #[arg(long, default_value_t = 0.0, value_name = "SECONDS")]
    patience: f64,
    /// Write every single measurement to a file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> anyhow::Result<()> {
    let scenarios = scenario::chosen(&args.only)?;
    let tools = build::tools()?;
    machine::raise_descriptor_limit()?;
    let bench = Bench::new(tools, args)?;
    let targets = targets(args, &bench)?;
    let (load_before, begun) = (machine::load_average(), Instant::now());
    let results = rounds(&bench, args.rounds, &scenarios, &targets);
    println!(
        "{}",
        table::heading(&bench, args.rounds, &load_before, begun.elapsed(), &results)
    );
    for scenario in &scenarios {
        println!("{}", table::of(scenario, &targets, &results));
    }
    if let Some(path) = &args.json {
        serde_json::to_writer_pretty(File::create(path)?, &results)?;
    }
    match results.failures {
        0 => Ok(()),
        n => bail!("{n} measurements failed"),
    }
}

fn targets(args: &Args, bench: &Bench) -> anyhow::Result<Vec<Target>> {
    let is_wanted =
        |name: &str| args.targets.is_empty() || args.targets.iter().any(|wanted| wanted == name);
    let mut targets = vec![
        Target::floor("hyper", "hyper-util"),
        Target::floor("hyper+reqwest", "reqwest"),
    ];
    match target::nginx() {
        Some(nginx) => targets.insert(0, nginx),
        None => eprintln!("nginx is not installed, so its row is missing"),
    }
    // The ratios are to the bare hyper proxy, so it is always there.
    targets.retain(|target| target.name == table::FLOOR || is_wanted(&target.name));
    if is_wanted("weir") {
        let binary = args.weir.clone().map_or_else(build::weir, Ok)?;
        targets.push(Target::weir("weir", binary, &bench.place)?);
    }
    for also in &args.also {
        let (name, binary) = also.split_once('=').context("--also takes NAME=FILE")?;
        targets.push(Target::weir(name, binary.into(), &bench.place)?);
    }
    Ok(targets)
}

/// Scenario by scenario, so that what is compared is measured within seconds; every other round backwards, so that
/// nobody is always first.
fn rounds(bench: &Bench, rounds: usize, scenarios: &[&Scenario], targets: &[Target]) -> Results {
    let mut results = Results::default();
    for round in 0..rounds {
        for scenario in scenarios {
            let mut order: Vec<&Target> = targets.iter().collect();
            if round % 2 == 1 {
                order.reverse();
            }
            eprintln!("round {} of {rounds}: {}", round + 1, scenario.name);
            for target in order {
                match bench.measure(scenario, target) {
                    Ok(sample) => results.add(scenario, target, round, sample),
                    Err(error) => {
                        eprintln!("{}, {}: {error:#}", target.name, scenario.name);
                        results.failures += 1;
                    }
                }
            }
        }
    }
    results
}
