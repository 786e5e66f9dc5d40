//! The document of the API: it says what is there, and what is there answers as it says.

mod life;

use crate::support::{Conn, FakeUpstream, Gateway, Reply, Response, chat, schema::mistakes};
use serde_json::{Value, json};
use std::net::SocketAddr;

/// An operation of the document.
struct Operation {
    method: String,
    path: String,
    says: Value,
}

impl Operation {
    /// The listeners that have it.
    fn places(&self, gateway: &Gateway) -> Vec<SocketAddr> {
        let servers = self.says["servers"].as_array().unwrap();
        let place = |server: &Value| match server["url"].as_str() {
            Some("/") => gateway.control,
            _ => gateway.data,
        };
        servers.iter().map(place).collect()
    }

    fn is_open(&self) -> bool {
        self.says["security"] == json!([])
    }

    /// Its path, with what must stand in it.
    fn url(&self) -> String {
        let mut url = self.path.replace("{model}", "up");
        for parameter in self.says["parameters"].as_array().into_iter().flatten() {
            let name = parameter["name"].as_str().unwrap();
            match (parameter["in"].as_str(), parameter["required"] == true) {
                (Some("path"), _) => url = url.replace(&format!("{{{name}}}"), "nobody"),
                (_, true) => url += &format!("?{name}=1"),
                _ => {}
            }
        }
        url
    }

    /// Asserts that an answer has a status that is named, and the shape that it is promised.
    #[track_caller]
    fn describes(&self, document: &Value, response: &Response) {
        let status = response.status().to_string();
        let what = format!(
            "{} {}: {status} {}",
            self.method,
            self.path,
            response.text()
        );
        let promised = &self.says["responses"][&status];
        assert!(promised.is_object(), "no such status: {what}");
        let sent = response.header("content-type").unwrap_or_default();
        let media = sent.split(';').next().unwrap();
        let content = &promised["content"][media];
        assert!(content.is_object(), "no such media type: {what}");
        if media == "application/json" {
            let wrong = mistakes(document, &content["schema"], &response.json());
            assert!(wrong.is_empty(), "{wrong:#?} in {what}");
        }
        for header in promised["headers"].as_object().unwrap().keys() {
            assert!(response.header(header).is_some(), "no {header}: {what}");
        }
    }
}

async fn document(gateway: &Gateway) -> Value {
    let document = gateway.control("/openapi.json").await;
    assert_eq!(document.status(), 200);
    document.json()
}

fn operations(document: &Value) -> Vec<Operation> {
    let mut all = Vec::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, says) in operations.as_object().unwrap() {
            all.push(Operation {
                method: method.to_ascii_uppercase(),
                path: path.clone(),
                says: says.clone(),
            });
        }
    }
    all
}

async fn send(at: SocketAddr, method: &str, url: &str, key: Option<&str>) -> Response {
    send_body(at, method, url, key, "").await
}

async fn send_body(
    at: SocketAddr,
    method: &str,
    url: &str,
    key: Option<&str>,
    body: &str,
) -> Response {
    let mut conn = Conn::open(at).await;
    let key = key.map_or(String::new(), |key| {
        format!("authorization: Bearer {key}\r\n")
    });
    let length = body.len();
    let head = format!(
        "{method} {url} HTTP/1.1\r\nhost: w\r\n{key}content-length: {length}\r\n\r\n{body}"
    );
    conn.send(head).await;
    let head = conn.head().await;
    // What goes on for ever is judged by its head.
    let is_endless = head
        .get("content-type")
        .is_some_and(|kind| kind.starts_with("text/event-stream"));
    let (body, is_whole) = match is_endless {
        true => (Vec::new(), true),
        false => conn.body(&head).await,
    };
    Response {
        head,
        body,
        is_whole,
    }
}

/// A gateway that has something to tell.
async fn used() -> Gateway {
    let usage = json!({"model": "up", "choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 5}});
    let upstream = FakeUpstream::with([Reply::json(200, usage.to_string())]).await;
    let gateway = Gateway::before(&upstream).await;
    assert_eq!(gateway.chat(chat("up")).await.status(), 200);
    gateway.metric("weir_ledger_slots_used", 0).await;
    gateway
}

#[tokio::test]
async fn every_operation_answers_as_the_document_says() {
    let gateway = used().await;
    let document = document(&gateway).await;
    let operations = operations(&document);
    assert!(operations.len() > 15);
    for (operation, at) in operations.iter().flat_map(|operation| {
        operation
            .places(&gateway)
            .into_iter()
            .map(move |at| (operation, at))
    }) {
        let key = match at == gateway.data {
            true => &gateway.key,
            false => &gateway.admin,
        };
        let (method, url) = (operation.method.as_str(), operation.url());
        let answer = send(at, method, &url, Some(key)).await;
        operation.describes(&document, &answer);
        if !operation.is_open() {
            let refused = send(at, method, &url, None).await;
            assert_eq!(refused.status(), 401, "{method} {url}");
            operation.describes(&document, &refused);
        }
        if operation.says["responses"].get("400").is_some() {
            let refused = send(at, method, &format!("{url}?%zz"), Some(key)).await;
            operation.describes(&document, &refused);
        }
    }
}

#[tokio::test]
async fn usage_of_every_width_and_group_has_the_shape_that_is_promised() {
    let gateway = used().await;
    let document = document(&gateway).await;
    let asks = |name: &str, operation: &Operation| -> Vec<String> {
        let parameters = operation.says["parameters"]
            .as_array()
            .into_iter()
            .flatten();
        let found = parameters.filter(|parameter| parameter["name"] == name);
        let words = found.flat_map(|parameter| {
            let schema = &parameter["schema"];
            let words = schema.pointer("/items/enum").or(schema.get("enum"));
            words.and_then(Value::as_array).unwrap().clone()
        });
        words
            .map(|word| word.as_str().unwrap().to_owned())
            .collect()
    };
    let mut asked = 0;
    for operation in operations(&document) {
        for width in asks("bucket_width", &operation) {
            for group in asks("group_by", &operation) {
                let start = std::time::SystemTime::UNIX_EPOCH
                    .elapsed()
                    .unwrap()
                    .as_secs()
                    - 600;
                let url = format!(
                    "{}?start_time={start}&bucket_width={width}&group_by={group}",
                    operation.path
                );
                let answer = send(gateway.control, "GET", &url, Some(&gateway.admin)).await;
                assert_eq!(answer.status(), 200, "{url}");
                operation.describes(&document, &answer);
                asked += 1;
            }
        }
    }
    assert!(asked > 60, "{asked}");
}

#[tokio::test]
async fn the_document_says_where_the_data_plane_is() {
    let gateway = Gateway::setup().start().await;
    let document = document(&gateway).await;
    let models = &document["paths"]["/v1/models"]["get"];
    let place = &models["servers"][0]["variables"]["data_plane"]["default"];
    // As it is configured, which for this test is any port.
    assert_eq!(place, "http://127.0.0.1:0");
    let info = gateway.control("/info").await.json();
    let endpoints = info["endpoints"]["control"].as_array().unwrap();
    assert!(endpoints.contains(&json!("GET /openapi.json")), "{info}");
}

#[tokio::test]
async fn the_page_may_load_nothing_from_elsewhere() {
    let gateway = Gateway::setup().start().await;
    let page = gateway.control("/docs").await;
    assert_eq!(page.status(), 200);
    assert_eq!(
        page.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    let policy = page.header("content-security-policy").unwrap();
    assert!(
        policy.starts_with("default-src 'none'; script-src 'sha256-"),
        "{policy}"
    );
    for open in ["unsafe", "http", "*"] {
        assert!(!policy.contains(open), "{policy}");
    }
}
