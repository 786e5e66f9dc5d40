//! `GET /info`: what runs here.

use crate::{
    body::Body,
    control::{Operation, json},
    server::{control, data},
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
    let own = data::OWN
        .iter()
        .map(|(method, at, _)| format!("{method} {at}"));
    let passed_on = PASSED_ON.iter().map(|url| (*url).to_owned());
    let control = control::TABLE.iter();
    let control = control.map(|(method, at, _)| format!("{method} {at}"));
    json(&json!({
        "name": "weir",
        "version": env!("CARGO_PKG_VERSION"),
        "features": ["chat", "completions", "embeddings", "models", "forwarding", "usage", "streaming", "simulator", "tls", "http2"],
        "endpoints": {
            "data": own.chain(passed_on).collect::<Vec<_>>(),
            "control": control.collect::<Vec<_>>(),
        },
    }))
}
