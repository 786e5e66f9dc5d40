//! Takes the configuration up again: on SIGHUP, and when its file changes.
//!
//! Swaps nothing itself. Whoever watches decides what a new configuration does and what a bad one does not.

use super::{Config, Flags, Loaded, Problems, load};
use std::{
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::{
    select,
    signal::unix::{Signal, SignalKind, signal},
    task::spawn_blocking,
    time::{MissedTickBehavior, interval},
};

const POLL: Duration = Duration::from_secs(1); // an operator who saves a file waits no longer than two

/// Loads again for as long as it is polled, and hands each result to `publish`, good or bad.
///
/// `source` is the file that the configuration in force came from. It is taken up again even if it was found and not
/// named: a file that is gone must not read as an operator who wants the defaults.
///
/// It looks at the file and listens for the signal from the call on, before the first poll.
pub fn watch(
    flags: Flags,
    source: Option<PathBuf>,
    publish: impl FnMut(Result<Loaded, Problems>),
) -> impl Future<Output = ()> {
    let hangups = signal(SignalKind::hangup());
    if let Err(error) = &hangups {
        tracing::warn!(%error, "SIGHUP will not reload the configuration");
    }
    follow(flags, hangups, Watched::new(source), publish)
}

async fn follow(
    flags: Flags,
    mut hangups: io::Result<Signal>,
    mut file: Watched,
    mut publish: impl FnMut(Result<Loaded, Problems>),
) {
    let mut ticks = interval(POLL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        select! {
            () = next(&mut hangups) => file.accept(),
            _ = ticks.tick() => if !file.has_settled() { continue },
        }
        let flags = Flags {
            config: file.path.clone().or(flags.config.clone()),
            ..flags.clone()
        };
        let loaded = spawn_blocking(move || load(&flags)).await;
        let loaded = loaded.expect("a mistake is a problem, not a panic");
        if let (None, Ok(loaded)) = (&file.path, &loaded) {
            file = Watched::new(loaded.source.clone());
        }
        publish(loaded);
    }
}

/// The keys that differ and that only a restart can apply.
pub fn needs_restart(old: &Config, new: &Config) -> Vec<&'static str> {
    let (before, after) = (&old.server, &new.server);
    let keys = [
        ("server.listen", before.listen != after.listen),
        (
            "server.control_listen",
            before.control_listen != after.control_listen,
        ),
        ("server.workers", before.workers != after.workers),
        ("server.data_dir", before.data_dir != after.data_dir),
        ("server.tls_cert", before.tls != after.tls),
        (
            "server.control_tls_cert",
            before.control_tls != after.control_tls,
        ),
        ("store.url", old.store.at != new.store.at),
        ("store.redis_url", old.store.redis != new.store.redis),
        ("ledger.slots", old.ledger.slots != new.ledger.slots),
        ("ledger.flush", old.ledger.flush != new.ledger.flush),
        (
            "ledger.retention",
            old.ledger.retention != new.ledger.retention,
        ),
        ("log.level", old.log.level != new.log.level),
        ("log.format", old.log.format != new.log.format),
    ];
    let differing = keys.into_iter().filter(|(_, differs)| *differs);
    differing.map(|(key, _)| key).collect()
}

async fn next(hangups: &mut io::Result<Signal>) {
    match hangups {
        Ok(hangups) => _ = hangups.recv().await,
        Err(_) => std::future::pending().await,
    }
}

/// What tells one content of a path from another, without reading it. None: there is no file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
    length: u64,
    modified: (i64, i64),
}

/// A file, and whether it is still the one that was loaded.
struct Watched {
    path: Option<PathBuf>,
    loaded: Option<Identity>,
    seen: Option<Identity>,
}

impl Watched {
    fn new(path: Option<PathBuf>) -> Self {
        let mut watched = Self {
            path,
            loaded: None,
            seen: None,
        };
        watched.accept();
        watched
    }

    /// Takes the file as it is for the one that is loaded. Called before loading: what changes meanwhile is new.
    fn accept(&mut self) {
        self.loaded = self.path.as_deref().and_then(identify);
        self.seen = self.loaded;
    }

    /// Whether the file has become another one, and stayed so for a poll. If so, it counts as loaded.
    ///
    /// Between two polls a file may be half written, or gone for the moment in which it is replaced.
    fn has_settled(&mut self) -> bool {
        let now = self.path.as_deref().and_then(identify);
        let is_stable = now == self.seen;
        self.seen = now;
        let settled = is_stable && now != self.loaded;
        if settled {
            self.loaded = now;
        }
        settled
    }
}

/// Follows symbolic links, so that a link that points elsewhere is another file.
fn identify(path: &Path) -> Option<Identity> {
    let metadata = fs::metadata(path).ok()?;
    Some(Identity {
        device: metadata.dev(),
        inode: metadata.ino(),
        length: metadata.len(),
        modified: (metadata.mtime(), metadata.mtime_nsec()),
    })
}

#[cfg(test)]
mod tests {
    use super::{Watched, needs_restart, watch};
    use crate::config::{Flags, tests::written};
    use std::{fs, os::unix::fs::symlink, path::Path};

    fn watched(path: &Path) -> Watched {
        Watched::new(Some(path.to_owned()))
    }

    #[test]
    fn a_change_counts_once_it_has_settled() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.toml");
        fs::write(&path, "a").unwrap();
        let mut file = watched(&path);
        assert!(!file.has_settled());
        fs::write(&path, "ab").unwrap();
        assert!(!file.has_settled(), "it may be half written");
        assert!(file.has_settled());
        assert!(!file.has_settled(), "it is loaded");
    }

    #[test]
    fn a_file_may_be_away_for_a_moment() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.toml");
        fs::write(&path, "a").unwrap();
        let mut file = watched(&path);
        let away = dir.path().join("away");
        fs::rename(&path, &away).unwrap();
        assert!(!file.has_settled());
        fs::rename(&away, &path).unwrap();
        assert!(!file.has_settled());
        assert!(!file.has_settled(), "it is the same file");
        fs::remove_file(&path).unwrap();
        assert!(!file.has_settled());
        assert!(file.has_settled(), "it is gone");
        assert!(!file.has_settled(), "and that is known");
    }

    #[test]
    fn a_link_that_points_elsewhere_is_a_change() {
        let dir = tempfile::tempdir().unwrap();
        let [one, two, link] = ["one", "two", "link"].map(|name| dir.path().join(name));
        fs::write(&one, "a").unwrap();
        fs::write(&two, "b").unwrap();
        symlink(&one, &link).unwrap();
        let mut file = watched(&link);
        fs::remove_file(&link).unwrap();
        symlink(&two, &link).unwrap();
        assert!(!file.has_settled());
        assert!(file.has_settled());
    }

    #[test]
    fn what_is_bound_at_the_start_needs_a_restart() {
        let old = written("");
        let new = written("[server]\nlisten = '127.0.0.1:1'\nworkers = 77\nbody_max = '1MiB'");
        assert_eq!(
            needs_restart(&old, &new),
            ["server.listen", "server.workers"]
        );
        assert!(needs_restart(&old, &old).is_empty());
    }

    #[tokio::test]
    async fn a_hangup_loads_again_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.toml");
        fs::write(&path, "[server]\nworkers = 'wrong'").unwrap();
        let (sender, mut results) = tokio::sync::mpsc::unbounded_channel();
        let publish = |loaded| sender.send(loaded).unwrap();
        let hang_up = async {
            let own = rustix::process::getpid();
            rustix::process::kill_process(own, rustix::process::Signal::HUP).unwrap();
            results.recv().await.unwrap()
        };
        // In this order: the signal kills a process that does not yet listen for it.
        let loaded = tokio::select! {
            biased;
            () = watch(Flags::default(), Some(path), publish) => unreachable!("it goes on"),
            loaded = hang_up => loaded,
        };
        assert_eq!(loaded.unwrap_err().0[0].key, "server.workers");
    }
}
