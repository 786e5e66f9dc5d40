//! Usage as a table with bars, as CSV, or as an object a line.

use super::{Format, Group, say};
use crate::{
    domain::{Day, NanoDollars, printable},
    ledger::{Line, Sums},
    wire::csv,
};
use serde_json::{Map, Value};
use std::collections::HashMap;

/// Characters that the longest bar takes.
const BAR: u64 = 24;
const FIGURES: [&str; 8] = [
    "requests",
    "input",
    "cached",
    "output",
    "reasoning",
    "cost",
    "unreported",
    "unpriced",
];

pub(super) fn print(
    by: Group,
    format: Format,
    lines: &[Line],
    names: Option<&HashMap<String, String>>,
) {
    let rows: Vec<Row> = lines.iter().map(|line| row(line, names)).collect();
    match format {
        Format::Table => table(by, &rows, names.is_some()),
        Format::Csv => {
            let name = names.map_or("", |_| ",name");
            say(&format!("{}{name},{}", by.name(), FIGURES.join(",")));
            rows.iter().for_each(|row| say(&row.csv()));
        }
        Format::Json => rows.iter().for_each(|row| say(&row.json(by).to_string())),
    }
}

struct Row {
    id: String,
    /// What people call it, where that is another thing.
    name: Option<String>,
    sums: Sums,
}

fn row(line: &Line, names: Option<&HashMap<String, String>>) -> Row {
    let id = match line.group.first() {
        None => Day::of_millis(line.start).to_string(),
        Some(id) => id.clone().unwrap_or_default(),
    };
    let name = names.map(|names| names.get(&id).cloned().unwrap_or_default());
    Row {
        name,
        id,
        sums: line.sums,
    }
}

impl Row {
    fn figures(&self) -> [Value; FIGURES.len()] {
        let sums = &self.sums;
        [
            sums.requests.into(),
            sums.input.into(),
            sums.cached.into(),
            sums.output.into(),
            sums.reasoning.into(),
            // As text: a float would not hold it.
            dollars(sums.cost).into(),
            sums.unreported.into(),
            sums.unpriced.into(),
        ]
    }

    fn csv(&self) -> String {
        let names = std::iter::once(&self.id).chain(&self.name);
        let mut fields: Vec<String> = names.map(|name| csv::field(name).into_owned()).collect();
        let plain = |figure: Value| match figure {
            Value::String(text) => text,
            number => number.to_string(),
        };
        fields.extend(self.figures().into_iter().map(plain));
        fields.join(",")
    }

    fn json(&self, by: Group) -> Value {
        let mut object = Map::new();
        object.insert(by.name().to_owned(), self.id.as_str().into());
        if let Some(name) = &self.name {
            object.insert("name".to_owned(), name.as_str().into());
        }
        let figures = FIGURES.map(str::to_owned).into_iter().zip(self.figures());
        object.extend(figures);
        object.into()
    }
}

fn table(by: Group, rows: &[Row], with_names: bool) {
    let width = |heading: &str, text: &dyn Fn(&Row) -> String| {
        let longest = rows.iter().map(|row| text(row).chars().count()).max();
        longest.unwrap_or(0).max(heading.len())
    };
    let id = |row: &Row| match row.id.as_str() {
        "" => "-".to_owned(),
        id => printable(id),
    };
    let name = |row: &Row| printable(row.name.as_deref().unwrap_or_default());
    let ids = width(by.name(), &id).max("TOTAL".len());
    let names = if with_names {
        width("name", &name) + 2
    } else {
        0
    };
    let line = |id: &str,
                name: &str,
                [a, b, c, d, e, f, g, h]: [String; FIGURES.len()],
                bar: &str| {
        let line = format!(
            "{id:<ids$}  {name:<names$}{a:>10}  {b:>13}  {c:>13}  {d:>13}  {e:>12}  {f:>14}  {g:>10}  {h:>9}  {bar}"
        );
        say(line.trim_end());
    };
    let heading = by.name().to_uppercase();
    let name_heading = if with_names { "NAME" } else { "" };
    line(&heading, name_heading, FIGURES.map(str::to_uppercase), "");
    let most = rows.iter().map(|row| row.sums.tokens()).max().unwrap_or(0);
    let mut total = Sums::default();
    for row in rows {
        total.add(row.sums);
        line(
            &id(row),
            &name(row),
            figures(&row.sums),
            &bar(row.sums.tokens(), most),
        );
    }
    if rows.len() > 1 {
        line("TOTAL", "", figures(&total), "");
    }
}

fn figures(sums: &Sums) -> [String; FIGURES.len()] {
    [
        sums.requests.to_string(),
        sums.input.to_string(),
        sums.cached.to_string(),
        sums.output.to_string(),
        sums.reasoning.to_string(),
        format!("${}", cents(sums.cost)),
        sums.unreported.to_string(),
        sums.unpriced.to_string(),
    ]
}

fn dollars(nanos: u64) -> String {
    NanoDollars::new(nanos.into()).to_string()
}

/// Dollars to the hundredth of a cent, which is what a person compares; the other formats have every digit.
fn cents(nanos: u64) -> String {
    let hundredths = nanos.saturating_add(50_000) / 100_000;
    format!("{}.{:04}", hundredths / 10_000, hundredths % 10_000)
}

/// A bar of `part` in `most`, in eighths of a character.
fn bar(part: u64, most: u64) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = u128::from(part) * u128::from(BAR * 8) / u128::from(most.max(1));
    let (whole, rest) = (eighths as usize / 8, eighths as usize % 8);
    "█".repeat(whole) + EIGHTHS[rest]
}

#[cfg(test)]
mod tests {
    use super::{bar, cents};

    #[test]
    fn bars_are_in_proportion() {
        assert_eq!(bar(10, 10).chars().count(), 24);
        assert_eq!(bar(5, 10).chars().count(), 12);
        assert_eq!(bar(1, 192), "▏");
        assert_eq!(bar(0, 0), "");
    }

    #[test]
    fn money_is_rounded_for_people() {
        assert_eq!(cents(1_234_567_890_123), "1234.5679");
        assert_eq!(cents(49_999), "0.0000");
    }
}
