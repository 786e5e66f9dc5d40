//! `GET /openapi.json`: an OpenAPI document of all that Weir does itself. What it only passes on has a document at
//! OpenAI's.
//!
//! Made once, from the tables that requests are answered by, so that it cannot name what is not there.

mod info;
mod page;
mod paths;

pub(super) use info::INFO;
pub(super) use page::PAGE;

use super::{control, data};
use crate::{
    body::Body,
    config::Config,
    control::{Operation, Request, json_response},
    wire::{
        about::{About, Content, Credential},
        schema::{Schema, Shape},
    },
};
use bytes::Bytes;
use http::Response;
use paths::Paths;
use serde_json::{Value, json};
use std::sync::OnceLock;

/// `GET /openapi.json`.
pub(super) const DOCUMENT: Operation = Operation::new(
    |request| Box::pin(async move { Ok(document(&request)) }),
    About::new("Observability", "This document")
        .credential(Credential::None)
        .gives(&[(200, Content::Json(&OPENAPI))]),
);
const OPENAPI: Shape = Shape::new("OpenApi", || {
    Schema::object()
        .with("openapi", Schema::word(VERSION))
        .with("info", Schema::map(Schema::anything()))
        .with("paths", Schema::map(Schema::anything()))
        .open()
});
const VERSION: &str = "3.1.1";

const ABOUT: &str = "What Weir serves itself: its administration on the control plane, and on the data plane what a \
    key can ask about itself. Everything else below `/v1` on the data plane is passed on to model servers, in the \
    words of OpenAI's API.\n\nEvery answer has an `x-request-id`. Every error has the shape `Error`.";

fn document(request: &Request) -> Response<Body> {
    static DOCUMENT: OnceLock<Bytes> = OnceLock::new();
    let text = DOCUMENT.get_or_init(|| {
        let config = &request.app.snapshot.load().config;
        build(&data_plane(config)).to_string().into()
    });
    json_response(text.clone())
}

/// Where the data plane is, as far as the configuration knows.
fn data_plane(config: &Config) -> String {
    let server = &config.server;
    let scheme = if server.tls.is_some() {
        "https"
    } else {
        "http"
    };
    let mut address = server.listen;
    if address.ip().is_unspecified() {
        address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
    }
    format!("{scheme}://{address}")
}

fn build(data_plane: &str) -> Value {
    let control =
        json!({"url": "/", "description": "The control plane, which serves this document"});
    let data = json!({
        "url": "{data_plane}",
        "description": "The data plane",
        "variables": {"data_plane": {
            "default": data_plane, "description": "Where clients reach it: behind a proxy somewhere else",
        }},
    });
    let mut paths = Paths::default();
    for (method, template, operation) in control::TABLE {
        paths.add(method, template, &operation.about, vec![control.clone()]);
    }
    for (method, template, operation) in control::ON_BOTH {
        paths.add(
            method,
            template,
            &operation.about,
            vec![control.clone(), data.clone()],
        );
    }
    for (method, template, about) in data::OWN {
        paths.add(method, template, about, vec![data.clone()]);
    }
    let (paths, schemas) = paths.into_json();
    json!({
        "openapi": VERSION,
        "info": {
            "title": "Weir",
            "version": env!("CARGO_PKG_VERSION"),
            "description": ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [control],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "headers": {
                "RequestId": {
                    "description": "The id of the request: the client's own, or a new one",
                    "schema": {"type": "string"},
                },
                "RetryAfter": {
                    "description": "Seconds after which to try again",
                    "schema": {"type": "integer"},
                },
            },
            "securitySchemes": {
                "adminKey": {"type": "http", "scheme": "bearer", "description": "An admin key, `sk-weir-admin-…`"},
                "apiKey": {"type": "http", "scheme": "bearer", "description": "An API key, `sk-weir-…`"},
                "userToken": {
                    "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
                    "description": "An access token of a user: from `/auth/login`, or of an outside issuer",
                },
            },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn it_has_every_url_of_the_tables_and_no_other() {
        let document = build("http://127.0.0.1:8080");
        let mut described = BTreeSet::new();
        for (path, operations) in document["paths"].as_object().unwrap() {
            for method in operations.as_object().unwrap().keys() {
                described.insert((method.to_ascii_uppercase(), path.clone()));
            }
        }
        let control = control::TABLE.iter().chain(control::ON_BOTH);
        let control = control.map(|(method, at, _)| (method, at));
        let own = data::OWN.iter().map(|(method, at, _)| (method, at));
        let served: BTreeSet<_> = control
            .chain(own)
            .map(|(method, at)| (method.to_string(), (*at).to_owned()))
            .collect();
        assert_eq!(described, served);
    }

    #[test]
    fn every_operation_has_a_name_of_its_own_and_an_answer() {
        let document = build("http://127.0.0.1:8080");
        let mut names = BTreeSet::new();
        for operations in document["paths"].as_object().unwrap().values() {
            for operation in operations.as_object().unwrap().values() {
                let name = operation["operationId"].as_str().unwrap();
                assert!(names.insert(name), "{name}");
                let responses = operation["responses"].as_object().unwrap();
                assert!(
                    responses.keys().any(|status| status.starts_with('2')),
                    "{name}"
                );
            }
        }
    }

    #[test]
    fn every_reference_leads_to_a_shape() {
        let document = build("http://127.0.0.1:8080");
        let text = document.to_string();
        for (at, start) in text.match_indices("\"$ref\":\"#") {
            let rest = &text[at + start.len()..];
            let pointer = &rest[..rest.find('"').unwrap()];
            assert!(document.pointer(pointer).is_some(), "{pointer}");
        }
    }
}
