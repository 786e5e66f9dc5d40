//! Every URL of the control plane, in one table, and the way from a request to its row.

use super::{data::allow_only, document, path};
use crate::{
    api,
    app::App,
    body::Body,
    control::{Operation, Request, events, export, health, usage},
    domain::Arrival,
    error::Error,
};
use http::{Method, Response};
use http_body_util::BodyExt;
use std::sync::Arc;

const GET: Method = Method::GET;

/// A method, a URL in which `{name}` stands for one segment, and what is done there. Where two fit, the first counts.
type Row = (Method, &'static str, Operation);

/// All of it. The document of the API is made from this table too.
pub(super) static TABLE: &[Row] = &[
    (GET, "/healthz", health::HEALTHZ),
    (GET, "/readyz", health::READYZ),
    (GET, "/metrics", health::METRICS),
    (GET, "/info", document::INFO),
    (GET, "/openapi.json", document::DOCUMENT),
    (GET, "/docs", document::PAGE),
    (GET, "/admin/events", events::WATCH),
    (GET, "/admin/usage/export", export::EXPORT),
    (GET, "/v1/organization/costs", usage::COSTS),
    (
        GET,
        "/v1/organization/usage/completions",
        usage::COMPLETIONS,
    ),
    (GET, "/v1/organization/usage/embeddings", usage::EMBEDDINGS),
    (
        GET,
        "/v1/organization/usage/moderations",
        usage::MODERATIONS,
    ),
    (GET, "/v1/organization/usage/images", usage::IMAGES),
    (
        GET,
        "/v1/organization/usage/audio_speeches",
        usage::AUDIO_SPEECHES,
    ),
    (
        GET,
        "/v1/organization/usage/audio_transcriptions",
        usage::AUDIO_TRANSCRIPTIONS,
    ),
];

/// Answers a request.
pub(super) async fn route(
    app: &Arc<App>,
    request: api::Request,
    arrival: &Arrival,
) -> Result<Response<Body>, Error> {
    let (head, body) = request.into_parts();
    let (template, names) = find(head.uri.path()).ok_or(Error::NoSuchPath)?;
    let method = match &head.method {
        // The same without the body, which the connection leaves out.
        &Method::HEAD => &Method::GET,
        other => other,
    };
    let Some(operation) = operation(method, template) else {
        return allow_only(&methods(template), method);
    };
    let body = body.map_err(Into::into).boxed_unsync();
    let request = Request::new(Arc::clone(app), arrival.clone(), (head, body), names);
    (operation.handler)(request).await
}

/// The template that fits a path, and what stands for its names.
fn find(path: &str) -> Option<(&'static str, Vec<(&'static str, String)>)> {
    let template = TABLE
        .iter()
        .map(|(_, template, _)| *template)
        .find(|template| path::fits(template, path))?;
    Some((template, path::names(template, path)?))
}

fn operation(method: &Method, template: &str) -> Option<&'static Operation> {
    let row = TABLE
        .iter()
        .find(|(known, at, _)| known == method && *at == template)?;
    Some(&row.2)
}

/// The methods that a URL takes.
fn methods(template: &str) -> Vec<Method> {
    let mut methods = Vec::new();
    for (method, ..) in TABLE.iter().filter(|(_, at, _)| *at == template) {
        methods.push(method.clone());
        if *method == GET {
            methods.push(Method::HEAD);
        }
    }
    methods.push(Method::OPTIONS);
    methods
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_row_is_reached_and_is_there_once() {
        let mut seen = BTreeSet::new();
        for (method, template, _) in TABLE {
            let path = template.replace(['{', '}'], "");
            assert_eq!(find(&path).map(|(at, _)| at), Some(*template));
            assert!(seen.insert((method.as_str(), *template)), "{template}");
        }
    }
}
