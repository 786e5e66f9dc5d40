//! What a caller reads of a failure.

use super::{Error, limits, list, whole};
use crate::wire::request::Mistake;

impl Error {
    pub(super) fn message(&self) -> String {
        match self {
            Self::Unauthenticated => {
                "Incorrect API key provided. Send a key of this gateway as `Authorization: Bearer KEY`.".to_owned()
            }
            Self::AddressForbidden => "This API key may not be used from your address.".to_owned(),
            Self::ModelForbidden(model) => format!("This API key or its project may not use the model `{model}`."),
            Self::PathForbidden => {
                "This API key or its project may use certain models only, and this path does not show which model it uses.".to_owned()
            }
            Self::BackgroundForbidden => {
                "What this API key may use is limited, and what a response uses in the background cannot be held to that: leave out `background`.".to_owned()
            }
            Self::BadCredentials => "These credentials are not right, or not any more.".to_owned(),
            Self::SlowDown(wait) => {
                format!("Too many attempts to sign in have failed. Try again in {} s.", whole(*wait))
            }
            Self::IssuerUnavailable => "The issuer of this token cannot be asked for its keys right now.".to_owned(),
            Self::ProjectNeeded => {
                "You work in several projects or in none: name one in the header `OpenAI-Project`.".to_owned()
            }
            Self::Conflict(what) => format!("There is {what} already."),
            Self::Forbidden => "You have insufficient permissions for this operation.".to_owned(),
            Self::NotSet(what) => format!("No {what} is set."),
            Self::Refused(_, why) => format!("Invalid request: {why}."),
            Self::Member(mistake) => format!("Invalid request: {mistake}."),
            Self::NoSuch(what, id) => format!("No {what} found with id '{id}'."),
            Self::NoSuchModel(model) => format!("The model `{model}` does not exist or you do not have access to it."),
            Self::NoSuchPath => "Unknown request URL. Check the URL for typos, or the documentation for the paths that exist.".to_owned(),
            Self::NotServed => "No upstream of this gateway serves this path.".to_owned(),
            Self::MethodNotAllowed(allowed) => {
                format!("This method is not allowed here; allowed: {}.", list(allowed))
            }
            Self::BadRequest(why) => (*why).to_owned(),
            Self::Invalid(mistake @ (Mistake::Syntax(_) | Mistake::Encoding(_))) => {
                format!("We could not parse the JSON body of your request: {mistake}.")
            }
            Self::Invalid(mistake) => format!("Invalid request: {mistake}."),
            Self::Query(mistake) => format!("Invalid request: {mistake}."),
            Self::StoreUnavailable => "The gateway cannot read its store right now.".to_owned(),
            Self::TooManyHeaders(max) => format!("The request has more than {max} headers."),
            Self::TooLarge(max) => format!("The request body is larger than {max} bytes."),
            Self::TooSlow => "The request body was not received in time.".to_owned(),
            Self::NotJson => "The request body must be JSON: send `Content-Type: application/json`.".to_owned(),
            Self::Overloaded(what) => format!("The gateway has no room for this request right now: {what}."),
            Self::Saturated(wait) => {
                format!("The upstream model server has as many requests as it takes. Try again in {} s.", whole(*wait))
            }
            Self::LedgerFull => "The gateway cannot write down more requests right now.".to_owned(),
            Self::Limited(refusal) => limits::message(refusal),
            Self::LimitsUnavailable => {
                "The gateway cannot find out right now how much of a limit is left.".to_owned()
            }
            Self::Draining => "The gateway is shutting down.".to_owned(),
            Self::UpstreamUnreachable => "The upstream model server could not be reached.".to_owned(),
            Self::UpstreamAuth => "The upstream model server refused the gateway's credential; its operator has to mend that.".to_owned(),
            Self::UpstreamTimeout => "The upstream model server did not answer in time.".to_owned(),
            Self::Internal => "The gateway had an internal error; its operator can find more under the request id.".to_owned(),
        }
    }
}
