//! The cryptography of tokens, by ring: the one provider that is linked, for TLS too.

use super::Algorithm;
use jsonwebtoken::{
    self as jwt, DecodingKey, DecodingKeyKind, EncodingKey,
    crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils},
    errors::{Error, ErrorKind},
    signature::{self, Signer, Verifier},
};
use ring::{
    hmac,
    rand::SystemRandom,
    rsa::PublicKeyComponents,
    signature::{
        ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED, ED25519,
        EcdsaKeyPair, Ed25519KeyPair, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
        RSA_PKCS1_2048_8192_SHA512, RSA_PKCS1_SHA256, RSA_PSS_2048_8192_SHA256, RsaKeyPair,
        RsaParameters, UnparsedPublicKey, VerificationAlgorithm,
    },
};

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: signer,
    verifier_factory: verifier,
    // For turning keys into published sets, which Weir does not do.
    key_utils: KeyUtils::new_unimplemented(),
};

/// Has jsonwebtoken sign and verify with what is here. Every way to a key goes through this.
pub(super) fn install() {
    let _ = PROVIDER.install_default(); // it may be in place already
}

/// A key that can sign.
pub(super) enum Pair {
    Hmac(hmac::Key),
    Rsa(Box<RsaKeyPair>),
    Ec(Box<EcdsaKeyPair>),
    Ed(Box<Ed25519KeyPair>),
}

impl Pair {
    /// Reads a secret, or the inner document of a private key.
    pub(super) fn read(algorithm: Algorithm, key: &[u8]) -> Option<Self> {
        Some(match algorithm {
            Algorithm::Hs256 => Self::Hmac(hmac::Key::new(hmac::HMAC_SHA256, key)),
            Algorithm::Rs256 => Self::Rsa(Box::new(RsaKeyPair::from_der(key).ok()?)),
            Algorithm::Es256 => {
                let random = SystemRandom::new();
                let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key, &random);
                Self::Ec(Box::new(pair.ok()?))
            }
            // Most tools write the older document, in which the public half is not repeated.
            Algorithm::EdDsa => {
                let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(key);
                Self::Ed(Box::new(pair.ok()?))
            }
            Algorithm::Rs384 | Algorithm::Rs512 | Algorithm::Ps256 | Algorithm::Es384 => {
                return None;
            }
        })
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, ring::error::Unspecified> {
        match self {
            Self::Hmac(key) => Ok(hmac::sign(key, message).as_ref().to_vec()),
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(
                    &RSA_PKCS1_SHA256,
                    &SystemRandom::new(),
                    message,
                    &mut signature,
                )?;
                Ok(signature)
            }
            Self::Ec(pair) => {
                let signature = pair.sign(&SystemRandom::new(), message)?;
                Ok(signature.as_ref().to_vec())
            }
            Self::Ed(pair) => Ok(pair.sign(message).as_ref().to_vec()),
        }
    }
}

struct Signing(Algorithm, Pair);

impl Signer<Vec<u8>> for Signing {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, signature::Error> {
        self.1.sign(message).map_err(|_| signature::Error::new())
    }
}

impl JwtSigner for Signing {
    fn algorithm(&self) -> jwt::Algorithm {
        self.0.jwt()
    }
}

struct Verifying(Algorithm, DecodingKey);

impl Verifier<Vec<u8>> for Verifying {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), signature::Error> {
        let proven = match self.1.kind() {
            DecodingKeyKind::SecretOrDer(key) => match self.0 {
                Algorithm::Hs256 => {
                    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
                    hmac::verify(&key, message, signature)
                }
                algorithm => {
                    UnparsedPublicKey::new(method(algorithm), key).verify(message, signature)
                }
            },
            DecodingKeyKind::RsaModulusExponent { n, e } => match rsa(self.0) {
                Some(method) => PublicKeyComponents { n, e }.verify(method, message, signature),
                None => Err(ring::error::Unspecified),
            },
        };
        proven.map_err(|_| signature::Error::new())
    }
}

impl JwtVerifier for Verifying {
    fn algorithm(&self) -> jwt::Algorithm {
        self.0.jwt()
    }
}

fn rsa(algorithm: Algorithm) -> Option<&'static RsaParameters> {
    Some(match algorithm {
        Algorithm::Rs256 => &RSA_PKCS1_2048_8192_SHA256,
        Algorithm::Rs384 => &RSA_PKCS1_2048_8192_SHA384,
        Algorithm::Rs512 => &RSA_PKCS1_2048_8192_SHA512,
        Algorithm::Ps256 => &RSA_PSS_2048_8192_SHA256,
        Algorithm::Hs256 | Algorithm::Es256 | Algorithm::Es384 | Algorithm::EdDsa => return None,
    })
}

fn method(algorithm: Algorithm) -> &'static dyn VerificationAlgorithm {
    match (rsa(algorithm), algorithm) {
        (Some(rsa), _) => rsa,
        (None, Algorithm::Es384) => &ECDSA_P384_SHA384_FIXED,
        (None, Algorithm::EdDsa) => &ED25519,
        (None, _) => &ECDSA_P256_SHA256_FIXED,
    }
}

/// The algorithm, if the key is of its family: a public key must never serve as a secret.
fn fitting(algorithm: jwt::Algorithm, family: jwt::AlgorithmFamily) -> Result<Algorithm, Error> {
    Algorithm::of(algorithm)
        .filter(|_| algorithm.family() == family)
        .ok_or_else(|| ErrorKind::InvalidAlgorithm.into())
}

fn signer(algorithm: &jwt::Algorithm, key: &EncodingKey) -> Result<Box<dyn JwtSigner>, Error> {
    let algorithm = fitting(*algorithm, key.family())?;
    let pair = Pair::read(algorithm, key.as_bytes()).ok_or(ErrorKind::InvalidKeyFormat)?;
    Ok(Box::new(Signing(algorithm, pair)))
}

fn verifier(algorithm: &jwt::Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>, Error> {
    let algorithm = fitting(*algorithm, key.family())?;
    Ok(Box::new(Verifying(algorithm, key.clone())))
}
