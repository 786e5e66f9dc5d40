//! Asking a running gateway, as any of its clients would.

use crate::{
    config::{Timeouts, Upstream},
    domain::{Endpoint, Secret},
    upstream::{Outgoing, Path, Pool, Request, Source},
};
use anyhow::Context;
use http::{
    HeaderValue, Method, Response, Uri,
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use http_body_util::BodyExt;
use serde_json::Value;
use std::{sync::Arc, time::Duration};

/// Nobody waits longer before a screen.
const WAIT: Duration = Duration::from_secs(600);
const CONNECT: Duration = Duration::from_secs(5);
/// A document larger than this is none of the gateway's.
const BYTES_MAX: usize = 16 << 20;

/// A running gateway.
pub(super) struct Gateway {
    pool: Pool,
    place: Arc<Upstream>,
    authorization: HeaderValue,
}

impl Gateway {
    /// The gateway at `url`, which has no path; what is asked for is below `below`.
    pub(super) fn new(url: &str, below: &str, key: Secret) -> Result<Self, String> {
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
        let place = Upstream::bare("weir".into(), format!("{url}{below}"), TIMEOUTS);
        Ok(Self {
            pool: Pool::default(),
            place: Arc::new(place),
            authorization,
        })
    }

    /// What is at a path.
    pub(super) async fn get(&self, path: &str) -> anyhow::Result<Value> {
        let response = self.send(Method::GET, path, None).await?;
        let (is_good, found) = document(response).await?;
        anyhow::ensure!(is_good, "{}", error(&found));
        Ok(found)
    }

    /// Sends a request for what is at a path.
    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> anyhow::Result<Response<Source>> {
        let body = body.map(|body| body.to_string().into());
        let path = path.parse().context("no path")?;
        let json = HeaderValue::from_static("application/json");
        let request = Request {
            method,
            path: Path::below("", &path),
            headers: vec![
                (CONTENT_TYPE, json),
                (AUTHORIZATION, self.authorization.clone()),
            ],
            body: Outgoing::held(body),
        };
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

/// Whether the answer is a good one, and what it says.
pub(super) async fn document(response: Response<Source>) -> anyhow::Result<(bool, Value)> {
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
pub(super) fn error(answer: &Value) -> String {
    let said = |member: &str| answer["error"][member].as_str();
    match (said("message"), said("code")) {
        (Some(message), Some(code)) => format!("{message} ({code})"),
        (Some(message), None) => message.to_owned(),
        _ => "the gateway refused and did not say why".to_owned(),
    }
}

/// A key of a flag, for `clap`, which takes only what can fail.
pub(super) fn secret(text: &str) -> Result<Secret, std::convert::Infallible> {
    Ok(Secret::new(text))
}
