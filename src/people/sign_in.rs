//! Signing in with a password, and what that gives.

use super::{
    People, Record, SessionId, SignInError, UserId, Users, keyring::Meant, once, password::Busy,
    records, session, telling, users,
};
use crate::{
    audit::{Actor, Event, Origin},
    domain::Secret,
    store::{Millis, Mode, Transaction},
};
use serde_json::{Value, json};
use std::{
    net::IpAddr,
    time::{Duration, SystemTime},
};

/// Tells people and secret scanners what they have found.
pub(super) const PREFIX: &str = "weir-refresh-";
/// How long a sign-in that is over is kept, so that its last token is known as used.
const KEPT: Duration = Duration::from_secs(24 * 3600);

/// What somebody signs in with.
#[derive(Debug)]
pub struct Credentials {
    /// As typed.
    pub email: String,
    /// As typed.
    pub password: Secret,
    /// The project that the tokens are to name, if any.
    pub project: Option<String>,
}

/// From where somebody signs in.
#[derive(Clone, Debug)]
pub struct Client {
    /// The address.
    pub address: IpAddr,
    /// What it calls itself.
    pub agent: Option<String>,
}

impl Client {
    /// A user there, for the audit log.
    pub(super) fn origin(&self, record: &Record) -> Origin {
        let actor = Actor::User {
            id: record.id.to_string(),
            email: record.email.clone(),
        };
        Origin::request(actor, self.address, self.agent.as_deref())
    }

    /// Somebody there who has not shown who they are: it is Weir that refuses them.
    pub(super) fn stranger(&self) -> Origin {
        Origin::request(Actor::System, self.address, self.agent.as_deref())
    }
}

/// What a sign-in gives.
#[derive(Debug)]
pub struct Grant {
    /// Opens both planes with the rights of its user, for a short time.
    pub access_token: Secret,
    /// How long.
    pub expires_in: Duration,
    /// Gets the next two tokens, once.
    pub refresh_token: Secret,
}

impl From<Busy> for SignInError {
    fn from(_: Busy) -> Self {
        Self::Busy
    }
}

impl From<getrandom::Error> for SignInError {
    fn from(error: getrandom::Error) -> Self {
        Self::Failed(error.into())
    }
}

/// A sign-in that was begun or went on.
pub(super) struct Continued {
    pub(super) user: UserId,
    pub(super) session: SessionId,
    pub(super) project: Option<String>,
    /// When the sign-in ends; no token outlives it.
    pub(super) expires: Millis,
    pub(super) refresh: Secret,
}

impl People {
    /// Signs somebody in, from an address.
    ///
    /// An unknown email, a wrong password and a user who is locked out cost the same work and get the same answer.
    pub async fn sign_in(
        &self,
        client: Client,
        credentials: Credentials,
    ) -> Result<Grant, SignInError> {
        let Some(email) = users::normal(&credentials.email) else {
            return Err(SignInError::Refused);
        };
        let attempt = self
            .guard
            .enter(client.address, Some(&email))
            .map_err(SignInError::Slowed)?;
        let found = match self.users.password(email.clone()).await {
            Ok(found) => found,
            Err(error) => {
                attempt.withdrawn();
                return Err(error.into());
            }
        };
        let hash = found.as_ref().map(|(_, hash)| hash.clone());
        let checked = self.hasher.check(credentials.password, hash).await;
        let Ok(is_proven) = checked else {
            attempt.withdrawn();
            return Err(SignInError::Busy);
        };
        let known = found.as_ref().map(|(user, _)| *user);
        let Some((user, hash)) = found.filter(|_| is_proven) else {
            // As many entries as passwords are looked at: the guard bounds both.
            let tell = move |tx: &mut Transaction<'_>| {
                let (by, event) = (client.stranger(), Event::of("login.failed"));
                let after = json!({"email": email});
                Ok::<_, SignInError>(telling::tell(tx, &by, event, known, Value::Null, after)?)
            };
            self.users.write(tell).await?;
            return Err(SignInError::Refused);
        };
        attempt.succeeded();
        let project = credentials.project;
        let ttl = self.trust.load().config.refresh_ttl;
        let continued = self.users.write(move |tx| {
            // Seen again under the lock: they may have been locked out or given another password meanwhile.
            let record = records::find(tx, user)?.ok_or(SignInError::Refused)?;
            let same = records::password(tx, &record.email)?;
            if same.is_none_or(|(_, now)| now != hash) {
                return Err(SignInError::Refused);
            }
            if let Some(id) = &project
                && records::member(tx, id, user)?.is_none()
            {
                return Err(SignInError::NoSuchProject(id.clone()));
            }
            let by = client.origin(&record);
            let event = Event::of("login.succeeded");
            telling::tell(tx, &by, event, user, Value::Null, Value::Null)?;
            begin(tx, user, project, ttl)
        });
        self.grant(continued.await?)
    }

    pub(super) fn grant(&self, continued: Continued) -> Result<Grant, SignInError> {
        let trust = self.trust.load();
        let now = SystemTime::now();
        let ends = continued.expires.time().min(now + trust.config.access_ttl);
        let meant = Meant {
            user: continued.user,
            session: continued.session,
            project: continued.project,
            ends,
        };
        let token = trust
            .keyring
            .sign(&meant, now)?
            .ok_or(super::Error::Unsigned)?;
        Ok(Grant {
            access_token: Secret::new(token),
            expires_in: ends.duration_since(now).unwrap_or_default(),
            refresh_token: continued.refresh,
        })
    }
}

impl Users {
    async fn password(
        &self,
        email: String,
    ) -> Result<Option<(UserId, super::PasswordHash)>, super::Error> {
        let look = move |tx: &mut Transaction<'_>| Ok(records::password(tx, &email)?);
        self.db.transact(Mode::Read, look).await
    }
}

pub(super) fn begin(
    tx: &mut Transaction<'_>,
    user: UserId,
    project: Option<String>,
    ttl: Duration,
) -> Result<Continued, SignInError> {
    let now = SystemTime::now();
    session::forget(tx, Millis::of(now.checked_sub(KEPT).unwrap_or(now)))?;
    let (session, expires) = (SessionId::new()?, Millis::of(now).plus(ttl));
    session::insert(
        tx,
        session,
        user,
        project.as_deref(),
        (Millis::of(now), expires),
    )?;
    let (refresh, hash) = once::mint(PREFIX)?;
    session::add_token(tx, session, hash)?;
    Ok(Continued {
        user,
        session,
        project,
        expires,
        refresh,
    })
}
