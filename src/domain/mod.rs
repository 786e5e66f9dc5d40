//! Nouns that every part shares. No I/O, no async, nothing that knows HTTP status codes.

mod arrival;
mod caller;
mod day;
mod endpoint;
mod id;
mod place;
mod secret;
mod usage;

pub use arrival::Arrival;
pub(crate) use caller::matches;
pub use caller::{Caller, ModelRule};
pub use day::Day;
pub use endpoint::Endpoint;
pub use id::{KeyId, RequestId};
pub use place::{Place, Postgres};
pub use secret::Secret;
pub use usage::{Outcome, Usage};
