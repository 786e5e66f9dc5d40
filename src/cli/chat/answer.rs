//! Asking a model, and showing its answer as it comes.

use crate::{
    cli::gateway::{Gateway, document, error},
    wire::sse::{Scanner, Sink},
};
use anyhow::Context;
use http::Method;
use http_body_util::BodyExt;
use serde_json::{Value, json};

/// An event larger than this is none of the gateway's.
const EVENT_BYTES_MAX: usize = 16 << 20;

/// How an answer ended.
pub(super) enum Said {
    /// As it should, with this text.
    Whole(String),
    /// By an error, in its own words.
    Refused(String),
    /// By whoever asked.
    Cut,
}

impl Gateway {
    /// The first model that the key may use.
    pub(super) async fn first_model(&self) -> anyhow::Result<String> {
        let list = self.get("/models").await?;
        let name = list["data"][0]["id"].as_str();
        Ok(name.context("the key may use no model")?.to_owned())
    }

    /// Asks, and hands each piece of the answer's text to `show`.
    pub(super) async fn ask(
        &self,
        model: &str,
        messages: &[Value],
        mut show: impl FnMut(&str) -> std::io::Result<()>,
    ) -> anyhow::Result<Said> {
        let question = json!({"model": model, "messages": messages, "stream": true});
        let response = self
            .send(Method::POST, "/chat/completions", Some(question))
            .await?;
        if !response.status().is_success() {
            return Ok(Said::Refused(error(&document(response).await?.1)));
        }
        let mut body = response.into_body();
        let mut scanner = Scanner::default();
        let mut events = Events::default();
        let mut at = 0;
        let mut text = String::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| anyhow::anyhow!("the answer broke off: {error}"))?;
            let Ok(piece) = frame.into_data() else {
                continue;
            };
            scanner.feed(at, &piece, &mut events);
            at += piece.len();
            anyhow::ensure!(events.open.len() <= EVENT_BYTES_MAX, "an event has no end");
            for event in events.whole.drain(..) {
                if event.trim_ascii() == b"[DONE]" {
                    return Ok(Said::Whole(text));
                }
                let event: Value = serde_json::from_slice(&event)
                    .context("the gateway sent what is no event of a chat")?;
                if !event["error"].is_null() {
                    return Ok(Said::Refused(error(&event)));
                }
                let delta = &event["choices"][0]["delta"];
                for more in ["content", "refusal"].map(|part| delta[part].as_str()) {
                    show(more.unwrap_or_default())?;
                    text.push_str(more.unwrap_or_default());
                }
            }
        }
        Ok(Said::Refused(
            "the answer ended before it was complete".to_owned(),
        ))
    }
}

/// The data of events.
#[derive(Default)]
struct Events {
    open: Vec<u8>,
    whole: Vec<Vec<u8>>,
}

impl Sink for Events {
    fn data(&mut self, _: usize, part: &[u8]) {
        self.open.extend_from_slice(part);
    }

    fn data_line_end(&mut self) {
        self.open.push(b'\n');
    }

    fn event_end(&mut self, _: usize) {
        if !self.open.is_empty() {
            self.whole.push(std::mem::take(&mut self.open));
        }
    }
}
