//! `GET /v1/organization/usage/…` and `GET /v1/organization/costs`: what was used, in OpenAI's shapes.

mod buckets;
mod costs;
mod kinds;
mod shapes;

pub use costs::COSTS;
pub use shapes::{
    AUDIO_SPEECHES, AUDIO_TRANSCRIPTIONS, COMPLETIONS, EMBEDDINGS, IMAGES, MODERATIONS,
};

use super::{
    Request, json_text,
    rights::{self, Actor, Right},
};
use crate::{
    app::App,
    body::Body,
    domain::{Endpoint, KeyId},
    error::Error,
    ledger::{Ask, Column, Line, Sum, Width},
    wire::{
        query::{Mistake, Query},
        schema::Schema,
    },
};
use buckets::{Page, Widths};
use http::Response;
use kinds::{Group, Kind};
use serde::Serialize;
use std::time::SystemTime;

/// Values that a column may have.
type Only = Vec<(Column, Vec<String>)>;

/// Results on one page at most: a page with more has fewer buckets, and says that more follow.
const RESULTS_MAX: usize = 50_000;
const WIDTHS: Widths = &[
    ("1m", Width::Minute, 60, 1440),
    ("1h", Width::Hour, 24, 168),
    ("1d", Width::Day, 7, 31),
];
/// Parameters that every one of these paths takes.
const COMMON: [&str; 8] = [
    "start_time",
    "end_time",
    "bucket_width",
    "limit",
    "page",
    "group_by",
    "project_ids",
    "api_key_ids",
];

/// What a client reads of a page.
#[derive(Serialize)]
struct Answer<T> {
    object: &'static str,
    data: Vec<Bucket<T>>,
    has_more: bool,
    next_page: Option<String>,
}

#[derive(Serialize)]
struct Bucket<T> {
    object: &'static str,
    start_time: u64,
    end_time: u64,
    results: Vec<T>,
}

/// Usage of one kind.
async fn usage(request: Request, kind: &'static Kind) -> Result<Response<Body>, Error> {
    let app = &request.app;
    let actor = rights::who(app, request.headers())?;
    let names: Vec<&str> = COMMON.iter().chain(kind.filters).copied().collect();
    let query = Query::parse(request.query(), &names)?;
    permit(&actor, &query)?;
    let page = Page::read(&query, WIDTHS, SystemTime::now())?;
    let groups = query.words("group_by", kind.groups)?;
    let filters = kind.only(&query)?;
    let asked = Asked {
        endpoints: kind.endpoints,
        sums: kind.sums,
        groups: &groups,
        only: filters,
    };
    let answer = answer(app, page, asked, |line| kind.result(&groups, line));
    json_text(&answer.await?)
}

/// Whether somebody may see the usage of the projects that a query names; of all, if it names none.
fn permit(actor: &Actor, query: &Query) -> Result<(), Error> {
    let mut projects = query.all("project_ids").peekable();
    match projects.peek() {
        None => actor.require(Right::UsageRead, None),
        Some(_) => projects.try_for_each(|id| actor.require(Right::UsageRead, Some(id))),
    }
}

/// What is to be in the buckets.
struct Asked<'a> {
    /// Of calls of these endpoints; of all, if there are none.
    endpoints: &'static [Endpoint],
    sums: &'static [Sum],
    groups: &'a [Group],
    /// Filters; without any list of them nothing can be in a bucket.
    only: Option<Only>,
}

/// Fills the buckets of a page.
async fn answer<T>(
    app: &App,
    mut page: Page,
    asked: Asked<'_>,
    result: impl Fn(Line) -> T,
) -> Result<Answer<T>, Error> {
    let mut lines = Vec::new();
    if let (Some(mut only), Some((from, until))) = (asked.only, page.span()) {
        let is_narrower = only.iter().any(|(column, _)| *column == Column::Endpoint);
        if !asked.endpoints.is_empty() && !is_narrower {
            let names = asked.endpoints.iter().map(|one| one.as_str().to_owned());
            only.push((Column::Endpoint, names.collect()));
        }
        let columns = asked.groups.iter().filter_map(|group| group.column());
        let ask = Ask {
            from,
            until,
            width: page.width,
            by: columns.collect(),
            only,
            sums: asked.sums,
            lines_max: RESULTS_MAX,
        };
        let usage = app.reports.usage(&ask).await?;
        page.cut(usage.until);
        lines = usage.lines;
    }
    let whole = page.width.millis().unwrap_or(1);
    let mut lines = lines.into_iter().peekable();
    let mut data = Vec::with_capacity(page.buckets.len());
    for (start_time, end_time) in &page.buckets {
        let mut results = Vec::new();
        // A line names the beginning of the whole bucket, also where this one was cut short.
        while let Some(line) = lines.next_if(|line| line.start / whole == start_time * 1000 / whole)
        {
            results.push(result(line));
        }
        data.push(Bucket {
            object: "bucket",
            start_time: *start_time,
            end_time: *end_time,
            results,
        });
    }
    let next_page = page.next();
    Ok(Answer {
        object: "page",
        data,
        has_more: next_page.is_some(),
        next_page,
    })
}

/// Characters of a name in a filter: more than any name has.
const NAME_MAX: u64 = 256;

/// What a parameter that filters by names may be.
pub(super) fn names() -> Schema {
    Schema::list(Schema::text().length(1, NAME_MAX))
}

/// The values of the parameters that filter by a column.
pub(super) fn filters(query: &Query, columns: &[(&'static str, Column)]) -> Result<Only, Mistake> {
    let mut only = Vec::new();
    for (name, column) in columns {
        let values: Vec<String> = query.all(name).map(str::to_owned).collect();
        let is_name = |value: &String| (1..=NAME_MAX).contains(&(value.chars().count() as u64));
        if !values.iter().all(is_name) {
            let expected = format!("a list of names of 1 to {NAME_MAX} characters");
            return Err(Mistake::Wrong(name, expected));
        }
        let values = match column {
            Column::Key => values.iter().map(|name| KeyId::recorded(name)).collect(),
            _ => values,
        };
        if !values.is_empty() {
            only.push((*column, values));
        }
    }
    Ok(only)
}
