//! A provider's own account of what was used: pages of OpenAI's usage API, or the CSV that their dashboard exports.

use super::csv;
use crate::domain::Day;
use serde::{
    Deserialize, Deserializer,
    de::{
        MapAccess, SeqAccess, Visitor,
        value::{MapAccessDeserializer, SeqAccessDeserializer},
    },
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

/// Results in one export at most.
const ROWS_MAX: usize = 1_000_000;
const DAY_SECONDS: u64 = 86_400;
/// Beyond this no time is meant in seconds.
const SECONDS_MAX: u64 = 1 << 37;

/// What an export says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UsageExport {
    /// Sums by day and model. The model is none if the export does not tell models apart.
    pub used: BTreeMap<(Day, Option<String>), Figures>,
    /// From and until when it is about, in seconds since 1970.
    pub span: (u64, u64),
    /// The kinds of usage that it names: `completions`, `embeddings` …
    pub kinds: BTreeSet<String>,
    /// It ends with a page that says that more follow.
    pub is_cut: bool,
    /// Figures, by their names in [`Figures::named`], that it tells nothing of though it tells of others.
    pub untold: BTreeSet<&'static str>,
}

/// Figures that a provider and a ledger both have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Requests.
    pub requests: u64,
    /// Tokens of prompts.
    pub input: u64,
    /// Those among them that were read from the provider's cache.
    pub cached: u64,
    /// Tokens of answers.
    pub output: u64,
}

/// Why an export cannot be read, and on which line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct Fault {
    line: usize,
    what: String,
}

impl Figures {
    /// Each with its name.
    pub fn named(&self) -> [(&'static str, u64); 4] {
        [
            ("requests", self.requests),
            ("input", self.input),
            ("cached", self.cached),
            ("output", self.output),
        ]
    }

    /// Adds `more` to each.
    pub fn add(&mut self, more: Self) {
        self.requests = self.requests.saturating_add(more.requests);
        self.input = self.input.saturating_add(more.input);
        self.cached = self.cached.saturating_add(more.cached);
        self.output = self.output.saturating_add(more.output);
    }
}

/// Reads an export of either kind, which its first character tells.
pub fn read(text: &str) -> Result<UsageExport, Fault> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut export = UsageExport {
        span: (u64::MAX, 0),
        ..UsageExport::default()
    };
    match text.trim_start().starts_with(['{', '[']) {
        true => pages(text, &mut export)?,
        false => table(text, &mut export)?,
    }
    if export.span.0 >= export.span.1 {
        return Err(fault(1, "there is no bucket in it"));
    }
    let named = export.used.keys().filter(|(_, model)| model.is_some());
    let named = named.count();
    if named > 0 && named < export.used.len() {
        let what = "some results name a model and some do not: export it with group_by=model";
        return Err(fault(1, what));
    }
    Ok(export)
}

fn fault(line: usize, what: impl Into<String>) -> Fault {
    Fault {
        line,
        what: what.into(),
    }
}

impl UsageExport {
    /// Notes a bucket, and says which day it is of.
    fn bucket(&mut self, start: u64, end: u64) -> Result<Day, &'static str> {
        if start >= end || end > SECONDS_MAX {
            return Err("a bucket that ends before it begins");
        }
        if start / DAY_SECONDS != (end - 1) / DAY_SECONDS {
            return Err("a bucket that is not of one day in UTC");
        }
        self.span = (self.span.0.min(start), self.span.1.max(end));
        Ok(Day::of_millis(start * 1000))
    }

    fn add(&mut self, day: Day, model: Option<String>, figures: Figures) -> Result<(), String> {
        self.used.entry((day, model)).or_default().add(figures);
        match self.used.len() > ROWS_MAX {
            true => Err(format!("more than {ROWS_MAX} days and models")),
            false => Ok(()),
        }
    }
}

/// A page, or a list of them.
struct Pages(Vec<Page>);

impl<'de> Deserialize<'de> for Pages {
    // By hand, since an enum without tags forgets where in the text the mistake was.
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = Pages;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a page or a list of pages")
            }

            fn visit_map<A: MapAccess<'de>>(self, page: A) -> Result<Pages, A::Error> {
                let page = Page::deserialize(MapAccessDeserializer::new(page))?;
                Ok(Pages(vec![page]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, pages: A) -> Result<Pages, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(pages)).map(Pages)
            }
        }

        from.deserialize_any(Either)
    }
}

#[derive(Deserialize)]
struct Page {
    data: Vec<Bucket>,
    #[serde(default)]
    has_more: bool,
}

#[derive(Deserialize)]
struct Bucket {
    start_time: u64,
    end_time: u64,
    results: Vec<Used>,
}

#[derive(Deserialize)]
struct Used {
    object: String,
    #[serde(default)]
    model: Option<String>,
    num_model_requests: Option<u64>,
    input_tokens: Option<u64>,
    input_cached_tokens: Option<u64>,
    output_tokens: Option<u64>,
}

/// Pages one behind the other, or in a list.
fn pages(text: &str, export: &mut UsageExport) -> Result<(), Fault> {
    let mut documents = serde_json::Deserializer::from_str(text).into_iter::<Pages>();
    let mut seen = BTreeSet::new();
    let (mut at, mut line) = (0, 1);
    loop {
        let rest = text[documents.byte_offset()..].trim_start();
        let begin = text.len() - rest.len();
        line += text[at..begin].matches('\n').count();
        at = begin;
        let pages = match documents.next() {
            None => return Ok(()),
            Some(Ok(Pages(pages))) => pages,
            Some(Err(error)) => {
                let what = format!("no page of OpenAI's usage API: {error}");
                return Err(fault(error.line(), what));
            }
        };
        for page in pages {
            export.is_cut = page.has_more;
            add_page(page, &mut seen, export).map_err(|what| fault(line, what))?;
        }
    }
}

fn add_page(
    page: Page,
    seen: &mut BTreeSet<(u64, String)>,
    export: &mut UsageExport,
) -> Result<(), String> {
    for bucket in page.data {
        let day = export.bucket(bucket.start_time, bucket.end_time)?;
        let first = bucket.results.first().map(|result| result.object.clone());
        if first.is_some_and(|kind| !seen.insert((bucket.start_time, kind))) {
            let start = bucket.start_time;
            return Err(format!("the bucket that begins at {start} is there twice"));
        }
        for result in bucket.results {
            let kind = result.object.strip_prefix("organization.usage.");
            let kind = kind.and_then(|kind| kind.strip_suffix(".result"));
            let kind = kind.ok_or_else(|| format!("no usage: `{}`", result.object))?;
            export.kinds.insert(kind.to_owned());
            let figures = Figures {
                requests: result.num_model_requests.unwrap_or(0),
                input: result.input_tokens.unwrap_or(0),
                cached: result.input_cached_tokens.unwrap_or(0),
                output: result.output_tokens.unwrap_or(0),
            };
            export.add(day, result.model, figures)?;
        }
    }
    Ok(())
}

/// Where the columns of a table are. All figures are missing where nothing was used.
struct Columns {
    start: usize,
    end: usize,
    model: Option<usize>,
    requests: Option<usize>,
    input: Option<usize>,
    cached: Option<usize>,
    output: Option<usize>,
}

fn table(text: &str, export: &mut UsageExport) -> Result<(), Fault> {
    let broken = |line| fault(line, "a quote that is not closed, or stands where none can");
    let (heading, mut rest) = csv::record(text).ok_or_else(|| broken(1))?;
    let heading: Vec<&str> = heading.iter().map(|column| column.trim()).collect();
    let mut names = heading.clone();
    names.sort_unstable();
    let twice = names.windows(2).find(|pair| pair[0] == pair[1]);
    if let Some([name, _]) = twice.filter(|pair| !pair[0].is_empty()) {
        let what = format!("the column `{}` is there twice", name.escape_debug());
        return Err(fault(1, what));
    }
    let place = |name: &str| heading.iter().position(|column| *column == name);
    let (Some(start), Some(end)) = (place("start_time"), place("end_time")) else {
        let what = "neither JSON nor a CSV with the columns start_time and end_time";
        return Err(fault(1, what));
    };
    let columns = Columns {
        start,
        end,
        model: place("model"),
        requests: place("num_model_requests"),
        input: place("input_tokens"),
        cached: place("input_cached_tokens"),
        output: place("output_tokens"),
    };
    let figures = [
        columns.requests,
        columns.input,
        columns.cached,
        columns.output,
    ];
    if figures.iter().any(Option::is_some) {
        let names = Figures::default().named().map(|(name, _)| name);
        let untold = names.into_iter().zip(figures);
        let untold = untold.filter(|(_, column)| column.is_none());
        export.untold = untold.map(|(name, _)| name).collect();
    }
    let is_money = place("amount_value").is_some() || place("amount").is_some();
    if is_money && columns.input.is_none() {
        return Err(fault(1, "an export of costs: the one of usage has tokens"));
    }
    if columns.input.is_some() {
        // The file does not say; of those that have tokens only this kind has any in its answers.
        let kind = if columns.output.is_some() {
            "completions"
        } else {
            "embeddings"
        };
        export.kinds.insert(kind.to_owned());
    }
    let mut line = 2;
    while !rest.is_empty() {
        let (fields, behind) = csv::record(rest).ok_or_else(|| broken(line))?;
        if fields.iter().any(|field| !field.is_empty()) {
            if fields.len() != heading.len() {
                let (found, expected) = (fields.len(), heading.len());
                let what = format!("{found} values where the heading has {expected}");
                return Err(fault(line, what));
            }
            add_record(&fields, &columns, export).map_err(|what| fault(line, what))?;
        }
        line += rest[..rest.len() - behind.len()].matches('\n').count();
        rest = behind;
    }
    Ok(())
}

fn add_record(
    fields: &[String],
    columns: &Columns,
    export: &mut UsageExport,
) -> Result<(), String> {
    let field = |at: usize| fields.get(at).map_or("", |field| field.trim());
    let number = |at: Option<usize>, name: &str| match at.map_or("", field) {
        "" => Ok(0),
        text => text
            .parse::<u64>()
            .map_err(|_| format!("{name} is no number: `{}`", text.escape_debug())),
    };
    let start = number(Some(columns.start), "start_time")?;
    let end = number(Some(columns.end), "end_time")?;
    let day = export.bucket(start, end)?;
    let figures = Figures {
        requests: number(columns.requests, "num_model_requests")?,
        input: number(columns.input, "input_tokens")?,
        cached: number(columns.cached, "input_cached_tokens")?,
        output: number(columns.output, "output_tokens")?,
    };
    let model = columns.model.map_or("", field);
    let model = Some(model.to_owned()).filter(|model| !model.is_empty());
    // A bucket without any use is a line of its own.
    match model.is_none() && figures == Figures::default() {
        true => Ok(()),
        false => export.add(day, model, figures),
    }
}

#[cfg(test)]
mod tests;
