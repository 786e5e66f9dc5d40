//! Clients that hang up: the upstream is told at once, whatever else the client has sent.

use crate::{
    protocol::tls::{TLS, certify, tls},
    support::{Conn, FakeUpstream, Gateway, Reply, chat, chat_stream, event, within},
};
use tokio::net::TcpStream;

/// How a client leaves.
#[derive(Clone, Copy, Debug)]
enum Leave {
    Close,
    Reset,
}

impl Leave {
    fn act(self, stream: TcpStream) {
        if matches!(self, Self::Reset) {
            stream.set_zero_linger().unwrap();
        }
    }
}

/// Asks with `extra` behind the request, leaves once the upstream knows of it, and waits until that is let go.
async fn is_heard(request: &str, extra: &str, reply: Reply, leave: Leave) {
    let upstream = FakeUpstream::with([reply.then_hangs()]).await;
    let gateway = Gateway::before(&upstream).await;
    let mut conn = Conn::open(gateway.data).await;
    let request = request.replace("KEY", &gateway.key);
    conn.send(format!("{request}{extra}")).await;
    let mut received = upstream.request().await;
    if request.contains("\"stream\":true") {
        assert_eq!(conn.head().await.status, 200);
    }
    leave.act(conn.stream);
    let what = format!("the end of the call after {extra:?} and {leave:?}");
    within(&what, received.closed()).await;
}

fn post(body: &str) -> String {
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: w\r\nauthorization: Bearer KEY\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[tokio::test]
async fn a_hangup_is_heard_while_the_upstream_thinks() {
    let request = post(&chat("up").to_string());
    for extra in ["", "\r\n", "X", &request] {
        for leave in [Leave::Close, Leave::Reset] {
            is_heard(&request, extra, Reply::silence(), leave).await;
        }
    }
}

#[tokio::test]
async fn a_hangup_is_heard_in_a_stream_that_stands_still() {
    let request = post(&chat_stream("up").to_string());
    for extra in ["", "\r\n"] {
        for leave in [Leave::Close, Leave::Reset] {
            is_heard(&request, extra, Reply::streams([event("a")]), leave).await;
        }
    }
}

#[tokio::test]
async fn a_hangup_is_heard_behind_a_request_without_a_body() {
    let request = "GET /v1/files HTTP/1.1\r\nhost: w\r\nauthorization: Bearer KEY\r\n\r\n";
    is_heard(request, "\r\n", Reply::silence(), Leave::Close).await;
}

#[tokio::test]
async fn a_hangup_is_heard_behind_tls() {
    for extra in ["", "\r\n", "X"] {
        let dir = tempfile::tempdir().unwrap();
        let certificate = certify(dir.path(), "weir.test");
        let upstream = FakeUpstream::with([Reply::silence()]).await;
        let gateway = Gateway::setup()
            .server(TLS)
            .upstream("up", &upstream, "")
            .start_in(dir)
            .await;
        let stream = tls(&gateway, &certificate, "weir.test", &[]).await.unwrap();
        let mut conn = Conn::over(stream);
        let request = post(&chat("up").to_string()).replace("KEY", &gateway.key);
        conn.send(request + extra).await;
        let mut received = upstream.request().await;
        drop(conn);
        let what = format!("the end of the call after {extra:?}");
        within(&what, received.closed()).await;
    }
}
