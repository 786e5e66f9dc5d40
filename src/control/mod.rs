//! The control plane, one file a resource. Never reachable through the data listener.

pub mod events;
pub mod export;
pub mod health;
pub mod limits;
pub mod organization;
mod request;
pub mod rights;
pub mod session;
pub mod usage;

pub use request::{Handling, Operation, Request};

use crate::{
    body::{self, Body},
    error::Error,
};
use bytes::Bytes;
use http::{
    HeaderValue, Response,
    header::{CACHE_CONTROL, CONTENT_TYPE},
};
use serde::Serialize;

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
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    // Some of them hold a secret, and none is worth keeping.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
