//! Nouns that every part shares. No I/O, no async, nothing that knows HTTP status codes.

mod arrival;
mod asked;
mod caller;
mod day;
mod endpoint;
mod hangup;
mod id;
mod money;
mod network;
mod place;
mod price;
mod price_list;
mod secret;
mod terms;
mod tier;
mod usage;
mod user;

pub use arrival::Arrival;
pub use asked::Asked;
pub(crate) use caller::matches;
pub use caller::{Caller, ModelRule, Owner};
pub use day::Day;
pub use endpoint::Endpoint;
pub use hangup::{NotOnHangup, OnHangup};
pub use id::{KeyId, RequestId};
pub use money::NanoDollars;
pub use network::{Network, NotANetwork};
pub use place::{Place, Postgres};
pub use price::{Long, NotAPrice, Price, Rate, Rates, parse_image};
pub use price_list::PriceList;
pub use secret::Secret;
pub use terms::{Budget, KeyLimits, Span, Terms};
pub use tier::Tier;
pub use usage::{Outcome, Usage};
pub use user::{Membership, ProjectRole, Role, User};
