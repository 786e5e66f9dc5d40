//! From an HTTP request on the data plane to a call, one file a resource.

pub mod forward;
pub mod generate;
pub mod models;
pub mod usage;

use crate::{
    app::Worker,
    domain::{Arrival, Caller},
    error::Error,
    telemetry::metrics,
};
use http::HeaderMap;

/// A request as hyper hands it over. Boxed: every step inwards would keep the room of what it has handed on.
pub type Request = Box<http::Request<hyper::body::Incoming>>;

/// Whose request this is.
fn authenticate(
    worker: &Worker,
    headers: &HeaderMap,
    arrival: &mut Arrival,
) -> Result<Caller, Error> {
    match worker.app.keys.authenticate_at(headers, arrival.at) {
        Ok(caller) => {
            arrival.key = Some(caller.key);
            let terms = caller.terms.as_ref();
            match terms.is_none_or(|terms| terms.allows_from(arrival.client)) {
                true => Ok(caller),
                false => {
                    metrics::unauthenticated("address");
                    Err(Error::AddressForbidden)
                }
            }
        }
        Err(rejected) => {
            metrics::unauthenticated(rejected.as_str());
            Err(Error::Unauthenticated)
        }
    }
}

/// Whether a caller may use a model: its key must allow it, and so must its project.
fn may_use(worker: &Worker, caller: &Caller, model: &str) -> bool {
    let allowances = worker.app.directory.allowances();
    caller.models.allows(model) && allowances.allows(caller.project(), model)
}
