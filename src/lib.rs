//! Weir: an OpenAI-compatible gateway that meters every token.
//!
//! The modules, in the order of a request from the outside in. A module imports only from those below it;
//! `tests/it/architecture.rs` holds the table.

pub mod alerts;
pub mod api;
pub mod app;
pub mod audit;
pub mod auth;
pub mod body;
pub mod catalog;
pub mod cli;
pub mod config;
pub mod control;
pub mod directory;
pub mod domain;
pub mod error;
pub mod events;
pub mod jwt;
pub mod ledger;
pub mod limits;
pub mod people;
pub mod pipeline;
pub mod prices;
pub mod providers;
pub mod queue;
pub mod route;
pub mod server;
pub mod store;
pub mod tap;
pub mod tasks;
pub mod telemetry;
pub mod tokenizer;
pub mod tokens;
pub mod upstream;
pub mod wire;
