//! `/v1/organization/projects/{project_id}/model_permissions`.

use super::{deleted, deletion, enter, members, project_of};
use crate::{
    auth::{MODELS_MAX, NAME_MAX_CHARS},
    body::Body,
    control::{Operation, Request, json, rights::Right},
    directory::ModelPermissions,
    error::Error,
    wire::{
        about::{About, Content},
        schema::{Schema, Shape},
    },
};
use http::Response;
use serde_json::{Value, json};

const TAG: &str = "Limits";
const OBJECT: &str = "project.model_permissions";
const DELETED: &str = "project.model_permissions.deleted";
const MODES: [(&str, bool); 2] = [("allow_list", true), ("deny_list", false)];

fn permissions() -> Schema {
    let model = Schema::text().length(1, NAME_MAX_CHARS as u64);
    Schema::object()
        .with("mode", Schema::words(MODES.map(|(word, _)| word)))
        .with("model_ids", Schema::list(model).items(0, MODELS_MAX as u64))
}
const PERMISSIONS: Shape = Shape::new("ModelPermissions", || {
    permissions().with("object", Schema::word(OBJECT))
});
const NEW: Shape = Shape::new("NewModelPermissions", || permissions().open());
const GONE: Shape = Shape::new("ModelPermissionsDeleted", || deletion(DELETED, false));

/// `GET …/model_permissions`.
pub const RETRIEVE: Operation = Operation::new(
    |request| Box::pin(retrieve(request)),
    About::new(TAG, "Which models a project may use")
        .details("Where none were set, nothing is denied.")
        .gives(&[(200, Content::Json(&PERMISSIONS))])
        .refuses(&[503]),
);
/// `POST …/model_permissions`.
pub const UPDATE: Operation = Operation::new(
    |request| Box::pin(update(request)),
    About::new(TAG, "Set which models a project may use")
        .details("By the names that clients ask for; one `*` in a name stands for any text. In force at once.")
        .takes(&NEW)
        .gives(&[(200, Content::Json(&PERMISSIONS))])
        .refuses(&[503]),
);
/// `DELETE …/model_permissions`.
pub const DELETE: Operation = Operation::new(
    |request| Box::pin(delete(request)),
    About::new(TAG, "Let a project use all models again")
        .gives(&[(200, Content::Json(&GONE))])
        .refuses(&[400, 503]),
);

async fn retrieve(request: Request) -> Result<Response<Body>, Error> {
    let project = project_of(&request);
    enter(&request, Right::LimitsRead, Some(&project))?;
    let allowance = request.app.directory.allowance(Some(project)).await?;
    let nothing_denied = ModelPermissions {
        is_allow_list: false,
        models: Vec::new(),
    };
    Ok(json(&shown(&allowance.models.unwrap_or(nothing_denied))))
}

async fn update(mut request: Request) -> Result<Response<Body>, Error> {
    let project = project_of(&request);
    let by = enter(&request, Right::LimitsWrite, Some(&project))?;
    let members = members(&mut request).await?;
    let mode = members.word("mode", &MODES)?;
    let models = members.texts("model_ids", MODELS_MAX, NAME_MAX_CHARS)?;
    let models = members.required("model_ids", models)?;
    if models.iter().any(|name| name.matches('*').count() > 1) {
        return Err(members
            .wrong("model_ids", "names with at most one `*` each")
            .into());
    }
    let permissions = ModelPermissions {
        is_allow_list: members.required("mode", mode)?,
        models: models.into_iter().map(String::into_boxed_str).collect(),
    };
    let answer = shown(&permissions);
    let directory = &request.app.directory;
    directory
        .set_model_permissions(by, project, Some(permissions))
        .await?;
    Ok(json(&answer))
}

async fn delete(request: Request) -> Result<Response<Body>, Error> {
    let project = project_of(&request);
    let by = enter(&request, Right::LimitsWrite, Some(&project))?;
    request
        .app
        .directory
        .set_model_permissions(by, project, None)
        .await?;
    Ok(deleted(DELETED, None))
}

fn shown(permissions: &ModelPermissions) -> Value {
    let mode = MODES
        .iter()
        .find(|(_, is_allow_list)| *is_allow_list == permissions.is_allow_list);
    json!({"object": OBJECT, "mode": mode.map(|(word, _)| word), "model_ids": permissions.models})
}
