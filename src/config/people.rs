//! How users sign in, and whose tokens are believed: `[people]`, `[[signing_key]]` and `[[issuer]]`.

use super::{
    Authorities,
    authorities::authorities,
    credential::{Found, fetch},
    environment::Environment,
    read::{At, Section},
    values::{days, duration, list, word},
};
use crate::{
    domain::{Owner, is_visible},
    jwt::{Algorithm, SigningKey},
};
use http::Uri;
use std::{collections::BTreeSet, fs, io::Read, net::IpAddr, sync::Arc, time::Duration};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const NAME_BYTES_MAX: usize = 64; // it labels metrics and log lines
const TEXT_BYTES_MAX: usize = 512;
const PEM_BYTES_MAX: u64 = 64 << 10;
/// As many as a rotation could ever need.
const KEYS_MAX: usize = 16;
const ISSUERS_MAX: usize = 32;

/// How users sign in, and whose tokens are believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct People {
    /// What access tokens call their maker.
    pub issuer: String,
    /// What they call those that they are for.
    pub audience: String,
    /// How long an access token is good for.
    pub access_ttl: Duration,
    /// How long a sign-in can be gone on with.
    pub refresh_ttl: Duration,
    /// How far the clock of whoever made a token may be off.
    pub clock_skew: Duration,
    /// The keys of access tokens, in the order written: the first that can signs, all verify.
    pub keys: Vec<SigningKey>,
    /// Whose tokens are believed besides.
    pub issuers: Vec<Arc<Issuer>>,
}

/// An outside issuer, and what its claims mean here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer {
    /// What logs and metrics call it.
    pub name: Arc<str>,
    /// What its tokens call it, to the letter.
    pub issuer: String,
    /// One of these must be among those that a token is for; never empty.
    pub audiences: Vec<String>,
    /// Where its keys are; none: its discovery document tells.
    pub key_set: Option<String>,
    /// Who may vouch for it instead of the public's authorities.
    pub authorities: Option<Authorities>,
    /// How its tokens may be signed; never empty, and never by a shared secret.
    pub algorithms: Vec<Algorithm>,
    /// The least time between two looks for a key that is not known.
    pub pause: Duration,
    /// The claim that names the user.
    pub user_claim: String,
    /// The claim that has their email.
    pub email_claim: Option<String>,
    /// The claim that names their projects.
    pub project_claim: Option<String>,
    /// The project of those whose token names none.
    pub project: Option<String>,
    /// The claim that names their roles.
    pub role_claim: Option<String>,
    /// The roles that make somebody an owner of the organization.
    pub owners: Vec<String>,
    /// The roles that make somebody an owner of their projects.
    pub project_owners: Vec<String>,
    /// The claim that names the tier of their calls.
    pub tier_claim: Option<String>,
}

pub(super) fn people(root: &mut Section<'_>, environment: &Environment) -> People {
    let mut written = root.section("people");
    let issuer = written.need("issuer", text);
    let people = People {
        audience: written.need("audience", text),
        access_ttl: written.need("access_ttl", duration(MINUTE..=HOUR)),
        refresh_ttl: written.need("refresh_ttl", days(1..=365)),
        clock_skew: written.need("clock_skew", duration(Duration::ZERO..=2 * MINUTE)),
        keys: keys(root.sections("signing_key"), environment),
        issuers: issuers(root.sections("issuer"), &issuer),
        issuer,
    };
    if people.keys.len() > KEYS_MAX {
        written.refuse(
            "issuer",
            format!("has more than {KEYS_MAX} [[signing_key]]"),
        );
    }
    if people.issuers.len() > ISSUERS_MAX {
        written.refuse(
            "issuer",
            format!("has more than {ISSUERS_MAX} [[issuer]] beside it"),
        );
    }
    people
}

fn keys(written: Vec<Section<'_>>, environment: &Environment) -> Vec<SigningKey> {
    let mut names = BTreeSet::new();
    let mut keys = Vec::new();
    for mut written in written {
        let name = written.need("name", name);
        if !name.is_empty() && !names.insert(name.clone()) {
            written.refuse("name", "is the name of another key too");
        }
        let algorithm = written.must("algorithm", word(Algorithm::OWN));
        let read = |at: At<'_>| key(&at, &name, algorithm?, environment);
        keys.extend(written.must("key", read));
    }
    keys
}

fn key(
    at: &At<'_>,
    name: &str,
    algorithm: Algorithm,
    environment: &Environment,
) -> Option<SigningKey> {
    let read = match algorithm {
        Algorithm::Hs256 => match fetch(at, environment)? {
            Found::Here(secret) => SigningKey::of_secret(name, secret.expose().as_bytes()),
            Found::Missing(why) => return at.refuse(why),
        },
        _ => SigningKey::of_pem(name, algorithm, &pem(at)?),
    };
    match read {
        Ok(key) => Some(key),
        Err(bad) => at.refuse(bad.to_string()),
    }
}

/// A file of a key, which has lines and is no text for a header.
fn pem(at: &At<'_>) -> Option<zeroize::Zeroizing<Vec<u8>>> {
    let address = at.text()?;
    let Some(path) = address
        .strip_prefix("file:")
        .filter(|path| !path.is_empty())
    else {
        return at
            .refuse("expected \"file:/path\" of a PEM file, so that the key is not in this file");
    };
    let mut content = zeroize::Zeroizing::new(Vec::new());
    let read =
        fs::File::open(path).and_then(|file| file.take(PEM_BYTES_MAX).read_to_end(&mut content));
    match read {
        Ok(_) => Some(content),
        Err(error) => at.refuse(format!("{path} cannot be read: {error}")),
    }
}

fn issuers(written: Vec<Section<'_>>, own: &str) -> Vec<Arc<Issuer>> {
    let (mut names, mut known) = (BTreeSet::new(), BTreeSet::from([own.to_owned()]));
    let mut issuers = Vec::new();
    for mut written in written {
        let issuer = Issuer {
            name: written.need("name", name).into(),
            issuer: written.need("issuer", text),
            audiences: written.need("audience", list(text)),
            key_set: written.may("key_set", url),
            authorities: written.may("ca_file", authorities).flatten(),
            algorithms: written.need("algorithms", list(|at| word(Algorithm::PUBLIC)(at))),
            pause: written
                .may("pause", duration(SECOND..=HOUR))
                .unwrap_or(10 * SECOND),
            user_claim: written
                .may("user_claim", text)
                .unwrap_or_else(|| "sub".to_owned()),
            email_claim: written.may("email_claim", text),
            project_claim: written.may("project_claim", text),
            project: written.may("project", project),
            role_claim: written.may("role_claim", text),
            owners: written.may("owners", list(text)).unwrap_or_default(),
            project_owners: written
                .may("project_owners", list(text))
                .unwrap_or_default(),
            tier_claim: written.may("tier_claim", text),
        };
        if !issuer.name.is_empty() && !names.insert(Arc::clone(&issuer.name)) {
            written.refuse("name", "is the name of another issuer too");
        }
        if !issuer.issuer.is_empty() && !known.insert(issuer.issuer.clone()) {
            written.refuse("issuer", "is another issuer's, or Weir's own");
        }
        if issuer.audiences.is_empty() {
            written.refuse("audience", "is empty: whom a token is for must be checked");
        }
        if issuer.algorithms.is_empty() {
            written.refuse("algorithms", "is empty");
        }
        if issuer.key_set.is_none() && !may_fetch(&issuer.issuer) {
            let why = "must be an https:// URL, or `key_set` must say where the keys are";
            written.refuse("issuer", why);
        }
        let has_roles = !issuer.owners.is_empty() || !issuer.project_owners.is_empty();
        if has_roles && issuer.role_claim.is_none() {
            written.refuse("role_claim", "is needed to tell who has these roles");
        }
        issuers.push(Arc::new(issuer));
    }
    issuers
}

/// Whether keys may be fetched from there: over TLS, or from this machine.
pub fn may_fetch(url: &str) -> bool {
    let Ok(uri) = url.parse::<Uri>() else {
        return false;
    };
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let is_local = host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback()) || host == "localhost";
    let has_user = uri.authority().is_none_or(|at| at.as_str().contains('@'));
    match uri.scheme_str() {
        _ if has_user || host.is_empty() => false,
        Some("https") => true,
        Some("http") => is_local,
        _ => false,
    }
}

fn url(at: At<'_>) -> Option<String> {
    let url = at.text()?;
    match may_fetch(&url) {
        true => Some(url),
        false => at.refuse("expected an https:// URL; http:// is for this machine only"),
    }
}

fn name(at: At<'_>) -> Option<String> {
    let name = at.text()?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    match (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(is_plain) {
        true => Some(name),
        false => at.refuse(format!(
            "expected 1 to {NAME_BYTES_MAX} letters, digits, dots, dashes or underscores"
        )),
    }
}

fn text(at: At<'_>) -> Option<String> {
    bounded(at, TEXT_BYTES_MAX)
}

fn project(at: At<'_>) -> Option<String> {
    bounded(at, Owner::NAME_MAX_BYTES)
}

fn bounded(at: At<'_>, max: usize) -> Option<String> {
    let text = at.text()?;
    match (1..=max).contains(&text.len()) && text.chars().all(is_visible) {
        true => Some(text),
        false => at.refuse(format!(
            "expected 1 to {max} bytes without control characters"
        )),
    }
}
