//! Nouns that every part shares. No I/O, no async, nothing that knows HTTP status codes.

mod arrival;
mod caller;
mod endpoint;
mod hangup;
mod id;
mod secret;
mod usage;

pub use arrival::Arrival;
pub(crate) use caller::matches;
pub use caller::{Caller, ModelRule};
pub use endpoint::Endpoint;
pub use hangup::{NotOnHangup, OnHangup};
pub use id::{KeyId, RequestId};
pub use secret::Secret;
pub use usage::{Outcome, Usage};
