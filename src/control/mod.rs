//! The control plane, one file a resource. Never reachable through the data listener.

pub mod events;
pub mod health;

use crate::{
    app::App,
    body::{self, Body},
    error::Error,
    telemetry::metrics,
};
use http::{HeaderMap, HeaderValue, Response, header::CONTENT_TYPE};

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

fn json(value: &serde_json::Value) -> Response<Body> {
    let mut response = Response::new(body::full(value.to_string()));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
