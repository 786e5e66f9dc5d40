//! `/v1/organization/projects/{project_id}/rate_limits`: one for each model that the config or the store knows.

use super::{enter, list, list_of, members, paged, project_of};
use crate::{
    auth::NUMBER_MAX,
    body::Body,
    control::{Operation, Request, json, rights::Right},
    directory::{Page, RateLimit, Side},
    error::Error,
    wire::{
        about::{About, Content},
        query::{Mistake, Query},
        schema::{Schema, Shape},
    },
};
use http::Response;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const TAG: &str = "Limits";
const PAGE: (usize, usize) = (100, 100);
/// What stands before a model's name in a limit's id.
const PREFIX: &str = "rl-";
/// Members that OpenAI always gives; without a limit they are [`NUMBER_MAX`], which no minute reaches.
const ALWAYS: usize = 2;

const LIMIT: Shape = Shape::new("RateLimit", || {
    let figures = RateLimit::NAMES.into_iter().enumerate();
    let schema = Schema::object()
        .with("object", Schema::word("project.rate_limit"))
        .with("id", Schema::text())
        .with("model", Schema::text());
    figures.fold(schema, |all, (at, name)| match at < ALWAYS {
        true => all.with(name, Schema::count().says("2^53 - 1 is no limit")),
        false => all.may(name, Schema::count()),
    })
});
const LIMITS: Shape = Shape::new("RateLimits", || list_of(&LIMIT));
const CHANGE: Shape = Shape::new("RateLimitChange", || {
    let figures = RateLimit::NAMES.into_iter();
    let number = || Schema::count().at_most(NUMBER_MAX).or_null();
    figures
        .fold(Schema::object(), |all, name| all.may(name, number()))
        .open()
});

/// `GET …/rate_limits`.
pub const LIST: Operation = Operation::new(
    |request| Box::pin(page(request)),
    About::new(TAG, "How fast a project may use models")
        .parameters(|| paged(&["limit", "after", "before"], PAGE))
        .gives(&[(200, Content::Json(&LIMITS))])
        .refuses(&[503]),
);
/// `POST …/rate_limits/{rate_limit_id}`.
pub const UPDATE: Operation = Operation::new(
    |request| Box::pin(update(request)),
    About::new(TAG, "Set how fast a project may use a model")
        .details("What is left out or null stays as it is; 2^53 - 1 takes a limit away.")
        .takes(&CHANGE)
        .gives(&[(200, Content::Json(&LIMIT))])
        .refuses(&[503]),
);

async fn page(request: Request) -> Result<Response<Body>, Error> {
    let project = project_of(&request);
    enter(&request, Right::LimitsRead, Some(&project))?;
    let query = Query::parse(request.query(), &["limit", "after", "before"])?;
    let cursor = super::cursor(&query, PAGE)?;
    let mut limits = request
        .app
        .directory
        .allowance(Some(project))
        .await?
        .rate_limits;
    for model in request.app.snapshot.load().routes.models() {
        limits.entry((*model.name).into()).or_default();
    }
    let page = cut(limits, cursor.side.as_ref(), cursor.limit)?;
    Ok(list(&page, |(model, limit)| shown(model, limit)))
}

/// The page of a list by model.
fn cut(
    limits: BTreeMap<Box<str>, RateLimit>,
    side: Option<&Side>,
    most: usize,
) -> Result<Page<(Box<str>, RateLimit)>, Mistake> {
    let (from, until) = match side {
        None => (0, limits.len()),
        Some(Side::After(id)) => {
            let model = of_list(&limits, id, "after")?;
            (
                limits.keys().filter(|name| &***name <= model).count(),
                limits.len(),
            )
        }
        Some(Side::Before(id)) => {
            let model = of_list(&limits, id, "before")?;
            let end = limits.keys().filter(|name| &***name < model).count();
            (end.saturating_sub(most), end)
        }
    };
    let has_more = match side {
        Some(Side::Before(_)) => from > 0,
        _ => until - from > most,
    };
    let items = limits.into_iter().take(until).skip(from).take(most);
    Ok(Page {
        items: items.collect(),
        has_more,
    })
}

/// The model of a limit that is in the list.
fn of_list<'a>(
    limits: &BTreeMap<Box<str>, RateLimit>,
    id: &'a str,
    name: &'static str,
) -> Result<&'a str, Mistake> {
    let model = id
        .strip_prefix(PREFIX)
        .filter(|model| limits.contains_key(*model));
    model.ok_or_else(|| Mistake::Wrong(name, "the id of an item of this list".to_owned()))
}

async fn update(mut request: Request) -> Result<Response<Body>, Error> {
    let project = project_of(&request);
    let by = enter(&request, Right::LimitsWrite, Some(&project))?;
    let id = request.named("rate_limit_id").to_owned();
    let members = members(&mut request).await?;
    let directory = &request.app.directory;
    let known = directory
        .allowance(Some(project.clone()))
        .await?
        .rate_limits;
    let is_known = |model: &&str| {
        let snapshot = request.app.snapshot.load();
        known.contains_key(*model) || snapshot.routes.model(model).is_some()
    };
    let model = id.strip_prefix(PREFIX).filter(is_known);
    let model = model.ok_or_else(|| Error::NoSuch("rate limit", id.clone()))?;
    let mut figures = [None; RateLimit::NAMES.len()];
    for (figure, name) in figures.iter_mut().zip(RateLimit::NAMES) {
        let number = members.number(name, 0, NUMBER_MAX)?;
        *figure = number.map(|number| Some(number).filter(|number| *number < NUMBER_MAX));
    }
    let limit = directory
        .set_rate_limit(by, project, model.to_owned(), figures)
        .await?;
    Ok(json(&shown(model, &limit)))
}

fn shown(model: &str, limit: &RateLimit) -> Value {
    let mut shown =
        json!({"object": "project.rate_limit", "id": format!("{PREFIX}{model}"), "model": model});
    for (at, (name, figure)) in RateLimit::NAMES
        .into_iter()
        .zip(limit.figures())
        .enumerate()
    {
        match figure {
            Some(figure) => shown[name] = figure.into(),
            None if at < ALWAYS => shown[name] = NUMBER_MAX.into(),
            None => {}
        }
    }
    shown
}
