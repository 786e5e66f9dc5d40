//! `GET /admin/events`: what happens to calls, as server-sent events, while somebody watches.

use super::{
    Operation, Request,
    rights::{self, Right},
};
use crate::{
    app::App,
    body::{self, Body},
    domain::NanoDollars,
    error::Error,
    events::{Event, KINDS, Kinds, What},
    wire::{
        about::{About, Content, Parameter},
        percent,
        schema::Schema,
    },
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, header};
use http_body::Frame;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, UNIX_EPOCH},
};
use tokio::{sync::mpsc::Receiver, time::Interval};

/// Events that may wait for a watcher before it loses some.
const WAITING_MAX: usize = 1024;
/// How often it is asked whether a watcher still may: a stream has no end, a credential may.
const DOUBT: Duration = Duration::from_millis(500);

/// `GET /admin/events`.
pub const WATCH: Operation = Operation::new(
    |request| Box::pin(async move { watch(&request) }),
    About::new("Observability", "What happens to calls, while you watch")
        .details(
            "Server-sent events, from now on and without an end. 1,024 of them wait for a slow watcher; more are \
             dropped and counted.",
        )
        .parameters(parameters)
        .gives(&[(200, Content::Text(&["text/event-stream"]))]),
);

fn parameters() -> Vec<Parameter> {
    let kinds = format!(
        "Kinds of event with commas between, of {}; `stream.*` is a family. Without it, all but `stream.chunk`",
        KINDS.join(", ")
    );
    vec![Parameter::new("kinds", Schema::text().says(&kinds))]
}

/// Follows events of the kinds in `?kinds=`, or of all but single chunks.
fn watch(request: &Request) -> Result<Response<Body>, Error> {
    let app = &request.app;
    rights::require(app, request.headers(), Right::Observe, None)?;
    let asked = request.query().and_then(|query| {
        query
            .split('&')
            .find_map(|pair| pair.strip_prefix("kinds="))
    });
    let asked = asked.unwrap_or("request.*,attempt.*,stream.started,stream.completed,alert.*");
    // Libraries encode the comma, and some the star.
    let kinds = percent::decode(asked).and_then(|list| Kinds::parse(&list).ok());
    let kinds = kinds.ok_or(Error::BadRequest("Unknown kind of event in `kinds`."))?;
    let follow = Follow {
        events: app.events.subscribe(kinds, WAITING_MAX),
        begun: false,
        app: Arc::clone(app),
        headers: request.headers().clone(),
        doubt: tokio::time::interval(DOUBT),
    };
    let mut response = Response::new(follow.boxed_unsync());
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/event-stream; charset=utf-8"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Ok(response)
}

struct Follow {
    events: Receiver<Arc<Event>>,
    begun: bool,
    app: Arc<App>,
    /// With the credential of whoever watches.
    headers: HeaderMap,
    doubt: Interval,
}

impl http_body::Body for Follow {
    type Data = Bytes;
    type Error = body::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, body::Error>>> {
        if !std::mem::replace(&mut self.begun, true) {
            // From here on nothing is missed, and the watcher can tell.
            return Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b": watching\n\n")))));
        }
        while self.doubt.poll_tick(cx).is_ready() {
            let right = rights::require(&self.app, &self.headers, Right::Observe, None);
            if right.is_err() {
                return Poll::Ready(None);
            }
        }
        self.events
            .poll_recv(cx)
            .map(|event| event.map(|event| Ok(Frame::data(render(&event).into()))))
    }
}

fn render(event: &Event) -> String {
    let mut data = json!({
        "type": event.what.kind(),
        "at": event.at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64(),
    });
    let call = event.call.as_deref().map(|call| {
        [
            ("request_id", Value::from(call.request.as_str())),
            ("key_id", call.key.as_str().into()),
            ("endpoint", call.endpoint.as_str().into()),
            ("model", (*call.model).into()),
            ("stream", call.stream.into()),
        ]
    });
    let members = call.into_iter().flatten();
    for (name, value) in members.chain(details(&event.what)) {
        data[name] = value;
    }
    format!("event: {}\ndata: {data}\n\n", event.what.kind())
}

fn details(what: &What) -> Vec<(&'static str, Value)> {
    match what {
        What::RequestStarted => Vec::new(),
        What::AttemptRetried { upstream, reason } => {
            vec![
                ("upstream", (**upstream).into()),
                ("reason", (*reason).into()),
            ]
        }
        What::StreamStarted { upstream } => vec![("upstream", (**upstream).into())],
        What::StreamChunk { chunks } => vec![("chunks", (*chunks).into())],
        What::StreamCompleted(end) | What::RequestCompleted(end) | What::RequestFailed(end) => {
            vec![
                ("outcome", end.outcome.as_str().into()),
                ("status", end.status.into()),
                ("chunks", end.chunks.into()),
                ("bytes", end.bytes.into()),
                ("input_tokens", end.input.into()),
                ("output_tokens", end.output.into()),
            ]
        }
        What::AlertFired(alert) => vec![
            ("alert_id", (*alert.id).into()),
            ("project_id", alert.project.as_deref().into()),
            ("threshold_amount", alert.threshold.into()),
            (
                "spent_usd",
                NanoDollars::new(alert.spent.into()).to_string().into(),
            ),
            ("period_start", (alert.period / 1000).into()),
        ],
    }
}
