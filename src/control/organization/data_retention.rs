//! `/v1/organization/data_retention`, and a project's.

use super::{enter, members, spend_limit::of_project};
use crate::{
    body::Body,
    control::{Operation, Request, json, rights::Right},
    directory::Retention,
    error::Error,
    wire::{
        about::{About, Content},
        schema::{Schema, Shape},
    },
};
use http::Response;
use serde_json::json;

const TAG: &str = "Limits";
const OBJECTS: [&str; 2] = ["organization.data_retention", "project.data_retention"];

/// The words that the organization has: a project has two more, which come first.
fn words(is_project: bool) -> &'static [(&'static str, Retention)] {
    let all: &'static [_] = &Retention::WORDS;
    if is_project { all } else { &all[2..] }
}
fn of(is_project: bool) -> Schema {
    Schema::words(words(is_project).iter().map(|(word, _)| *word))
}
fn shape(is_project: bool) -> Schema {
    Schema::object()
        .with("object", Schema::word(OBJECTS[usize::from(is_project)]))
        .with("type", of(is_project))
}
const OF_ORGANIZATION: Shape = Shape::new("OrganizationDataRetention", || shape(false));
const OF_PROJECT: Shape = Shape::new("ProjectDataRetention", || shape(true));
const NEW: Shape = Shape::new("NewOrganizationDataRetention", || {
    Schema::object().with("retention_type", of(false)).open()
});
const NEW_OF_PROJECT: Shape = Shape::new("NewProjectDataRetention", || {
    Schema::object().with("retention_type", of(true)).open()
});

/// `GET /v1/organization/data_retention`.
pub const RETRIEVE: Operation = Operation::new(
    |request| Box::pin(retrieve(request, None)),
    About::new(TAG, "How long what is said may be kept")
        .gives(&[(200, Content::Json(&OF_ORGANIZATION))])
        .refuses(&[503]),
);
/// `POST /v1/organization/data_retention`.
pub const UPDATE: Operation = Operation::new(
    |request| Box::pin(update(request, None)),
    About::new(TAG, "Set how long what is said may be kept")
        .takes(&NEW)
        .gives(&[(200, Content::Json(&OF_ORGANIZATION))])
        .refuses(&[503]),
);
/// `GET …/projects/{project_id}/data_retention`.
pub const RETRIEVE_OF_PROJECT: Operation = Operation::new(
    |request| Box::pin(of_project(request, retrieve)),
    About::new(TAG, "How long what a project says may be kept")
        .gives(&[(200, Content::Json(&OF_PROJECT))])
        .refuses(&[503]),
);
/// `POST …/projects/{project_id}/data_retention`.
pub const UPDATE_OF_PROJECT: Operation = Operation::new(
    |request| Box::pin(of_project(request, update)),
    About::new(TAG, "Set how long what a project says may be kept")
        .takes(&NEW_OF_PROJECT)
        .gives(&[(200, Content::Json(&OF_PROJECT))])
        .refuses(&[503]),
);

async fn retrieve(request: Request, project: Option<String>) -> Result<Response<Body>, Error> {
    enter(&request, Right::LimitsRead, project.as_deref())?;
    let is_project = project.is_some();
    let usual = match is_project {
        true => Retention::OrganizationDefault,
        // Weir keeps figures of calls and nothing that was said in them.
        false => Retention::ZeroDataRetention,
    };
    let retention = request.app.directory.allowance(project).await?.retention;
    Ok(shown(is_project, retention.unwrap_or(usual)))
}

async fn update(mut request: Request, project: Option<String>) -> Result<Response<Body>, Error> {
    let by = enter(&request, Right::LimitsWrite, project.as_deref())?;
    let is_project = project.is_some();
    let members = members(&mut request).await?;
    let retention = members.word("retention_type", words(is_project))?;
    let retention = members.required("retention_type", retention)?;
    request
        .app
        .directory
        .set_retention(by, project, retention)
        .await?;
    Ok(shown(is_project, retention))
}

fn shown(is_project: bool, retention: Retention) -> Response<Body> {
    json(&json!({"object": OBJECTS[usize::from(is_project)], "type": retention.as_str()}))
}
