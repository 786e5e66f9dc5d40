//! `GET /info`: what runs here.

use crate::{
    body::Body,
    control::{Operation, json},
    server::{
        control::{self, Row},
        data,
    },
    wire::{
        about::{About, Content, Credential},
        schema::{Schema, Shape},
    },
};
use http::Response;
use serde_json::json;

/// What the data plane passes on, beside what it answers itself.
const PASSED_ON: [&str; 4] = [
    "POST /v1/chat/completions",
    "POST /v1/completions",
    "POST /v1/embeddings",
    "* /v1/{path}",
];

/// `GET /info`.
pub(in crate::server) const INFO: Operation = Operation::new(
    |_| Box::pin(async { Ok(info()) }),
    About::new("Observability", "What runs here")
        .credential(Credential::None)
        .gives(&[(200, Content::Json(&SHAPE))]),
);
const SHAPE: Shape = Shape::new("Info", || {
    let urls = || Schema::list(Schema::text()).says("A method and a URL each");
    Schema::object()
        .with("name", Schema::word("weir"))
        .with("version", Schema::text())
        .with("features", Schema::list(Schema::text()))
        .with(
            "endpoints",
            Schema::object()
                .with("data", urls())
                .with("control", urls()),
        )
});

fn info() -> Response<Body> {
    let urls = |table: &[Row]| -> Vec<String> {
        let rows = table.iter();
        rows.map(|(method, at, _)| format!("{method} {at}"))
            .collect()
    };
    let own = data::OWN.iter();
    let own: Vec<String> = own
        .map(|(method, at, _)| format!("{method} {at}"))
        .collect();
    let passed_on = PASSED_ON.map(str::to_owned).to_vec();
    let data = [own, urls(control::ON_BOTH), passed_on].concat();
    let control = [urls(control::TABLE), urls(control::ON_BOTH)].concat();
    json(&json!({
        "name": "weir",
        "version": env!("CARGO_PKG_VERSION"),
        "features": ["chat", "completions", "embeddings", "models", "forwarding", "usage", "streaming", "simulator", "tls", "http2"],
        "endpoints": {"data": data, "control": control},
    }))
}
