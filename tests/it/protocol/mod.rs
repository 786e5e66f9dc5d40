//! HTTP as attackers, old clients and proxies speak it: a right answer each time, and nothing grows.

mod address;
mod bounds;
mod connections;
mod framing;
mod pages;
pub mod tls;

use crate::support::{Conn, Gateway, Response, error_of};

/// Sends bytes as they are and takes one answer.
async fn ask(gateway: &Gateway, bytes: impl AsRef<[u8]>) -> Response {
    let mut conn = Conn::open(gateway.data).await;
    conn.send(bytes).await;
    conn.response().await
}

/// Asserts that an answer is an error in OpenAI's shape after which the connection ends.
async fn refuses(gateway: &Gateway, bytes: impl AsRef<[u8]>, status: u16) {
    let shown =
        String::from_utf8_lossy(&bytes.as_ref()[..bytes.as_ref().len().min(80)]).into_owned();
    let mut conn = Conn::open(gateway.data).await;
    conn.send(bytes).await;
    let response = conn.response().await;
    assert_eq!(response.status(), status, "{shown:?}: {}", response.text());
    error_of(&response.body);
    assert!(response.header("x-request-id").is_some());
    assert_eq!(response.header("x-weir-origin"), Some("gateway"));
    let rest = conn.closed().await;
    assert!(
        rest.is_empty(),
        "{shown:?}: {}",
        String::from_utf8_lossy(&rest)
    );
}
