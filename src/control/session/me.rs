//! `GET /v1/me`: whose credential it is that one has.

use super::user;
use crate::{
    auth::Rejected,
    body::Body,
    control::{
        Operation, Request, json_text,
        rights::{self, Actor},
    },
    domain::{Caller, Membership, User},
    error::Error,
    telemetry::metrics,
    wire::{
        about::{About, Content, Credential},
        schema::{Schema, Shape},
    },
};
use http::Response;
use serde::Serialize;

/// `GET /v1/me` on the control plane.
pub const ME: Operation = Operation::new(
    |request| Box::pin(async move { me(&request) }),
    ABOUT_ME.credential(Credential::Admin),
);
/// `GET /v1/me` on the data plane.
pub const ME_OF_DATA: Operation = Operation::new(
    |request| Box::pin(async move { me_of_data(&request) }),
    ABOUT_ME.credential(Credential::Key),
);
const ABOUT_ME: About = About::new("Signing in", "Whose credential this is")
    .gives(&[(200, Content::Json(&WHO))])
    .refuses(&[503]);

const WHO: Shape = Shape::new("Me", || {
    let part = Schema::object()
        .with("id", Schema::text())
        .with("role", Schema::words(["owner", "member"]));
    Schema::object()
        .with(
            "object",
            Schema::words([
                "organization.user",
                "organization.project.api_key",
                "organization.admin_api_key",
            ]),
        )
        .with("id", Schema::text().or_null())
        .with("email", Schema::text().or_null())
        .with("name", Schema::text().or_null())
        .with("role", Schema::words(["owner", "reader"]).or_null())
        .with("tier", Schema::text().or_null())
        .with(
            "user_id",
            Schema::text().or_null().says("Whom a key is for"),
        )
        .with(
            "project_id",
            Schema::text()
                .or_null()
                .says("What a key is for, or a user's token that is for one project"),
        )
        .with("projects", Schema::list(part))
});

fn me(request: &Request) -> Result<Response<Body>, Error> {
    match rights::who(&request.app, request.headers())? {
        Actor::Configured => json_text(&Me::admin(None)),
        Actor::AdminKey(id) => json_text(&Me::admin(Some(id.public()))),
        Actor::User(user) => json_text(&Me::user(&user)),
    }
}

fn me_of_data(request: &Request) -> Result<Response<Body>, Error> {
    match request.app.keys.authenticate(request.headers()) {
        Ok(caller) => json_text(&Me::key(&caller)),
        Err(Rejected::Malformed) => json_text(&Me::user(&*user(request)?)),
        Err(rejected) => {
            metrics::unauthenticated(rejected.as_str());
            Err(Error::Unauthenticated)
        }
    }
}

/// Who somebody is. What does not go with the kind of credential is null.
#[derive(Default, Serialize)]
struct Me {
    object: &'static str,
    id: Option<String>,
    email: Option<String>,
    name: Option<String>,
    role: Option<&'static str>,
    tier: Option<String>,
    user_id: Option<String>,
    project_id: Option<String>,
    projects: Vec<Part>,
}

#[derive(Serialize)]
struct Part {
    id: String,
    role: &'static str,
}

impl Me {
    fn admin(id: Option<String>) -> Self {
        Self {
            object: "organization.admin_api_key",
            id,
            ..Self::default()
        }
    }

    fn key(caller: &Caller) -> Self {
        let owner = caller.owner.as_deref();
        let text = |text: &Option<Box<str>>| text.as_deref().map(str::to_owned);
        Self {
            object: "organization.project.api_key",
            id: Some(caller.key.to_string()),
            user_id: owner.and_then(|owner| text(&owner.user)),
            project_id: owner.and_then(|owner| text(&owner.project)),
            ..Self::default()
        }
    }

    fn user(user: &User) -> Self {
        let text = |text: &Option<Box<str>>| text.as_deref().map(str::to_owned);
        let part = |one: &Membership| Part {
            id: one.project.to_string(),
            role: one.role.as_str(),
        };
        Self {
            object: "organization.user",
            id: Some(user.id.to_string()),
            email: text(&user.email),
            name: text(&user.name),
            role: Some(user.role.as_str()),
            tier: text(&user.tier),
            project_id: text(&user.project),
            projects: user.memberships.iter().map(part).collect(),
            ..Self::default()
        }
    }
}
