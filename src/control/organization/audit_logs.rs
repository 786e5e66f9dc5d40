//! `GET /v1/organization/audit_logs`.

use super::{PAGE, cursor, enter, list, list_of, paged, seconds};
use crate::{
    audit::{Record, Wanted},
    body::Body,
    control::{Operation, Request, rights::Right},
    directory::{self, Side},
    error::Error,
    wire::{
        about::{About, Content, Parameter},
        query::{Mistake, Query},
        schema::{Schema, Shape},
    },
};
use http::Response;
use serde_json::{Map, Value, json};

/// Values that one filter may list.
const LISTED_MAX: usize = 100;
const TIMES: [&str; 4] = [
    "effective_at[gt]",
    "effective_at[gte]",
    "effective_at[lt]",
    "effective_at[lte]",
];
const LISTS: [&str; 5] = [
    "project_ids",
    "event_types",
    "actor_ids",
    "actor_emails",
    "resource_ids",
];

const ENTRY: Shape = Shape::new("AuditLog", || {
    Schema::object()
        .with("id", Schema::text())
        .with(
            "type",
            Schema::text().says("The nearest of OpenAI's event types"),
        )
        .with("effective_at", Schema::time())
        .may("project", Schema::object().with("id", Schema::text()))
        .with("actor", Schema::map(Schema::anything()).or_null())
        .with(
            "weir",
            Schema::object()
                .with("event", Schema::text().says("What happened, more exactly"))
                .with("actor", Schema::text())
                .with("actor_id", Schema::text().or_null())
                .with("address", Schema::text().or_null())
                .with("user_agent", Schema::text().or_null())
                .with("resource_id", Schema::text().or_null())
                .with("before", Schema::anything())
                .with("after", Schema::anything()),
        )
        .open()
        .says("With a member of the name of its type, as OpenAI has it")
});
const ENTRIES: Shape = Shape::new("AuditLogs", || list_of(&ENTRY));

/// `GET /v1/organization/audit_logs`.
pub const LIST: Operation = Operation::new(
    |request| Box::pin(page(request)),
    About::new("Audit log", "Who changed what, the newest first")
        .parameters(|| {
            let mut parameters = paged(&["limit", "after", "before"], PAGE);
            parameters.extend(TIMES.map(|name| Parameter::new(name, Schema::time())));
            let texts = || Schema::list(Schema::text());
            parameters.extend(LISTS.map(|name| Parameter::new(name, texts())));
            parameters.push(Parameter::new("tenant_only", Schema::flag().default(false)));
            parameters
        })
        .gives(&[(200, Content::Json(&ENTRIES))])
        .refuses(&[503]),
);

async fn page(request: Request) -> Result<Response<Body>, Error> {
    enter(&request, Right::AuditRead, None)?;
    let names: Vec<&str> = ["limit", "after", "before", "tenant_only"]
        .into_iter()
        .chain(TIMES)
        .chain(LISTS)
        .collect();
    let query = Query::parse(request.query(), &names)?;
    let wanted = wanted(&query)?;
    let side = match &wanted.side {
        Some(Side::Before(_)) => "before",
        _ => "after",
    };
    let found = request.app.directory.audit_log(wanted).await?;
    let found = found.ok_or(directory::Error::NoSuchCursor(side))?;
    Ok(list(&found, shown))
}

fn wanted(query: &Query) -> Result<Wanted, Mistake> {
    // Of an organization that is not part of a larger one, all entries are its own.
    query.word("tenant_only", &[("true", ()), ("false", ())])?;
    let cursor = cursor(query, PAGE)?;
    let [after, from, before, until] = TIMES.map(|name| query.number(name));
    // Whole seconds: after one is from the next one on.
    let next = |seconds: u64| seconds.saturating_add(1);
    let from = [after?.map(next), from?].into_iter().flatten().max();
    let until = [before?, until?.map(next)].into_iter().flatten().min();
    let list = |name: &'static str| {
        let values: Vec<String> = query.all(name).map(str::to_owned).collect();
        match values.len() <= LISTED_MAX && !values.iter().any(String::is_empty) {
            true => Ok(values),
            false => Err(Mistake::Wrong(
                name,
                format!("a list of at most {LISTED_MAX} ids or names"),
            )),
        }
    };
    let [projects, kinds, actors, emails, resources] = LISTS.map(list);
    Ok(Wanted {
        from,
        until,
        projects: projects?,
        kinds: kinds?,
        actors: actors?,
        emails: emails?,
        resources: resources?,
        side: cursor.side,
        limit: cursor.limit,
    })
}

fn shown(entry: &Record) -> Value {
    let mut shown = json!({
        "id": entry.id,
        "type": entry.kind,
        "effective_at": seconds(entry.at),
        "actor": actor(entry),
        "weir": {
            "event": entry.event,
            "actor": entry.actor,
            "actor_id": entry.actor_id,
            "address": entry.address,
            "user_agent": entry.agent,
            "resource_id": entry.resource,
            "before": entry.before,
            "after": entry.after,
        },
    });
    if let Some(project) = &entry.project {
        shown["project"] = json!({"id": project});
    }
    shown[&entry.kind] = details(entry);
    shown
}

/// What OpenAI tells of such an event: the id, and what was asked for.
fn details(entry: &Record) -> Value {
    let mut details = Map::new();
    if let Some(resource) = &entry.resource {
        details.insert("id".to_owned(), resource.as_str().into());
    }
    let after = || match &entry.after {
        Value::Object(after) => after
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect(),
        _ => Map::new(),
    };
    match entry.kind.rsplit('.').next() {
        Some("created" | "added" | "sent") => {
            details.insert("data".to_owned(), after().into());
        }
        Some("updated") => {
            details.insert("changes_requested".to_owned(), after().into());
        }
        _ => {}
    }
    details.into()
}

/// Who did it, as far as OpenAI's words go; the rest is in `weir`.
fn actor(entry: &Record) -> Value {
    let id = entry.actor_id.as_deref();
    let address = |mut session: Value| {
        if let Some(address) = &entry.address {
            session["ip_address"] = address.as_str().into();
        }
        json!({"type": "session", "session": session})
    };
    match entry.actor.as_str() {
        "admin_key" | "configured_key" => {
            let id = id.unwrap_or("configured");
            json!({"type": "api_key", "api_key": {
                "id": id, "type": "service_account", "service_account": {"id": id},
            }})
        }
        "user" => address(json!({"user": {
            "id": id.unwrap_or_default(), "email": entry.actor_email.as_deref().unwrap_or_default(),
        }})),
        "command_line" => address(json!({"user": {"id": id.unwrap_or_default(), "email": ""}})),
        _ => Value::Null,
    }
}
