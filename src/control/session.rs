//! `/auth/…` and `/v1/me`: signing in with a password, going on, signing out, and who one is. On both planes.

use super::{
    fields::Fields,
    json_text,
    rights::{self, Actor},
};
use crate::{
    app::App,
    auth::Rejected,
    body::{self, Body},
    domain::{Caller, Secret, User},
    error::Error,
    people::{Credentials, Grant, SessionId, SignInError},
    telemetry::metrics,
};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Response, StatusCode,
    header::{AUTHORIZATION, CACHE_CONTROL},
};
use serde::Serialize;
use std::{net::IpAddr, time::SystemTime};

/// Through which listener a request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plane {
    /// That for API keys.
    Data,
    /// That for operators.
    Control,
}

#[derive(Serialize)]
struct Tokens<'a> {
    access_token: &'a str,
    token_type: &'static str,
    expires_in: u64,
    refresh_token: &'a str,
}

/// `POST /auth/login`: email and password for tokens.
pub async fn login<B>(
    app: &App,
    client: IpAddr,
    headers: &HeaderMap,
    body: B,
) -> Result<Response<Body>, Error>
where
    B: http_body::Body<Data = Bytes>,
    B::Error: Into<body::Error>,
{
    let fields = read(app, headers, body).await?;
    let credentials = Credentials {
        email: fields.must("email")?.to_owned(),
        password: Secret::new(fields.must("password")?),
        project: fields.text("project")?.map(str::to_owned),
    };
    answer("password", app.people.sign_in(client, credentials).await)
}

/// `POST /auth/refresh`: the next tokens for a refresh token, which is then used up.
pub async fn refresh<B>(
    app: &App,
    client: IpAddr,
    headers: &HeaderMap,
    body: B,
) -> Result<Response<Body>, Error>
where
    B: http_body::Body<Data = Bytes>,
    B::Error: Into<body::Error>,
{
    let fields = read(app, headers, body).await?;
    let token = fields.must("refresh_token")?;
    answer("refresh", app.people.refresh(client, token).await)
}

/// `POST /auth/accept`: the token of an invite, and a password of one's own, for an account and its first tokens.
pub async fn accept<B>(
    app: &App,
    client: IpAddr,
    headers: &HeaderMap,
    body: B,
) -> Result<Response<Body>, Error>
where
    B: http_body::Body<Data = Bytes>,
    B::Error: Into<body::Error>,
{
    let fields = read(app, headers, body).await?;
    let (token, name) = (fields.must("token")?, fields.text("name")?);
    let password = Secret::new(fields.must("password")?);
    let accepted = app
        .people
        .accept(client, token, name.map(str::to_owned), password);
    answer("invite", accepted.await)
}

/// `POST /auth/logout`: ends the sign-in of the refresh token in the body, or of the access token in the headers.
pub async fn logout<B>(
    app: &App,
    client: IpAddr,
    headers: &HeaderMap,
    body: B,
) -> Result<Response<Body>, Error>
where
    B: http_body::Body<Data = Bytes>,
    B::Error: Into<body::Error>,
{
    let fields = read(app, headers, body).await?;
    let ended = match fields.text("refresh_token")? {
        Some(token) => app.people.sign_out(client, token).await,
        None if !headers.contains_key(AUTHORIZATION) => {
            fields.must("refresh_token")?;
            return Err(Error::BadCredentials);
        }
        None => {
            let user = app.people.user(headers, SystemTime::now());
            let user = user.inspect_err(|why| metrics::unauthenticated(why.as_str()))?;
            // A sign-in at an outside issuer ends there.
            let session = user.session.as_deref().and_then(SessionId::parse);
            app.people
                .end_session(session.ok_or(Error::BadCredentials)?)
                .await
        }
    };
    metrics::signed_in("sign_out", result(&ended));
    ended?;
    let mut response = Response::new(body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}

/// `GET /v1/me`: who the credential stands for.
pub fn me(app: &App, plane: Plane, headers: &HeaderMap) -> Result<Response<Body>, Error> {
    if plane == Plane::Control {
        return match rights::who(app, headers)? {
            Actor::Configured => json_text(&Me::admin(None)),
            Actor::AdminKey(id) => json_text(&Me::admin(Some(id.to_string()))),
            Actor::User(user) => json_text(&Me::user(&user)),
        };
    }
    match app.keys.authenticate(headers) {
        Ok(caller) => json_text(&Me::key(&caller)),
        Err(Rejected::Malformed) => {
            let user = app.people.user(headers, SystemTime::now());
            let user = user.inspect_err(|why| metrics::unauthenticated(why.as_str()))?;
            json_text(&Me::user(&user))
        }
        Err(rejected) => {
            metrics::unauthenticated(rejected.as_str());
            Err(Error::Unauthenticated)
        }
    }
}

async fn read<B>(app: &App, headers: &HeaderMap, body: B) -> Result<Fields, Error>
where
    B: http_body::Body<Data = Bytes>,
    B::Error: Into<body::Error>,
{
    let snapshot = app.snapshot.load_full();
    Fields::read(headers, body, &snapshot.config.server).await
}

/// Tokens, which nobody on the way may keep.
fn answer(how: &'static str, granted: Result<Grant, SignInError>) -> Result<Response<Body>, Error> {
    metrics::signed_in(how, result(&granted));
    let granted = granted?;
    let mut response = json_text(&Tokens {
        access_token: granted.access_token.expose(),
        token_type: "Bearer",
        expires_in: granted.expires_in.as_secs(),
        refresh_token: granted.refresh_token.expose(),
    })?;
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

fn result<T>(outcome: &Result<T, SignInError>) -> &'static str {
    match outcome {
        Ok(_) => "ok",
        Err(SignInError::Refused | SignInError::NoSuchProject(_)) => "refused",
        Err(SignInError::Slowed(_)) => "slowed",
        Err(SignInError::Busy) => "busy",
        Err(SignInError::Failed(_)) => "failed",
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
        let part = |one: &crate::domain::Membership| Part {
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
            projects: user.memberships.iter().map(part).collect(),
            ..Self::default()
        }
    }
}
