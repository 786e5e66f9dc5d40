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
            Ok(caller)
        }
        Err(rejected) => {
            metrics::unauthenticated(rejected.as_str());
            Err(Error::Unauthenticated)
        }
    }
}
