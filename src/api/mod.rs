//! From an HTTP request on the data plane to a call, one file a resource.

pub mod forward;
pub mod generate;
pub mod models;
pub mod usage;

use crate::{
    app::Worker,
    auth::Rejected,
    domain::{Arrival, Caller},
    error::Error,
    people::Project,
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
    let mut caller = match worker.app.keys.authenticate_at(headers, arrival.at) {
        Ok(caller) => caller,
        // Only what is no key can be a token: a key is not asked about it.
        Err(Rejected::Malformed) => user(worker, headers, arrival)?,
        Err(rejected) => {
            metrics::unauthenticated(rejected.as_str());
            return Err(Error::Unauthenticated);
        }
    };
    arrival.key = Some(caller.key);
    admit(worker, &mut caller, arrival)?;
    arrival.caller = Some(caller.clone());
    Ok(caller)
}

/// Whether a known caller may come in: from this address, and for a project that is still there, whose policy it has
/// where it has none of its own.
fn admit(worker: &Worker, caller: &mut Caller, arrival: &Arrival) -> Result<(), Error> {
    let terms = caller.terms.as_ref();
    if !terms.is_none_or(|terms| terms.allows_from(arrival.client)) {
        metrics::unauthenticated("address");
        return Err(Error::AddressForbidden);
    }
    // A key ends with its project, and this is in force while that is on its way.
    let allowances = worker.app.directory.allowances();
    let (is_archived, on_hangup) = allowances.at_the_door(caller.project());
    if is_archived {
        metrics::unauthenticated("archived");
        return Err(Error::Unauthenticated);
    }
    caller.on_hangup = caller.on_hangup.or(on_hangup);
    Ok(())
}

/// Whose request this is, by a user's token.
#[cold]
fn user(worker: &Worker, headers: &HeaderMap, arrival: &Arrival) -> Result<Caller, Error> {
    let allowances = worker.app.directory.allowances();
    let is_open = |project: &str| allowances.is_open(project);
    let found = worker.app.people.caller(headers, arrival.at, is_open);
    let found = found.inspect_err(|unproven| metrics::unauthenticated(unproven.as_str()))?;
    let caller = found.and_then(|caller| match allowances.at_the_door(caller.project()) {
        (false, _) => Ok(caller),
        (true, _) => Err(Project::Unknown(caller.project().to_owned())),
    });
    if let Err(Project::Unknown(_)) = &caller {
        metrics::unauthenticated("project");
    }
    Ok(caller?)
}

/// Whether a caller may use a model: its key must allow it, and so must its project.
fn may_use(worker: &Worker, caller: &Caller, model: &str) -> bool {
    let allowances = worker.app.directory.allowances();
    caller.models.allows(model) && allowances.allows(caller.project(), model)
}
