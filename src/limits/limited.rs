//! Who has which limits, for whoever wants to see them.

use super::policy::{Claim, Policy};
use crate::{
    directory::Allowance,
    domain::{KeyId, Level, Rules, Terms},
};
use std::sync::Arc;

/// Somebody with limits, apart from what they were found in.
pub struct Limited {
    pub(super) level: Level,
    pub(super) name: String,
    pub(super) called: Option<String>,
    pub(super) rules: Rules,
}

impl Limited {
    /// The organization and the models that have limits whoever pays.
    pub fn organization(policy: &Policy, allowance: &Arc<Allowance>) -> Vec<Self> {
        let own = policy.organization(allowance);
        let all = own.into_iter().chain(policy.models());
        all.map(|claim| Self::of(&claim)).collect()
    }

    /// A project and its models.
    pub fn project(policy: &Policy, id: &str, allowance: &Arc<Allowance>) -> Vec<Self> {
        let own = policy.project(id, Some(allowance));
        let mut all: Vec<Self> = own.iter().map(Self::of).collect();
        policy.rates(id, allowance, |claim| all.push(Self::of(claim)));
        all
    }

    /// A user, or a service account.
    pub fn user(policy: &Policy, id: &str, terms: Option<&Arc<Terms>>) -> Option<Self> {
        policy.user(id, terms).as_ref().map(Self::of)
    }

    /// A key, with what was agreed for it.
    pub fn key(policy: &Policy, id: KeyId, terms: Option<&Arc<Terms>>) -> Option<Self> {
        policy.key(id.as_str(), terms).as_ref().map(Self::of)
    }

    /// With what people call it.
    pub fn called(self, name: &str) -> Self {
        Self {
            called: Some(name.to_owned()),
            ..self
        }
    }

    fn of(claim: &Claim<'_>) -> Self {
        Self {
            level: claim.level,
            name: claim.name.to_owned(),
            called: None,
            rules: claim.rules(),
        }
    }
}
