//! `GET /admin/usage/export`: the ledger entry by entry, as a stream that holds no more than a few batches.

use super::{
    Operation, Request,
    rights::{self, Right},
    usage,
};
use crate::{
    body::{self, Body},
    domain::Outcome,
    error::Error,
    ledger::{Batch, Column, Format, ReportError, Reports, Wanted},
    tasks,
    wire::{
        about::{About, Content, Parameter},
        query::{Mistake, Query},
        schema::Schema,
    },
};
use bytes::Bytes;
use http::{HeaderValue, Response, header::CONTENT_TYPE};
use http_body::Frame;
use http_body_util::BodyExt;
use std::{
    pin::Pin,
    task::{Context, Poll},
};
use tokio::sync::mpsc::{self, Receiver, Sender};

/// Batches that may wait for a slow reader before the store is asked for no more.
const WAITING_MAX: usize = 2;
const NAMES: [&str; 10] = [
    "format",
    "start_time",
    "end_time",
    "after",
    "api_key_ids",
    "project_ids",
    "user_ids",
    "models",
    "upstreams",
    "outcomes",
];
const FILTERS: [(&str, Column); 5] = [
    ("api_key_ids", Column::Key),
    ("project_ids", Column::Project),
    ("user_ids", Column::User),
    ("models", Column::Model),
    ("upstreams", Column::Upstream),
];

const FORMATS: [(&str, Format); 2] = [("jsonl", Format::JsonLines), ("csv", Format::Csv)];

/// `GET /admin/usage/export`.
pub const EXPORT: Operation = Operation::new(
    |request| Box::pin(export(request)),
    About::new("Usage", "The ledger, call by call")
        .details(
            "In the order in which calls began, one a line. `after` goes on where an export ended.",
        )
        .parameters(parameters)
        .gives(&[(200, Content::Text(&["application/jsonl", "text/csv"]))])
        .refuses(&[503]),
);

fn parameters() -> Vec<Parameter> {
    let formats = FORMATS.map(|(word, _)| word);
    let mut parameters = vec![
        Parameter::new("format", Schema::words(formats).default("jsonl")),
        Parameter::new("start_time", Schema::time()),
        Parameter::new("end_time", Schema::time()),
        Parameter::new(
            "after",
            Schema::text()
                .pattern("^[0-9a-fA-F]{32}$")
                .says("The `id` of an exported entry: those that follow it"),
        ),
    ];
    parameters.extend(FILTERS.map(|(name, _)| Parameter::new(name, usage::names())));
    let outcomes = Outcome::ALL.map(|outcome| outcome.as_str());
    parameters.push(Parameter::new(
        "outcomes",
        Schema::list(Schema::words(outcomes)),
    ));
    parameters
}

/// Exports what the query wants.
async fn export(request: Request) -> Result<Response<Body>, Error> {
    let app = &request.app;
    rights::require(app, request.headers(), Right::Observe, None)?;
    let query = Query::parse(request.query(), &NAMES)?;
    let format = query.word("format", &FORMATS)?;
    let format = format.unwrap_or(Format::JsonLines);
    // Before the head: what cannot even begin is an error with a status.
    let wanted = wanted(&query)?;
    // An export that goes on has its heading already.
    let head = wanted.after.is_none().then(|| format.head());
    let first = app.reports.export(wanted, format).await?;
    let (sender, pieces) = mpsc::channel(WAITING_MAX);
    tasks::spawn(send(app.reports.clone(), first, format, sender));
    let head = head.filter(|head| !head.is_empty());
    let mut response = Response::new(Pieces { head, pieces }.boxed_unsync());
    let kind = match format {
        Format::JsonLines => "application/jsonl; charset=utf-8",
        Format::Csv => "text/csv; charset=utf-8; header=present",
    };
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    Ok(response)
}

fn wanted(query: &Query) -> Result<Wanted, Mistake> {
    let mut only = usage::filters(query, &FILTERS)?;
    let outcomes = Outcome::ALL.map(|outcome| (outcome.as_str(), outcome.as_str()));
    let outcomes = query.words("outcomes", &outcomes)?;
    if !outcomes.is_empty() {
        let outcomes = outcomes.into_iter().map(str::to_owned).collect();
        only.push((Column::Outcome, outcomes));
    }
    let after = query.one("after")?;
    if after.is_some_and(|id| !Wanted::is_id(id)) {
        let expected = "the `id` of an exported entry".to_owned();
        return Err(Mistake::Wrong("after", expected));
    }
    let start = query.number("start_time")?.unwrap_or(0);
    let end = query.number("end_time")?.unwrap_or(u64::MAX);
    if end < start {
        let expected = "not before `start_time`".to_owned();
        return Err(Mistake::Wrong("end_time", expected));
    }
    Ok(Wanted {
        since: start.saturating_mul(1000),
        until: end.saturating_mul(1000),
        after: after.map(str::to_owned),
        only,
    })
}

/// Hands over batch after batch until all is exported, the reader leaves, or the store fails.
async fn send(
    reports: Reports,
    first: Batch,
    format: Format,
    sender: Sender<Result<Bytes, ReportError>>,
) {
    let mut batch = Ok(first);
    loop {
        let (piece, rest) = match batch {
            Ok(Batch { text, rest }) => (Ok(Bytes::from(text)), rest),
            Err(error) => {
                tracing::warn!(%error, "an export broke off");
                (Err(error), None)
            }
        };
        if sender.send(piece).await.is_err() {
            return;
        }
        match rest {
            Some(rest) => batch = reports.export(rest, format).await,
            None => return,
        }
    }
}

struct Pieces {
    head: Option<String>,
    pieces: Receiver<Result<Bytes, ReportError>>,
}

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = body::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, body::Error>>> {
        if let Some(head) = self.head.take() {
            return Poll::Ready(Some(Ok(Frame::data(head.into()))));
        }
        self.pieces
            .poll_recv(cx)
            .map(|piece| piece.map(|piece| Ok(Frame::data(piece?))))
    }
}
