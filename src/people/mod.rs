//! The people who use Weir: their accounts, their sign-ins, and who a token on a request stands for.
//!
//! A request is answered from memory, as with keys. Passwords are hashed away from the threads that serve; no password
//! and no token is kept anywhere, only what they can be checked against.

mod access;
mod changes;
mod columns;
mod error;
mod follow;
mod guard;
mod id;
mod index;
mod invites;
mod issuer;
mod keyring;
mod memberships;
mod once;
mod outside;
mod password;
mod records;
mod refresh;
mod session;
mod sign_in;
mod telling;
mod tiers;
mod users;
mod verified;

pub use access::{Project, Unproven};
pub use error::{Error, SignInError};
pub use id::{InviteId, SessionId, UserId};
pub use invites::{Invite, NewInvite};
pub use memberships::{close_project, works_in};
pub use password::{PASSWORD_CHARS_MIN, PasswordHash};
pub use records::{Member, Record};
pub use sign_in::{Client, Credentials, Grant};
pub use tiers::{terms_of, tiers};
pub use users::{NewUser, UserChange, Users};

use crate::{config, store::Db};
use arc_swap::ArcSwap;
use guard::Guard;
use issuer::Issuer;
use keyring::Keyring;
use password::Hasher;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};
use verified::Verified;

/// Everything about people, as all threads share it.
pub struct People {
    /// The accounts.
    pub users: Users,
    trust: ArcSwap<Trust>,
    hasher: Hasher,
    guard: Guard,
    /// Where the key of access tokens is, unless the config has some.
    data_dir: PathBuf,
}

/// Whose tokens are believed, as one configuration has it.
struct Trust {
    config: config::People,
    keyring: Keyring,
    issuers: Vec<Arc<Issuer>>,
    /// Tokens that were verified. It ends with the keys that it was filled under.
    verified: Verified,
}

impl People {
    /// Reads every account of `db` into memory, and the key that tokens are signed with; made if there is none.
    pub async fn open(db: Db, config: &config::People, data_dir: &Path) -> Result<Self, Error> {
        let own = keyring::own_secret(data_dir, config)?;
        Ok(Self {
            users: Users::open(db).await?,
            trust: ArcSwap::from_pointee(Trust::new(config, Keyring::new(config, own))),
            hasher: Hasher::start()?,
            guard: Guard::default(),
            data_dir: data_dir.to_owned(),
        })
    }

    /// Takes up a changed configuration, or leaves all as it was. To be called in the runtime that drives what happens in the background.
    pub fn take_up(&self, config: &config::People) -> Result<(), Error> {
        let before = self.trust.load();
        if before.config == *config {
            return Ok(());
        }
        let keyring = before.keyring.changed(config, &self.data_dir)?;
        before.retire();
        let after = Arc::new(Trust::new(config, keyring));
        after.watch();
        self.trust.store(after);
        Ok(())
    }

    /// Begins to fetch the keys of outside issuers, in the background of this thread's runtime.
    pub fn watch_issuers(&self) {
        self.trust.load().watch();
    }
}

impl Trust {
    fn new(config: &config::People, keyring: Keyring) -> Self {
        let issuers = config.issuers.iter().cloned().map(Issuer::new);
        Self {
            config: config.clone(),
            keyring,
            issuers: issuers.map(Arc::new).collect(),
            verified: Verified::default(),
        }
    }

    fn watch(&self) {
        for issuer in &self.issuers {
            crate::tasks::spawn(Arc::clone(issuer).follow());
        }
    }

    fn retire(&self) {
        self.issuers.iter().for_each(|issuer| issuer.retire());
    }
}

// The same tests for each database.
#[cfg(test)]
#[path = "tests.rs"]
#[expect(clippy::duplicate_mod, reason = "it finds its database by its name")]
mod on_postgres;
#[cfg(test)]
#[path = "tests.rs"]
mod on_sqlite;
