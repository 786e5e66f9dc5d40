//! A request to the control plane, and what can be done with it.

use super::rights::{self, Actor, Right};
use crate::{
    app::{App, Reserved},
    body::Body,
    domain::Arrival,
    error::Error,
    wire::{self, about::About, media_type},
};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Response, header::USER_AGENT, request::Parts};
use http_body::Body as _;
use http_body_util::BodyExt;
use serde_json::{Map, Value};
use std::{cell::RefCell, pin::Pin, sync::Arc};
use tokio::time::Instant;

/// Far more than anybody has to say about a key or a project.
const BODY_MAX_BYTES: usize = 256 << 10;

/// A request to the control plane.
pub struct Request {
    /// What it may need.
    pub app: Arc<App>,
    /// What the edge knows of it: its id, its client's address.
    pub arrival: Arrival,
    head: Parts,
    /// What its path names, by the names in the template.
    names: Vec<(&'static str, String)>,
    body: Body,
    /// The memory that its body takes.
    reserved: Reserved,
    /// What whoever asks has been asked for: a body may take long enough for that to end.
    required: RefCell<Vec<(Right, Option<String>)>>,
}

/// The answer in the making.
pub type Handling = Pin<Box<dyn Future<Output = Result<Response<Body>, Error>> + Send>>;

/// Something that the control plane does: one method on one URL.
pub struct Operation {
    /// Does it.
    pub handler: fn(Request) -> Handling,
    /// What the document says of it.
    pub about: About,
}

impl Operation {
    /// What `handler` does.
    pub const fn new(handler: fn(Request) -> Handling, about: About) -> Self {
        Self { handler, about }
    }
}

impl Request {
    /// A request whose path has these `names` in it.
    pub fn new(
        app: Arc<App>,
        arrival: Arrival,
        (head, body): (Parts, Body),
        names: Vec<(&'static str, String)>,
    ) -> Self {
        Self {
            reserved: app.body_memory.reserve(),
            app,
            arrival,
            head,
            names,
            body,
            required: RefCell::default(),
        }
    }

    /// Who asks, if they may; see [`rights::require`]. Asked again when the body is there.
    pub fn require(&self, right: Right, project: Option<&str>) -> Result<Actor, Error> {
        let required = (right, project.map(str::to_owned));
        self.required.borrow_mut().push(required);
        rights::require(&self.app, self.headers(), right, project)
    }

    /// Its headers.
    pub fn headers(&self) -> &HeaderMap {
        &self.head.headers
    }

    /// What its client calls itself.
    pub fn agent(&self) -> Option<&str> {
        let agent = self.headers().get(USER_AGENT);
        agent.and_then(|agent| agent.to_str().ok())
    }

    /// What stands behind the `?`.
    pub fn query(&self) -> Option<&str> {
        self.head.uri.query()
    }

    /// What stands where the template of its path has `{name}`, decoded: 1 to 256 visible ASCII characters.
    pub fn named(&self, name: &str) -> &str {
        let found = self.names.iter().find(|(known, _)| *known == name);
        found.map_or("", |(_, value)| value)
    }

    /// Its body, which must be a JSON object; one that is not there is an empty object.
    pub async fn object(&mut self) -> Result<Map<String, Value>, Error> {
        let body = self.bytes().await?;
        if body.is_empty() {
            return Ok(Map::new());
        }
        let headers = &self.head.headers;
        let media = media_type(headers).unwrap_or("application/json");
        if !media.eq_ignore_ascii_case("application/json") {
            return Err(Error::NotJson);
        }
        let depth_max = self.app.snapshot.load().config.server.json_depth_max;
        Ok(wire::object(&body, depth_max)?)
    }

    /// Its body, within bounds of size and time. Read it when it is known who asks.
    pub async fn bytes(&mut self) -> Result<Bytes, Error> {
        let (patience, memory_max) = {
            let server = &self.app.snapshot.load().config.server;
            (server.body_timeout, server.body_memory_max_bytes)
        };
        let too_large = || Error::TooLarge(BODY_MAX_BYTES as u64);
        if self.body.size_hint().lower() > BODY_MAX_BYTES as u64 {
            return Err(too_large());
        }
        let mut whole = BytesMut::new();
        // For all of it: it is short, and a pause between two bytes is no way to stay.
        let until = Instant::now() + patience;
        while let Some(frame) = tokio::time::timeout_at(until, self.body.frame())
            .await
            .map_err(|_| Error::TooSlow)?
        {
            let frame = frame.map_err(|_| Error::BadRequest("The request body broke off."))?;
            let Ok(piece) = frame.into_data() else {
                continue;
            };
            if whole.len() + piece.len() > BODY_MAX_BYTES {
                return Err(too_large());
            }
            if !self.reserved.grow(piece.len(), memory_max) {
                return Err(Error::Overloaded("too many large requests at once"));
            }
            whole.extend_from_slice(&piece);
        }
        for (right, project) in &*self.required.borrow() {
            rights::require(&self.app, self.headers(), *right, project.as_deref())?;
        }
        Ok(whole.freeze())
    }
}
