//! From a request to its answer, at once or paced.

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Either, Full};
use hyper::body::{Body, Frame, Incoming};
use memchr::memmem;
use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::time::{Instant, Sleep, sleep_until};
use weir_benches::{
    order::Order,
    script::{self, Script},
};

type Answer = Either<Full<Bytes>, Stream>;

/// Answers as ordered; a request without an order gets a 400.
pub(crate) async fn respond(request: Request<Incoming>) -> Result<Response<Answer>, hyper::Error> {
    let body = request.into_body().collect().await?.to_bytes();
    let Some(order) = Order::find(&body) else {
        let mut refusal = Response::new(Either::Left(Full::from("no order in this request")));
        *refusal.status_mut() = StatusCode::BAD_REQUEST;
        return Ok(refusal);
    };
    let (kind, answer) = match says(&body, "stream") {
        true => {
            let script = Script::new(order, says(&body, "include_usage"));
            (
                "text/event-stream; charset=utf-8",
                Either::Right(Stream::new(script)),
            )
        }
        false => (
            "application/json",
            Either::Left(Full::from(script::answer(order))),
        ),
    };
    let mut response = Response::new(answer);
    for (name, value) in [
        (header::CONTENT_TYPE.as_str(), kind),
        ("x-request-id", "req_bench"),
        ("openai-processing-ms", "3"),
        ("openai-version", "2020-10-01"),
    ] {
        response.headers_mut().insert(
            header::HeaderName::from_static(name),
            header::HeaderValue::from_static(value),
        );
    }
    Ok(response)
}

/// Whether a member is true, whoever wrote it and with whatever space.
fn says(body: &[u8], member: &str) -> bool {
    let quoted = format!("\"{member}\"");
    memmem::find_iter(body, &quoted).any(|at| {
        let rest = body[at + quoted.len()..].trim_ascii_start();
        rest.strip_prefix(b":")
            .is_some_and(|value| value.trim_ascii_start().starts_with(b"true"))
    })
}

/// A script at its pace.
pub(crate) struct Stream {
    script: Script,
    due: Instant,
    timer: Pin<Box<Sleep>>,
    waits: bool,
}

impl Stream {
    fn new(script: Script) -> Self {
        let due = Instant::now();
        Self {
            script,
            due,
            timer: Box::pin(sleep_until(due)),
            waits: false,
        }
    }
}

impl Body for Stream {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = &mut *self;
        if this.waits {
            ready!(this.timer.as_mut().poll(cx));
            this.waits = false;
        }
        let Some(piece) = this.script.next() else {
            return Poll::Ready(None);
        };
        if !piece.then.is_zero() {
            // From due time to due time: being late once does not slow the rest down.
            this.due += piece.then;
            this.timer.as_mut().reset(this.due);
            this.waits = true;
        }
        Poll::Ready(Some(Ok(Frame::data(piece.bytes))))
    }
}
