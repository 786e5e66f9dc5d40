//! The control plane, one file a resource. Never reachable through the data listener.

pub mod events;
pub mod export;
pub mod health;
mod request;
pub mod usage;

pub use request::{Handling, Operation, Request};

use crate::{
    app::App,
    body::{self, Body},
    error::Error,
    telemetry::metrics,
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, header::CONTENT_TYPE};
use serde::Serialize;

/// Lets admins in and nobody else.
fn authorize(app: &App, headers: &HeaderMap) -> Result<(), Error> {
    let snapshot = app.snapshot.load();
    match app
        .keys
        .authenticate_admin(headers, snapshot.config.admin_key.as_ref())
    {
        Ok(_) => Ok(()),
        Err(rejected) => {
            metrics::unauthenticated(rejected.as_str());
            Err(Error::Unauthenticated)
        }
    }
}

/// An answer with a JSON value in it.
pub fn json(value: &serde_json::Value) -> Response<Body> {
    json_response(value.to_string())
}

/// The JSON of a type of our own.
fn json_text(value: &impl Serialize) -> Result<Response<Body>, Error> {
    match serde_json::to_string(value) {
        Ok(text) => Ok(json_response(text)),
        Err(error) => {
            tracing::error!(%error, "an answer cannot be written");
            Err(Error::Internal)
        }
    }
}

/// An answer with JSON in it.
pub fn json_response(text: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(body::full(text));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
