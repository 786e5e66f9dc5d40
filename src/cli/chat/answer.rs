//! Asking the gateway, as any client of OpenAI's API would.

use crate::{
    config::{Provider, Timeouts, Upstream},
    domain::{Endpoint, Secret},
    upstream::{Outgoing, Pool, Source},
    wire::sse::{Scanner, Sink},
};
use anyhow::Context;
use http::{
    HeaderValue, Method, Request, Response, Uri,
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};

/// Nobody waits longer before a screen.
const WAIT: Duration = Duration::from_secs(600);
const CONNECT: Duration = Duration::from_secs(5);
/// A document or an event larger than this is none of the gateway's.
const BYTES_MAX: usize = 16 << 20;

/// A running gateway.
pub(in crate::cli) struct Gateway {
    pool: Pool,
    place: Arc<Upstream>,
    authorization: HeaderValue,
}

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
    /// The gateway at `url`, which has no path; what is asked for is below `below`.
    pub(in crate::cli) fn new(url: &str, below: &str, key: Secret) -> Result<Self, String> {
        let is_url = url.starts_with("http://") || url.starts_with("https://");
        let uri = url.parse::<Uri>().ok().filter(|_| is_url);
        if uri.and_then(|uri| uri.authority().cloned()).is_none() {
            return Err(format!(
                "{url} is no URL that begins with http:// or https://"
            ));
        }
        let mut authorization = HeaderValue::try_from(format!("Bearer {}", key.expose()))
            .map_err(|_| "the API key has characters that no key has".to_owned())?;
        authorization.set_sensitive(true);
        let place = Arc::new(Upstream {
            name: "weir".into(),
            provider: Provider::OpenAi,
            base_url: format!("{url}{below}"),
            api_key: None,
            authorities: None,
            headers: Vec::new(),
            stream_usage: true,
            timeouts: TIMEOUTS,
            concurrency: None,
            retries: 0,
            price_list: None,
            words_per_second: 0,
        });
        Ok(Self {
            pool: Pool::default(),
            place,
            authorization,
        })
    }

    /// What is at a path.
    pub(in crate::cli) async fn get(&self, path: &str) -> anyhow::Result<Value> {
        let response = self.send(Method::GET, path, None).await?;
        let (is_good, found) = document(response).await?;
        anyhow::ensure!(is_good, "{}", error(&found));
        Ok(found)
    }

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
            anyhow::ensure!(events.open.len() <= BYTES_MAX, "an event has no end");
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

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> anyhow::Result<Response<Source>> {
        let body = body.map(|body| body.to_string().into());
        let mut request = Request::new(Outgoing::held(body));
        *request.method_mut() = method;
        *request.uri_mut() = path.parse::<Uri>().context("no path")?;
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(AUTHORIZATION, self.authorization.clone());
        self.pool
            .send(&self.place, Endpoint::Chat, &TIMEOUTS, Box::new(request))
            .await
            .with_context(|| format!("{} does not answer", self.place.base_url))
    }
}

const TIMEOUTS: Timeouts = Timeouts {
    connect: CONNECT,
    first_byte: WAIT,
    idle: WAIT,
    total: WAIT,
};

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

/// Whether the answer is a good one, and what it says.
async fn document(response: Response<Source>) -> anyhow::Result<(bool, Value)> {
    let is_good = response.status().is_success();
    let mut text = Vec::new();
    let mut body = response.into_body();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| anyhow::anyhow!("the answer broke off: {error}"))?;
        text.extend_from_slice(frame.data_ref().map_or(&[], |data| data));
        anyhow::ensure!(text.len() <= BYTES_MAX, "the answer has no end");
    }
    let document = serde_json::from_slice(&text).context("what answers is no gateway")?;
    Ok((is_good, document))
}

/// What went wrong, in the gateway's words.
fn error(answer: &Value) -> String {
    let said = |member: &str| answer["error"][member].as_str();
    match (said("message"), said("code")) {
        (Some(message), Some(code)) => format!("{message} ({code})"),
        (Some(message), None) => message.to_owned(),
        _ => "the gateway refused and did not say why".to_owned(),
    }
}
