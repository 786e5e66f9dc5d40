//! Passwords: hashed with Argon2id on threads of their own, so many at a time and no more.
//!
//! 19 MiB, two passes, one lane: what OWASP advises. It takes some 20 ms of a core, so it happens nowhere else.

use super::Error;
use crate::{domain::Secret, telemetry::metrics};
use argon2::{
    Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version,
    password_hash::phc::PasswordHash as Phc,
};
use base64::{Engine, prelude::BASE64_STANDARD_NO_PAD as STANDARD_NO_PAD};
use std::{
    fmt,
    sync::{Arc, Mutex, mpsc},
    thread,
};
use tokio::sync::oneshot;

/// Shorter passwords are guessed.
pub const PASSWORD_CHARS_MIN: usize = 12;
/// Longer ones are no passwords.
pub(super) const PASSWORD_CHARS_MAX: usize = 256;

const MEMORY_KIB: u32 = 19 << 10;
const PASSES: u32 = 2;
/// As many hashes at a time, so 38 MiB for all of them together.
const THREADS: usize = 2;
/// As many wait for them; more are told to come again.
const QUEUE: usize = 64;

/// What a password can be checked against: an Argon2id hash with its parameters, in the form `$argon2id$…`.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(Secret);

impl PasswordHash {
    /// The hash of a new password. Takes a moment; not for a thread that serves.
    pub fn of(password: &Secret) -> Result<Self, Error> {
        let text = password.expose();
        let fits = (PASSWORD_CHARS_MIN..=PASSWORD_CHARS_MAX).contains(&text.chars().count());
        // A form or a terminal would not let them type it again.
        if !fits || text.chars().any(char::is_control) {
            return Err(Error::Password);
        }
        Self::hash(password.expose())
    }

    fn hash(password: &str) -> Result<Self, Error> {
        let mut salt = [0; 16];
        getrandom::fill(&mut salt)?;
        let hash: Phc = argon()
            .hash_password_with_salt(password.as_bytes(), &salt)
            .expect("the parameters are good, and so is a salt of 16 bytes");
        Ok(Self::stored(hash.to_string()))
    }

    /// What no password has for its hash, as good as any to be checked against: made up rather than hashed, for a start
    /// would wait for that.
    fn of_nobody() -> Result<Self, Error> {
        let (mut salt, mut hash) = ([0; 16], [0; 32]);
        getrandom::fill(&mut salt)?;
        getrandom::fill(&mut hash)?;
        let (salt, hash) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(hash));
        Ok(Self::stored(format!(
            "$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p=1${salt}${hash}"
        )))
    }

    /// A hash as the store has it.
    pub(super) fn stored(text: String) -> Self {
        Self(Secret::new(text))
    }

    pub(super) fn expose(&self) -> &str {
        self.0.expose()
    }

    /// Whether it is the hash of `password`. Takes a moment, whatever the answer.
    fn is_of(&self, password: &str) -> bool {
        let hash = Phc::new(self.expose());
        // Its own parameters: those of this version may be others than those that it was made with.
        hash.is_ok_and(|hash| argon().verify_password(password.as_bytes(), &hash).is_ok())
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(..)")
    }
}

fn argon() -> Argon2<'static> {
    let params = Params::new(MEMORY_KIB, PASSES, 1, None).expect("a test hashes with them");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

type Job = Box<dyn FnOnce() + Send>;

/// The threads that hash.
pub(super) struct Hasher {
    jobs: mpsc::SyncSender<Job>,
    /// Stands in for the hash of somebody who does not exist, so that they cost the same.
    nobody: PasswordHash,
}

/// There is no room for another password.
pub(super) struct Busy;

impl Hasher {
    pub(super) fn start() -> Result<Self, Error> {
        let (jobs, queue) = mpsc::sync_channel::<Job>(QUEUE);
        let queue = Arc::new(Mutex::new(queue));
        for number in 0..THREADS {
            let queue = Arc::clone(&queue);
            let work = move || {
                loop {
                    // Held while it waits: the others wait for the lock instead, which is the same.
                    let job = queue
                        .lock()
                        .expect("nothing panics while it is held")
                        .recv();
                    match job {
                        Ok(job) => job(),
                        Err(_) => return, // nobody can ask any more
                    }
                }
            };
            let thread = thread::Builder::new().name(format!("weir-password-{number}"));
            thread.spawn(work).map_err(Error::Threads)?;
        }
        let nobody = PasswordHash::of_nobody()?;
        Ok(Self { jobs, nobody })
    }

    /// Whether `password` is that of `hash`. Without one the answer is no, after the same work.
    pub(super) async fn check(
        &self,
        password: Secret,
        hash: Option<PasswordHash>,
    ) -> Result<bool, Busy> {
        let is_somebody = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.nobody.clone());
        let proven = self.run(move || hash.is_of(password.expose())).await?;
        Ok(proven && is_somebody)
    }

    /// The hash of a new password.
    pub(super) async fn hash(&self, password: Secret) -> Result<Result<PasswordHash, Error>, Busy> {
        self.run(move || PasswordHash::of(&password)).await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Busy> {
        let (sender, answer) = oneshot::channel();
        let job = move || {
            metrics::password_hashed();
            let _ = sender.send(work()); // whoever asked may have left
        };
        self.jobs.try_send(Box::new(job)).map_err(|_| Busy)?;
        answer.await.map_err(|_| Busy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_costs_what_somebody_costs_and_has_no_password() {
        let somebody = PasswordHash::of(&Secret::new("correct horse battery".to_owned())).unwrap();
        let nobody = PasswordHash::of_nobody().unwrap();
        let parts = |hash: &PasswordHash| {
            let hash = Phc::new(hash.expose()).unwrap();
            let lens = (hash.salt.unwrap().len(), hash.hash.unwrap().len());
            (
                hash.algorithm.to_string(),
                hash.version,
                hash.params.to_string(),
                lens,
            )
        };
        assert_eq!(parts(&nobody), parts(&somebody));
        assert!(somebody.is_of("correct horse battery"));
        assert!(!nobody.is_of("") && !nobody.is_of("correct horse battery"));
        assert_ne!(nobody, PasswordHash::of_nobody().unwrap());
    }
}
