//! The keys of Weir's own access tokens, and what such a token says.

use super::{Error, SessionId, UserId};
use crate::{
    config,
    domain::Secret,
    jwt::{Expected, Look, Refused, SigningKey},
    store,
};
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

const FILE: &str = "access-token.key";
/// What tokens call the key that Weir makes itself.
const OWN: &str = "weir";
const SECRET_CHARS: usize = 64; // of 62: more bits than the hash has

/// The first key that can signs; all verify.
pub(super) struct Keyring {
    keys: Vec<SigningKey>,
    /// The one in the data directory, for when the config has none.
    own: Option<SigningKey>,
    expected: Expected,
}

/// What an access token of Weir's own says.
#[derive(Serialize, Deserialize)]
pub(super) struct Claims {
    iss: String,
    aud: String,
    sub: String,
    sid: String,
    iat: u64,
    nbf: u64,
    exp: u64,
    /// Makes no two alike.
    jti: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    project: Option<String>,
}

/// Whom a token of Weir's own is for.
pub(super) struct Meant {
    pub(super) user: UserId,
    pub(super) session: SessionId,
    pub(super) project: Option<String>,
    pub(super) ends: SystemTime,
}

impl Keyring {
    pub(super) fn new(config: &config::People, own: Option<SigningKey>) -> Self {
        let keys = match config.keys.iter().any(SigningKey::signs) {
            true => config.keys.clone(),
            false => own.iter().chain(&config.keys).cloned().collect(),
        };
        Self {
            keys,
            own,
            expected: Expected {
                issuer: config.issuer.clone(),
                audiences: vec![config.audience.clone()],
                skew: config.clock_skew,
            },
        }
    }

    /// The keyring of a changed configuration.
    pub(super) fn changed(&self, config: &config::People, data_dir: &Path) -> Result<Self, Error> {
        let own = match &self.own {
            Some(own) => Some(own.clone()),
            None => own_secret(data_dir, config)?,
        };
        Ok(Self::new(config, own))
    }

    /// Whether a token claims to be of this Weir's making.
    pub(super) fn is_meant(&self, look: &Look) -> bool {
        look.issuer == self.expected.issuer
    }

    /// A token for somebody, from `now` to `ends`; none if no key can sign.
    pub(super) fn sign(&self, meant: &Meant, now: SystemTime) -> Result<Option<String>, Error> {
        let seconds = |time: SystemTime| {
            time.duration_since(UNIX_EPOCH)
                .unwrap_or_default()
                .as_secs()
        };
        let claims = Claims {
            iss: self.expected.issuer.clone(),
            aud: self.expected.audiences.concat(),
            sub: meant.user.to_string(),
            sid: meant.session.to_string(),
            iat: seconds(now),
            nbf: seconds(now),
            exp: seconds(meant.ends),
            jti: text::<22>()?,
            project: meant.project.clone(),
        };
        let key = self.keys.iter().find(|key| key.signs());
        Ok(key.and_then(|key| key.sign(&claims)))
    }

    /// Whom a token is for, if it is good. Its key is found by name among a few: a name never leads to a file.
    pub(super) fn verify(
        &self,
        token: &str,
        look: &Look,
        now: SystemTime,
    ) -> Result<Meant, Refused> {
        let named = |key: &&SigningKey| Some(key.id()) == look.key.as_deref();
        let key = self.keys.iter().find(named).ok_or(Refused::Signature)?;
        if !key.verifier().is_for(look.algorithm) {
            return Err(Refused::Algorithm);
        }
        let claims: Claims = key.verifier().verify(token, &self.expected, now)?;
        let meant = || {
            Some(Meant {
                user: UserId::parse(&claims.sub)?,
                session: SessionId::parse(&claims.sid)?,
                project: claims.project.clone(),
                ends: UNIX_EPOCH.checked_add(std::time::Duration::from_secs(claims.exp))?,
            })
        };
        meant().ok_or(Refused::Malformed)
    }
}

fn text<const N: usize>() -> Result<String, getrandom::Error> {
    let text = crate::auth::random_text::<N>()?;
    Ok(text.iter().copied().map(char::from).collect())
}

/// The secret in the data directory, made if there is none; not needed if the config has a key that signs.
///
/// It is a file and not a row, so that whoever can read the store can still be nobody else.
pub(super) fn own_secret(
    data_dir: &Path,
    config: &config::People,
) -> Result<Option<SigningKey>, Error> {
    if config.keys.iter().any(SigningKey::signs) {
        return Ok(None);
    }
    let path = data_dir.join(FILE);
    let failed = |source| Error::KeyFile {
        path: path.clone(),
        source,
    };
    let mut secret = read(&path).map_err(failed)?;
    if secret.is_none() {
        make(data_dir, &path).map_err(failed)?;
        // Read back: another process may have been quicker.
        secret = read(&path).map_err(failed)?;
    }
    let secret = secret.ok_or_else(|| failed(io::ErrorKind::NotFound.into()))?;
    let key = SigningKey::of_secret(OWN, secret.expose().as_bytes());
    let short = |error| failed(io::Error::new(io::ErrorKind::InvalidData, error));
    key.map(Some).map_err(short)
}

fn read(path: &Path) -> io::Result<Option<Secret>> {
    let mut text = String::new();
    match File::open(path) {
        Ok(file) => file.take(4096).read_to_string(&mut text)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let secret = Secret::new(text.trim_end());
    zeroize::Zeroize::zeroize(&mut text);
    Ok(Some(secret))
}

/// Puts a new secret in place whole, for its owner only, unless one is there.
fn make(dir: &Path, path: &Path) -> io::Result<()> {
    store::create_private_dir(dir)?;
    let unique = text::<16>().map_err(io::Error::other)?;
    let draft = path.with_extension(unique);
    let secret = text::<SECRET_CHARS>()
        .map(Secret::new)
        .map_err(io::Error::other)?;
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&draft)
        .and_then(|mut new| {
            new.write_all(secret.expose().as_bytes())?;
            new.sync_all()
        });
    // A link, unlike a rename, leaves one that is there alone.
    let placed = written.and_then(|()| match fs::hard_link(&draft, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        linked => linked,
    });
    let removed = fs::remove_file(&draft);
    placed.and(removed)?;
    File::open(dir)?.sync_all()
}
