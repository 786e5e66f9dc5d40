//! Every OpenAI path that Weir does not read: passed to the upstream that the config names for it, both bodies
//! streamed.

use super::{Request, authenticate};
use crate::{
    app::Worker,
    body::Body,
    config::Target,
    domain::{Arrival, Endpoint, ModelRule},
    error::Error,
    pipeline::{self, Call, Payload},
    providers,
    upstream::{Path, Upload},
};
use http::Response;
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
    if !is_sound(path) || !is_known || matches!(resource, "organization" | "projects") {
        return Err(Error::NoSuchPath);
    }
    let endpoint = Endpoint::forwarded(request.method(), path);
    let upstream = snapshot.routes.forward(path).cloned();
    let (head, body) = request.into_parts();
    let caller = authenticate(worker, &head.headers, arrival)?;
    let upstream = upstream.ok_or(Error::NotServed)?;
    let project = caller.project();
    if caller.models != ModelRule::All || worker.app.directory.allowances().restricts(project) {
        return Err(Error::PathForbidden);
    }
    let bounds = &snapshot.config.server;
    if http_body::Body::size_hint(&body).lower() > bounds.upload_max_bytes {
        return Err(Error::TooLarge(bounds.upload_max_bytes));
    }
    let (upload, fault) = Upload::new(body, bounds.upload_max_bytes, bounds.body_timeout);
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
        label: "other".into(),
        model: "other".into(),
        stream: false,
        payload: Payload::Streamed(Some(upload), fault, bounds.upload_max_bytes),
    };
    let target = Target {
        timeouts: upstream.timeouts,
        upstream,
        model: None,
        tokenizer: None,
        weight: 0,
    };
    pipeline::run(worker, &snapshot, Box::new(call), vec![target], arrival).await
}

/// Whether a path means the same to every reader: nothing empty, nothing that climbs, nothing that hides a slash, and
/// no letter in disguise, by which a server that decodes it would read a path that Weir meters another way.
fn is_sound(path: &str) -> bool {
    let segment = |segment: &str| {
        let lower = segment.to_ascii_lowercase();
        let is_plain = !matches!(segment, "" | "." | "..");
        let bad = ["%2f", "%5c", "%00", "\\"];
        is_plain && !bad.iter().any(|bad| lower.contains(bad)) && !has_disguise(segment)
    };
    path.is_ascii()
        && path
            .strip_prefix('/')
            .is_some_and(|rest| rest.split('/').all(segment))
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
    use super::is_sound;

    #[test]
    fn paths_that_climb_or_hide_are_not_sound() {
        for path in [
            "/v1/files",
            "/v1/files/file-1/content",
            "/v1/files/a.b",
            "/v1/models/ft%3Ax%20y",
            "/v1/files/100%",
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
        ] {
            assert!(!is_sound(path), "{path}");
        }
    }
}
