//! What is printed: Markdown, a table a scenario, medians over the rounds.

use crate::{
    machine,
    measure::{Bench, Results, Sample},
    scenario::{Column, Scenario},
    target::Target,
};
use std::{fmt::Write, time::Duration};

/// What ratios are to.
pub(crate) const FLOOR: &str = "hyper";

/// The circumstances.
pub(crate) fn heading(
    bench: &Bench,
    rounds: usize,
    load_before: &str,
    took: Duration,
    results: &Results,
) -> String {
    let mut others: Vec<f64> = results.all().map(|sample| sample.others).collect();
    others.sort_by(f64::total_cmp);
    format!(
        "# Weir beside its floors\n\n\
         {rounds} rounds in {:.0} s; {} worker(s) each; {} cores, Linux {}.\n\
         Load average {load_before} before and {} after. Other processes kept {:.2} cores busy, at most {:.2}.\n",
        took.as_secs_f64(),
        bench.workers,
        machine::cores(),
        machine::kernel(),
        machine::load_average(),
        median(&others),
        others.last().copied().unwrap_or(0.0),
    )
}

/// A scenario's table.
pub(crate) fn of(scenario: &Scenario, targets: &[Target], results: &Results) -> String {
    let main = &scenario.columns[0];
    let mut text = format!(
        "## {}\n\n{}\n\n| target | {} | × {FLOOR} |",
        scenario.name, scenario.about, main.title
    );
    for column in &scenario.columns[1..] {
        let _ = write!(text, " {} |", column.title);
    }
    let _ = write!(
        text,
        "\n|---|{}\n",
        "---:|".repeat(scenario.columns.len() + 1)
    );
    for target in targets {
        row(&mut text, scenario, target, results);
    }
    if let (Some(promise), Some(ratio)) =
        (scenario.promise, Ratio::of(main, scenario, "weir", results))
    {
        let _ = writeln!(
            text,
            "\nWeir is promised at {promise} × or less; here it is {:.2} ×.",
            ratio.median
        );
    }
    text
}

fn row(text: &mut String, scenario: &Scenario, target: &Target, results: &Results) {
    let samples: Vec<&Sample> = results
        .of(scenario.name, &target.name)
        .map(|(_, sample)| sample)
        .collect();
    if samples.is_empty() {
        let _ = writeln!(text, "| {} | not measured |", target.name);
        return;
    }
    for (i, column) in scenario.columns.iter().enumerate() {
        let mut values: Vec<f64> = samples
            .iter()
            .map(|sample| (column.value)(sample))
            .collect();
        values.sort_by(f64::total_cmp);
        let value = median(&values);
        match i {
            0 => {
                let ratio = Ratio::of(column, scenario, &target.name, results);
                let ratio = ratio.map_or("–".to_owned(), |ratio| ratio.to_string());
                let _ = write!(
                    text,
                    "| {} | {value:.*} | {ratio} |",
                    target.name, column.decimals
                );
            }
            _ => {
                let _ = write!(text, " {value:.*} |", column.decimals);
            }
        }
    }
    text.push('\n');
}

/// A target's figure over the floor's, taken within each round, so that a noisy minute strikes both.
struct Ratio {
    median: f64,
    least: f64,
    most: f64,
}

impl Ratio {
    fn of(column: &Column, scenario: &Scenario, target: &str, results: &Results) -> Option<Self> {
        let mut ratios: Vec<f64> = results
            .of(scenario.name, target)
            .filter_map(|(round, sample)| {
                let (_, floor) = results
                    .of(scenario.name, FLOOR)
                    .find(|(other, _)| *other == round)?;
                Some((column.value)(sample) / (column.value)(floor))
            })
            .filter(|ratio| ratio.is_finite())
            .collect();
        ratios.sort_by(f64::total_cmp);
        let (&least, &most) = (ratios.first()?, ratios.last()?);
        Some(Self {
            median: median(&ratios),
            least,
            most,
        })
    }
}

impl std::fmt::Display for Ratio {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            median,
            least,
            most,
        } = self;
        write!(f, "**{median:.2}** ({least:.2}–{most:.2})")
    }
}

/// Of sorted values.
fn median(values: &[f64]) -> f64 {
    match values.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => values[n / 2],
        n => (values[n / 2 - 1] + values[n / 2]) / 2.0,
    }
}
