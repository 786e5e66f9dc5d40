//! The URLs of users, invites and the users of projects, one match.

use super::data::allow_only;
use crate::{
    api::Request,
    app::App,
    body::Body,
    control::{Fields, rights, users},
    error::Error,
    wire::percent,
};
use http::{Method, Response};

const BASE: &str = "/v1/organization/";
const GET: &[Method] = &[Method::GET, Method::HEAD, Method::OPTIONS];
const GET_DELETE: &[Method] = &[Method::GET, Method::HEAD, Method::DELETE, Method::OPTIONS];
const GET_POST: &[Method] = &[Method::GET, Method::HEAD, Method::POST, Method::OPTIONS];
const ALL: &[Method] = &[
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::DELETE,
    Method::OPTIONS,
];

/// Whether a path is one of these.
pub(super) fn is_about_people(path: &str) -> bool {
    let parts: Vec<&str> = path
        .strip_prefix(BASE)
        .unwrap_or_default()
        .split('/')
        .collect();
    matches!(
        parts.as_slice(),
        ["users" | "invites"]
            | ["users" | "invites", _]
            | ["projects", _, "users"]
            | ["projects", _, "users", _]
    )
}

/// Answers a request.
pub(super) async fn route(app: &App, request: Request) -> Result<Response<Body>, Error> {
    let (head, body) = request.into_parts();
    let (headers, query) = (&head.headers, head.uri.query());
    let path = head.uri.path().strip_prefix(BASE).unwrap_or_default();
    let parts: Option<Vec<String>> = path.split('/').map(percent::decode).collect();
    let parts = parts.ok_or(Error::NoSuchPath)?;
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    // HEAD is answered as GET; the connection leaves the body out.
    let method = match &head.method {
        &Method::HEAD => &Method::GET,
        method => method,
    };
    if method == Method::POST {
        // A stranger's body is not read.
        rights::who(app, headers)?;
        let server = app.snapshot.load_full();
        let fields = &Fields::read(headers, body, &server.config.server).await?;
        return match parts.as_slice() {
            ["users", id] => users::modify(app, headers, id, fields).await,
            ["invites"] => users::invite(app, headers, fields).await,
            ["projects", id, "users"] => users::add_member(app, headers, id, fields).await,
            ["projects", id, "users", user] => {
                users::modify_member(app, headers, (id, user), fields).await
            }
            ["users"] => allow_only(GET, method),
            _ => allow_only(GET_DELETE, method),
        };
    }
    match (method, parts.as_slice()) {
        (&Method::GET, ["users"]) => users::list(app, headers, query).await,
        (&Method::GET, ["users", id]) => users::retrieve(app, headers, id).await,
        (&Method::DELETE, ["users", id]) => users::delete(app, headers, id).await,
        (&Method::GET, ["invites"]) => users::invites(app, headers, query).await,
        (&Method::GET, ["invites", id]) => users::retrieve_invite(app, headers, id).await,
        (&Method::DELETE, ["invites", id]) => users::delete_invite(app, headers, id).await,
        (&Method::GET, ["projects", id, "users"]) => users::members(app, headers, id, query).await,
        (&Method::GET, ["projects", id, "users", user]) => {
            users::retrieve_member(app, headers, (id, user)).await
        }
        (&Method::DELETE, ["projects", id, "users", user]) => {
            users::delete_member(app, headers, (id, user)).await
        }
        (_, ["users"]) => allow_only(GET, method),
        (_, ["invites", _]) => allow_only(GET_DELETE, method),
        (_, ["invites"] | ["projects", _, "users"]) => allow_only(GET_POST, method),
        _ => allow_only(ALL, method),
    }
}
