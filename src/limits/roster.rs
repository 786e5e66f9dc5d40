//! Everyone who has limits, as far as Weir knows of them: a part at a time, and in an order that stays.
//!
//! First whom the config names: the organization, models, and users of whom the store knows nothing. Then projects,
//! each with its models, users, service accounts and keys, in the order in which they were made. For one part a bounded
//! piece of the store is read, however few there have limits.

mod place;

use super::{limited::Limited, policy::Policy};
use crate::auth::{self, Keys, Search};
use crate::directory::{self, Account, Cursor, Directory, Page, Project};
use crate::domain::{KeyId, Owner, Terms};
use crate::people::{self, UserId, Users};
use place::{Place, Section};
use std::sync::Arc;

/// How many projects, users or service accounts are read at a time.
const ITEMS: usize = 1000;
/// How many keys are looked at at a time.
const KEYS: usize = 20_000;
/// How many times the store is read for one part at most.
const READS_MAX: usize = 8;

/// Where everyone is looked up.
#[derive(Clone, Copy)]
pub struct Roster<'a> {
    /// Who has which limits.
    pub policy: &'a Policy,
    /// The projects and their service accounts.
    pub directory: &'a Directory,
    /// The users.
    pub users: &'a Users,
    /// The keys.
    pub keys: &'a Keys,
}

/// A part of everyone.
pub struct Part {
    /// Those of it who have limits.
    pub all: Vec<Limited>,
    /// Where the next part begins; none: there is none.
    pub next: Option<String>,
}

impl Part {
    /// One that is all there is.
    pub fn whole(all: Vec<Limited>) -> Self {
        Self { all, next: None }
    }
}

/// Why there is no part.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Where it was to begin is nowhere.
    #[error("no part of this list begins there")]
    NoSuchPlace,
    /// The projects cannot be read.
    #[error(transparent)]
    Directory(directory::Error),
    /// The keys cannot be read.
    #[error(transparent)]
    Keys(auth::Error),
    /// The users cannot be read.
    #[error(transparent)]
    Users(people::Error),
}

/// What was found from a place on.
#[derive(Default)]
struct Stretch {
    found: Vec<Limited>,
    /// After whom to go on; none: the section is over.
    last: Option<String>,
}

impl Roster<'_> {
    /// The part from `after` on, which is [`next`](Part::next) of the one before.
    ///
    /// It ends when `limit` are found, or a few more: a project comes with all of its models, and whom the config names
    /// come together. It may be empty and not the last.
    pub async fn part(&self, after: Option<&str>, limit: usize) -> Result<Part, Error> {
        let mut all = Vec::new();
        let mut place = match after {
            Some(after) => Place::parse(after).ok_or(Error::NoSuchPlace)?,
            None => {
                self.named(&mut all);
                Place::default()
            }
        };
        for _ in 0..READS_MAX {
            let room = limit.saturating_sub(all.len());
            if room == 0 {
                break;
            }
            let stretch = self.read(&place, room).await?;
            all.extend(stretch.found);
            match place.following(stretch.last) {
                Some(next) => place = next,
                None => return Ok(Part::whole(all)),
            }
        }
        let next = Some(place.to_string());
        Ok(Part { all, next })
    }

    fn named(&self, all: &mut Vec<Limited>) {
        let policy = self.policy;
        let organization = self.directory.allowances().organization();
        all.extend(Limited::organization(policy, &organization));
        // Others are found with those of their kind.
        let is_unknown =
            |name: &&str| UserId::parse(name).is_none() && !name.starts_with(Owner::ACCOUNT_PREFIX);
        let names = policy.users_by_name().filter(is_unknown);
        all.extend(names.filter_map(|name| Limited::user(policy, name, None)));
    }

    async fn read(&self, place: &Place, room: usize) -> Result<Stretch, Error> {
        let after = place.after.as_deref();
        match place.section() {
            Section::Projects => {
                let page = self.directory.projects(cursor(after), false).await?;
                Ok(Stretch::of(&page, room, |one, all| self.project(one, all)))
            }
            Section::Users => {
                let page = self.users(after).await?;
                Ok(Stretch::of(&page, room, |one, all| {
                    let terms = one.tier.as_deref().map(Terms::of_tier).map(Arc::new);
                    self.user((one.id.to_string(), &one.name), terms.as_ref(), all)
                }))
            }
            // They have none but those of the config.
            Section::Accounts if !self.policy.names_users() => Ok(Stretch::default()),
            Section::Accounts => {
                let page: Page<Account> = self.directory.all_accounts(cursor(after)).await?;
                Ok(Stretch::of(&page, room, |one, all| {
                    self.user((one.id.clone(), &one.name), None, all)
                }))
            }
            Section::Keys => self.keys(after, room).await,
        }
    }

    fn project(&self, project: &Project, all: &mut Vec<Limited>) -> String {
        let allowance = self.directory.allowances().of(&project.id);
        let allowance = allowance.unwrap_or_default();
        let limited = Limited::project(self.policy, &project.id, &allowance).into_iter();
        all.extend(limited.map(|one| one.called(&project.name)));
        project.id.clone()
    }

    fn user(
        &self,
        (id, name): (String, &str),
        terms: Option<&Arc<Terms>>,
        all: &mut Vec<Limited>,
    ) -> String {
        let limited = Limited::user(self.policy, &id, terms);
        all.extend(limited.map(|one| one.called(name)));
        id
    }

    async fn users(&self, after: Option<&str>) -> Result<Page<people::Record>, Error> {
        let after = match after {
            Some(id) => Some(UserId::parse(id).ok_or(Error::NoSuchPlace)?),
            None => None,
        };
        Ok(self.users.list(after, Vec::new(), ITEMS).await?)
    }

    async fn keys(&self, after: Option<&str>, room: usize) -> Result<Stretch, Error> {
        let after = match after {
            Some(id) => Some(KeyId::of_public(id).ok_or(Error::NoSuchPlace)?),
            None => None,
        };
        let search = Search {
            with_terms: !self.policy.names_keys(),
            limit: room,
            looks: KEYS,
        };
        let stretch = self.keys.live(after, search).await?;
        let limited = stretch.found.into_iter().filter_map(|key| {
            let terms = Arc::new(key.terms);
            let limited = Limited::key(self.policy, key.id, Some(&terms))?;
            Some(limited.called(&key.name))
        });
        Ok(Stretch {
            found: limited.collect(),
            last: stretch.last.map(|id| id.public()),
        })
    }
}

impl Stretch {
    /// Those of a page who have limits, as far as there is room; `limited` adds the limits of one, and says their id.
    fn of<T>(
        page: &Page<T>,
        room: usize,
        limited: impl Fn(&T, &mut Vec<Limited>) -> String,
    ) -> Self {
        let mut found = Vec::new();
        for (at, item) in page.items.iter().enumerate() {
            let id = limited(item, &mut found);
            let is_last = at + 1 == page.items.len();
            if is_last && page.has_more || !is_last && found.len() >= room {
                let last = Some(id);
                return Self { found, last };
            }
        }
        Self { found, last: None }
    }
}

fn cursor(after: Option<&str>) -> Cursor {
    Cursor::after(after.map(str::to_owned), ITEMS)
}

impl From<directory::Error> for Error {
    fn from(error: directory::Error) -> Self {
        match error {
            directory::Error::NoSuchCursor(_) => Self::NoSuchPlace,
            error => Self::Directory(error),
        }
    }
}

impl From<auth::Error> for Error {
    fn from(error: auth::Error) -> Self {
        match error {
            auth::Error::NoSuchKey(_) => Self::NoSuchPlace,
            error => Self::Keys(error),
        }
    }
}

impl From<people::Error> for Error {
    fn from(error: people::Error) -> Self {
        match error {
            people::Error::NoSuchUser(_) => Self::NoSuchPlace,
            error => Self::Users(error),
        }
    }
}
