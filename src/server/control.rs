//! Every URL of the control plane, one match.

use super::{data::allow_only, people, sign_in};
use crate::{
    api::Request,
    app::App,
    body::Body,
    control::{events, export, health, session::Plane, usage},
    domain::Arrival,
    error::Error,
};
use http::{Method, Response};
use std::sync::Arc;

const GET: &[Method] = &[Method::GET, Method::HEAD, Method::OPTIONS];

/// Answers a request.
pub(super) async fn route(
    app: &Arc<App>,
    request: Request,
    arrival: &Arrival,
) -> Result<Response<Body>, Error> {
    if sign_in::is_of_both_planes(request.uri().path()) {
        return sign_in::route(app, Plane::Control, request, arrival).await;
    }
    if people::is_about_people(request.uri().path()) {
        return people::route(app, request).await;
    }
    let is_get = matches!(*request.method(), Method::GET | Method::HEAD);
    let (path, query) = (request.uri().path(), request.uri().query());
    match path {
        "/healthz" if is_get => Ok(health::healthz()),
        "/readyz" if is_get => Ok(health::readyz(app).await),
        "/metrics" if is_get => Ok(health::metrics(app)),
        "/info" if is_get => Ok(health::info()),
        "/admin/events" if is_get => events::watch(app, request.headers(), query),
        "/admin/usage/export" if is_get => export::export(app, request.headers(), query).await,
        "/v1/organization/costs" if is_get => usage::costs(app, request.headers(), query).await,
        "/healthz"
        | "/readyz"
        | "/metrics"
        | "/info"
        | "/admin/events"
        | "/admin/usage/export"
        | "/v1/organization/costs" => allow_only(GET, request.method()),
        _ => match path
            .strip_prefix("/v1/organization/usage/")
            .and_then(usage::Kind::named)
        {
            Some(kind) if is_get => usage::usage(app, kind, request.headers(), query).await,
            Some(_) => allow_only(GET, request.method()),
            None => Err(Error::NoSuchPath),
        },
    }
}
