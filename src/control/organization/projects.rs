//! `/v1/organization/projects`.

use super::{
    PAGE, cursor, enter, list, list_of, members, name, paged, project_of, seconds,
    terms::{hangup_policy, on_hangup},
};
use crate::{
    body::Body,
    control::{
        Operation, Request, json,
        rights::{self, Actor, Right, allows},
    },
    directory::{NAME_MAX_CHARS, NewProject, Project, ProjectChange},
    domain::OnHangup,
    error::Error,
    wire::{
        about::{About, Content, Parameter},
        members::{Members, Mistake},
        query::Query,
        schema::{Schema, Shape},
    },
};
use http::Response;
use serde_json::{Value, json};

const TAG: &str = "Projects";
/// The places that OpenAI knows. Weir notes which was named, and leaves it to the upstreams.
const RESIDENCIES: [(&str, &str); 12] = {
    const fn both(word: &'static str) -> (&'static str, &'static str) {
        (word, word)
    }
    [
        both("GLOBAL"),
        both("US_STORAGE_PROCESSING"),
        both("EU_STORAGE_PROCESSING"),
        both("JP_STORAGE"),
        both("KR_STORAGE"),
        both("CA_STORAGE"),
        both("SG_STORAGE"),
        both("IN_STORAGE"),
        both("AU_STORAGE"),
        both("GB_STORAGE"),
        both("AE_STORAGE"),
        both("AE_STORAGE_PROCESSING"),
    ]
};

const PROJECT: Shape = Shape::new("Project", || {
    Schema::object()
        .with("id", Schema::text())
        .with("object", Schema::word("organization.project"))
        .with("name", Schema::text())
        .with("created_at", Schema::time())
        .with("archived_at", Schema::time().or_null())
        .with("status", Schema::words(["active", "archived"]))
        .with("external_key_id", Schema::text().or_null())
        .may("residency", residency())
        .with("weir", agreed())
});
const PROJECTS: Shape = Shape::new("Projects", || list_of(&PROJECT));
const NEW: Shape = Shape::new("NewProject", || {
    Schema::object()
        .with("name", name())
        .may("external_key_id", name().or_null())
        .may("residency", residency().or_null())
        .may("weir", agreed().or_null())
        .open()
});
const CHANGE: Shape = Shape::new("ProjectChange", || {
    Schema::object()
        .may("name", name().or_null())
        .may("external_key_id", name().or_null())
        .may("weir", agreed().or_null())
        .open()
});
/// What the member `weir` has, for which OpenAI has no words.
const AGREED: [&str; 1] = ["on_hangup"];

fn residency() -> Schema {
    Schema::words(RESIDENCIES.map(|(word, _)| word))
}

fn agreed() -> Schema {
    Schema::object().may("on_hangup", hangup_policy())
}

/// `POST /v1/organization/projects`.
pub const CREATE: Operation = Operation::new(
    |request| Box::pin(create(request)),
    About::new(TAG, "Make a project")
        .takes(&NEW)
        .gives(&[(200, Content::Json(&PROJECT))])
        .refuses(&[503]),
);
/// `GET /v1/organization/projects`.
pub const LIST: Operation = Operation::new(
    |request| Box::pin(page(request)),
    About::new(TAG, "List projects")
        .parameters(|| {
            let mut parameters = paged(&["limit", "after"], PAGE);
            let archived = Schema::flag().default(false);
            parameters.push(Parameter::new("include_archived", archived));
            parameters
        })
        .gives(&[(200, Content::Json(&PROJECTS))])
        .refuses(&[503]),
);
/// `GET /v1/organization/projects/{project_id}`.
pub const RETRIEVE: Operation = Operation::new(
    |request| Box::pin(retrieve(request)),
    About::new(TAG, "Retrieve a project")
        .gives(&[(200, Content::Json(&PROJECT))])
        .refuses(&[503]),
);
/// `POST /v1/organization/projects/{project_id}`.
pub const UPDATE: Operation = Operation::new(
    |request| Box::pin(update(request)),
    About::new(TAG, "Change a project")
        .takes(&CHANGE)
        .gives(&[(200, Content::Json(&PROJECT))])
        .refuses(&[503]),
);
/// `POST /v1/organization/projects/{project_id}/archive`.
pub const ARCHIVE: Operation = Operation::new(
    |request| Box::pin(archive(request)),
    About::new(TAG, "Archive a project for good")
        .details("All of its keys are revoked with it. The default project cannot be archived.")
        .gives(&[(200, Content::Json(&PROJECT))])
        .refuses(&[400, 503]),
);

async fn create(mut request: Request) -> Result<Response<Body>, Error> {
    let by = enter(&request, Right::ProjectsCreate, None)?;
    let members = members(&mut request).await?;
    let name = members.text("name", 1, NAME_MAX_CHARS)?;
    let new = NewProject {
        id: None,
        name: members.required("name", name)?,
        residency: members.word("residency", &RESIDENCIES)?.map(str::to_owned),
        external_key_id: members.text("external_key_id", 1, NAME_MAX_CHARS)?,
        on_hangup: policy(&members)?.flatten(),
    };
    Ok(json(&shown(
        &request.app.directory.create_project(by, new).await?,
    )))
}

async fn page(request: Request) -> Result<Response<Body>, Error> {
    let actor = rights::who(&request.app, request.headers())?;
    let query = Query::parse(request.query(), &["limit", "after", "include_archived"])?;
    let cursor = cursor(&query, PAGE)?;
    let archived = query.word("include_archived", &[("true", true), ("false", false)])?;
    let directory = &request.app.directory;
    let archived = archived.unwrap_or(false);
    let page = match &actor {
        Actor::User(user) if !allows(Right::ProjectsRead, actor.standing()) => {
            let own = user.memberships.iter().map(|part| part.project.to_string());
            let own = own.collect();
            directory.projects_among(own, cursor, archived).await?
        }
        _ => directory.projects(cursor, archived).await?,
    };
    Ok(list(&page, shown))
}

async fn retrieve(request: Request) -> Result<Response<Body>, Error> {
    let project = project_of(&request);
    enter(&request, Right::ProjectsRead, Some(&project))?;
    Ok(json(&shown(&request.app.directory.project(project).await?)))
}

async fn update(mut request: Request) -> Result<Response<Body>, Error> {
    let project = project_of(&request);
    let by = enter(&request, Right::ProjectsWrite, Some(&project))?;
    let members = members(&mut request).await?;
    let external = members.text("external_key_id", 1, NAME_MAX_CHARS)?;
    let change = ProjectChange {
        name: members.text("name", 1, NAME_MAX_CHARS)?,
        // Here null says something: that there is no such key any more.
        external_key_id: members.has("external_key_id").then_some(external),
        on_hangup: policy(&members)?,
    };
    let changed = request
        .app
        .directory
        .update_project(by, project, change)
        .await?;
    Ok(json(&shown(&changed)))
}

async fn archive(request: Request) -> Result<Response<Body>, Error> {
    let project = project_of(&request);
    let by = enter(&request, Right::ProjectsWrite, Some(&project))?;
    Ok(json(&shown(
        &request.app.directory.archive_project(by, project).await?,
    )))
}

/// What a request says of clients that hang up, if anything: a policy, or with null that there is none.
fn policy(members: &Members) -> Result<Option<Option<OnHangup>>, Mistake> {
    let weir = members.object("weir")?.unwrap_or_default();
    weir.only(&AGREED)?;
    Ok(weir.has("on_hangup").then_some(on_hangup(&weir)?))
}

fn shown(project: &Project) -> Value {
    let mut shown = json!({
        "id": project.id,
        "object": "organization.project",
        "name": project.name,
        "created_at": seconds(project.created),
        "archived_at": project.archived.map(seconds),
        "status": if project.archived.is_some() { "archived" } else { "active" },
        "external_key_id": project.external_key_id,
        "weir": {"on_hangup": project.on_hangup.map(|policy| policy.to_string())},
    });
    if let Some(residency) = &project.residency {
        shown["residency"] = residency.as_str().into();
    }
    shown
}
