//! `/auth/…` and `/v1/me`: signing in with a password, going on, signing out, and who one is. On both planes.

mod me;

pub use me::{ME, ME_OF_DATA};

use super::{Operation, Request, json_text};
use crate::{
    body::{self, Body},
    domain::{Secret, User},
    error::Error,
    people::{Client, Credentials, Grant, SessionId, SignInError},
    telemetry::metrics,
    wire::{
        about::{About, Content, Credential},
        members::Members,
        schema::{Schema, Shape},
    },
};
use http::{
    HeaderValue, Response, StatusCode,
    header::{AUTHORIZATION, CACHE_CONTROL},
};
use serde::Serialize;
use std::{sync::Arc, time::SystemTime};

/// Longer than an email, a password or a token.
const TEXT_MAX_CHARS: usize = 512;

#[derive(Serialize)]
struct Granted<'a> {
    access_token: &'a str,
    token_type: &'static str,
    expires_in: u64,
    refresh_token: &'a str,
}

/// What every sign-in can be refused with: too many have failed, too many are made, the store is away.
const fn about(summary: &'static str) -> About {
    About::new("Signing in", summary).credential(Credential::None)
}

/// `POST /auth/login`.
pub const LOGIN: Operation = Operation::new(
    |request| Box::pin(login(request)),
    about("Email and password for tokens")
        .takes(&CREDENTIALS)
        .gives(&[(200, Content::Json(&TOKENS))])
        .refuses(&[401, 404, 429, 503]),
);
/// `POST /auth/refresh`.
pub const REFRESH: Operation = Operation::new(
    |request| Box::pin(refresh(request)),
    about("The next tokens for a refresh token, which is then used up")
        .takes(&REFRESH_TOKEN)
        .gives(&[(200, Content::Json(&TOKENS))])
        .refuses(&[401, 429, 503]),
);
/// `POST /auth/accept`.
pub const ACCEPT: Operation = Operation::new(
    |request| Box::pin(accept(request)),
    about("The token of an invite, and a password, for an account and its first tokens")
        .takes(&ACCEPTANCE)
        .gives(&[(200, Content::Json(&TOKENS))])
        .refuses(&[401, 404, 409, 429, 503]),
);
/// `POST /auth/logout`.
pub const LOGOUT: Operation = Operation::new(
    |request| Box::pin(logout(request)),
    about("End the sign-in of a refresh token, or of the access token in the headers")
        .takes(&SIGN_OUT)
        .gives(&[(204, Content::Empty)])
        .refuses(&[401, 429, 503]),
);
const TOKENS: Shape = Shape::new("Tokens", || {
    Schema::object()
        .with("access_token", Schema::text())
        .with("token_type", Schema::word("Bearer"))
        .with("expires_in", Schema::count().says("Seconds"))
        .with("refresh_token", Schema::text().says("Works once"))
});
const CREDENTIALS: Shape = Shape::new("Credentials", || {
    let project = Schema::text().or_null();
    Schema::object()
        .with("email", Schema::text())
        .with("password", Schema::text())
        .may(
            "project",
            project.says("The project that the tokens are to name"),
        )
        .open()
});
const REFRESH_TOKEN: Shape = Shape::new("RefreshToken", || {
    Schema::object()
        .with("refresh_token", Schema::text())
        .open()
});
const SIGN_OUT: Shape = Shape::new("SignOut", || {
    let token = Schema::text().or_null();
    Schema::object()
        .may(
            "refresh_token",
            token.says("Left out, the access token in the headers counts"),
        )
        .open()
});
const ACCEPTANCE: Shape = Shape::new("Acceptance", || {
    Schema::object()
        .with("token", Schema::text())
        .with("password", Schema::text().length(12, 256))
        .may("name", Schema::text().length(1, 128).or_null())
        .open()
});
async fn login(mut request: Request) -> Result<Response<Body>, Error> {
    let members = members(&mut request).await?;
    let credentials = Credentials {
        email: must(&members, "email")?,
        password: Secret::new(must(&members, "password")?),
        project: members.text("project", 1, TEXT_MAX_CHARS)?,
    };
    let client = client(&request);
    answer(
        "password",
        request.app.people.sign_in(client, credentials).await,
    )
}

async fn refresh(mut request: Request) -> Result<Response<Body>, Error> {
    let members = members(&mut request).await?;
    let token = &must(&members, "refresh_token")?;
    let client = client(&request);
    answer("refresh", request.app.people.refresh(client, token).await)
}

async fn accept(mut request: Request) -> Result<Response<Body>, Error> {
    let members = members(&mut request).await?;
    let token = &must(&members, "token")?;
    let name = members.text("name", 1, TEXT_MAX_CHARS)?;
    let password = Secret::new(must(&members, "password")?);
    let client = client(&request);
    answer(
        "invite",
        request
            .app
            .people
            .accept(client, token, name, password)
            .await,
    )
}

async fn logout(mut request: Request) -> Result<Response<Body>, Error> {
    let members = members(&mut request).await?;
    let people = &request.app.people;
    let ended = match members.text("refresh_token", 1, TEXT_MAX_CHARS)? {
        Some(token) => people.sign_out(client(&request), &token).await,
        None if !request.headers().contains_key(AUTHORIZATION) => {
            return Err(members.missing("refresh_token").into());
        }
        None => {
            let user = user(&request)?;
            // A sign-in at an outside issuer ends there.
            let session = user.session.as_deref().and_then(SessionId::parse);
            people
                .end_session(client(&request), session.ok_or(Error::BadCredentials)?)
                .await
        }
    };
    metrics::signed_in("sign_out", result(&ended));
    ended?;
    let mut response = Response::new(body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}

/// The members of a body.
async fn members(request: &mut Request) -> Result<Members, Error> {
    Ok(request.object().await?.into())
}

/// A text that must be there.
fn must(members: &Members, name: &str) -> Result<String, Error> {
    let text = members.text(name, 1, TEXT_MAX_CHARS)?;
    Ok(members.required(name, text)?)
}

/// From where it comes.
fn client(request: &Request) -> Client {
    Client {
        address: request.arrival.client,
        agent: request.agent().map(str::to_owned),
    }
}

/// The user whose token is in the headers.
fn user(request: &Request) -> Result<Arc<User>, Error> {
    let user = request
        .app
        .people
        .user(request.headers(), SystemTime::now());
    let user = user.inspect_err(|why| metrics::unauthenticated(why.as_str()))?;
    Ok(user)
}

/// Tokens, which nobody on the way may keep.
fn answer(how: &'static str, granted: Result<Grant, SignInError>) -> Result<Response<Body>, Error> {
    metrics::signed_in(how, result(&granted));
    let granted = granted?;
    let mut response = json_text(&Granted {
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
