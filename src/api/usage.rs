//! `GET /v1/usage`: what a key has used itself.

use super::{Request, authenticate};
use crate::{
    app::Worker,
    body::{self, Body},
    domain::{Arrival, Caller, Day},
    error::Error,
    ledger::{Line, Sums},
    limits::{self, LINE, Limited},
    wire::{
        about::{About, Content, Credential},
        amount::{self, Amount},
        query::Query,
        schema::{Schema, Shape},
    },
};
use http::{HeaderValue, Response, header::CONTENT_TYPE};
use serde::Serialize;
use std::{collections::BTreeMap, sync::Arc, time::SystemTime};

/// Days that are told one by one, today included.
const DAYS: u32 = 30;

/// What the document says of `GET /v1/usage`.
pub const OWN: About = About::new("Data plane", "What a key has used itself")
    .credential(Credential::Key)
    .gives(&[(200, Content::Json(&USAGE))])
    .refuses(&[400, 503]);
const USAGE: Shape = Shape::new("OwnUsage", || {
    let model = used(Schema::object().with("model", Schema::text()));
    Schema::object()
        .with("object", Schema::word("usage"))
        .with("api_key_id", Schema::text())
        .with("today", Schema::named(&SPAN))
        .with("this_month", Schema::named(&SPAN))
        .with(
            "days",
            Schema::list(Schema::named(&SPAN)).says("The last 30, oldest first"),
        )
        .with(
            "models",
            Schema::list(model).says("Those of the last 30 days"),
        )
        .with(
            "limits",
            Schema::list(Schema::named(&LINE)).says("Those of the key itself, and what is left"),
        )
});
const SPAN: Shape = Shape::new("OwnUsageOfSpan", || {
    let times = Schema::object()
        .with("start_time", Schema::time())
        .with("end_time", Schema::time());
    used(times)
});

/// With what was used.
fn used(object: Schema) -> Schema {
    let counts = [
        "requests",
        "input_tokens",
        "input_cached_tokens",
        "output_tokens",
        "unreported_requests",
        "unpriced_requests",
    ];
    counts
        .iter()
        .fold(object, |all, name| all.with(name, Schema::count()))
        .with("cost", Schema::named(&amount::SHAPE))
}

#[derive(Serialize)]
struct Answer {
    object: &'static str,
    api_key_id: String,
    today: Span,
    this_month: Span,
    days: Vec<Span>,
    models: Vec<Model>,
    limits: Vec<limits::Line>,
}

/// Times are seconds since 1970.
#[derive(Serialize)]
struct Span {
    start_time: u64,
    end_time: u64,
    #[serde(flatten)]
    used: Used,
}

#[derive(Serialize)]
struct Model {
    model: String,
    #[serde(flatten)]
    used: Used,
}

#[derive(Serialize)]
struct Used {
    requests: u64,
    input_tokens: u64,
    input_cached_tokens: u64,
    output_tokens: u64,
    cost: Amount,
    /// Requests whose figures are Weir's, since the provider gave none.
    unreported_requests: u64,
    /// Requests that are not in the cost, since nobody knows their price.
    unpriced_requests: u64,
}

impl From<Sums> for Used {
    fn from(sums: Sums) -> Self {
        Self {
            requests: sums.requests,
            input_tokens: sums.input,
            input_cached_tokens: sums.cached,
            output_tokens: sums.output,
            cost: Amount::of(sums.cost),
            unreported_requests: sums.unreported,
            unpriced_requests: sums.unpriced,
        }
    }
}

/// What the caller's key used: today, this month, day by day, and by model. Days are in UTC.
pub async fn own(
    worker: &Arc<Worker>,
    request: Request,
    arrival: &mut Arrival,
) -> Result<Response<Body>, Error> {
    let caller = authenticate(worker, request.headers(), arrival)?;
    Query::parse(request.uri().query(), &[])?;
    let today = Day::of(SystemTime::now());
    let first = today.minus(DAYS - 1);
    let lines = worker
        .app
        .reports
        .days_of_key(caller.key, first.min(today.month()), today)
        .await?;
    let since = |day: Day| {
        let days = lines.iter().filter(move |line| line.start >= day.millis());
        days.fold(Sums::default(), |mut sums, line| {
            sums.add(line.sums);
            sums
        })
    };
    let answer = Answer {
        object: "usage",
        api_key_id: caller.key.public(),
        today: span(today, today, since(today)),
        this_month: span(today.month(), today, since(today.month())),
        days: days(&lines, first, today),
        models: models(&lines, first),
        limits: limits_of(worker, &caller).await?,
    };
    let text = serde_json::to_string(&answer).map_err(|error| {
        tracing::error!(%error, "an answer cannot be written");
        Error::Internal
    })?;
    let mut response = Response::new(body::full(text));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

/// The limits of the caller's key, or of their token, and how they stand.
async fn limits_of(worker: &Worker, caller: &Caller) -> Result<Vec<limits::Line>, Error> {
    let app = &worker.app;
    let snapshot = app.snapshot.load_full();
    let policy = &snapshot.policy;
    let limited = Limited::key(policy, caller.key, caller.terms.as_ref());
    Ok(app.lookout(policy).lines(limited.as_slice()).await?)
}

fn span(first: Day, last: Day, sums: Sums) -> Span {
    Span {
        start_time: first.millis() / 1000,
        end_time: last.next().millis() / 1000,
        used: sums.into(),
    }
}

/// Every day from `first` to `last`, those without any use too.
fn days(lines: &[Line], first: Day, last: Day) -> Vec<Span> {
    let days = std::iter::successors(Some(first), |day| Some(day.next()));
    let days = days.take_while(|day| *day <= last);
    let span = |day: Day| {
        let mut sums = Sums::default();
        let lines = lines.iter().filter(|line| line.start == day.millis());
        lines.for_each(|line| sums.add(line.sums));
        span(day, day, sums)
    };
    days.map(span).collect()
}

/// The models that were used from `first` on, by name.
fn models(lines: &[Line], first: Day) -> Vec<Model> {
    let mut models: BTreeMap<&str, Sums> = BTreeMap::new();
    for line in lines.iter().filter(|line| line.start >= first.millis()) {
        let name = line.group.first().and_then(Option::as_deref);
        models
            .entry(name.unwrap_or_default())
            .or_default()
            .add(line.sums);
    }
    let model = |(name, sums): (&str, Sums)| Model {
        model: name.to_owned(),
        used: sums.into(),
    };
    models.into_iter().map(model).collect()
}
