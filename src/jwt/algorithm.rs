//! The algorithms that a token may be signed by.

use jsonwebtoken as jwt;

/// How a token is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the standard's")]
pub enum Algorithm {
    Hs256,
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Es256,
    Es384,
    EdDsa,
}

impl Algorithm {
    /// Those that Weir signs with itself, by the standard's names.
    pub const OWN: &[(&str, Self)] = &[
        ("HS256", Self::Hs256),
        ("RS256", Self::Rs256),
        ("ES256", Self::Es256),
        ("EdDSA", Self::EdDsa),
    ];

    /// Those whose public half can be published, which are all that an outside issuer may use.
    pub const PUBLIC: &[(&str, Self)] = &[
        ("RS256", Self::Rs256),
        ("RS384", Self::Rs384),
        ("RS512", Self::Rs512),
        ("PS256", Self::Ps256),
        ("ES256", Self::Es256),
        ("ES384", Self::Es384),
        ("EdDSA", Self::EdDsa),
    ];

    pub(super) fn of(algorithm: jwt::Algorithm) -> Option<Self> {
        Some(match algorithm {
            jwt::Algorithm::HS256 => Self::Hs256,
            jwt::Algorithm::RS256 => Self::Rs256,
            jwt::Algorithm::RS384 => Self::Rs384,
            jwt::Algorithm::RS512 => Self::Rs512,
            jwt::Algorithm::PS256 => Self::Ps256,
            jwt::Algorithm::ES256 => Self::Es256,
            jwt::Algorithm::ES384 => Self::Es384,
            jwt::Algorithm::EdDSA => Self::EdDsa,
            _ => return None,
        })
    }

    pub(super) fn jwt(self) -> jwt::Algorithm {
        match self {
            Self::Hs256 => jwt::Algorithm::HS256,
            Self::Rs256 => jwt::Algorithm::RS256,
            Self::Rs384 => jwt::Algorithm::RS384,
            Self::Rs512 => jwt::Algorithm::RS512,
            Self::Ps256 => jwt::Algorithm::PS256,
            Self::Es256 => jwt::Algorithm::ES256,
            Self::Es384 => jwt::Algorithm::ES384,
            Self::EdDsa => jwt::Algorithm::EdDSA,
        }
    }
}
