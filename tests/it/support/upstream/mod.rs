//! An upstream that does what its script says, to the byte: chunk boundaries, silences, resets.

mod received;
mod reply;
mod serve;

pub use reply::{Feed, Reply};

use crate::support::within;
use received::Received;
use serve::serve;
use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio::{net::TcpListener, sync::mpsc};

/// A model server with a script.
pub struct FakeUpstream {
    pub address: SocketAddr,
    script: Arc<Script>,
    received: tokio::sync::Mutex<mpsc::UnboundedReceiver<Received>>,
}

#[derive(Default)]
struct Script {
    replies: Mutex<VecDeque<Reply>>,
    connections: AtomicUsize,
}

impl FakeUpstream {
    /// Starts one that answers 500 until it is told better.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let script = Arc::new(Script::default());
        let (sender, received) = mpsc::unbounded_channel();
        let shared = Arc::clone(&script);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                shared.connections.fetch_add(1, Ordering::SeqCst);
                let (script, sender) = (Arc::clone(&shared), sender.clone());
                tokio::spawn(async move {
                    // A connection that breaks is what many tests are about.
                    let _ = serve(stream, script, sender).await;
                });
            }
        });
        Self {
            address,
            script,
            received: tokio::sync::Mutex::new(received),
        }
    }

    /// One with a script; the last reply is for all requests after.
    pub async fn with(replies: impl IntoIterator<Item = Reply>) -> Self {
        let upstream = Self::start().await;
        upstream.script.replies.lock().unwrap().extend(replies);
        upstream
    }

    /// Puts another script in place.
    pub fn now(&self, replies: impl IntoIterator<Item = Reply>) {
        *self.script.replies.lock().unwrap() = replies.into_iter().collect();
    }

    /// The next request.
    pub async fn request(&self) -> Received {
        let mut received = self.received.lock().await;
        within("a request at the upstream", received.recv())
            .await
            .unwrap()
    }

    /// Whether no request has come that was not asked for.
    pub async fn is_untouched(&self) -> bool {
        self.received.lock().await.is_empty()
    }

    /// How many connections were opened.
    pub fn connections(&self) -> usize {
        self.script.connections.load(Ordering::SeqCst)
    }

    /// Its base URL.
    pub fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }
}
