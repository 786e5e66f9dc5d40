//! `/v1/organization/spend_alerts`, and a project's.

use super::{
    NAME_MAX_CHARS, PAGE, cursor, deleted, deletion, enter, list, list_of, members, paged,
    spend_limit::{amount, of_project},
};
use crate::{
    auth::NUMBER_MAX,
    body::Body,
    control::{Operation, Request, json, rights::Right},
    directory::{ADDRESS_MAX_CHARS, Alert, NewAlert, RECIPIENTS_MAX},
    error::Error,
    store::Millis,
    wire::{
        about::{About, Content},
        query::Query,
        schema::{Schema, Shape},
    },
};
use http::Response;
use serde_json::{Value, json};

const TAG: &str = "Limits";
const OBJECTS: [&str; 2] = ["organization.spend_alert", "project.spend_alert"];
const DELETED: [&str; 2] = [
    "organization.spend_alert.deleted",
    "project.spend_alert.deleted",
];
const NAMES: [&str; 4] = ["limit", "order", "after", "before"];

fn channel() -> Schema {
    let address = Schema::text().length(1, ADDRESS_MAX_CHARS as u64);
    Schema::object()
        .with("type", Schema::word("email"))
        .with(
            "recipients",
            Schema::list(address).items(0, RECIPIENTS_MAX as u64),
        )
        .may(
            "subject_prefix",
            Schema::text().length(0, NAME_MAX_CHARS as u64).or_null(),
        )
}
fn alert(object: &str) -> Schema {
    Schema::object()
        .with("id", Schema::text())
        .with("object", Schema::word(object))
        .with("threshold_amount", Schema::count().says("In cents"))
        .with("currency", Schema::word("USD"))
        .with("interval", Schema::word("month"))
        .with("notification_channel", channel())
        .with("weir", Schema::named(&WEIR))
}
const WEIR: Shape = Shape::new("SpendAlertOfWeir", || {
    Schema::object().with("last_fired_at", Schema::time().or_null())
});
const OF_ORGANIZATION: Shape = Shape::new("OrganizationSpendAlert", || alert(OBJECTS[0]));
const OF_PROJECT: Shape = Shape::new("ProjectSpendAlert", || alert(OBJECTS[1]));
const ALERTS: Shape = Shape::new("OrganizationSpendAlerts", || list_of(&OF_ORGANIZATION));
const ALERTS_OF_PROJECT: Shape = Shape::new("ProjectSpendAlerts", || list_of(&OF_PROJECT));
const GONE: Shape = Shape::new("OrganizationSpendAlertDeleted", || {
    deletion(DELETED[0], true)
});
const GONE_OF_PROJECT: Shape =
    Shape::new("ProjectSpendAlertDeleted", || deletion(DELETED[1], true));
const NEW: Shape = Shape::new("NewSpendAlert", || {
    Schema::object()
        .with("threshold_amount", Schema::count().at_most(NUMBER_MAX))
        .with("currency", Schema::word("USD"))
        .with("interval", Schema::word("month"))
        .with("notification_channel", channel().open())
        .open()
});

/// `POST /v1/organization/spend_alerts`.
pub const CREATE: Operation = Operation::new(
    |request| Box::pin(create(request, None)),
    About::new(TAG, "Make an alert of the organization's spending")
        .takes(&NEW)
        .gives(&[(200, Content::Json(&OF_ORGANIZATION))])
        .refuses(&[503]),
);
/// `GET /v1/organization/spend_alerts`.
pub const LIST: Operation = Operation::new(
    |request| Box::pin(page(request, None)),
    About::new(TAG, "List the organization's alerts")
        .parameters(|| paged(&NAMES, PAGE))
        .gives(&[(200, Content::Json(&ALERTS))])
        .refuses(&[503]),
);
/// `GET /v1/organization/spend_alerts/{alert_id}`.
pub const RETRIEVE: Operation = Operation::new(
    |request| Box::pin(retrieve(request, None)),
    About::new(TAG, "Retrieve an alert of the organization")
        .gives(&[(200, Content::Json(&OF_ORGANIZATION))])
        .refuses(&[503]),
);
/// `POST /v1/organization/spend_alerts/{alert_id}`.
pub const UPDATE: Operation = Operation::new(
    |request| Box::pin(update(request, None)),
    About::new(TAG, "Make another alert of one of the organization's")
        .takes(&NEW)
        .gives(&[(200, Content::Json(&OF_ORGANIZATION))])
        .refuses(&[503]),
);
/// `DELETE /v1/organization/spend_alerts/{alert_id}`.
pub const DELETE: Operation = Operation::new(
    |request| Box::pin(delete(request, None)),
    About::new(TAG, "Delete an alert of the organization")
        .gives(&[(200, Content::Json(&GONE))])
        .refuses(&[503]),
);
/// `POST …/projects/{project_id}/spend_alerts`.
pub const CREATE_OF_PROJECT: Operation = Operation::new(
    |request| Box::pin(of_project(request, create)),
    About::new(TAG, "Make an alert of a project's spending")
        .takes(&NEW)
        .gives(&[(200, Content::Json(&OF_PROJECT))])
        .refuses(&[503]),
);
/// `GET …/projects/{project_id}/spend_alerts`.
pub const LIST_OF_PROJECT: Operation = Operation::new(
    |request| Box::pin(of_project(request, page)),
    About::new(TAG, "List a project's alerts")
        .parameters(|| paged(&NAMES, PAGE))
        .gives(&[(200, Content::Json(&ALERTS_OF_PROJECT))])
        .refuses(&[503]),
);
/// `GET …/projects/{project_id}/spend_alerts/{alert_id}`.
pub const RETRIEVE_OF_PROJECT: Operation = Operation::new(
    |request| Box::pin(of_project(request, retrieve)),
    About::new(TAG, "Retrieve an alert of a project")
        .gives(&[(200, Content::Json(&OF_PROJECT))])
        .refuses(&[503]),
);
/// `POST …/projects/{project_id}/spend_alerts/{alert_id}`.
pub const UPDATE_OF_PROJECT: Operation = Operation::new(
    |request| Box::pin(of_project(request, update)),
    About::new(TAG, "Make another alert of one of a project's")
        .takes(&NEW)
        .gives(&[(200, Content::Json(&OF_PROJECT))])
        .refuses(&[503]),
);
/// `DELETE …/projects/{project_id}/spend_alerts/{alert_id}`.
pub const DELETE_OF_PROJECT: Operation = Operation::new(
    |request| Box::pin(of_project(request, delete)),
    About::new(TAG, "Delete an alert of a project")
        .gives(&[(200, Content::Json(&GONE_OF_PROJECT))])
        .refuses(&[400, 503]),
);

async fn create(mut request: Request, project: Option<String>) -> Result<Response<Body>, Error> {
    let by = enter(&request, Right::LimitsWrite, project.as_deref())?;
    let new = read(&mut request).await?;
    let shown = shown(&project);
    let made = request.app.directory.create_alert(by, project, new).await?;
    Ok(json(&shown(&made)))
}

async fn page(request: Request, project: Option<String>) -> Result<Response<Body>, Error> {
    enter(&request, Right::LimitsRead, project.as_deref())?;
    let query = Query::parse(request.query(), &NAMES)?;
    let shown = shown(&project);
    let page = request
        .app
        .directory
        .alerts(project, cursor(&query, PAGE)?)
        .await?;
    Ok(list(&page, shown))
}

async fn retrieve(request: Request, project: Option<String>) -> Result<Response<Body>, Error> {
    enter(&request, Right::LimitsRead, project.as_deref())?;
    let shown = shown(&project);
    let found = request.app.directory.alert(project, id(&request)).await?;
    Ok(json(&shown(&found)))
}

async fn update(mut request: Request, project: Option<String>) -> Result<Response<Body>, Error> {
    let by = enter(&request, Right::LimitsWrite, project.as_deref())?;
    let new = read(&mut request).await?;
    let shown = shown(&project);
    let changed = request
        .app
        .directory
        .update_alert(by, project, id(&request), new)
        .await?;
    Ok(json(&shown(&changed)))
}

async fn delete(request: Request, project: Option<String>) -> Result<Response<Body>, Error> {
    let by = enter(&request, Right::LimitsWrite, project.as_deref())?;
    let object = DELETED[usize::from(project.is_some())];
    let id = id(&request);
    request
        .app
        .directory
        .delete_alert(by, project, id.clone())
        .await?;
    Ok(deleted(object, Some(&id)))
}

fn id(request: &Request) -> String {
    request.named("alert_id").to_owned()
}

async fn read(request: &mut Request) -> Result<NewAlert, Error> {
    let members = members(request).await?;
    let threshold = amount(&members, 0)?;
    let channel = members.object("notification_channel")?;
    let channel = members.required("notification_channel", channel)?;
    let kind = channel.word("type", &[("email", ())])?;
    channel.required("type", kind)?;
    let recipients = channel.texts("recipients", RECIPIENTS_MAX, ADDRESS_MAX_CHARS)?;
    let recipients = channel.required("recipients", recipients)?;
    Ok(NewAlert {
        threshold,
        recipients: recipients.into_iter().map(String::into_boxed_str).collect(),
        subject_prefix: channel.text("subject_prefix", 0, NAME_MAX_CHARS)?,
    })
}

/// How an alert of a project, or of the organization, is shown.
fn shown(project: &Option<String>) -> impl Fn(&Alert) -> Value + use<> {
    let object = OBJECTS[usize::from(project.is_some())];
    move |alert| {
        json!({
            "id": alert.id,
            "object": object,
            "threshold_amount": alert.threshold,
            "currency": "USD",
            "interval": "month",
            "notification_channel": {
                "type": "email", "recipients": alert.recipients, "subject_prefix": alert.subject_prefix,
            },
            "weir": {"last_fired_at": alert.last_fired.map(Millis::seconds)},
        })
    }
}
