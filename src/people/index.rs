//! Every user in memory, and which sign-ins have ended, so that a request is answered without the store.
//!
//! Readers take no lock. Only the store's thread writes, in the order of commits.

use super::{SessionId, UserId, verified::Own};
use crate::domain::{Membership, Owner, Role, Terms, User};
use crate::store::Millis;
use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

/// How long after its end a sign-in is remembered: longer than any access token of it can last.
const REMEMBERED: Duration = Duration::from_secs(2 * 3600);

/// One user as the store has them now.
pub(super) struct Change {
    pub(super) id: UserId,
    pub(super) version: i64,
    pub(super) email: Box<str>,
    pub(super) name: Box<str>,
    pub(super) role: Role,
    pub(super) tier: Option<Box<str>>,
    /// Neither disabled nor taken out.
    pub(super) is_live: bool,
    pub(super) memberships: Vec<Membership>,
}

/// What a request needs to know of a user.
pub(super) struct Known {
    email: Box<str>,
    name: Box<str>,
    role: Role,
    terms: Option<Arc<Terms>>,
    memberships: Vec<Membership>,
    /// For whom calls are written down, by membership.
    owners: Vec<Arc<Owner>>,
}

#[derive(Default)]
pub(super) struct Index {
    /// Nobody chooses the id of a user, so that a quick hash will do; the same holds for sign-ins.
    users: papaya::HashMap<UserId, Arc<Known>, foldhash::fast::RandomState>,
    /// What is agreed for users who have a tier; for those who are out too, since a key of theirs may work for a
    /// moment longer.
    terms: papaya::HashMap<UserId, Arc<Terms>, foldhash::fast::RandomState>,
    ended: papaya::HashMap<SessionId, Millis, foldhash::fast::RandomState>,
    seen_users: AtomicI64,
    seen_sessions: AtomicI64,
}

impl Known {
    /// The owner of calls in a project; none if the user has no part in it.
    pub(super) fn owner(&self, project: &str) -> Option<&Arc<Owner>> {
        let at = self
            .memberships
            .iter()
            .position(|one| &*one.project == project);
        self.owners.get(at?)
    }

    /// The owner of calls if there is but one project.
    pub(super) fn only_owner(&self) -> Option<&Arc<Owner>> {
        match self.owners.as_slice() {
            [only] => Some(only),
            _ => None,
        }
    }

    /// The user, as one of their tokens has them: one for a project has their part in it and nothing else, whoever
    /// they are to the organization.
    pub(super) fn user(&self, own: &Own) -> User {
        let is_meant = |part: &&Membership| {
            let project = own.project.as_deref();
            project.is_none_or(|project| project == &*part.project)
        };
        User {
            id: own.user.to_string().into(),
            email: Some(self.email.clone()),
            name: Some(self.name.clone()),
            role: match own.project {
                None => self.role,
                Some(_) => Role::Reader,
            },
            memberships: self.memberships.iter().filter(is_meant).cloned().collect(),
            project: own.project.clone(),
            session: Some(own.session.to_string().into()),
            tier: self.terms.as_ref().and_then(|terms| terms.tier.clone()),
        }
    }
}

impl Index {
    /// A user who is neither disabled nor taken out.
    pub(super) fn user(&self, id: UserId) -> Option<Arc<Known>> {
        self.users.pin().get(&id).cloned()
    }

    /// What is agreed for a user, if anything.
    pub(super) fn terms(&self, id: UserId) -> Option<Arc<Terms>> {
        self.terms.pin().get(&id).cloned()
    }

    /// Whether a sign-in is over.
    pub(super) fn has_ended(&self, id: SessionId) -> bool {
        self.ended.pin().contains_key(&id)
    }

    /// Takes over what a row says. Called on the store's thread only, in the order of versions.
    pub(super) fn apply(&self, change: Change) {
        let terms = change.tier.as_deref().map(Terms::of_tier).map(Arc::new);
        match &terms {
            Some(terms) => drop(self.terms.pin().insert(change.id, Arc::clone(terms))),
            None => drop(self.terms.pin().remove(&change.id)),
        }
        let users = self.users.pin();
        if change.is_live {
            let owner = |one: &Membership| {
                Arc::new(Owner {
                    project: Some(one.project.clone()),
                    user: Some(change.id.to_string().into()),
                })
            };
            let known = Known {
                owners: change.memberships.iter().map(owner).collect(),
                email: change.email,
                name: change.name,
                role: change.role,
                terms,
                memberships: change.memberships,
            };
            users.insert(change.id, Arc::new(known));
        } else {
            users.remove(&change.id);
        }
        self.seen_users.store(change.version, Ordering::Relaxed); // for the same thread's next look
    }

    /// As [`Index::apply`], for a sign-in.
    pub(super) fn apply_session(&self, id: SessionId, version: i64, ended: Option<Millis>) {
        if let Some(ended) = ended {
            self.ended.pin().insert(id, ended);
        }
        self.seen_sessions.store(version, Ordering::Relaxed);
    }

    /// Forgets sign-ins that no access token is left of.
    pub(super) fn forget(&self, now: Millis) {
        let ended = self.ended.pin();
        let over: Vec<SessionId> = ended
            .iter()
            .filter(|(_, at)| at.plus(REMEMBERED) < now)
            .map(|(id, _)| *id)
            .collect();
        over.iter().for_each(|id| {
            ended.remove(id);
        });
    }

    /// The versions of the last user and the last sign-in that were applied.
    pub(super) fn seen(&self) -> (i64, i64) {
        let of = |seen: &AtomicI64| seen.load(Ordering::Relaxed);
        (of(&self.seen_users), of(&self.seen_sessions))
    }
}
