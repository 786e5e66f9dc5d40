//! HTTP/1.1 towards upstreams: what they may say and when, and which connections carry a second request.

use crate::support::{Conn, END, FakeUpstream, Gateway, Reply, Response, chat, event, within};
use std::net::SocketAddr;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// An upstream whose connections the test holds itself, so that it knows what has happened when.
struct Held(TcpListener);

/// One of its connections.
struct Wire {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Held {
    async fn start() -> (Self, Gateway) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let gateway = Gateway::setup().config(&entry(address)).start().await;
        (Self(listener), gateway)
    }

    async fn accept(&self) -> Wire {
        let accepted = within("a connection at the upstream", self.0.accept()).await;
        let stream = accepted.unwrap().0;
        stream.set_nodelay(true).unwrap();
        Wire {
            stream,
            read: Vec::new(),
        }
    }
}

fn entry(address: SocketAddr) -> String {
    format!(
        "[[upstream]]\nname = \"up\"\nprovider = \"openai\"\nbase_url = \"http://{address}/v1\"\nretries = 0\n\
         [[model]]\nname = \"up\"\nto = [\"up\"]\n"
    )
}

impl Wire {
    /// Everything up to and with `end`.
    async fn through(&mut self, end: &str) -> String {
        loop {
            if let Some(at) = memchr::memmem::find(&self.read, end.as_bytes()) {
                let taken = self.read.drain(..at + end.len()).collect();
                return String::from_utf8(taken).unwrap();
            }
            let read = within("more at the upstream", self.stream.read_buf(&mut self.read)).await;
            assert_ne!(read.unwrap(), 0, "closed before {end:?}");
        }
    }

    async fn say(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.unwrap();
    }

    /// Takes a GET and answers it.
    async fn answer(&mut self, body: &str) {
        self.through("\r\n\r\n").await;
        self.say(&answer(body)).await;
    }

    async fn closed(&mut self) {
        let mut rest = [0; 1024];
        let gone = async { while matches!(self.stream.read(&mut rest).await, Ok(1..)) {} };
        within("the end of a connection", gone).await;
    }
}

/// A whole answer.
fn answer(body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}")
}

async fn get(gateway: &Gateway) -> Response {
    gateway.get("/v1/files/f").await
}

/// What a client gets for an answer of these bytes, and how many connections two requests of it take.
async fn passes(raw: &str) -> (Response, usize) {
    let upstream = FakeUpstream::with([Reply::raw(raw)]).await;
    let gateway = Gateway::before(&upstream).await;
    get(&gateway).await;
    let response = get(&gateway).await;
    (response, upstream.connections())
}

#[tokio::test]
async fn a_kept_connection_that_was_closed_is_not_used() {
    let (upstream, gateway) = Held::start().await;
    for _ in 0..5 {
        let (response, mut wire) = tokio::join!(get(&gateway), async {
            let mut wire = upstream.accept().await;
            wire.answer("first").await;
            wire
        });
        assert_eq!(response.text(), "first");
        let (response, ()) = tokio::join!(get(&gateway), wire.answer("second"));
        assert_eq!(response.text(), "second");
    }
}

#[tokio::test]
async fn a_kept_connection_on_which_the_server_speaks_is_not_used() {
    let (upstream, gateway) = Held::start().await;
    let (response, mut first) = tokio::join!(get(&gateway), async {
        let mut wire = upstream.accept().await;
        wire.answer("mine").await;
        wire
    });
    assert_eq!(response.text(), "mine");
    first.say(&answer("forged")).await;
    let (response, _wire) = tokio::join!(get(&gateway), async {
        let mut wire = upstream.accept().await;
        wire.answer("mine too").await;
        wire
    });
    assert_eq!(response.text(), "mine too");
    first.closed().await;
}

#[tokio::test]
async fn an_answer_that_comes_before_the_end_of_an_upload_is_delivered_at_once() {
    let (upstream, gateway) = Held::start().await;
    let mut conn = Conn::open(gateway.data).await;
    let key = &gateway.key;
    conn.send(format!("POST /v1/files HTTP/1.1\r\nhost: w\r\nauthorization: Bearer {key}\r\ncontent-length: 1000000\r\n\r\nbegin")).await;
    let mut wire = upstream.accept().await;
    assert!(
        wire.through("\r\n\r\nbegin")
            .await
            .contains("content-length: 1000000\r\n")
    );
    wire.say("HTTP/1.1 413 Too Large\r\ncontent-length: 3\r\n\r\nno!")
        .await;
    let refusal = conn.response().await;
    assert_eq!((refusal.status(), &*refusal.text()), (413, "no!"));
    wire.closed().await;
}

#[tokio::test]
async fn an_answer_counts_though_its_server_takes_no_more_of_the_upload() {
    let (upstream, gateway) = Held::start().await;
    let mut conn = Conn::open(gateway.data).await;
    let key = &gateway.key;
    conn.send(format!("POST /v1/files HTTP/1.1\r\nhost: w\r\nauthorization: Bearer {key}\r\ntransfer-encoding: chunked\r\n\r\n5\r\nbegin\r\n")).await;
    let mut wire = upstream.accept().await;
    wire.through("5\r\nbegin\r\n").await;
    wire.say("HTTP/1.1 413 Too Large\r\ncontent-length: 3\r\nconnection: close\r\n\r\nno!")
        .await;
    drop(wire);
    let refusal = conn.response().await;
    assert_eq!((refusal.status(), &*refusal.text()), (413, "no!"));
}

#[tokio::test]
async fn an_upload_goes_on_beside_an_answer_that_has_begun() {
    let (upstream, gateway) = Held::start().await;
    let mut conn = Conn::open(gateway.data).await;
    let key = &gateway.key;
    conn.send(format!("POST /v1/files HTTP/1.1\r\nhost: w\r\nauthorization: Bearer {key}\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n")).await;
    let mut wire = upstream.accept().await;
    wire.through("3\r\none\r\n").await;
    wire.say("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nI'm\r\n")
        .await;
    assert_eq!(conn.head().await.status, 200);
    assert_eq!(conn.chunk().await, Ok(Some(b"I'm".to_vec())));
    conn.send("3\r\ntwo\r\n0\r\n\r\n").await;
    assert_eq!(wire.through("0\r\n\r\n").await, "3\r\ntwo\r\n0\r\n\r\n");
    wire.say("4\r\nhere\r\n0\r\n\r\n").await;
    assert_eq!(conn.chunk().await, Ok(Some(b"here".to_vec())));
    assert_eq!(conn.chunk().await, Ok(None));
    // Both sides have said everything, so the connection is good for another.
    let (response, ()) = tokio::join!(get(&gateway), wire.answer("next"));
    assert_eq!(response.text(), "next");
}

#[tokio::test]
async fn a_request_without_a_body_says_nothing_of_one() {
    let (upstream, gateway) = Held::start().await;
    let head = async {
        let mut wire = upstream.accept().await;
        let head = wire.through("\r\n\r\n").await;
        wire.say(&answer("x")).await;
        head
    };
    let (_, head) = tokio::join!(get(&gateway), head);
    assert!(head.starts_with("GET /v1/files/f HTTP/1.1\r\n"), "{head}");
    for framing in ["content-length", "transfer-encoding", "connection"] {
        assert!(!head.contains(framing), "{head}");
    }
}

#[tokio::test]
async fn a_post_without_a_body_says_that_it_has_none() {
    let (upstream, gateway) = Held::start().await;
    let mut conn = Conn::open(gateway.data).await;
    let key = &gateway.key;
    conn.send(format!(
        "POST /v1/batches/b/cancel HTTP/1.1\r\nhost: w\r\nauthorization: Bearer {key}\r\n\r\n"
    ))
    .await;
    let mut wire = upstream.accept().await;
    let head = wire.through("\r\n\r\n").await;
    assert_eq!(head.matches("content-length: 0\r\n").count(), 1, "{head}");
    assert!(!head.contains("transfer-encoding"), "{head}");
    wire.say(&answer("cancelling")).await;
    assert_eq!(conn.response().await.text(), "cancelling");
}

#[tokio::test]
async fn a_large_request_arrives_whole_at_a_server_that_is_slow_to_read() {
    let upstream = FakeUpstream::with([Reply::json(200, "{}")]).await;
    let gateway = Gateway::before(&upstream).await;
    let mut request = chat("up");
    request["messages"][0]["content"] = "long ".repeat(600 << 10).into();
    request["stream"] = true.into(); // so that the body is edited, and goes out in pieces
    let body = request.to_string();
    assert_eq!(gateway.chat(&body).await.status(), 200);
    let mut sent: serde_json::Value =
        serde_json::from_slice(&upstream.request().await.body().await).unwrap();
    sent.as_object_mut().unwrap().remove("stream_options");
    assert!(sent == request);
}

#[tokio::test]
async fn what_only_announces_an_answer_is_passed_over() {
    let early = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n";
    let (response, connections) = passes(&(early.to_owned() + &answer("yes"))).await;
    assert_eq!((response.status(), &*response.text()), (200, "yes"));
    assert!(response.header("link").is_none());
    assert_eq!(connections, 1);
}

#[tokio::test]
async fn of_a_chunked_answer_only_the_content_passes() {
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-t\r\n\r\n";
    let body = "3;name=\"value\"\r\nabc\r\n02 \r\nde\r\n0\r\nx-t: 1\r\n\r\n";
    let (response, connections) = passes(&format!("{chunked}{body}")).await;
    assert_eq!((&*response.text(), response.is_whole), ("abcde", true));
    assert!(response.header("x-t").is_none());
    assert_eq!(connections, 1);
}

#[tokio::test]
async fn of_two_lengths_the_chunks_count_and_nothing_follows() {
    let both = "HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n";
    let (response, connections) = passes(&format!("{both}5\r\nabcde\r\n0\r\n\r\n")).await;
    assert_eq!((&*response.text(), response.is_whole), ("abcde", true));
    assert_eq!(response.header("content-length"), None);
    assert_eq!(connections, 2);
}

#[tokio::test]
async fn more_than_an_answer_promised_is_nobodys() {
    let (response, connections) = passes(&(answer("abc") + "de")).await;
    assert_eq!((&*response.text(), response.is_whole), ("abc", true));
    assert_eq!(connections, 2);
}

#[tokio::test]
async fn less_than_an_answer_promised_breaks_off() {
    for raw in [
        "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\nabc",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\nnonsense",
    ] {
        let upstream = FakeUpstream::with([Reply::raw(raw).then_closes()]).await;
        let gateway = Gateway::before(&upstream).await;
        let response = get(&gateway).await;
        assert_eq!(
            (response.text(), response.is_whole),
            ("abc".to_owned(), false),
            "{raw:?}"
        );
    }
}

#[tokio::test]
async fn a_stream_that_ends_with_its_connection_passes() {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
    let events = event("to the end") + END;
    let reply = Reply::raw(format!("{head}{events}")).then_closes();
    let upstream = FakeUpstream::with([reply]).await;
    let gateway = Gateway::before(&upstream).await;
    let mut request = chat("up");
    request["stream"] = true.into();
    let response = gateway.chat(request).await;
    assert_eq!((response.text(), response.is_whole), (events, true));
}

#[tokio::test]
async fn an_answer_that_trickles_in_is_the_same_answer() {
    let (reply, feed) = Reply::fed_raw();
    let upstream = FakeUpstream::with([reply]).await;
    let gateway = Gateway::before(&upstream).await;
    let text = "HTTP/1.1 103 x\r\n\r\nHTTP/1.1 200 OK\r\nx-a: 1\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2;x\r\nde\r\n0\r\nt: 1\r\n\r\n";
    for byte in text.bytes() {
        feed.send(vec![byte]).unwrap();
    }
    let response = get(&gateway).await;
    assert_eq!((&*response.text(), response.is_whole), ("abcde", true));
    assert_eq!(response.header("x-a"), Some("1"));
}

#[tokio::test]
async fn what_is_no_answer_is_a_502() {
    let line = |len| format!("HTTP/1.1 200 OK\r\nx: {}", "x".repeat(len));
    for raw in [
        line(70 << 10),
        line(70 << 10) + "\r\ncontent-length: 0\r\n\r\n",
        format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(200)),
        "HTTP/1.1 103 x\r\n\r\n".repeat(50) + &answer("late"),
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\nx: a\r\n folded\r\ncontent-length: 0\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n".to_owned(),
        "\u{1}\u{2}\u{3} what is this".to_owned(),
    ] {
        let upstream = FakeUpstream::with([Reply::raw(&raw).then_hangs()]).await;
        let gateway = Gateway::before(&upstream).await;
        let end = &raw[..raw.len().min(80)];
        assert_eq!(get(&gateway).await.status(), 502, "{end:?}");
        upstream.request().await.closed().await;
    }
}
