//! Asking somebody to come in: a token that works once makes them a user with a password of their own.

use super::{
    Client, Error, Grant, InviteId, NewUser, People, SignInError, Users, memberships::check_open,
    once, records, sign_in, telling, users,
};
use crate::{
    audit::{self, Entry, Event, Origin},
    domain::{Membership, ProjectRole, Role, Secret},
    store::{self, Millis, Mode, Page, Row, Transaction},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::time::{Duration, SystemTime};

/// Tells people and secret scanners what they have found.
const PREFIX: &str = "weir-invite-";
const COLUMNS: &str = "id, email, role, projects, created_at, expires_at, accepted_at";

/// How long somebody has to come in.
const TTL: Duration = Duration::from_secs(7 * 86_400);

/// Who is asked, and as what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewInvite {
    /// What they will sign in with.
    pub email: String,
    /// What they will be to the organization.
    pub role: Role,
    /// Their parts in projects.
    pub memberships: Vec<Membership>,
}

/// An invite, without its token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invite {
    /// Its id.
    pub id: InviteId,
    /// Who is asked.
    pub email: String,
    /// What they will be to the organization.
    pub role: Role,
    /// Their parts in projects.
    pub memberships: Vec<Membership>,
    /// When it was made.
    pub created: SystemTime,
    /// Until when it can be accepted.
    pub expires: SystemTime,
    /// When it was.
    pub accepted: Option<SystemTime>,
}

/// A membership as it is stored.
#[derive(Serialize, Deserialize)]
struct Part {
    id: Box<str>,
    role: String,
}

impl Invite {
    fn read(row: &Row) -> Result<Self, store::Error> {
        let nonsense = || store::Error::Column {
            name: "projects".to_owned(),
        };
        let parts: Vec<Part> =
            serde_json::from_str(&row.get::<String>(3)?).map_err(|_| nonsense())?;
        let membership = |part: Part| {
            let role = ProjectRole::named(&part.role).ok_or_else(nonsense)?;
            Ok::<_, store::Error>(Membership {
                project: part.id,
                role,
            })
        };
        Ok(Self {
            id: row.get(0)?,
            email: row.get(1)?,
            role: row.get(2)?,
            memberships: parts
                .into_iter()
                .map(membership)
                .collect::<Result<_, _>>()?,
            created: row.get::<Millis>(4)?.time(),
            expires: row.get::<Millis>(5)?.time(),
            accepted: row.get::<Option<Millis>>(6)?.map(Millis::time),
        })
    }
}

impl Users {
    /// Asks somebody to come in. The token is shown this once; whoever has it may accept.
    pub async fn invite(&self, by: Origin, new: NewInvite) -> Result<(Invite, Secret), Error> {
        let new = users::checked(NewUser {
            name: new.email.clone(),
            email: new.email,
            role: new.role,
            password: None,
            memberships: new.memberships,
        })?;
        let (token, hash) = once::mint(PREFIX)?;
        let id = InviteId::new()?;
        let add = move |tx: &mut Transaction<'_>| {
            if records::find_email(tx, &new.email)?.is_some() {
                return Err(Error::EmailTaken);
            }
            for one in &new.memberships {
                check_open(tx, &one.project)?;
            }
            let part = |one: &Membership| Part {
                id: one.project.clone(),
                role: one.role.as_str().to_owned(),
            };
            let parts: Vec<Part> = new.memberships.iter().map(part).collect();
            let parts = serde_json::to_string(&parts).expect("texts always serialise");
            let now = Millis::of(SystemTime::now());
            let sql = "INSERT INTO invite (id, email, role, projects, hash, created_at, expires_at)
                VALUES ($1, $2, $3, $4, $5, $6, $7)";
            let values = [
                id.into(),
                new.email.into(),
                new.role.into(),
                parts.into(),
                hash.into(),
                now.into(),
                now.plus(TTL).into(),
            ];
            tx.execute(sql, &values)?;
            let made = find(tx, id)?;
            tell(tx, &by, "invite.sent", &made)?;
            Ok(made)
        };
        let invite = self.db.transact(Mode::Alone, add).await?;
        Ok((invite, token))
    }

    /// An invite, by its id.
    pub async fn find_invite(&self, id: InviteId) -> Result<Invite, Error> {
        self.db.transact(Mode::Read, move |tx| find(tx, id)).await
    }

    /// Up to `limit` invites in the order in which they were made, from the one after `after`.
    pub async fn invites(
        &self,
        after: Option<InviteId>,
        limit: usize,
    ) -> Result<Page<Invite>, Error> {
        let look = move |tx: &mut Transaction<'_>| {
            if let Some(id) = after {
                find(tx, id)?;
            }
            let sql = format!(
                "SELECT {COLUMNS} FROM invite WHERE number > coalesce((SELECT number FROM invite WHERE id = $1), 0)
                ORDER BY number LIMIT $2"
            );
            let rows = tx.query(&sql, &[after.into(), (limit as u64 + 1).into()])?;
            let found = rows.iter().map(Invite::read).collect::<Result<_, _>>()?;
            Ok(Page::cut(found, limit))
        };
        self.db.transact(Mode::Read, look).await
    }

    /// Takes an invite back, unless it was accepted.
    pub async fn delete_invite(&self, by: Origin, id: InviteId) -> Result<(), Error> {
        let delete = move |tx: &mut Transaction<'_>| {
            let gone = find(tx, id)?;
            if gone.accepted.is_some() {
                return Err(Error::Accepted(id));
            }
            tx.execute("DELETE FROM invite WHERE id = $1", &[id.into()])?;
            Ok(tell(tx, &by, "invite.deleted", &gone)?)
        };
        self.db.transact(Mode::Alone, delete).await
    }
}

impl People {
    /// Makes whoever has the token of an invite a user, and signs them in.
    pub async fn accept(
        &self,
        client: Client,
        token: &str,
        name: Option<String>,
        password: Secret,
    ) -> Result<Grant, SignInError> {
        let hash = once::hash(PREFIX, token).ok_or(SignInError::Refused)?;
        // No password is hashed for strangers.
        let look = move |tx: &mut Transaction<'_>| open(tx, hash);
        let found = self.users.db.transact(Mode::Read, look).await;
        if let Err(SignInError::Refused) = found {
            return Err(self.stranger(client.address));
        }
        found?;
        let password = self.hasher.hash(password).await??;
        let ttl = self.trust.load().config.refresh_ttl;
        let accept = move |tx: &mut Transaction<'_>| {
            let invite = open(tx, hash)?;
            let new = users::checked(NewUser {
                name: name.unwrap_or_else(|| invite.email.clone()),
                email: invite.email.clone(),
                role: invite.role,
                password: Some(password),
                memberships: invite.memberships.clone(),
            })?;
            let made = users::insert(tx, &new)?;
            let by = client.origin(&made);
            tell(tx, &by, "invite.accepted", &invite)?;
            let event = Event::of("user.added");
            let after = telling::told_whole(tx, &made)?;
            telling::tell(tx, &by, event, made.id, Value::Null, after)?;
            let now = Millis::of(SystemTime::now());
            let sql = "UPDATE invite SET accepted_at = $2 WHERE id = $1";
            tx.execute(sql, &[invite.id.into(), now.into()])?;
            sign_in::begin(tx, made.id, None, ttl)
        };
        let begun = self.users.write(accept).await?;
        self.grant(begun)
    }
}

/// Tells the audit log what became of an invite.
fn tell(
    tx: &mut Transaction<'_>,
    by: &Origin,
    event: &'static str,
    invite: &Invite,
) -> Result<(), store::Error> {
    let id = invite.id.to_string();
    let told = json!({
        "email": invite.email,
        "role": invite.role.as_str(),
        "projects": telling::told_parts(&invite.memberships),
    });
    let entry = Entry {
        event: Event::of(event),
        project: None,
        resource: Some(&id),
        before: Value::Null,
        after: told,
    };
    audit::append(tx, by, &entry)
}

fn find(tx: &mut Transaction<'_>, id: InviteId) -> Result<Invite, Error> {
    let found = one(tx, "id", id.into())?;
    found.ok_or_else(|| Error::NoSuchInvite(id.to_string()))
}

/// The invite of a token, if it can still be accepted.
fn open(tx: &mut Transaction<'_>, hash: [u8; 32]) -> Result<Invite, SignInError> {
    let now = SystemTime::now();
    let found = one(tx, "hash", hash.into())?;
    let is_open = |invite: &Invite| invite.accepted.is_none() && invite.expires > now;
    found.filter(is_open).ok_or(SignInError::Refused)
}

fn one(
    tx: &mut Transaction<'_>,
    column: &'static str,
    value: store::Value,
) -> Result<Option<Invite>, store::Error> {
    let sql = format!("SELECT {COLUMNS} FROM invite WHERE {column} = $1");
    let row = tx.first(&sql, &[value])?;
    row.as_ref().map(Invite::read).transpose()
}
