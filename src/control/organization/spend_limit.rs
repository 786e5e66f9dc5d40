//! `/v1/organization/spend_limit`, and a project's.

use super::{deleted, deletion, enter, members, project_of};
use crate::{
    auth::NUMBER_MAX,
    body::Body,
    control::{Operation, Request, json, rights::Right},
    error::Error,
    wire::{
        about::{About, Content},
        members::{Members, Mistake},
        schema::{Schema, Shape},
    },
};
use http::Response;
use serde_json::json;

const TAG: &str = "Limits";
const OBJECTS: [&str; 2] = ["organization.spend_limit", "project.spend_limit"];
const DELETED: [&str; 2] = [
    "organization.spend_limit.deleted",
    "project.spend_limit.deleted",
];

fn limit(object: &str) -> Schema {
    Schema::object()
        .with("object", Schema::word(object))
        .with("threshold_amount", Schema::count().says("In cents"))
        .with("currency", Schema::word("USD"))
        .with("interval", Schema::word("month"))
        .with(
            "enforcement",
            Schema::object().with("status", Schema::text()),
        )
}
const OF_ORGANIZATION: Shape = Shape::new("OrganizationSpendLimit", || limit(OBJECTS[0]));
const OF_PROJECT: Shape = Shape::new("ProjectSpendLimit", || limit(OBJECTS[1]));
const GONE: Shape = Shape::new("OrganizationSpendLimitDeleted", || {
    deletion(DELETED[0], false)
});
const GONE_OF_PROJECT: Shape =
    Shape::new("ProjectSpendLimitDeleted", || deletion(DELETED[1], false));
const NEW: Shape = Shape::new("NewSpendLimit", || {
    Schema::object()
        .with(
            "threshold_amount",
            Schema::integer().at_least(1).at_most(NUMBER_MAX),
        )
        .with("currency", Schema::word("USD"))
        .with("interval", Schema::word("month"))
        .open()
});

/// `GET /v1/organization/spend_limit`.
pub const RETRIEVE: Operation = Operation::new(
    |request| Box::pin(retrieve(request, None)),
    About::new(TAG, "What the organization may spend in a month")
        .gives(&[(200, Content::Json(&OF_ORGANIZATION))])
        .refuses(&[404, 503]),
);
/// `POST /v1/organization/spend_limit`.
pub const UPDATE: Operation = Operation::new(
    |request| Box::pin(update(request, None)),
    About::new(TAG, "Set what the organization may spend in a month")
        .takes(&NEW)
        .gives(&[(200, Content::Json(&OF_ORGANIZATION))])
        .refuses(&[503]),
);
/// `DELETE /v1/organization/spend_limit`.
pub const DELETE: Operation = Operation::new(
    |request| Box::pin(delete(request, None)),
    About::new(TAG, "Take the organization's spend limit away")
        .gives(&[(200, Content::Json(&GONE))])
        .refuses(&[404, 503]),
);
/// `GET …/projects/{project_id}/spend_limit`.
pub const RETRIEVE_OF_PROJECT: Operation = Operation::new(
    |request| Box::pin(of_project(request, retrieve)),
    About::new(TAG, "What a project may spend in a month")
        .gives(&[(200, Content::Json(&OF_PROJECT))])
        .refuses(&[503]),
);
/// `POST …/projects/{project_id}/spend_limit`.
pub const UPDATE_OF_PROJECT: Operation = Operation::new(
    |request| Box::pin(of_project(request, update)),
    About::new(TAG, "Set what a project may spend in a month")
        .takes(&NEW)
        .gives(&[(200, Content::Json(&OF_PROJECT))])
        .refuses(&[503]),
);
/// `DELETE …/projects/{project_id}/spend_limit`.
pub const DELETE_OF_PROJECT: Operation = Operation::new(
    |request| Box::pin(of_project(request, delete)),
    About::new(TAG, "Take a project's spend limit away")
        .gives(&[(200, Content::Json(&GONE_OF_PROJECT))])
        .refuses(&[400, 503]),
);

/// A handler for the project in the path.
pub(super) async fn of_project<F: Future>(
    request: Request,
    handler: impl FnOnce(Request, Option<String>) -> F,
) -> F::Output {
    let project = project_of(&request);
    handler(request, Some(project)).await
}

async fn retrieve(request: Request, project: Option<String>) -> Result<Response<Body>, Error> {
    enter(&request, Right::LimitsRead, project.as_deref())?;
    let object = OBJECTS[usize::from(project.is_some())];
    let limit = request.app.directory.allowance(project).await?.spend_limit;
    shown(object, limit.ok_or(Error::NotSet("spend limit"))?)
}

async fn update(mut request: Request, project: Option<String>) -> Result<Response<Body>, Error> {
    let by = enter(&request, Right::LimitsWrite, project.as_deref())?;
    let members = members(&mut request).await?;
    let cents = amount(&members, 1)?;
    let object = OBJECTS[usize::from(project.is_some())];
    request
        .app
        .directory
        .set_spend_limit(by, project, cents)
        .await?;
    shown(object, cents)
}

async fn delete(request: Request, project: Option<String>) -> Result<Response<Body>, Error> {
    let by = enter(&request, Right::LimitsWrite, project.as_deref())?;
    let object = DELETED[usize::from(project.is_some())];
    request
        .app
        .directory
        .delete_spend_limit(by, project)
        .await?;
    Ok(deleted(object, None))
}

/// Reads an amount in cents a month, of which all three members must be there.
pub(super) fn amount(members: &Members, least: u64) -> Result<u64, Mistake> {
    let amount = members.number("threshold_amount", least, NUMBER_MAX)?;
    let amount = members.required("threshold_amount", amount)?;
    for (name, word) in [("currency", "USD"), ("interval", "month")] {
        let found = members.word(name, &[(word, ())])?;
        members.required(name, found)?;
    }
    Ok(amount)
}

fn shown(object: &str, cents: u64) -> Result<Response<Body>, Error> {
    Ok(json(&json!({
        "object": object,
        "threshold_amount": cents,
        "currency": "USD",
        "interval": "month",
        "enforcement": {"status": "enforcing"},
    })))
}
