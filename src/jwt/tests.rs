use super::{Algorithm, BadKey, Expected, Refused, SigningKey, VerifyKey, look};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519};
use serde_json::{Value, json};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const NOW: u64 = 1_800_000_000;
const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(NOW)
}

fn expected() -> Expected {
    Expected {
        issuer: "weir".to_owned(),
        audiences: vec!["weir".to_owned()],
        skew: Duration::from_secs(30),
    }
}

fn claims() -> Value {
    json!({"iss": "weir", "aud": "weir", "sub": "ana", "iat": NOW, "nbf": NOW, "exp": NOW + 600})
}

fn with(name: &str, value: impl Into<Value>) -> Value {
    let mut claims = claims();
    claims[name] = value.into();
    claims
}

fn without(name: &str) -> Value {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(name);
    claims
}

fn verify(key: &SigningKey, token: &str) -> Result<Value, Refused> {
    key.verifier().verify(token, &expected(), now())
}

fn keys() -> [SigningKey; 3] {
    let pem = |kind| KeyPair::generate_for(kind).unwrap().serialize_pem();
    let of = |algorithm, kind| SigningKey::of_pem("k", algorithm, pem(kind).as_bytes()).unwrap();
    [
        SigningKey::of_secret("k", SECRET).unwrap(),
        of(Algorithm::Es256, &PKCS_ECDSA_P256_SHA256),
        of(Algorithm::EdDsa, &PKCS_ED25519),
    ]
}

#[test]
fn a_token_says_what_was_signed_and_a_stranger_s_key_does_not_verify_it() {
    let others = keys();
    for (key, other) in keys().iter().zip(&others) {
        let token = key.sign(&claims()).unwrap();
        assert_eq!(verify(key, &token), Ok(claims()));
        let seen = look(token.as_bytes()).unwrap().1;
        assert_eq!(
            (seen.key.as_deref(), seen.issuer.as_str()),
            (Some("k"), "weir")
        );
        if !key.verifier().is_for(Algorithm::Hs256) {
            assert_eq!(verify(other, &token), Err(Refused::Signature));
        }
    }
}

#[test]
fn a_key_is_for_its_algorithm_and_no_other() {
    for (at, key) in keys().iter().enumerate() {
        let token = key.sign(&claims()).unwrap();
        for (other_at, other) in keys().iter().enumerate() {
            if other_at != at {
                assert_eq!(verify(other, &token), Err(Refused::Algorithm));
            }
        }
    }
}

#[test]
fn times_are_judged_with_a_bounded_skew() {
    let key = &keys()[0];
    let judged = |claims: Value| verify(key, &key.sign(&claims).unwrap()).map(drop);
    assert_eq!(judged(with("exp", NOW - 29)), Ok(()));
    assert_eq!(judged(with("exp", NOW - 30)), Err(Refused::Expired));
    assert_eq!(judged(with("nbf", NOW + 30)), Ok(()));
    assert_eq!(judged(with("nbf", NOW + 31)), Err(Refused::NotYet));
    assert_eq!(judged(with("iat", NOW + 31)), Err(Refused::NotYet));
    assert_eq!(judged(without("nbf")), Ok(()));
    assert_eq!(judged(without("exp")), Err(Refused::Malformed));
    for nonsense in [json!("soon"), json!(-1), json!(null), json!([NOW + 9])] {
        assert_eq!(
            judged(with("exp", nonsense.clone())),
            Err(Refused::Malformed)
        );
        assert_eq!(judged(with("nbf", nonsense)), Err(Refused::Malformed));
    }
}

#[test]
fn issuer_and_audience_must_be_there_and_right() {
    let key = &keys()[0];
    let judged = |claims: Value| verify(key, &key.sign(&claims).unwrap()).map(drop);
    assert_eq!(judged(with("iss", "other")), Err(Refused::Issuer));
    assert_eq!(judged(with("aud", "other")), Err(Refused::Audience));
    assert_eq!(judged(with("aud", json!(["other", "weir"]))), Ok(()));
    assert_eq!(judged(with("aud", json!([]))), Err(Refused::Audience));
    for name in ["iss", "aud", "sub"] {
        assert_eq!(judged(without(name)), Err(Refused::Malformed), "{name}");
        assert!(judged(with(name, json!({"weir": 1}))).is_err(), "{name}");
    }
}

#[test]
fn a_token_that_must_be_understood_further_is_not_believed() {
    let key = hmac();
    let token = signed(&json!({"alg": "HS256", "crit": ["exp"]}), &claims());
    assert_eq!(verify(&key, &token), Err(Refused::Malformed));
    let plain = signed(&json!({"alg": "HS256"}), &claims());
    assert_eq!(verify(&key, &plain), Ok(claims()));
}

#[test]
fn a_published_set_never_brings_a_secret_or_a_key_for_something_else() {
    let all: Vec<Algorithm> = Algorithm::PUBLIC.iter().map(|(_, one)| *one).collect();
    let secret = json!({"kty": "oct", "kid": "k", "k": "AAAA", "alg": "HS256"});
    assert!(VerifyKey::of_jwk(&secret, &all).is_none());
    let ed =
        json!({"kty": "OKP", "crv": "Ed25519", "kid": "k", "x": URL_SAFE_NO_PAD.encode([7; 32])});
    assert!(VerifyKey::of_jwk(&ed, &all).is_some_and(|key| key.is_for(Algorithm::EdDsa)));
    assert!(VerifyKey::of_jwk(&ed, &[Algorithm::Rs256]).is_none());
    for (name, value) in [
        ("use", "enc"),
        ("alg", "RS256"),
        ("alg", "none"),
        ("x", "?"),
        ("kty", "none"),
    ] {
        let mut other = ed.clone();
        other[name] = value.into();
        assert!(VerifyKey::of_jwk(&other, &all).is_none(), "{name}: {value}");
    }
    for nonsense in [json!(null), json!([]), json!("k"), json!({})] {
        assert!(VerifyKey::of_jwk(&nonsense, &all).is_none());
    }
}

#[test]
fn keys_that_are_of_no_use_are_refused() {
    assert_eq!(SigningKey::of_secret("k", &SECRET[1..]), Err(BadKey::Short));
    let ed = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    for pem in [
        "",
        "nonsense",
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
    ] {
        let read = SigningKey::of_pem("k", Algorithm::EdDsa, pem.as_bytes());
        assert_eq!(read, Err(BadKey::Pem), "{pem}");
    }
    let read = SigningKey::of_pem("k", Algorithm::Es256, ed.serialize_pem().as_bytes());
    assert_eq!(read, Err(BadKey::Pem), "of another algorithm");
    let public = SigningKey::of_pem("k", Algorithm::EdDsa, ed.public_key_pem().as_bytes()).unwrap();
    let private = SigningKey::of_pem("k", Algorithm::EdDsa, ed.serialize_pem().as_bytes()).unwrap();
    assert!(!public.signs() && public.sign(&claims()).is_none());
    assert_eq!(
        verify(&public, &private.sign(&claims()).unwrap()),
        Ok(claims())
    );
    assert_eq!(
        format!("{private:?} {:?}", private.verifier()),
        "SigningKey(k) VerifyKey(k)"
    );
}

fn hmac() -> SigningKey {
    SigningKey::of_secret("k", SECRET).unwrap()
}

/// A token with a good signature under `SECRET`, whatever its header says.
fn signed(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = [part(header), part(claims)].join(".");
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, SECRET);
    let signature = ring::hmac::sign(&key, message.as_bytes());
    [message, URL_SAFE_NO_PAD.encode(signature)].join(".")
}

proptest! {
    #[test]
    fn a_token_that_was_cut_or_changed_by_a_character_is_not_believed(at in any::<proptest::sample::Index>(), by in "[A-Za-z0-9_.-]", cut in any::<bool>()) {
        let key = hmac();
        let token = key.sign(&claims()).unwrap();
        let at = at.index(token.len());
        let mut changed = token.clone();
        if cut {
            changed.truncate(at);
        } else {
            changed.replace_range(at..=at, &by);
        }
        if changed == token {
            prop_assert_eq!(verify(&key, &changed), Ok(claims()));
        } else {
            prop_assert!(verify(&key, &changed).is_err(), "{}", changed);
        }
    }

    #[test]
    fn whatever_is_shown_is_looked_at_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64), text in "[A-Za-z0-9]{0,9}\\.[A-Za-z0-9]{0,9}\\.?[A-Za-z0-9]{0,9}") {
        let _ = look(&bytes);
        let _ = look(text.as_bytes());
        let _ = verify(&hmac(), &text);
    }
}
