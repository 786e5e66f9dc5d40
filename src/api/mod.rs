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
    let caller = match worker.app.keys.authenticate_at(headers, arrival.at) {
        Ok(mut caller) => {
            arrival.key = Some(caller.key);
            admit(worker, &mut caller, arrival)?;
            caller
        }
        // Only what is no key can be a token: a key is not asked about it.
        Err(Rejected::Malformed) => {
            let caller = user(worker, headers, arrival)?;
            arrival.key = Some(caller.key);
            caller
        }
        Err(rejected) => {
            metrics::unauthenticated(rejected.as_str());
            return Err(Error::Unauthenticated);
        }
    };
    arrival.caller = Some(caller.clone());
    Ok(caller)
}

/// Whether the holder of a key may come in: from this address, and for a project that was not archived.
fn admit(worker: &Worker, caller: &mut Caller, arrival: &Arrival) -> Result<(), Error> {
    let terms = caller.terms.as_ref();
    if !terms.is_none_or(|terms| terms.allows_from(arrival.client)) {
        metrics::unauthenticated("address");
        return Err(Error::AddressForbidden);
    }
    // A key ends with its project, and this is in force while that is on its way.
    join(worker, caller).map_err(|Archived| {
        metrics::unauthenticated("archived");
        Error::Unauthenticated
    })
}

/// Whose request this is, by a user's token.
#[cold]
fn user(worker: &Worker, headers: &HeaderMap, arrival: &Arrival) -> Result<Caller, Error> {
    let allowances = worker.app.directory.allowances();
    let is_there = |project: &str| allowances.is_there(project);
    let found = worker.app.people.caller(headers, arrival.at, is_there);
    let found = found.inspect_err(|unproven| metrics::unauthenticated(unproven.as_str()))?;
    let caller = found.and_then(|mut caller| match join(worker, &mut caller) {
        Ok(()) => Ok(caller),
        Err(Archived) => Err(Project::Unknown(caller.project().to_owned())),
    });
    if let Err(Project::Unknown(_)) = &caller {
        metrics::unauthenticated("project");
    }
    Ok(caller?)
}

/// The project that a caller calls for was archived.
struct Archived;

/// Gives a caller the policy of its project where it has none of its own.
fn join(worker: &Worker, caller: &mut Caller) -> Result<(), Archived> {
    let allowances = worker.app.directory.allowances();
    let (is_archived, on_hangup) = allowances.at_the_door(caller.project());
    caller.on_hangup = caller.on_hangup.or(on_hangup);
    match is_archived {
        true => Err(Archived),
        false => Ok(()),
    }
}

/// Whether a caller may use a model: its key must allow it, and so must its project.
fn may_use(worker: &Worker, caller: &Caller, model: &str) -> bool {
    let allowances = worker.app.directory.allowances();
    caller.models.allows(model) && allowances.allows(caller.project(), model)
}
