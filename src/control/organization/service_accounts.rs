//! `/v1/organization/projects/{project_id}/service_accounts`.

use super::{
    NAME_MAX_CHARS, PAGE, cursor, deleted, deletion, enter, list, list_of, members, name, paged,
    project_of, seconds,
    terms::{self, Wanted},
};
use crate::{
    body::Body,
    control::{Operation, Request, json, rights::Right},
    directory::{Account, Made, NewAccount, Role},
    error::Error,
    wire::{
        about::{About, Content},
        query::Query,
        schema::{Schema, Shape},
    },
};
use http::Response;
use serde_json::{Value, json};

const TAG: &str = "Service accounts";
const OBJECT: &str = "organization.project.service_account";
const DELETED: &str = "organization.project.service_account.deleted";
const KEY_OBJECT: &str = "organization.project.service_account.api_key";
const ROLES: [(&str, Role); 2] = [("member", Role::Member), ("owner", Role::Owner)];

fn account() -> Schema {
    Schema::object()
        .with("object", Schema::word(OBJECT))
        .with("id", Schema::text())
        .with("name", Schema::text())
        .with("role", Schema::words(ROLES.map(|(word, _)| word)))
        .with("created_at", Schema::time())
}
const ACCOUNT: Shape = Shape::new("ServiceAccount", account);
const ACCOUNTS: Shape = Shape::new("ServiceAccounts", || list_of(&ACCOUNT));
const CREATED: Shape = Shape::new("NewServiceAccountWithKey", || {
    account().with("api_key", Schema::named(&KEY).or_null())
});
const KEY: Shape = Shape::new("ServiceAccountKey", || {
    Schema::object()
        .with("object", Schema::word(KEY_OBJECT))
        .with("id", Schema::text())
        .with(
            "value",
            Schema::text().says("The key itself. It is shown this once"),
        )
        .with("name", Schema::text())
        .with("created_at", Schema::time())
        .with("weir", Schema::named(&terms::TOLD))
});
const NEW: Shape = Shape::new("NewServiceAccount", || {
    Schema::object()
        .with("name", name())
        .may("create_service_account_only", Schema::flag().or_null())
        .may("scopes", terms::scopes())
        .may("weir", Schema::named(&terms::ASKED).or_null())
        .open()
});
const CHANGE: Shape = Shape::new("ServiceAccountChange", || {
    Schema::object()
        .may("name", name().or_null())
        .may("role", Schema::words(ROLES.map(|(word, _)| word)).or_null())
        .open()
});
const NEW_KEY: Shape = Shape::new("NewServiceAccountKey", || {
    Schema::object()
        .may("name", name().or_null())
        .may("scopes", terms::scopes())
        .may("weir", Schema::named(&terms::ASKED_OR_HEIR).or_null())
        .open()
});
const GONE: Shape = Shape::new("ServiceAccountDeleted", || deletion(DELETED, true));

/// `POST …/service_accounts`.
pub const CREATE: Operation = Operation::new(
    |request| Box::pin(create(request)),
    About::new(TAG, "Make a service account, and a key for it")
        .takes(&NEW)
        .gives(&[(200, Content::Json(&CREATED))])
        .refuses(&[503]),
);
/// `GET …/service_accounts`.
pub const LIST: Operation = Operation::new(
    |request| Box::pin(page(request)),
    About::new(TAG, "List service accounts")
        .parameters(|| paged(&["limit", "after"], PAGE))
        .gives(&[(200, Content::Json(&ACCOUNTS))])
        .refuses(&[503]),
);
/// `GET …/service_accounts/{service_account_id}`.
pub const RETRIEVE: Operation = Operation::new(
    |request| Box::pin(retrieve(request)),
    About::new(TAG, "Retrieve a service account")
        .gives(&[(200, Content::Json(&ACCOUNT))])
        .refuses(&[503]),
);
/// `POST …/service_accounts/{service_account_id}`.
pub const UPDATE: Operation = Operation::new(
    |request| Box::pin(update(request)),
    About::new(TAG, "Change a service account")
        .takes(&CHANGE)
        .gives(&[(200, Content::Json(&ACCOUNT))])
        .refuses(&[503]),
);
/// `DELETE …/service_accounts/{service_account_id}`.
pub const DELETE: Operation = Operation::new(
    |request| Box::pin(delete(request)),
    About::new(TAG, "Delete a service account, and revoke its keys")
        .gives(&[(200, Content::Json(&GONE))])
        .refuses(&[503]),
);
/// `POST …/service_accounts/{service_account_id}/api_keys`.
pub const CREATE_KEY: Operation = Operation::new(
    |request| Box::pin(create_key(request)),
    About::new(TAG, "Make a further key for a service account")
        .details("With `weir.replaces` it takes the place of another key, which goes on for `weir.overlap_seconds`.")
        .takes(&NEW_KEY)
        .gives(&[(200, Content::Json(&KEY))])
        .refuses(&[503]),
);

async fn create(mut request: Request) -> Result<Response<Body>, Error> {
    let project = project_of(&request);
    let by = enter(&request, Right::ServiceAccountsWrite, Some(&project))?;
    let members = members(&mut request).await?;
    let name = members.text("name", 1, NAME_MAX_CHARS)?;
    let name = members.required("name", name)?;
    // Read in any case: what is wrong is said, also where it would not count.
    let key = terms::read(&members, name.clone())?;
    if key.terms.set_a_ceiling() {
        enter(&request, Right::LimitsWrite, Some(&project))?;
    }
    let is_alone = members
        .flag("create_service_account_only")?
        .unwrap_or(false);
    let key = (!is_alone).then_some(key);
    let new = NewAccount { name, key };
    let (account, key) = request
        .app
        .directory
        .create_account(by, project, new)
        .await?;
    let mut answer = shown(&account);
    answer["api_key"] = key.as_ref().map_or(Value::Null, shown_key);
    Ok(json(&answer))
}

async fn page(request: Request) -> Result<Response<Body>, Error> {
    let project = project_of(&request);
    enter(&request, Right::ServiceAccountsRead, Some(&project))?;
    let query = Query::parse(request.query(), &["limit", "after"])?;
    let page = request
        .app
        .directory
        .accounts(project, cursor(&query, PAGE)?)
        .await?;
    Ok(list(&page, shown))
}

async fn retrieve(request: Request) -> Result<Response<Body>, Error> {
    let project = project_of(&request);
    enter(&request, Right::ServiceAccountsRead, Some(&project))?;
    let found = request.app.directory.account(project, id(&request)).await?;
    Ok(json(&shown(&found)))
}

async fn update(mut request: Request) -> Result<Response<Body>, Error> {
    let project = project_of(&request);
    let by = enter(&request, Right::ServiceAccountsWrite, Some(&project))?;
    let members = members(&mut request).await?;
    let name = members.text("name", 1, NAME_MAX_CHARS)?;
    let role = members.word("role", &ROLES)?;
    let directory = &request.app.directory;
    let changed = directory
        .update_account(by, project, id(&request), name, role)
        .await?;
    Ok(json(&shown(&changed)))
}

async fn delete(request: Request) -> Result<Response<Body>, Error> {
    let project = project_of(&request);
    let by = enter(&request, Right::ServiceAccountsWrite, Some(&project))?;
    let id = id(&request);
    request
        .app
        .directory
        .delete_account(by, project, id.clone())
        .await?;
    Ok(deleted(DELETED, Some(&id)))
}

async fn create_key(mut request: Request) -> Result<Response<Body>, Error> {
    let project = project_of(&request);
    let by = enter(&request, Right::KeysWrite, Some(&project))?;
    let account = id(&request);
    let members = members(&mut request).await?;
    let name = members.text("name", 1, NAME_MAX_CHARS)?;
    let wanted = terms::read_or_heir(&members, name.unwrap_or_else(|| "unnamed".to_owned()))?;
    let directory = &request.app.directory;
    let made = match wanted {
        Wanted::New(new) => {
            if new.terms.set_a_ceiling() {
                enter(&request, Right::LimitsWrite, Some(&project))?;
            }
            directory
                .create_account_key(by, project, account, *new)
                .await
        }
        Wanted::Heir(old, overlap) => {
            directory
                .rotate_account_key(by, project, account, old, overlap)
                .await
        }
    };
    Ok(json(&shown_key(&made?)))
}

fn id(request: &Request) -> String {
    request.named("service_account_id").to_owned()
}

fn shown(account: &Account) -> Value {
    json!({
        "object": OBJECT,
        "id": account.id,
        "name": account.name,
        "role": account.role.as_str(),
        "created_at": seconds(account.created),
    })
}

/// With the secret: the one answer that has it.
fn shown_key(made: &Made) -> Value {
    json!({
        "object": KEY_OBJECT,
        "id": made.record.id.public(),
        "value": made.key.expose(),
        "name": made.record.name,
        "created_at": seconds(made.record.created),
        "weir": terms::told(&made.record),
    })
}
