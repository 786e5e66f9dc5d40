//! Drives the real `weir` over sockets, as its clients and its upstreams see it.
//!
//! Each test starts a gateway of its own on ports of the system's choosing, before an upstream that it scripts to the
//! byte. Nothing here sleeps to be in step: a test waits for bytes, for a line, or for a state with a deadline.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "tests spawn, measure and fail by panicking, and nothing outside can reach them"
)]

mod architecture;
mod charges;
mod chat;
mod completions;
mod config;
mod control;
mod counting;
mod counting_more;
mod counting_usage;
mod crash;
mod docs;
mod document;
mod errors;
mod fairness;
mod forward;
mod hangup;
mod keys;
mod ledger;
mod limits;
mod organization;
mod outage;
mod people;
mod protocol;
mod requests;
mod responses;
mod shutdown;
mod simulator;
mod store_tls;
mod streaming;
mod support;
mod tls;
mod tokenizers;
mod upstream_http1;
mod upstream_http2;
mod usage;
