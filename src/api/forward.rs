//! Every OpenAI path that Weir does not answer itself: passed to the upstream that the config names for it, both bodies
//! streamed. Of `POST /v1/responses` the body is read first, so that the call is metered and limited as a chat is.

mod brought;

use super::{
    Request, authenticate,
    generate::{self, Held},
};
use crate::{
    app::Worker,
    body::Body,
    config::Server,
    domain::{Arrival, Caller, Endpoint, ModelRule},
    error::Error,
    pipeline::{self, Call},
    providers,
    upstream::Path,
    wire::percent,
};
use brought::Brought;
use http::{HeaderMap, Response};
use hyper::body::Incoming;
use std::sync::Arc;

/// The resources that OpenAI serves below `/v1` and that Weir passes on without being told to.
///
/// Of `chat` and `models`, what is left of them here: stored completions, and the deletion of a model.
/// Not among them: `organization` and `projects`, which are the control plane's.
const RESOURCES: [&str; 21] = [
    "assistants",
    "audio",
    "batches",
    "chat",
    "chatkit",
    "containers",
    "content_provenance_checks",
    "conversations",
    "evals",
    "files",
    "fine_tuning",
    "images",
    "models",
    "moderations",
    "realtime",
    "responses",
    "skills",
    "threads",
    "uploads",
    "vector_stores",
    "videos",
];

/// Passes a request on.
pub async fn pass(
    worker: &Arc<Worker>,
    request: Request,
    arrival: &mut Arrival,
) -> Result<Response<Body>, Error> {
    let snapshot = worker.app.snapshot.load_full();
    let path = request.uri().path();
    let below = path.strip_prefix("/v1/").ok_or(Error::NoSuchPath)?;
    let resource = below.split('/').next().unwrap_or_default();
    let is_known = RESOURCES.contains(&resource) || snapshot.routes.names(path);
    if !is_sound(path) || !is_known || is_kept_back(path, resource) {
        return Err(Error::NoSuchPath);
    }
    let endpoint = Endpoint::forwarded(request.method(), path);
    let upstream = snapshot.routes.forward(path).cloned();
    let (head, body) = request.into_parts();
    let mut caller = authenticate(worker, &head.headers, arrival)?;
    let upstream = upstream.ok_or(Error::NotServed)?;
    require_free(worker, &caller)?;
    let bounds = &snapshot.config.server;
    let size = http_body::Body::size_hint(&body).lower();
    if size > bounds.upload_max_bytes {
        return Err(Error::TooLarge(bounds.upload_max_bytes));
    }
    let is_read = endpoint == Endpoint::Responses && size <= bounds.body_max_bytes as u64;
    let brought = if is_read {
        let held = read(worker, &head.headers, body, bounds, arrival).await?;
        if held.is_in_doubt(arrival) {
            caller = authenticate(worker, &head.headers, arrival)?;
            require_free(worker, &caller)?;
        }
        let brought = Brought::held(held, &snapshot, upstream);
        arrival.model = Some(Arc::clone(&brought.model));
        brought
    } else {
        Brought::streamed(body, bounds, upstream)
    };
    let path = Path::below("/v1", &head.uri);
    let headers = providers::openai::of_client(&head.headers);
    drop((head.headers, head.uri)); // see generate.rs
    let call = Call {
        id: arrival.id.clone(),
        caller,
        endpoint,
        method: head.method,
        path,
        headers,
        label: brought.label,
        model: brought.model,
        stream: brought.stream,
        payload: brought.payload,
    };
    pipeline::run(
        worker,
        &snapshot,
        Box::new(call),
        vec![brought.target],
        arrival,
    )
    .await
}

/// Refuses a caller who may use certain models only: what a forwarded path uses need not be what its body names.
fn require_free(worker: &Worker, caller: &Caller) -> Result<(), Error> {
    let allowances = worker.app.directory.allowances();
    if caller.models != ModelRule::All || allowances.restricts(caller.project()) {
        return Err(Error::PathForbidden);
    }
    Ok(())
}

/// Reads what a response is asked for.
async fn read(
    worker: &Worker,
    headers: &HeaderMap,
    body: Incoming,
    bounds: &Server,
    arrival: &mut Arrival,
) -> Result<Held, Error> {
    generate::require_json(headers)?;
    let reserved = worker.app.body_memory.reserve();
    let held = generate::read(body, Endpoint::Responses, bounds, reserved).await?;
    arrival.is_read = true;
    Ok(held)
}

/// Whether a path is Weir's to answer. A server for which case makes no difference would take another spelling of it for
/// the same; the path itself comes here for the methods that Weir does not read.
fn is_kept_back(path: &str, resource: &str) -> bool {
    const READ: [&str; 3] = ["/v1/chat/completions", "/v1/completions", "/v1/embeddings"];
    let is_controls = |name: &str| resource.eq_ignore_ascii_case(name);
    let is_respelt = |read: &str| path != read && path.eq_ignore_ascii_case(read);
    ["organization", "projects"].into_iter().any(is_controls) || READ.into_iter().any(is_respelt)
}

/// Whether a path means the same to every reader, also to one that decodes it before it splits it.
fn is_sound(path: &str) -> bool {
    path.is_ascii()
        && path
            .strip_prefix('/')
            .is_some_and(|rest| rest.split('/').all(is_plain))
}

/// Whether a segment is neither empty nor climbs, and stays the one that it is when it is decoded: nothing in it then
/// ends it, begins parameters or another decoding, or is trimmed away, and no letter was in disguise.
fn is_plain(segment: &str) -> bool {
    let is_plain = |decoded: String| {
        decoded.trim().len() == decoded.len()
            && !decoded.contains(|c: char| c.is_control() || r"/\;?#%".contains(c))
    };
    !matches!(segment, "" | "." | "..")
        && !has_disguise(segment)
        && percent::decode(segment).is_some_and(is_plain)
}

/// Whether a character is encoded that never has to be.
fn has_disguise(segment: &str) -> bool {
    segment.split('%').skip(1).any(|rest| {
        let byte = rest
            .get(..2)
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
    })
}

#[cfg(test)]
mod tests {
    use super::{is_kept_back, is_sound};

    #[test]
    fn what_weir_answers_is_kept_back_in_every_spelling() {
        assert!(is_kept_back("/v1/chat/Completions", "chat"));
        assert!(is_kept_back("/v1/Organization/users", "Organization"));
        assert!(!is_kept_back("/v1/chat/completions", "chat"));
        assert!(!is_kept_back("/v1/chat/completions/c_1", "chat"));
    }

    #[test]
    fn paths_that_climb_or_hide_are_not_sound() {
        for path in [
            "/v1/files",
            "/v1/files/file-1/content",
            "/v1/files/a.b",
            "/v1/models/ft%3Ax%20y",
            "/v1/models/%C3%A9t%C3%A9",
            "/v1/models/@cf/a,b=c",
        ] {
            assert!(is_sound(path), "{path}");
        }
        for path in [
            "//v1/files",
            "/v1//files",
            "/v1/../x",
            "/v1/%2e%2E/x",
            "/v1/a%2Fb",
            "/v1/a\\b",
            "/v1/files/",
            "/v1/é",
            "/v1/chat/%63ompletions",
            "/v1/chat/completion%73",
            "/v1/files/a%2Eb",
            "/v1/files/a%7eb",
            "/v1/files/%20%30",
            "/v1/chat/completions;a=b",
            "/v1/chat/completions%3Ba=b",
            "/v1/chat/completions%20",
            "/v1/chat/%20completions",
            "/v1/chat/completions%09",
            "/v1/chat/completions%C2%A0",
            "/v1/chat/completions%3Fa",
            "/v1/chat/completions%23",
            "/v1/files/..;/organization/x",
            "/v1/files/a%0d%0ab",
            "/v1/files/a%00b",
            "/v1/files/%252e%252e/x",
            "/v1/files/%u002e",
            "/v1/files/%C0%AE",
            "/v1/files/100%",
        ] {
            assert!(!is_sound(path), "{path}");
        }
    }
}
