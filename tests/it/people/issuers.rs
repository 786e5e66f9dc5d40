//! Tokens of outside issuers: whom they make, and what an issuer that is away or lies can do.

use super::{chat_as, done, fixture, get_as, now, raw};
use crate::support::{FakeUpstream, Gateway, Reply, Setup, until};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use rcgen::{KeyPair, PKCS_ED25519, PublicKeyData};
use serde_json::{Value, json};
use weir::jwt::{Algorithm, SigningKey};

/// A key of an issuer's.
struct IssuerKey {
    id: String,
    sign: SigningKey,
    public: Value,
}

impl IssuerKey {
    fn new(id: &str) -> Self {
        let pair = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        let sign = SigningKey::of_pem(id, Algorithm::EdDsa, pair.serialize_pem().as_bytes());
        let x = URL_SAFE_NO_PAD.encode(pair.der_bytes());
        Self {
            id: id.to_owned(),
            sign: sign.unwrap(),
            public: json!({"kty": "OKP", "crv": "Ed25519", "kid": id, "alg": "EdDSA", "use": "sig", "x": x}),
        }
    }

    fn token(&self, more: &Value) -> String {
        self.sign.sign(&claims(more)).unwrap()
    }
}

fn claims(more: &Value) -> Value {
    let mut claims = json!({
        "iss": "https://login.test", "aud": "weir", "sub": "ana@corp", "email": "ana@example.com",
        "exp": now() + 600, "groups": ["proj_default"],
    });
    for (name, value) in more.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims
}

fn set(keys: &[&IssuerKey]) -> Reply {
    let keys: Vec<&Value> = keys.iter().map(|key| &key.public).collect();
    Reply::json(200, json!({"keys": keys}).to_string()).at_once()
}

fn believing(issuer: &FakeUpstream, more: &str) -> Setup {
    Gateway::setup().config(&format!(
        "[[issuer]]\nname = 'corp'\nissuer = 'https://login.test'\naudience = ['weir']\nkey_set = '{}/keys'\n\
         algorithms = ['EdDSA', 'RS256']\nemail_claim = 'email'\nproject_claim = 'groups'\nrole_claim = 'realm.roles'\n\
         owners = ['weir-owner']\nproject_owners = ['lead']\ntier_claim = 'plan'\n{more}",
        issuer.url()
    ))
}

/// Waits until the gateway has the issuer's keys.
async fn ready(gateway: &Gateway) {
    gateway
        .metric(
            "weir_issuer_fetches_total{issuer=\"corp\",result=\"ok\"}",
            1,
        )
        .await;
}

#[tokio::test]
async fn claims_make_a_user_with_projects_a_role_and_a_tier() {
    let key = IssuerKey::new("one");
    let issuer = FakeUpstream::with([set(&[&key])]).await;
    let gateway = believing(&issuer, "project = 'proj_all'").start().await;
    ready(&gateway).await;
    let token =
        key.token(&json!({"plan": "gold", "name": "Ana", "realm": {"roles": ["x", "lead"]}}));
    assert_eq!(chat_as(&gateway, &token, &[]).await.status(), 200);
    for plane in [gateway.data, gateway.control] {
        let me = get_as(plane, "/v1/me", &token).await.json();
        assert_eq!(
            (&me["id"], &me["email"]),
            (&json!("ana@corp"), &json!("ana@example.com"))
        );
        assert_eq!((&me["name"], &me["tier"]), (&json!("Ana"), &json!("gold")));
        assert_eq!(me["role"], "reader");
        assert_eq!(
            me["projects"],
            json!([{"id": "proj_default", "role": "owner"}])
        );
    }
    let of = async |more: Value| {
        get_as(gateway.control, "/v1/me", &key.token(&more))
            .await
            .json()
    };
    let everyone = of(json!({"groups": []})).await;
    assert_eq!(
        everyone["projects"],
        json!([{"id": "proj_all", "role": "member"}])
    );
    let owner = of(json!({"realm": {"roles": "weir-owner"}})).await;
    assert_eq!(owner["role"], "owner");
    let made = done(&gateway, "POST", "/projects", Some(json!({"name": "b"}))).await;
    let made = made["id"].as_str().unwrap();
    let two = key.token(&json!({"groups": ["proj_default", made]}));
    chat_as(&gateway, &two, &[])
        .await
        .refused(400, "project_required");
    let named = [("openai-project", made)];
    assert_eq!(chat_as(&gateway, &two, &named).await.status(), 200);
    let other = [("openai-project", "proj_c")];
    chat_as(&gateway, &two, &other)
        .await
        .refused(404, "not_found");
    let usage = get_as(gateway.data, "/v1/usage", &token).await;
    assert_eq!(usage.status(), 200, "{}", usage.text());
}

#[tokio::test]
async fn a_token_that_is_not_the_issuer_s_or_not_for_weir_is_refused() {
    let key = IssuerKey::new("one");
    let stranger = IssuerKey::new("one");
    let issuer = FakeUpstream::with([set(&[&key])]).await;
    let gateway = believing(&issuer, "").start().await;
    ready(&gateway).await;
    assert_eq!(
        chat_as(&gateway, &key.token(&json!({})), &[])
            .await
            .status(),
        200
    );
    let header = |algorithm: &str| json!({"alg": algorithm, "kid": "one"});
    let x = URL_SAFE_NO_PAD
        .decode(key.public["x"].as_str().unwrap())
        .unwrap();
    let confused = {
        let unsigned = raw(&header("HS256"), &claims(&json!({})), b"");
        let secret = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &x);
        let signature = ring::hmac::sign(&secret, unsigned.trim_end_matches('.').as_bytes());
        raw(&header("HS256"), &claims(&json!({})), signature.as_ref())
    };
    for token in [
        stranger.token(&json!({})),
        key.token(&json!({"iss": "https://login.test/"})),
        key.token(&json!({"iss": "weir"})),
        key.token(&json!({"iss": "https://other.test"})),
        key.token(&json!({"aud": "somebody"})),
        key.token(&json!({"aud": null})),
        key.token(&json!({"exp": now() - 60})),
        key.token(&json!({"exp": null})),
        key.token(&json!({"nbf": now() + 120})),
        key.token(&json!({"sub": null})),
        key.token(&json!({"sub": ""})),
        key.token(&json!({"sub": "x".repeat(65)})),
        raw(&header("none"), &claims(&json!({})), b""),
        raw(&header("RS256"), &claims(&json!({})), b"x"),
        confused,
    ] {
        chat_as(&gateway, &token, &[])
            .await
            .refused(401, "invalid_api_key");
        get_as(gateway.control, "/v1/me", &token)
            .await
            .refused(401, "invalid_api_key");
    }
}

#[tokio::test]
async fn rsa_keys_verify_by_their_published_numbers() {
    let public: Value = serde_json::from_str(&fixture("rsa.jwk.json")).unwrap();
    let reply = Reply::json(200, json!({"keys": [public]}).to_string()).at_once();
    let issuer = FakeUpstream::with([reply]).await;
    let gateway = believing(&issuer, "").start().await;
    ready(&gateway).await;
    let key = SigningKey::of_pem("rsa", Algorithm::Rs256, fixture("rsa.pem").as_bytes()).unwrap();
    let token = key.sign(&claims(&json!({}))).unwrap();
    assert_eq!(chat_as(&gateway, &token, &[]).await.status(), 200);
}

#[tokio::test]
async fn an_issuer_that_is_down_hangs_nobody_and_opens_nothing() {
    let key = IssuerKey::new("one");
    let issuer = FakeUpstream::with([Reply::silence()]).await;
    let gateway = believing(&issuer, "").start().await;
    let refused = chat_as(&gateway, &key.token(&json!({})), &[]).await;
    refused.refused(503, "issuer_unavailable");
    assert_eq!(refused.header("retry-after"), Some("1"));
    let refused = get_as(gateway.control, "/v1/me", &key.token(&json!({}))).await;
    refused.refused(503, "issuer_unavailable");
    assert_eq!(
        gateway.get("/v1/models").await.status(),
        200,
        "keys go on working"
    );
    // It comes back, and nobody has to do anything.
    issuer.now([set(&[&key])]);
    until("the keys", async || {
        let response = chat_as(&gateway, &key.token(&json!({})), &[]).await;
        (response.status() == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_issuer_that_lies_adds_no_key() {
    let key = IssuerKey::new("one");
    let secret =
        json!({"kty": "oct", "kid": "one", "k": URL_SAFE_NO_PAD.encode([7; 32]), "alg": "HS256"});
    let encryption =
        json!({"kty": "OKP", "crv": "Ed25519", "kid": "one", "use": "enc", "x": key.public["x"]});
    let set_of = |key: Value| json!({"keys": [key]}).to_string();
    let lies = [
        Reply::json(200, "nonsense"),
        Reply::json(200, "{\"keys\": {}}"),
        Reply::json(200, set_of(secret)),
        Reply::json(200, set_of(encryption)),
        Reply::json(500, set_of(key.public.clone())),
        Reply::with(302, &[("location", "http://127.0.0.1:9/keys")], ""),
        Reply::json(
            200,
            format!("{{\"keys\": [], \"x\": \"{}\"}}", "x".repeat(300 << 10)),
        ),
    ];
    for lie in lies {
        let issuer = FakeUpstream::with([lie.at_once()]).await;
        let gateway = believing(&issuer, "").start().await;
        gateway
            .metric(
                "weir_issuer_fetches_total{issuer=\"corp\",result=\"failed\"}",
                1,
            )
            .await;
        let refused = chat_as(&gateway, &key.token(&json!({})), &[]).await;
        refused.refused(503, "issuer_unavailable");
    }
}

#[tokio::test]
async fn a_key_that_is_new_is_fetched_and_one_that_was_taken_back_is_over() {
    let (old, new) = (IssuerKey::new("old"), IssuerKey::new("new"));
    let issuer = FakeUpstream::with([set(&[&old])]).await;
    let gateway = believing(&issuer, "pause = '1s'").start().await;
    ready(&gateway).await;
    let before = old.token(&json!({}));
    assert_eq!(chat_as(&gateway, &before, &[]).await.status(), 200);
    issuer.now([set(&[&new])]);
    until("the new key", async || {
        let response = chat_as(&gateway, &new.token(&json!({})), &[]).await;
        let status = response.status();
        assert!([200, 401, 503].contains(&status), "{status}");
        (status == 200).then_some(())
    })
    .await;
    // It was verified and remembered, and its key is gone.
    let refused = chat_as(&gateway, &before, &[]).await;
    assert!([401, 503].contains(&refused.status()), "{}", refused.text());
    assert_eq!(old.id, "old");
}

#[tokio::test]
async fn unknown_keys_do_not_make_weir_knock_again_and_again() {
    let key = IssuerKey::new("one");
    let issuer = FakeUpstream::with([set(&[&key])]).await;
    let gateway = believing(&issuer, "pause = '1h'").start().await;
    ready(&gateway).await;
    for number in 0..50 {
        let token = IssuerKey::new(&format!("made-up-{number}")).token(&json!({}));
        chat_as(&gateway, &token, &[])
            .await
            .refused(401, "invalid_api_key");
    }
    let metrics = gateway.metrics().await;
    let fetches = "weir_issuer_fetches_total{issuer=\"corp\",result=\"ok\"} 1";
    assert!(metrics.lines().any(|line| line == fetches), "{metrics}");
    assert_eq!(
        chat_as(&gateway, &key.token(&json!({})), &[])
            .await
            .status(),
        200
    );
}

#[tokio::test]
async fn the_discovery_document_leads_to_the_keys_if_it_is_the_issuer_s_own() {
    let key = IssuerKey::new("one");
    for (is_own, way) in [(true, "http"), (false, "http"), (true, "ftp")] {
        let issuer = FakeUpstream::start().await;
        let base = issuer.url();
        let uri = format!("{}/keys", base.replacen("http", way, 1));
        let name = if is_own {
            base.as_str()
        } else {
            "https://other.test"
        };
        let document = json!({"issuer": name, "jwks_uri": uri}).to_string();
        issuer.now([Reply::json(200, document).at_once(), set(&[&key])]);
        let config = format!(
            "[[issuer]]\nname = 'corp'\nissuer = '{base}'\naudience = ['weir']\nalgorithms = ['EdDSA']\nproject_claim = 'groups'"
        );
        let gateway = Gateway::setup().config(&config).start().await;
        let is_good = is_own && way == "http";
        let result = if is_good { "ok" } else { "failed" };
        gateway
            .metric(
                &format!("weir_issuer_fetches_total{{issuer=\"corp\",result=\"{result}\"}}"),
                1,
            )
            .await;
        let response = chat_as(&gateway, &key.token(&json!({"iss": base})), &[]).await;
        assert_eq!(
            response.status(),
            if is_good { 200 } else { 503 },
            "{}",
            response.text()
        );
    }
}

#[tokio::test]
async fn an_issuer_that_is_no_longer_named_is_no_longer_believed() {
    let key = IssuerKey::new("one");
    let issuer = FakeUpstream::with([set(&[&key])]).await;
    let gateway = believing(&issuer, "").start().await;
    ready(&gateway).await;
    let token = key.token(&json!({}));
    assert_eq!(chat_as(&gateway, &token, &[]).await.status(), 200);
    gateway.rewrite(&Gateway::setup().text());
    until("the change", async || {
        let response = chat_as(&gateway, &token, &[]).await;
        (response.status() == 401).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_claim_to_a_project_that_is_not_there_or_archived_opens_no_door() {
    let key = IssuerKey::new("one");
    let issuer = FakeUpstream::with([set(&[&key])]).await;
    let gateway = believing(&issuer, "").start().await;
    ready(&gateway).await;
    let nowhere = key.token(&json!({"groups": ["proj_nowhere"]}));
    chat_as(&gateway, &nowhere, &[])
        .await
        .refused(404, "not_found");
    let refused = get_as(gateway.data, "/v1/models", &nowhere).await;
    refused.refused(404, "not_found");
    gateway
        .metric("weir_unauthenticated_total{reason=\"project\"}", 2)
        .await;

    let made = done(&gateway, "POST", "/projects", Some(json!({"name": "b"}))).await;
    let made = made["id"].as_str().unwrap();
    let token = key.token(&json!({"groups": [made, "proj_nowhere"]}));
    let named = [("openai-project", made)];
    assert_eq!(chat_as(&gateway, &token, &named).await.status(), 200);
    let other = [("openai-project", "proj_nowhere")];
    chat_as(&gateway, &token, &other)
        .await
        .refused(404, "not_found");
    done(&gateway, "POST", &format!("/projects/{made}/archive"), None).await;
    until("the end of the project", async || {
        let response = chat_as(&gateway, &token, &named).await;
        (response.status() == 404).then_some(())
    })
    .await;
}
