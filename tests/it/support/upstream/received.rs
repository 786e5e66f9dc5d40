//! A request as it arrived.

use crate::support::within;
use std::sync::{Arc, atomic::AtomicU64};
use tokio::sync::{mpsc, watch};

/// A request that has arrived.
pub struct Received {
    /// Request line and headers as they came.
    pub head: String,
    pub(super) pieces: mpsc::UnboundedReceiver<Vec<u8>>,
    pub(super) closed: watch::Receiver<bool>,
    /// Bytes of the answer that the other side has taken.
    pub written: Arc<AtomicU64>,
}

impl Received {
    /// The method and the target.
    pub fn line(&self) -> (&str, &str) {
        let mut words = self.head.split(' ');
        (words.next().unwrap(), words.next().unwrap())
    }

    /// All values of a header.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(':'));
        let matching = lines.filter(|(n, _)| n.eq_ignore_ascii_case(name));
        matching.map(|(_, value)| value.trim()).collect()
    }

    /// The one value of a header.
    #[track_caller]
    pub fn get(&self, name: &str) -> Option<&str> {
        let all = self.all(name);
        assert!(all.len() < 2, "{name} is there twice: {}", self.head);
        all.first().copied()
    }

    /// The whole body, without the framing.
    pub async fn body(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        while let Some(piece) = self.piece().await {
            body.extend(piece);
        }
        body
    }

    /// The body as text.
    pub async fn text(&mut self) -> String {
        String::from_utf8(self.body().await).unwrap()
    }

    /// The next piece of the body; `None` at its end.
    pub async fn piece(&mut self) -> Option<Vec<u8>> {
        within("more of the request", self.pieces.recv()).await
    }

    /// Waits until the other side has closed the connection, or reset it.
    pub async fn closed(&mut self) {
        let closed = within(
            "the connection's end",
            self.closed.wait_for(|closed| *closed),
        )
        .await;
        closed.expect("the upstream looks for it");
    }
}
