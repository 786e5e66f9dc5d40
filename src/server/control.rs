//! Every URL of the control plane, one match.

use super::data::allow_only;
use crate::{
    api::Request,
    app::App,
    body::Body,
    control::{events, health},
    error::Error,
};
use http::{Method, Response};
use std::sync::Arc;

const GET: &[Method] = &[Method::GET, Method::HEAD, Method::OPTIONS];

/// Answers a request.
pub(super) async fn route(app: &Arc<App>, request: Request) -> Result<Response<Body>, Error> {
    let is_get = matches!(*request.method(), Method::GET | Method::HEAD);
    match request.uri().path() {
        "/healthz" if is_get => Ok(health::healthz()),
        "/readyz" if is_get => Ok(health::readyz(app).await),
        "/metrics" if is_get => Ok(health::metrics(app)),
        "/info" if is_get => Ok(health::info()),
        "/admin/events" if is_get => events::watch(app, request.headers(), request.uri().query()),
        "/healthz" | "/readyz" | "/metrics" | "/info" | "/admin/events" => {
            allow_only(GET, request.method())
        }
        _ => Err(Error::NoSuchPath),
    }
}
