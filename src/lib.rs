//! Weir: an OpenAI-compatible gateway that meters every token.
//!
//! The modules, in the order of a request from the outside in. A module imports only from those below it.

pub mod body;
pub mod domain;
