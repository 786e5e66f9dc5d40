//! The keys that sign tokens.

use super::{chat_as, fixture, login, user, with_keys};
use crate::support::{Dir, Gateway, until};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519};

#[tokio::test]
async fn keys_are_rotated_while_it_runs() {
    let keys = Dir::new();
    let old = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    let new = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let pems = [
        old.serialize_pem(),
        new.serialize_pem(),
        old.public_key_pem(),
    ];
    let old = ("old", "EdDSA", pems[0].as_str());
    let new = ("new", "ES256", pems[1].as_str());
    let gateway = with_keys(&[old], keys.path()).start().await;
    user(&gateway, "ana@example.com", &["--project", "proj_a"]).await;
    let first = login(&gateway, "ana@example.com").await;
    assert_eq!(chat_as(&gateway, &first.access, &[]).await.status(), 200);

    // The new key signs; of the old one the public half is enough to go on.
    let halved = ("old", "EdDSA", pems[2].as_str());
    gateway.rewrite(&with_keys(&[new, halved], keys.path()).text());
    let second = until("a token of the new key", async || {
        let tokens = login(&gateway, "ana@example.com").await;
        let header = tokens.access.split('.').next().unwrap().to_owned();
        (header != first.access.split('.').next().unwrap()).then_some(tokens)
    })
    .await;
    for tokens in [&first, &second] {
        assert_eq!(chat_as(&gateway, &tokens.access, &[]).await.status(), 200);
    }
    // Without it its tokens are over, also those that were seen before.
    gateway.rewrite(&with_keys(&[new], keys.path()).text());
    until("the end of the old key", async || {
        let response = chat_as(&gateway, &first.access, &[]).await;
        (response.status() == 401).then_some(())
    })
    .await;
    assert_eq!(chat_as(&gateway, &second.access, &[]).await.status(), 200);
    // And with none in the file, Weir makes one of its own.
    gateway.rewrite(&Gateway::setup().text());
    until("a token of its own key", async || {
        let token = login(&gateway, "ana@example.com").await.access;
        let header = token.split('.').next().unwrap().to_owned();
        (header != second.access.split('.').next().unwrap()).then_some(())
    })
    .await;
}

#[tokio::test]
async fn every_algorithm_signs_and_verifies() {
    let keys = Dir::new();
    let pem = |kind| KeyPair::generate_for(kind).unwrap().serialize_pem();
    let (ed, ec, rsa) = (
        pem(&PKCS_ED25519),
        pem(&PKCS_ECDSA_P256_SHA256),
        fixture("rsa.pem"),
    );
    let secret = "0123456789abcdef0123456789abcdef";
    for key in [
        ("k", "EdDSA", ed.as_str()),
        ("k", "ES256", ec.as_str()),
        ("k", "RS256", rsa.as_str()),
        ("k", "HS256", secret),
    ] {
        let gateway = with_keys(&[key], keys.path()).start().await;
        user(&gateway, "ana@example.com", &["--project", "proj_a"]).await;
        let token = login(&gateway, "ana@example.com").await.access;
        assert_eq!(
            chat_as(&gateway, &token, &[]).await.status(),
            200,
            "{}",
            key.1
        );
    }
}
