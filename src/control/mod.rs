//! The control plane, one file a resource. Never reachable through the data listener.

pub mod events;
pub mod export;
mod fields;
pub mod health;
pub mod rights;
pub mod session;
pub mod usage;
pub mod users;

pub use fields::Fields;

use crate::{
    body::{self, Body},
    error::Error,
};
use http::{HeaderValue, Response, header::CONTENT_TYPE};
use serde::Serialize;

fn json(value: &serde_json::Value) -> Response<Body> {
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

fn json_response(text: String) -> Response<Body> {
    let mut response = Response::new(body::full(text));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
