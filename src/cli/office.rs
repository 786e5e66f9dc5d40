//! What commands that change the directory have in common: the store, and by whom they are run.

use super::{Ending, mistake};
use crate::{
    audit::{Actor, Origin},
    auth::{self, Keys},
    config::{Flags, load_store},
    directory::{self, Directory},
    ledger::Reports,
    store::Db,
};
use anyhow::Context;
use std::time::SystemTime;

/// An open store, for somebody at the command line.
pub(super) struct Office {
    pub(super) keys: Keys,
    pub(super) directory: Directory,
    pub(super) reports: Reports,
    pub(super) db: Db,
    pub(super) by: Origin,
}

/// Opens the store and does `work` on it.
pub(super) fn run(
    flags: &Flags,
    work: impl AsyncFnOnce(Office) -> Result<(), Ending>,
) -> Result<(), Ending> {
    on_store(flags, async |db| {
        let keys = Keys::open(db.clone())
            .await
            .context("the keys cannot be read")?;
        let directory = Directory::open(db.clone(), keys.clone()).await;
        let office = Office {
            keys,
            directory: directory.context("the directory cannot be read")?,
            reports: Reports::new(db.clone()),
            db,
            by: by(),
        };
        work(office).await
    })
}

/// [`run`] for what needs neither keys nor projects in memory.
pub(super) fn on_store(
    flags: &Flags,
    work: impl AsyncFnOnce(Db) -> Result<(), Ending>,
) -> Result<(), Ending> {
    let store = load_store(flags).map_err(|problems| Ending::Mistake(problems.to_string()))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("no runtime")?;
    let db = Db::open(&store.at).map_err(|error| mistake(&store, error))?;
    runtime.block_on(work(db))
}

/// Whoever runs this, for the audit log.
pub(super) fn by() -> Origin {
    Actor::CommandLine(person()).into()
}

/// Whoever runs this, by the name that the operating system has for them, or their number if it has none.
fn person() -> String {
    let number = rustix::process::getuid().as_raw();
    let named = |line: &str| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let uid: u32 = fields.nth(1)?.parse().ok()?;
        (uid == number).then(|| name.to_owned())
    };
    let accounts = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = accounts.lines().find_map(named);
    name.unwrap_or_else(|| format!("uid {number}"))
}

/// A mistake of the caller's is said in one line; what failed beneath is said with its causes.
pub(super) fn ending(error: directory::Error) -> Ending {
    match error {
        directory::Error::Key(error) => ending_of_key(error),
        directory::Error::Random(_) | directory::Error::Store(_) => Ending::Failure(error.into()),
        mistake => Ending::Mistake(mistake.to_string()),
    }
}

/// The same for keys.
pub(super) fn ending_of_key(error: auth::Error) -> Ending {
    match error {
        auth::Error::Random(_) | auth::Error::FirstKeysFile { .. } | auth::Error::Store(_) => {
            Ending::Failure(error.into())
        }
        mistake => Ending::Mistake(mistake.to_string()),
    }
}

/// A time as OpenAI's API writes it.
pub(super) fn seconds(time: SystemTime) -> u64 {
    crate::store::Millis::of(time).seconds()
}
