//! Whose limits a call comes under, and what those are: from the config, from the store, and from the terms of a key or a
//! user.
//!
//! Finding the holders happens at every call and allocates nothing; their rules are put together only for an engine
//! that does not know them yet.

mod cover;
mod names;
mod tiers;
mod written;

use super::Origin;
use crate::config;
use crate::directory::{Allowance, RateLimit};
use crate::domain::{Caller, KeyLimits, Level, Rules, Terms, host_of};
use cover::{Sets, covering};
use std::any::Any;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tiers::Tiers;

/// What the public id of a key begins with.
const KEY_PREFIX: &str = "key_";
/// Between a project and a model in the name of what they are together. No project's id has one.
const JOINT: char = '/';

/// The limits that one config sets, ready to be found.
pub struct Policy {
    generation: u64,
    organization: Rules,
    projects: Sets,
    users: Sets,
    keys: Sets,
    addresses: Sets,
    models: Sets,
    tiers: Tiers,
}

/// A call, as far as limits depend on it.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// Whose it is.
    pub caller: &'a Caller,
    /// What it asks for, if that can be told.
    pub model: Option<&'a str>,
    /// What the organization may do.
    pub organization: &'a Arc<Allowance>,
    /// What the caller's project may do.
    pub project: Option<&'a Arc<Allowance>>,
    /// What is agreed for the user whose call it is.
    pub user: Option<&'a Arc<Terms>>,
}

/// A holder whose limits a call comes under.
#[derive(Clone, Copy)]
pub struct Claim<'a> {
    /// What kind of holder.
    pub level: Level,
    /// Its id; of a project's model both, as `proj_x/gpt-*`; empty for the organization.
    pub name: &'a str,
    policy: &'a Policy,
    source: Source<'a>,
}

/// Where the rules of a holder come from, besides the config.
#[derive(Clone, Copy)]
enum Source<'a> {
    Config,
    Allowance(&'a Arc<Allowance>),
    Rate(&'a Arc<Allowance>, &'a RateLimit),
    Terms(&'a Arc<Terms>),
}

impl Policy {
    /// The policy of a config.
    pub fn new(limits: &config::Limits) -> Self {
        static GENERATIONS: AtomicU64 = AtomicU64::new(1);
        let written = |level| {
            let sets = limits.sets.iter().filter(move |set| set.on == level);
            sets.map(|set| (&*set.name, &set.rules))
        };
        let sets = |level| Sets::new(written(level));
        let mut organization = Rules::default();
        written(Level::Organization).for_each(|(_, rules)| organization.add_all(rules));
        // Ids are bare here, and both forms are understood everywhere.
        let bare = |name| str::strip_prefix(name, KEY_PREFIX).unwrap_or(name);
        let keys = Sets::new(written(Level::Key).map(|(name, rules)| (bare(name), rules)));
        Self {
            generation: GENERATIONS.fetch_add(1, Ordering::Relaxed),
            organization,
            projects: sets(Level::Project),
            users: sets(Level::User),
            keys,
            addresses: sets(Level::Address),
            models: sets(Level::Model),
            tiers: Tiers::new(&limits.tiers),
        }
    }

    /// Tells of every holder whose limits a call comes under, one of each level at most, in the order of levels.
    pub fn each(&self, subject: &Subject<'_>, mut tell: impl FnMut(&Claim<'_>)) {
        let Subject { caller, model, .. } = *subject;
        let project = caller.project();
        self.organization(subject.organization)
            .iter()
            .for_each(&mut tell);
        self.project(project, subject.project)
            .iter()
            .for_each(&mut tell);
        if let (Some(allowance), Some(model)) = (subject.project, model)
            && let Some((pattern, limit)) = rate_of(allowance, model)
        {
            self.rate((project, allowance), (pattern, limit), &mut tell);
        }
        if let Some(pattern) = model.and_then(|model| self.model(model)) {
            tell(&self.claim(Level::Model, pattern, Source::Config));
        }
        let user = caller.user();
        let user = user.and_then(|user| self.user(user, subject.user));
        user.iter().for_each(&mut tell);
        let key = self.key(caller.key.as_str(), caller.terms.as_ref());
        key.iter().for_each(&mut tell);
    }

    /// The organization, if it has limits.
    pub fn organization<'a>(&'a self, allowance: &'a Arc<Allowance>) -> Option<Claim<'a>> {
        let is_limited = allowance.spend_limit.is_some() || !self.organization.is_empty();
        is_limited.then(|| self.claim(Level::Organization, "", Source::Allowance(allowance)))
    }

    /// A project, if it has limits.
    pub fn project<'a>(
        &'a self,
        id: &'a str,
        allowance: Option<&'a Arc<Allowance>>,
    ) -> Option<Claim<'a>> {
        let may_spend = allowance.and_then(|allowance| allowance.spend_limit);
        let is_limited = may_spend.is_some() || self.projects.cover(id);
        let source = allowance.map_or(Source::Config, Source::Allowance);
        is_limited.then(|| self.claim(Level::Project, id, source))
    }

    /// Tells of all models that a project has limits for.
    pub fn rates(
        &self,
        project: &str,
        allowance: &Arc<Allowance>,
        mut tell: impl FnMut(&Claim<'_>),
    ) {
        for (pattern, limit) in &allowance.rate_limits {
            if written::is_enforced(limit) {
                self.rate((project, allowance), (pattern, limit), &mut tell);
            }
        }
    }

    /// All models that have limits whoever asks for them.
    pub fn models(&self) -> impl Iterator<Item = Claim<'_>> {
        let names = self.models.names();
        names.map(|name| self.claim(Level::Model, name, Source::Config))
    }

    /// A user, if they have limits.
    pub fn user<'a>(&'a self, id: &'a str, terms: Option<&'a Arc<Terms>>) -> Option<Claim<'a>> {
        self.agreed((Level::User, &self.users), id, terms)
    }

    /// A key, by its bare id, if it has limits.
    pub fn key<'a>(&'a self, id: &'a str, terms: Option<&'a Arc<Terms>>) -> Option<Claim<'a>> {
        self.agreed((Level::Key, &self.keys), id, terms)
    }

    /// One with terms of its own, if it has limits.
    fn agreed<'a>(
        &'a self,
        (level, sets): (Level, &Sets),
        id: &'a str,
        terms: Option<&'a Arc<Terms>>,
    ) -> Option<Claim<'a>> {
        let terms = terms.filter(|terms| terms.set_a_ceiling() && self.limits_by(terms));
        let source = match terms {
            Some(terms) => Source::Terms(terms),
            None if sets.cover(id) => Source::Config,
            None => return None,
        };
        Some(self.claim(level, id, source))
    }

    fn rate(
        &self,
        (project, allowance): (&str, &Arc<Allowance>),
        (pattern, limit): (&str, &RateLimit),
        tell: impl FnOnce(&Claim<'_>),
    ) {
        cover::joined([project, pattern], JOINT, |name| {
            tell(&self.claim(Level::ProjectModel, name, Source::Rate(allowance, limit)));
        });
    }

    /// Tells of the limits of an address whose request shows no key, or one that is not good.
    pub fn of_address(&self, address: IpAddr, tell: impl FnOnce(&Claim<'_>)) {
        if self.addresses.is_empty() {
            return;
        }
        let address = host_of(address).to_string();
        if self.addresses.cover(&address) {
            tell(&self.claim(Level::Address, &address, Source::Config));
        }
    }

    /// Under which name of the config a model's limits are.
    pub fn model(&self, model: &str) -> Option<&str> {
        self.models.closest(model)
    }

    fn claim<'a>(&'a self, level: Level, name: &'a str, source: Source<'a>) -> Claim<'a> {
        Claim {
            level,
            name,
            policy: self,
            source,
        }
    }

    /// Whether terms limit those that they are agreed for.
    fn limits_by(&self, terms: &Terms) -> bool {
        let of_its_own = terms.budget.is_some() || terms.limits != KeyLimits::default();
        of_its_own || self.tiers.of(terms).is_some_and(|rules| !rules.is_empty())
    }
}

impl Claim<'_> {
    /// What its rules are made of: the same config and the same objects make the same rules.
    pub fn origin(&self) -> Origin {
        let object: Option<Arc<dyn Any + Send + Sync>> = match self.source {
            Source::Config => None,
            Source::Allowance(allowance) | Source::Rate(allowance, _) => {
                Some(Arc::clone(allowance) as _)
            }
            Source::Terms(terms) => Some(Arc::clone(terms) as _),
        };
        Origin {
            generation: self.policy.generation,
            of: object,
        }
    }

    /// Its rules.
    pub fn rules(&self) -> Rules {
        let policy = self.policy;
        let mut rules = match self.level {
            Level::Organization => policy.organization.clone(),
            Level::Project => policy.projects.tightest(self.name),
            Level::ProjectModel => Rules::default(),
            Level::Model => policy.models.written(self.name),
            Level::User => policy.users.tightest(self.name),
            Level::Key => policy.keys.tightest(self.name),
            Level::Address => policy.addresses.tightest(self.name),
        };
        match self.source {
            Source::Config => {}
            Source::Allowance(allowance) => written::spend_limit(allowance, &mut rules),
            Source::Rate(_, limit) => written::rate_limit(limit, &mut rules),
            Source::Terms(terms) => {
                written::key_limits(&terms.limits, &mut rules);
                terms
                    .budget
                    .iter()
                    .for_each(|budget| rules.add(written::budget(budget)));
                if let Some(tier) = policy.tiers.of(terms) {
                    rules.add_all(tier);
                }
            }
        }
        rules
    }
}

/// The rate limit of a project that covers a model and is enforced, under its name.
fn rate_of<'a>(allowance: &'a Allowance, model: &str) -> Option<(&'a str, &'a RateLimit)> {
    let limits = &allowance.rate_limits;
    if limits.is_empty() {
        return None;
    }
    let exact = limits.get_key_value(model);
    let exact = exact.map(|(name, limit)| (&**name, limit));
    let (name, limit) = exact.or_else(|| covering(limits, model))?;
    written::is_enforced(limit).then_some((name, limit))
}

/// The two halves of the name of a project's model.
pub fn project_and_model(name: &str) -> Option<(&str, &str)> {
    name.split_once(JOINT)
}

#[cfg(test)]
mod tests;
