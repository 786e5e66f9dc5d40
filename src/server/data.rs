//! Every URL of the data plane, one match.

use super::control;
use crate::{
    api::{Request, forward, generate, models, usage},
    app::Worker,
    body::{self, Body},
    control::session,
    domain::{Arrival, Endpoint},
    error::Error,
    wire::about::About,
};
use http::{HeaderValue, Method, Response, StatusCode, header::ALLOW};
use std::sync::Arc;

const GET: &[Method] = &[Method::GET, Method::HEAD, Method::OPTIONS];
const POST: &[Method] = &[Method::POST, Method::OPTIONS];
const GET_AND_POST: &[Method] = &[Method::GET, Method::HEAD, Method::POST, Method::OPTIONS];

/// What the data plane alone answers itself, for the document of the API: the arms below that pass nothing on.
pub(super) static OWN: &[(Method, &str, About)] = &[
    (Method::GET, "/v1/models", models::LIST),
    (Method::GET, "/v1/models/{model}", models::RETRIEVE),
    (Method::GET, "/v1/usage", usage::OWN),
    (Method::GET, "/v1/me", session::ME_OF_DATA.about),
];

/// What is answered as on the control plane, for other credentials.
static FOR_KEYS: &[control::Row] = &[(Method::GET, "/v1/me", session::ME_OF_DATA)];

/// Answers a request.
pub(super) async fn route(
    worker: &Arc<Worker>,
    request: Request,
    arrival: &mut Arrival,
) -> Result<Response<Body>, Error> {
    let method = request.method().clone();
    if worker.app.drain.is_raised() && request.uri().path() != "/healthz" {
        return Err(Error::Draining);
    }
    // The rare ones are boxed, so that the usual request does not take the room of the largest. None keeps the URI
    // beside the request: it lies in the buffer of the connection, which is then not read into again.
    match (request.uri().path(), &method) {
        ("/v1/chat/completions", &Method::POST) => {
            generate::create(worker, Endpoint::Chat, request, arrival).await
        }
        ("/v1/completions", &Method::POST) => {
            generate::create(worker, Endpoint::Completions, request, arrival).await
        }
        ("/v1/embeddings", &Method::POST) => {
            generate::create(worker, Endpoint::Embeddings, request, arrival).await
        }
        // Completions that the upstream has stored.
        ("/v1/chat/completions", &Method::GET | &Method::HEAD) => {
            Box::pin(forward::pass(worker, request, arrival)).await
        }
        ("/v1/chat/completions", _) => allow_only(GET_AND_POST, &method),
        ("/v1/completions" | "/v1/embeddings", _) => allow_only(POST, &method),
        ("/v1/models", &Method::GET | &Method::HEAD) => {
            Box::pin(models::list(worker, request, arrival)).await
        }
        ("/v1/models", _) => allow_only(GET, &method),
        ("/v1/usage", &Method::GET | &Method::HEAD) => {
            Box::pin(usage::own(worker, request, arrival)).await
        }
        ("/v1/usage", _) => allow_only(GET, &method),
        (path, _) => {
            let found = control::find(control::ON_BOTH, path);
            if let Some(found) = found.or_else(|| control::find(FOR_KEYS, path)) {
                return Box::pin(control::answer(found, &worker.app, request, arrival)).await;
            }
            match path.strip_prefix("/v1/models/") {
                Some(name) if matches!(method, Method::GET | Method::HEAD) => {
                    let name = name.to_owned();
                    Box::pin(models::retrieve(worker, &name, request, arrival)).await
                }
                Some(_) if method != Method::DELETE => allow_only(GET, &method),
                _ => Box::pin(forward::pass(worker, request, arrival)).await,
            }
        }
    }
}

/// The answer to a method that a path does not take, or to the question which it does.
pub(super) fn allow_only(allowed: &[Method], method: &Method) -> Result<Response<Body>, Error> {
    if method != Method::OPTIONS {
        return Err(Error::MethodNotAllowed(allowed.to_vec()));
    }
    let mut response = Response::new(body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let list = allowed
        .iter()
        .map(Method::as_str)
        .collect::<Vec<_>>()
        .join(", ");
    response.headers_mut().insert(
        ALLOW,
        HeaderValue::try_from(list).expect("methods are valid header values"),
    );
    Ok(response)
}
