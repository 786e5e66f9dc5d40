//! People: signing in, tokens, outside issuers, rights, and what is tried against them.

mod attacks;
mod audit;
mod commands;
mod guesses;
mod invites;
mod issuers;
mod key_rights;
mod keys;
mod members;
mod rights;
mod sessions;
mod sign_in;
mod signing;
mod tiers;
mod users;

use crate::support::{Conn, Gateway, Key, Response, Setup};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use std::{
    net::SocketAddr,
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

const PASSWORD: &str = "correct horse battery";

/// A user that a test has made.
struct Made {
    id: String,
    email: String,
}

/// What a sign-in gave.
#[derive(Clone)]
struct Tokens {
    access: String,
    refresh: String,
}

impl Tokens {
    #[track_caller]
    fn of(response: &Response) -> Self {
        assert_eq!(response.status(), 200, "{}", response.text());
        assert_eq!(response.header("cache-control"), Some("no-store"));
        let tokens = response.json();
        assert_eq!(tokens["token_type"], "Bearer");
        assert!(
            tokens["expires_in"]
                .as_u64()
                .is_some_and(|seconds| seconds > 0)
        );
        let text = |name: &str| tokens[name].as_str().unwrap().to_owned();
        Self {
            access: text("access_token"),
            refresh: text("refresh_token"),
        }
    }
}

/// Adds a user with the usual password. The projects that they are to work in are made if they are not there.
async fn user(gateway: &Gateway, email: &str, arguments: &[&str]) -> Made {
    let named = arguments.windows(2).filter(|pair| pair[0] == "--project");
    for id in named.map(|pair| pair[1]) {
        let made = gateway.weir(&["project", "create", id, "--id", id]).await;
        assert!(
            made.code == Some(0) || made.stderr.contains("already"),
            "{made:?}"
        );
    }
    let file = gateway.dir.path().join("password");
    std::fs::write(&file, format!("{PASSWORD}\n")).unwrap();
    let file = file.to_str().unwrap();
    let usual = ["user", "create", email, "--json", "--password-file", file];
    let exit = gateway.weir(&[&usual, arguments].concat()).await;
    assert_eq!(exit.code, Some(0), "{exit:?}");
    let made: Value = serde_json::from_str(&exit.stdout).unwrap();
    Made {
        id: made["id"].as_str().unwrap().to_owned(),
        email: email.to_owned(),
    }
}

/// Makes a key for a user, and waits until the gateway knows it.
async fn key_of(gateway: &Gateway, user: &Made, project: &str) -> Key {
    let arguments = ["--project", project, "--user", &user.id];
    gateway.make_known_key(&arguments).await
}

/// Makes projects with ids that a test can name.
async fn projects(gateway: &Gateway, ids: &[&str]) {
    for id in ids {
        gateway.make_project(id).await;
    }
}

/// Asserts that `value` has these members and no others.
#[track_caller]
fn has_members(value: &Value, names: &[&str]) {
    let members: Vec<&String> = value.as_object().unwrap().keys().collect();
    assert_eq!(members, names, "{value}");
}

/// Where OpenAI's Administration API begins.
const BASE: &str = "/v1/organization";

/// A request to the Administration API with a credential.
async fn ask(
    gateway: &Gateway,
    credential: &str,
    method: &str,
    path: &str,
    body: Option<&Value>,
) -> Response {
    let bearer = format!("Bearer {credential}");
    let headers = [("authorization", bearer.as_str())];
    send(
        gateway.control,
        method,
        &format!("{BASE}{path}"),
        &headers,
        body,
    )
    .await
}

/// The same with the admin key, which is let.
async fn done(gateway: &Gateway, method: &str, path: &str, body: Option<Value>) -> Value {
    let response = ask(gateway, &gateway.admin, method, path, body.as_ref()).await;
    assert_eq!(
        response.status(),
        200,
        "{method} {path}: {}",
        response.text()
    );
    response.json()
}

/// Sends a request with a JSON body to either plane.
async fn send(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Option<&Value>,
) -> Response {
    let mut conn = Conn::open(address).await;
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: weir\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let body = body.map_or_else(String::new, Value::to_string);
    if !body.is_empty() {
        head.push_str("content-type: application/json\r\n");
    }
    head.push_str(&format!("content-length: {}\r\n\r\n{body}", body.len()));
    conn.send(head).await;
    conn.response().await
}

/// Posts without a credential.
async fn post(address: SocketAddr, path: &str, body: &Value) -> Response {
    send(address, "POST", path, &[], Some(body)).await
}

async fn get_as(address: SocketAddr, path: &str, token: &str) -> Response {
    let bearer = format!("Bearer {token}");
    send(address, "GET", path, &[("authorization", &bearer)], None).await
}

async fn login(gateway: &Gateway, email: &str) -> Tokens {
    let body = json!({"email": email, "password": PASSWORD});
    Tokens::of(&post(gateway.control, "/auth/login", &body).await)
}

/// Asks a model for an answer, as the holder of a token.
async fn chat_as(gateway: &Gateway, token: &str, headers: &[(&str, &str)]) -> Response {
    let bearer = format!("Bearer {token}");
    let headers = [&[("authorization", bearer.as_str())], headers].concat();
    let body = crate::support::chat("simulator");
    send(
        gateway.data,
        "POST",
        "/v1/chat/completions",
        &headers,
        Some(&body),
    )
    .await
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap().as_secs()
}

/// A token whose three parts are these, whatever they say.
fn raw(header: &Value, claims: &Value, signature: &[u8]) -> String {
    let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let (header, claims) = (header.to_string(), claims.to_string());
    [
        part(header.as_bytes()),
        part(claims.as_bytes()),
        part(signature),
    ]
    .join(".")
}

/// What a token says, which nobody has to verify to read.
fn claims_of(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

fn fixture(name: &str) -> String {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/people");
    std::fs::read_to_string(dir.join(name)).unwrap()
}

/// A gateway that signs with these keys, each of a name, an algorithm and the content of its file.
fn with_keys(keys: &[(&str, &str, &str)], dir: &Path) -> Setup {
    let mut setup = Gateway::setup();
    for (name, algorithm, content) in keys {
        let file = dir.join(format!("{name}.key"));
        std::fs::write(&file, content).unwrap();
        setup = setup.config(&format!(
            "[[signing_key]]\nname = '{name}'\nalgorithm = '{algorithm}'\nkey = 'file:{}'",
            file.display()
        ));
    }
    setup
}
