//! What the token of an outside issuer makes of its holder, by the configuration's mapping of claims.

use super::UserId;
use crate::{
    config,
    domain::{KeyId, Membership, Owner, ProjectRole, Role, Terms, User, is_visible},
    jwt::{VerifyKey, texts},
};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::{sync::Arc, time::SystemTime};

/// Projects that one token may open.
const PROJECTS_MAX: usize = 64;
const ID_BYTES_MAX: usize = Owner::NAME_MAX_BYTES;
const TEXT_BYTES_MAX: usize = 254;

/// The holder of a good token of an outside issuer.
pub(super) struct Outsider {
    pub(super) user: Arc<User>,
    /// For whom calls are written down, by membership.
    pub(super) owners: Vec<Arc<Owner>>,
    /// What is agreed for their calls: the tier that a claim names.
    pub(super) terms: Option<Arc<Terms>>,
    /// Under what they are written down where others have the key's id.
    pub(super) meter: KeyId,
    /// Which of the issuers, and its key: when it takes the key back, the token ends.
    pub(super) issuer: Arc<str>,
    pub(super) key: Arc<VerifyKey>,
    pub(super) ends: SystemTime,
}

impl Outsider {
    /// Reads verified claims. None if they do not say who it is.
    pub(super) fn read(
        config: &config::Issuer,
        claims: &Value,
        key: Arc<VerifyKey>,
    ) -> Option<Self> {
        let first = |claim: &Option<String>, max: usize| {
            let texts = texts(claims, claim.as_deref()?);
            texts
                .into_iter()
                .find(|text| is_sane(text, max))
                .map(String::into_boxed_str)
        };
        let id = first(&Some(config.user_claim.clone()), ID_BYTES_MAX)?;
        // On the ledger and in the audit log it would be somebody else's.
        if UserId::parse(&id).is_some() || id.starts_with(Owner::ACCOUNT_PREFIX) {
            return None;
        }
        let has = |claim: &Option<String>, wanted: &[String]| {
            let held = claim
                .as_deref()
                .map_or_else(Vec::new, |name| texts(claims, name));
            wanted.iter().any(|one| held.contains(one))
        };
        let role = match has(&config.role_claim, &config.owners) {
            true => Role::Owner,
            false => Role::Reader,
        };
        let project_role = match has(&config.role_claim, &config.project_owners) {
            true => ProjectRole::Owner,
            false => ProjectRole::Member,
        };
        let claimed = config.project_claim.as_deref();
        let mut projects = claimed.map_or_else(Vec::new, |name| texts(claims, name));
        projects.retain(|id| is_sane(id, ID_BYTES_MAX));
        projects.truncate(PROJECTS_MAX);
        if projects.is_empty() {
            projects.extend(config.project.clone());
        }
        let membership = |id: &String| Membership {
            project: id.as_str().into(),
            role: project_role,
        };
        let owner = |project: &String| {
            Arc::new(Owner {
                project: Some(project.as_str().into()),
                user: Some(id.clone()),
            })
        };
        let tier = first(&config.tier_claim, ID_BYTES_MAX);
        let ends = claims.get("exp")?.as_f64()?;
        let ends = std::time::Duration::try_from_secs_f64(ends).ok()?;
        Some(Self {
            owners: projects.iter().map(owner).collect(),
            terms: tier.as_deref().map(|tier| Arc::new(Terms::of_tier(tier))),
            meter: meter(&config.issuer, &id),
            issuer: Arc::clone(&config.name),
            key,
            ends: SystemTime::UNIX_EPOCH.checked_add(ends)?,
            user: Arc::new(User {
                email: first(&config.email_claim, TEXT_BYTES_MAX),
                name: first(&Some("name".to_owned()), TEXT_BYTES_MAX),
                role,
                memberships: projects.iter().map(membership).collect(),
                tier,
                project: None,
                session: None,
                id,
            }),
        })
    }
}

fn is_sane(text: &str, max: usize) -> bool {
    (1..=max).contains(&text.len()) && text.chars().all(is_visible)
}

/// The same for one user of one issuer at all times, and for no two of them.
fn meter(issuer: &str, user: &str) -> KeyId {
    const ALPHABET: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";
    let hash = Sha256::digest(format!("{issuer}\n{user}"));
    let text: Vec<u8> = hash
        .iter()
        .take(KeyId::LEN)
        .map(|byte| ALPHABET[usize::from(byte & 31)])
        .collect();
    KeyId::parse(&text).expect("the alphabet is letters and digits")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jwt::{Algorithm, VerifyKey};
    use serde_json::json;
    use std::time::Duration;

    fn read(claims: &Value) -> Outsider {
        let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
        let key = json!({"kty": "OKP", "crv": "Ed25519", "kid": "k", "x": x});
        let key = VerifyKey::of_jwk(&key, &[Algorithm::EdDsa]).unwrap();
        let text = |text: &str| Some(text.to_owned());
        let config = config::Issuer {
            name: "corp".into(),
            issuer: "https://login.test".to_owned(),
            audiences: vec!["weir".to_owned()],
            key_set: None,
            authorities: None,
            algorithms: vec![Algorithm::EdDsa],
            pause: Duration::ZERO,
            user_claim: "sub".to_owned(),
            email_claim: None,
            project_claim: text("groups"),
            project: None,
            role_claim: None,
            owners: Vec::new(),
            project_owners: Vec::new(),
            tier_claim: text("plan"),
        };
        Outsider::read(&config, claims, Arc::new(key)).unwrap()
    }

    #[test]
    fn a_tier_that_is_claimed_is_agreed_for_calls() {
        let mut claims = json!({"sub": "ana", "exp": 9_000_000_000_u64, "groups": ["a"]});
        assert_eq!(read(&claims).terms, None);
        claims["plan"] = "gold".into();
        let outsider = read(&claims);
        assert_eq!(outsider.user.tier.as_deref(), Some("gold"));
        let terms = outsider.terms.unwrap();
        assert_eq!(terms.tier.as_deref(), Some("gold"));
        assert!(terms.allowed_ips.is_empty() && terms.budget.is_none());
    }
}
