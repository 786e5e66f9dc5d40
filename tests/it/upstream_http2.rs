//! Upstreams that speak HTTP/2, frame by frame: what they did not look at is asked again, and what they break is told.

use crate::{
    support::{Gateway, Setup, chat},
    tls::{certify, server_config},
};
use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

const PREFACE: usize = 24;
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// What the server does with a request.
#[derive(Clone, Copy, Debug)]
enum Act {
    /// Resets it with this code.
    Reset(u32),
    /// Says good-bye and that it has looked at no request, or at all of them, and closes.
    GoAway { seen: bool },
    /// Answers `{}`, and says that it is so long.
    Answer { length: u8 },
}

const REFUSED_STREAM: u32 = 7;
const INTERNAL_ERROR: u32 = 2;

/// A server with a script.
struct Server {
    address: SocketAddr,
    dir: TempDir,
    requests: Arc<AtomicUsize>,
    connections: Arc<AtomicUsize>,
}

impl Server {
    async fn with(acts: impl IntoIterator<Item = Act>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut config = server_config(&certify(dir.path()));
        config.alpn_protocols = vec![b"h2".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let acts = Arc::new(Mutex::new(acts.into_iter().collect::<VecDeque<_>>()));
        let (requests, connections) = (Arc::default(), Arc::default());
        let server = Self {
            address,
            dir,
            requests: Arc::clone(&requests),
            connections: Arc::clone(&connections),
        };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                connections.fetch_add(1, SeqCst);
                let (acceptor, acts) = (acceptor.clone(), Arc::clone(&acts));
                let requests = Arc::clone(&requests);
                tokio::spawn(async move {
                    let next = || {
                        requests.fetch_add(1, SeqCst);
                        acts.lock().unwrap().pop_front().expect("no more requests")
                    };
                    // A client that leaves is not what these tests are about.
                    let _ = serve(acceptor.accept(stream).await?, next).await;
                    std::io::Result::Ok(())
                });
            }
        });
        server
    }

    /// A gateway in front of it, with so many retries.
    async fn gateway(self, retries: u8) -> (Gateway, Arc<AtomicUsize>, Arc<AtomicUsize>) {
        let setup: Setup = Gateway::setup().config(&format!(
            "[[upstream]]\nname = \"up\"\nprovider = \"openai\"\nbase_url = \"https://{}/v1\"\nca_file = \"cert.pem\"\n\
             retries = {retries}\n[[model]]\nname = \"up\"\nto = [\"up\"]\n",
            self.address
        ));
        let gateway = setup.start_in(self.dir).await;
        (gateway, self.requests, self.connections)
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    let head = [&length[1..], &[kind, flags], &stream.to_be_bytes()].concat();
    [&head, payload].concat()
}

async fn serve(
    mut stream: TlsStream<TcpStream>,
    mut next: impl FnMut() -> Act,
) -> std::io::Result<()> {
    stream.write_all(&frame(SETTINGS, 0, 0, &[])).await?;
    stream.read_exact(&mut [0; PREFACE]).await?;
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await?;
        let [a, b, c, kind, flags, id @ ..] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        stream.read_exact(&mut payload).await?;
        if !matches!(kind, HEADERS | DATA) || flags & END_STREAM == 0 {
            continue;
        }
        let id = u32::from_be_bytes(id);
        match next() {
            Act::Reset(code) => {
                let reset = frame(RST_STREAM, 0, id, &code.to_be_bytes());
                stream.write_all(&reset).await?;
            }
            Act::GoAway { seen } => {
                let last = if seen { id } else { id - 1 };
                let farewell = [last.to_be_bytes(), [0; 4]].concat();
                stream.write_all(&frame(GOAWAY, 0, 0, &farewell)).await?;
                return stream.shutdown().await;
            }
            Act::Answer { length } => {
                // `:status: 200` from the static table, and `content-length` with a value of its own.
                let fields = [0x88, 0x0f, 0x0d, 1, b'0' + length];
                let answer = [
                    frame(HEADERS, END_HEADERS, id, &fields),
                    frame(DATA, END_STREAM, id, b"{}"),
                ];
                stream.write_all(&answer.concat()).await?;
            }
        }
        stream.flush().await?;
    }
}

#[tokio::test]
async fn a_request_that_the_upstream_never_looked_at_is_repeated() {
    for (act, connections) in [
        (Act::Reset(REFUSED_STREAM), 1),
        (Act::GoAway { seen: false }, 2),
    ] {
        let server = Server::with([act, Act::Answer { length: 2 }]).await;
        let (gateway, requests, opened) = server.gateway(1).await;
        assert_eq!(gateway.chat(chat("up")).await.text(), "{}", "{act:?}");
        assert_eq!(
            (requests.load(SeqCst), opened.load(SeqCst)),
            (2, connections),
            "{act:?}"
        );
    }
}

#[tokio::test]
async fn a_request_that_may_have_been_looked_at_is_not_repeated() {
    for act in [Act::Reset(INTERNAL_ERROR), Act::GoAway { seen: true }] {
        let server = Server::with([act]).await;
        let (gateway, requests, _) = server.gateway(3).await;
        let refused = gateway.chat(chat("up")).await;
        refused.refused(502, "upstream_unreachable");
        assert_eq!(requests.load(SeqCst), 1, "{act:?}");
    }
}

#[tokio::test]
async fn an_upload_is_not_repeated_for_its_body_is_gone() {
    let server = Server::with([Act::Reset(REFUSED_STREAM)]).await;
    let (gateway, requests, _) = server.gateway(3).await;
    let refused = gateway.post("/v1/files", "{}").await;
    refused.refused(502, "upstream_unreachable");
    assert_eq!(requests.load(SeqCst), 1);
}

#[tokio::test]
async fn an_answer_of_another_length_than_it_says_breaks_off_behind_its_head() {
    for length in [1, 9] {
        let server = Server::with([Act::Answer { length }]).await;
        let (gateway, ..) = server.gateway(0).await;
        let answer = gateway.chat(chat("up")).await;
        assert_eq!((answer.status(), answer.is_whole), (200, false), "{length}");
    }
}
