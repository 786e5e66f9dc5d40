//! Going on with a refresh token, and signing out.

use super::{
    Client, Grant, People, SessionId, SignInError, UserId, once, records, session,
    sign_in::{Continued, PREFIX},
    telling,
};
use crate::{
    audit::Event,
    store::{Millis, Mode, Transaction},
};
use serde_json::{Value, json};
use std::{net::IpAddr, time::SystemTime};

/// What became of a refresh token.
enum Exchange {
    Done(Box<Continued>),
    /// It had been exchanged before: somebody has stolen it, or its sign-in.
    Replayed(SessionId, UserId),
    Refused,
}

impl People {
    /// Exchanges a refresh token for the next ones. One that is shown again ends its sign-in.
    pub async fn refresh(&self, client: Client, token: &str) -> Result<Grant, SignInError> {
        let hash = once::hash(PREFIX, token).ok_or(SignInError::Refused)?;
        let found = self.find_session(hash).await?;
        if !found.is_some_and(|found| found.is_live) {
            return Err(self.stranger(client.address));
        }
        let exchange = move |tx: &mut Transaction<'_>| exchange(tx, hash, &client);
        match self.users.write(exchange).await? {
            Exchange::Done(continued) => self.grant(*continued),
            Exchange::Refused => Err(SignInError::Refused),
            Exchange::Replayed(session, user) => {
                tracing::warn!(
                    session.id = %session,
                    user.id = %user,
                    "a refresh token was shown again, so its sign-in has ended"
                );
                Err(SignInError::Refused)
            }
        }
    }

    /// Ends the sign-in that a refresh token belongs to.
    pub async fn sign_out(&self, client: Client, token: &str) -> Result<(), SignInError> {
        let hash = once::hash(PREFIX, token).ok_or(SignInError::Refused)?;
        match self.find_session(hash).await? {
            None => Err(self.stranger(client.address)),
            Some(found) if found.is_live => self.end_session(client, found.session).await,
            Some(_) => Ok(()),
        }
    }

    /// The sign-in of a refresh token. Looked for before anybody is slowed, so that whoever has a good one never pays
    /// for others at their address; and without the writers' lock, which strangers must not be able to hold.
    async fn find_session(&self, hash: [u8; 32]) -> Result<Option<session::Found>, SignInError> {
        let now = Millis::of(SystemTime::now());
        let look = move |tx: &mut Transaction<'_>| Ok(session::find(tx, hash, now)?);
        self.users.db.transact(Mode::Read, look).await
    }

    /// What somebody is told whose token is none: it counts for their address.
    pub(super) fn stranger(&self, address: IpAddr) -> SignInError {
        match self.guard.enter(address, None) {
            Ok(_) => SignInError::Refused,
            Err(wait) => SignInError::Slowed(wait),
        }
    }

    /// Ends a sign-in that an access token has shown.
    pub async fn end_session(&self, client: Client, session: SessionId) -> Result<(), SignInError> {
        let end = move |tx: &mut Transaction<'_>| {
            let Some(user) = session::user_of_open(tx, session)? else {
                return Ok(());
            };
            session::end(tx, session, Millis::of(SystemTime::now()))?;
            if let Some(record) = records::find(tx, user)? {
                let (by, event) = (client.origin(&record), Event::of("logout.succeeded"));
                let after = json!({"session": session.to_string()});
                telling::tell(tx, &by, event, user, Value::Null, after)?;
            }
            Ok::<_, SignInError>(())
        };
        self.users.write(end).await
    }
}

fn exchange(
    tx: &mut Transaction<'_>,
    hash: [u8; 32],
    client: &Client,
) -> Result<Exchange, SignInError> {
    let now = Millis::of(SystemTime::now());
    let Some(found) = session::find(tx, hash, now)? else {
        return Ok(Exchange::Refused);
    };
    if !found.is_live {
        return Ok(Exchange::Refused);
    }
    if found.is_used {
        session::end(tx, found.session, now)?;
        let event = Event::as_a("login.failed", "refresh_token.reused");
        let (by, after) = (
            client.stranger(),
            json!({"session": found.session.to_string()}),
        );
        telling::tell(tx, &by, event, found.user, Value::Null, after)?;
        return Ok(Exchange::Replayed(found.session, found.user));
    }
    session::use_token(tx, hash, now)?;
    let (refresh, next) = once::mint(PREFIX)?;
    session::add_token(tx, found.session, next)?;
    Ok(Exchange::Done(Box::new(Continued {
        user: found.user,
        session: found.session,
        project: found.project,
        expires: found.expires,
        refresh,
    })))
}
