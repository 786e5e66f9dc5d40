//! A stream that begins before its upstream has answered: comments keep it open, and what would have been an error
//! status becomes an error event.

use super::{Error, stream_headers};
use crate::{
    body::{self, Body},
    tap::HEARTBEAT,
    wire::{error::ErrorBody, media_type},
};
use bytes::Bytes;
use http::{HeaderMap, Response, header::CONTENT_ENCODING};
use http_body::Frame;
use http_body_util::BodyExt;
use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::{Interval, MissedTickBehavior};

/// An upstream's error larger than this is not repeated in an event.
const ERROR_MAX_BYTES: usize = 64 << 10;

/// A stream that has begun, and whose body comes from `rest`.
pub(super) fn response(
    rest: impl Future<Output = Body> + Send + 'static,
    heartbeat: Duration,
) -> Response<Body> {
    let mut beats = tokio::time::interval(heartbeat);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let early = Early {
        state: State::Waiting(Box::pin(rest), beats),
    };
    let mut response = Response::new(early.boxed_unsync());
    stream_headers(response.headers_mut());
    response
}

/// What of a response can still be said in a stream that has begun.
pub(super) async fn body(outcome: Result<Response<Body>, Error>) -> Body {
    let response = match outcome {
        Ok(response) => response,
        Err(error) => return body::full(error.body().to_event()),
    };
    let status = response.status();
    let is_stream = status.is_success() && is_plain_stream(response.headers());
    if is_stream {
        return response.into_body();
    }
    let text = beginning(response.into_body()).await;
    if !status.is_success()
        && let Some(error) = one_line(&text)
    {
        return body::full(format!("data: {error}\n\n"));
    }
    let message = match status.is_success() {
        true => format!("The upstream answered {status} with something that is no stream."),
        false => format!("The upstream answered {status}."),
    };
    body::full(ErrorBody::new(message, "server_error", None, Some("upstream_error")).to_event())
}

/// Whether what follows can be read by whoever has been told to expect events.
fn is_plain_stream(headers: &HeaderMap) -> bool {
    let media = media_type(headers).unwrap_or_default();
    let encoding = headers.get(CONTENT_ENCODING);
    media.eq_ignore_ascii_case("text/event-stream")
        && encoding.is_none_or(|encoding| encoding == "identity")
}

/// An error in OpenAI's shape, as it was written but for the ends of lines, which cannot stand inside a string.
fn one_line(text: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(text).ok()?;
    let error: serde_json::Value = serde_json::from_str(text).ok()?;
    error.get("error")?;
    Some(text.trim().replace(['\r', '\n'], " "))
}

/// As much of a body as an event may repeat.
async fn beginning(mut body: Body) -> Vec<u8> {
    let mut text = Vec::new();
    while let Some(Ok(frame)) = body.frame().await {
        text.extend_from_slice(frame.data_ref().map_or(&[], |data| data));
        if text.len() > ERROR_MAX_BYTES {
            break;
        }
    }
    text
}

struct Early {
    state: State,
}

enum State {
    Waiting(Pin<Box<dyn Future<Output = Body> + Send>>, Interval),
    Answered(Body),
}

impl http_body::Body for Early {
    type Data = Bytes;
    type Error = body::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, body::Error>>> {
        let this = self.get_mut();
        loop {
            match &mut this.state {
                State::Answered(body) => return Pin::new(body).poll_frame(cx),
                State::Waiting(rest, beats) => match rest.as_mut().poll(cx) {
                    Poll::Ready(body) => this.state = State::Answered(body),
                    Poll::Pending => {
                        std::task::ready!(beats.poll_tick(cx));
                        return Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(HEARTBEAT)))));
                    }
                },
            }
        }
    }
}
