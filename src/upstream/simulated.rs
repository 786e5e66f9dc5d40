//! Plays the simulator's answers in time, as if they came over a connection. What they say is not its business.

use crate::{
    body::{Body, Error},
    providers::simulator::{Answer, Play, Step},
};
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;
use std::{
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::time::{Instant, Sleep, sleep, sleep_until};

/// Waits until the head of `answer` is due; its body then goes on by itself.
pub(super) async fn respond(answer: Answer) -> http::Response<Body> {
    if !answer.delay.is_zero() {
        sleep(answer.delay).await;
    }
    let mut response = http::Response::new(Playing::new(answer.play).boxed_unsync());
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers;
    response
}

/// A play on its way out.
struct Playing {
    play: Play,
    /// Bytes that `content-length` still promises.
    left: Option<u64>,
    /// When the last step was due: a schedule, so that timers that fire late do not add up.
    due: Instant,
    /// The next bytes, until they are due.
    held: Option<Bytes>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Playing {
    fn new(play: Play) -> Self {
        Self {
            left: play.size(),
            play,
            due: Instant::now(),
            held: None,
            timer: None,
        }
    }

    fn hold(&mut self, bytes: Bytes) {
        self.held = Some(bytes);
        match &mut self.timer {
            Some(timer) => timer.as_mut().reset(self.due),
            timer => *timer = Some(Box::pin(sleep_until(self.due))),
        }
    }

    fn send(&mut self, bytes: Bytes) -> Frame<Bytes> {
        self.left = self
            .left
            .map(|left| left.saturating_sub(bytes.len() as u64));
        Frame::data(bytes)
    }
}

impl http_body::Body for Playing {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let playing = self.get_mut();
        if playing.held.is_none() {
            match playing.play.next() {
                Step::Send { after, bytes } if after.is_zero() => {
                    return Poll::Ready(Some(Ok(playing.send(bytes))));
                }
                Step::Send { after, bytes } => {
                    playing.due += after;
                    playing.hold(bytes);
                }
                // Nothing will wake the reader: only its own time limit or its client's leaving ends this.
                Step::Stall => return Poll::Pending,
                Step::Die => {
                    let reset = io::Error::from(io::ErrorKind::ConnectionReset);
                    return Poll::Ready(Some(Err(reset.into())));
                }
                Step::End => return Poll::Ready(None),
            }
        }
        if let Some(timer) = &mut playing.timer {
            ready!(timer.as_mut().poll(cx));
        }
        let frame = playing.held.take().map(|bytes| Ok(playing.send(bytes)));
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.left == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        self.left
            .map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::Endpoint,
        providers::simulator::{Pace, answer},
    };
    use http_body::Body as _;
    use std::time::Duration;

    const PACE: Pace = Pace {
        words_per_second: 3,
    }; // a third of a second is no whole number of milliseconds

    fn chat(model: &str, stream: bool) -> Answer {
        let messages = serde_json::json!([{"role": "user", "content": "hello"}]);
        let request = serde_json::json!({"model": model, "messages": messages, "stream": stream, "max_tokens": 30});
        answer(Endpoint::Chat, request.to_string().as_bytes(), PACE, 0)
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_keeps_its_pace_without_drift() {
        let start = Instant::now();
        let mut body = respond(chat("simulator", true)).await.into_body();
        let opening = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(start.elapsed(), Duration::ZERO);
        assert!(opening.starts_with(b"data: {"));
        let rest = body.collect().await.unwrap().to_bytes();
        assert!(rest.ends_with(b"data: [DONE]\n\n"));
        let late = start.elapsed() - Duration::from_secs(10);
        assert!(
            late < Duration::from_millis(2),
            "{late:?} late after 30 tokens"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_reader_finds_what_was_due_in_the_meantime() {
        let mut body = respond(chat("simulator", true)).await.into_body();
        tokio::time::sleep(Duration::from_secs(5)).await;
        let start = Instant::now();
        for _ in 0..15 {
            body.frame().await.unwrap().unwrap();
        }
        assert!(start.elapsed() < Duration::from_millis(2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_whole_answer_comes_late_and_at_once_and_knows_its_length() {
        let start = Instant::now();
        let response = respond(chat("simulator", false)).await;
        assert_eq!(start.elapsed(), Duration::from_secs(2));
        let promised = response.headers()["content-length"]
            .to_str()
            .unwrap()
            .to_owned();
        let mut body = response.into_body();
        assert_eq!(
            body.size_hint().exact().map(|size| size.to_string()),
            Some(promised.clone())
        );
        let bytes = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(
            (bytes.len().to_string(), body.is_end_stream()),
            (promised, true)
        );
        assert_eq!(start.elapsed(), Duration::from_secs(2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_death_is_a_reset_short_of_the_promised_length() {
        let mut body = respond(chat("simulator/die-midstream", false))
            .await
            .into_body();
        body.frame().await.unwrap().unwrap();
        assert!(body.size_hint().exact() > Some(0) && !body.is_end_stream());
        let error = body.frame().await.unwrap().unwrap_err();
        let error = error.downcast::<io::Error>().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stall_is_silence_for_ever() {
        let mut body = respond(chat("simulator/stall", false)).await.into_body();
        let hour = Duration::from_secs(3_600);
        assert!(tokio::time::timeout(hour, body.frame()).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_passes_with_its_status_and_headers() {
        let response = respond(chat("simulator/429", true)).await;
        assert_eq!(response.status(), 429);
        assert_eq!(response.headers()["retry-after"], "1");
    }
}
