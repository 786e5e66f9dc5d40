//! The URLs that both planes have, since a user's token opens both: signing in, and who one is.

use super::data::allow_only;
use crate::{
    api::Request,
    app::App,
    body::Body,
    control::session::{self, Plane},
    domain::Arrival,
    error::Error,
};
use http::{Method, Response};

const GET: &[Method] = &[Method::GET, Method::HEAD, Method::OPTIONS];
const POST: &[Method] = &[Method::POST, Method::OPTIONS];

/// Whether a path is one of these.
pub(super) fn is_of_both_planes(path: &str) -> bool {
    path == "/v1/me" || path.starts_with("/auth/")
}

/// Answers a request.
pub(super) async fn route(
    app: &App,
    plane: Plane,
    request: Request,
    arrival: &Arrival,
) -> Result<Response<Body>, Error> {
    let (head, body) = request.into_parts();
    let (headers, is_post) = (&head.headers, head.method == Method::POST);
    match head.uri.path() {
        "/auth/login" if is_post => session::login(app, arrival.client, headers, body).await,
        "/auth/refresh" if is_post => session::refresh(app, arrival.client, headers, body).await,
        "/auth/logout" if is_post => session::logout(app, arrival.client, headers, body).await,
        "/auth/accept" if is_post => session::accept(app, arrival.client, headers, body).await,
        "/auth/accept" | "/auth/login" | "/auth/refresh" | "/auth/logout" => {
            allow_only(POST, &head.method)
        }
        "/v1/me" if matches!(head.method, Method::GET | Method::HEAD) => {
            session::me(app, plane, headers)
        }
        "/v1/me" => allow_only(GET, &head.method),
        _ => Err(Error::NoSuchPath),
    }
}
