//! Keys, each pinned to its algorithms.

use super::{
    Algorithm,
    claims::{Expected, Refused, judge},
    crypto::{self, Pair},
};
use jsonwebtoken::{
    self as jwt, AlgorithmFamily, DecodingKey, EncodingKey, Header, Validation,
    jwk::{Jwk, PublicKeyUse},
};
use ring::signature::KeyPair;
use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};
use std::{fmt, time::SystemTime};

/// Shorter secrets are less than the hash that they key.
const SECRET_BYTES_MIN: usize = 32;

/// Verifies tokens.
#[derive(Clone)]
pub struct VerifyKey {
    /// What a token calls it; none if its issuer gave it no name.
    pub id: Option<Box<str>>,
    /// All of one family.
    algorithms: Box<[Algorithm]>,
    key: DecodingKey,
}

/// Signs and verifies tokens of Weir's own.
#[derive(Clone)]
pub struct SigningKey {
    verify: VerifyKey,
    /// None if only the public half is here.
    sign: Option<EncodingKey>,
    /// Tells one key from another without its content.
    fingerprint: [u8; 32],
}

/// Why a key is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadKey {
    /// Too short a secret.
    #[error("the secret must have {SECRET_BYTES_MIN} bytes or more")]
    Short,
    /// Not a PEM document of a key of this algorithm.
    #[error("expected the PEM file of a private or a public key for this algorithm")]
    Pem,
}

impl VerifyKey {
    /// The key in an issuer's set, for those of the `allowed` algorithms that it is made for. None if it is for none.
    pub fn of_jwk(jwk: &serde_json::Value, allowed: &[Algorithm]) -> Option<Self> {
        crypto::install();
        let jwk: Jwk = serde_json::from_value(jwk.clone()).ok()?;
        if matches!(jwk.common.public_key_use, Some(ref used) if *used != PublicKeyUse::Signature) {
            return None;
        }
        let key = DecodingKey::from_jwk(&jwk).ok()?;
        // A secret in a published set is a trap, whatever the configuration allows.
        if key.family() == AlgorithmFamily::Hmac {
            return None;
        }
        let named = jwk.common.key_algorithm.map(|known| known.to_string());
        let fits = |algorithm: &Algorithm| {
            let jwt = algorithm.jwt();
            let is_named = |named: &String| *named == format!("{jwt:?}");
            jwt.family() == key.family() && named.as_ref().is_none_or(is_named)
        };
        let algorithms: Box<[Algorithm]> = allowed.iter().copied().filter(fits).collect();
        (!algorithms.is_empty()).then(|| Self {
            id: jwk.common.key_id.map(String::into_boxed_str),
            algorithms,
            key,
        })
    }

    /// Whether it is the same key under the same name.
    pub fn is_same(&self, other: &Self) -> bool {
        use jsonwebtoken::DecodingKeyKind::{RsaModulusExponent, SecretOrDer};
        let is_equal = match (self.key.kind(), other.key.kind()) {
            (SecretOrDer(own), SecretOrDer(other)) => own == other,
            (RsaModulusExponent { n, e }, RsaModulusExponent { n: m, e: f }) => n == m && e == f,
            _ => false,
        };
        is_equal && self.id == other.id && self.algorithms == other.algorithms
    }

    /// Whether it verifies tokens of an algorithm.
    pub fn is_for(&self, algorithm: Algorithm) -> bool {
        self.algorithms.contains(&algorithm)
    }

    /// What a token says, if it was signed with this key and is what is expected.
    pub fn verify<T: DeserializeOwned>(
        &self,
        token: &str,
        expected: &Expected,
        now: SystemTime,
    ) -> Result<T, Refused> {
        let mut validation = Validation::new(self.algorithms[0].jwt());
        validation.algorithms = self.algorithms.iter().map(|one| one.jwt()).collect();
        validation.set_issuer(&[&expected.issuer]);
        validation.set_audience(&expected.audiences);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // Times are judged below, by the clock of the request.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        let data = jwt::decode::<serde_json::Value>(token, &self.key, &validation)?;
        if data.header.crit.is_some() {
            return Err(Refused::Malformed);
        }
        judge(&data.claims, expected.skew, now)?;
        serde_json::from_value(data.claims).map_err(|_| Refused::Malformed)
    }
}

impl SigningKey {
    /// A key of a secret, for HS256.
    pub fn of_secret(id: &str, secret: &[u8]) -> Result<Self, BadKey> {
        if secret.len() < SECRET_BYTES_MIN {
            return Err(BadKey::Short);
        }
        let verify = DecodingKey::from_secret(secret);
        let sign = EncodingKey::from_secret(secret);
        Ok(Self::new(id, Algorithm::Hs256, verify, Some(sign), secret))
    }

    /// A key of a PEM document: a private key signs and verifies, a public one verifies only.
    pub fn of_pem(id: &str, algorithm: Algorithm, pem: &[u8]) -> Result<Self, BadKey> {
        Self::read_pem(id, algorithm, pem).ok_or(BadKey::Pem)
    }

    fn read_pem(id: &str, algorithm: Algorithm, pem: &[u8]) -> Option<Self> {
        let (private, public) = match algorithm {
            Algorithm::Rs256 => (
                EncodingKey::from_rsa_pem(pem),
                DecodingKey::from_rsa_pem(pem),
            ),
            Algorithm::Es256 => (EncodingKey::from_ec_pem(pem), DecodingKey::from_ec_pem(pem)),
            Algorithm::EdDsa => (EncodingKey::from_ed_pem(pem), DecodingKey::from_ed_pem(pem)),
            _ => return None,
        };
        // The public half is taken from the private one: two files could disagree.
        let pair = private.ok().and_then(|key| {
            let pair = Pair::read(algorithm, key.as_bytes())?;
            let public = match &pair {
                Pair::Rsa(pair) => DecodingKey::from_rsa_der(pair.public_key().as_ref()),
                Pair::Ec(pair) => DecodingKey::from_ec_der(pair.public_key().as_ref()),
                Pair::Ed(pair) => DecodingKey::from_ed_der(pair.public_key().as_ref()),
                Pair::Hmac(_) => return None,
            };
            Some((public, key))
        });
        Some(match pair {
            Some((public, private)) => Self::new(id, algorithm, public, Some(private), pem),
            None => Self::new(id, algorithm, public.ok()?, None, pem),
        })
    }

    fn new(
        id: &str,
        algorithm: Algorithm,
        key: DecodingKey,
        sign: Option<EncodingKey>,
        content: &[u8],
    ) -> Self {
        crypto::install();
        let mut fingerprint = Sha256::new();
        fingerprint.update(format!("{algorithm:?} {id} "));
        fingerprint.update(content);
        Self {
            verify: VerifyKey {
                id: Some(id.into()),
                algorithms: Box::new([algorithm]),
                key,
            },
            sign,
            fingerprint: fingerprint.finalize().into(),
        }
    }

    /// What tokens call it.
    pub fn id(&self) -> &str {
        self.verify.id.as_deref().unwrap_or_default()
    }

    /// The half that verifies.
    pub fn verifier(&self) -> &VerifyKey {
        &self.verify
    }

    /// Whether it can sign.
    pub fn signs(&self) -> bool {
        self.sign.is_some()
    }

    /// A token that says `claims`; none if only the public half is here.
    pub fn sign(&self, claims: &impl Serialize) -> Option<String> {
        let mut header = Header::new(self.verify.algorithms[0].jwt());
        header.kid = Some(self.id().to_owned());
        jwt::encode(&header, claims, self.sign.as_ref()?).ok()
    }
}

impl PartialEq for SigningKey {
    fn eq(&self, other: &Self) -> bool {
        self.fingerprint == other.fingerprint
    }
}

impl Eq for SigningKey {}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.id())
    }
}

impl fmt::Debug for VerifyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyKey({})", self.id.as_deref().unwrap_or("-"))
    }
}
