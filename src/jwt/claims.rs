//! What a token says, before and after it is believed.

use super::{Algorithm, TOKEN_BYTES_MAX};
use jsonwebtoken::{self as jwt, errors::ErrorKind};
use serde::Deserialize;
use serde_json::Value;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Texts that are read from one claim.
const TEXTS_MAX: usize = 256;

/// What a token must be to be believed, besides signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// Who made it.
    pub issuer: String,
    /// Whom it is for: one of these.
    pub audiences: Vec<String>,
    /// How far its clock may be off.
    pub skew: Duration,
}

/// What a token claims of itself, which nobody has verified: good for choosing a key and for nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// How it is signed.
    pub algorithm: Algorithm,
    /// Which key verifies it.
    pub key: Option<String>,
    /// Who made it.
    pub issuer: String,
}

/// Why a token is not believed. For metrics and logs only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It is no token, or says what no token of its kind says.
    Malformed,
    /// Its algorithm is not one that its key is for.
    Algorithm,
    /// It was not signed with the key, or was changed.
    Signature,
    /// It is over.
    Expired,
    /// It is not valid yet.
    NotYet,
    /// Somebody else made it.
    Issuer,
    /// It is for somebody else.
    Audience,
}

impl Refused {
    /// The label in metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "token_malformed",
            Self::Algorithm => "token_algorithm",
            Self::Signature => "token_signature",
            Self::Expired => "token_expired",
            Self::NotYet => "token_not_yet",
            Self::Issuer => "token_issuer",
            Self::Audience => "token_audience",
        }
    }
}

impl From<jwt::errors::Error> for Refused {
    fn from(error: jwt::errors::Error) -> Self {
        match error.kind() {
            ErrorKind::InvalidSignature => Self::Signature,
            ErrorKind::InvalidAlgorithm => Self::Algorithm,
            ErrorKind::InvalidIssuer => Self::Issuer,
            ErrorKind::InvalidAudience => Self::Audience,
            _ => Self::Malformed,
        }
    }
}

/// What a credential claims to be, if it has the form of a token at all: three parts between two dots.
pub fn look(credential: &[u8]) -> Option<(&str, Look)> {
    #[derive(Deserialize)]
    struct Claims {
        iss: String,
    }
    let dots = || memchr::memchr_iter(b'.', credential);
    if credential.len() > TOKEN_BYTES_MAX || dots().count() != 2 {
        return None;
    }
    let token = std::str::from_utf8(credential).ok()?;
    let header = jwt::decode_header(token).ok()?;
    let claims: Claims = jwt::dangerous::insecure_decode_claims(token).ok()?;
    let look = Look {
        algorithm: Algorithm::of(header.alg)?,
        key: header.kid,
        issuer: claims.iss,
    };
    Some((token, look))
}

/// Judges the times of a token. What is there must be a number.
pub(super) fn judge(claims: &Value, skew: Duration, now: SystemTime) -> Result<(), Refused> {
    let seconds = |name: &str| match claims.get(name) {
        None => Ok(None),
        Some(value) => match value.as_f64() {
            Some(seconds) if seconds >= 0.0 => Ok(Some(seconds)),
            _ => Err(Refused::Malformed),
        },
    };
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (now, skew) = (now.as_secs_f64(), skew.as_secs_f64());
    match seconds("exp")? {
        None => return Err(Refused::Malformed),
        Some(end) if end + skew <= now => return Err(Refused::Expired),
        Some(_) => {}
    }
    for name in ["nbf", "iat"] {
        if seconds(name)?.is_some_and(|begin| begin > now + skew) {
            return Err(Refused::NotYet);
        }
    }
    Ok(())
}

/// The text or texts of a claim: `name` as it stands, or else a path of members with dots between.
pub fn texts(claims: &Value, name: &str) -> Vec<String> {
    let path = || {
        name.split('.')
            .try_fold(claims, |value, part| value.get(part))
    };
    match claims.get(name).or_else(path) {
        Some(Value::String(text)) => vec![text.clone()],
        Some(Value::Array(items)) => {
            let texts = items.iter().filter_map(Value::as_str).map(str::to_owned);
            texts.take(TEXTS_MAX).collect()
        }
        _ => Vec::new(),
    }
}
