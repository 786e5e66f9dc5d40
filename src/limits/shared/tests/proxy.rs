//! A way to Redis that can be cut.

use crate::domain::Redis;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// What a server says that has no room and may not make any.
const FULL: &[u8] = b"-OOM command not allowed when used memory > 'maxmemory'.\r\n";

/// How the way is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Open,
    /// Connections end, and new ones end at once.
    Cut,
    /// Nothing comes through, and nobody is told.
    Silent,
    /// Whoever connects is let in, and every round is refused.
    Full,
}

pub(super) struct Proxy {
    way: watch::Sender<Way>,
    rounds: Arc<AtomicU64>,
    /// The server as it is reached through here.
    pub(super) at: Redis,
}

impl Proxy {
    pub(super) async fn to(server: &Redis) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let at = Redis {
            port: listener.local_addr().unwrap().port(),
            ..server.clone()
        };
        let (way, watched) = watch::channel(Way::Open);
        let rounds = Arc::new(AtomicU64::new(0));
        let (server, counted) = ((server.host.clone(), server.port), Arc::clone(&rounds));
        crate::tasks::spawn(async move {
            // Until the test is over, and its runtime with it.
            while let Ok((stream, _)) = listener.accept().await {
                let (server, counted) = (server.clone(), Arc::clone(&counted));
                crate::tasks::spawn(pass(stream, server, watched.clone(), counted));
            }
        });
        Self { way, rounds, at }
    }

    pub(super) fn set(&self, way: Way) {
        self.way.send_replace(way);
    }

    /// How many rounds were sent here, whatever came of them.
    pub(super) fn rounds(&self) -> u64 {
        self.rounds.load(Ordering::SeqCst)
    }
}

async fn pass(
    mut from: TcpStream,
    server: (String, u16),
    mut way: watch::Receiver<Way>,
    rounds: Arc<AtomicU64>,
) {
    let mut to = TcpStream::connect(server).await.unwrap();
    let (mut sent, mut answered) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        let now = *way.borrow_and_update();
        if now == Way::Cut {
            return;
        }
        let passed = tokio::select! {
            changed = way.changed() => if changed.is_err() { return } else { continue },
            read = from.read(&mut sent), if now != Way::Silent => match read {
                Ok(0) | Err(_) => return,
                Ok(count) if is_round(&sent[..count]) => {
                    rounds.fetch_add(1, Ordering::SeqCst);
                    match now {
                        Way::Full => from.write_all(FULL).await,
                        _ => to.write_all(&sent[..count]).await,
                    }
                }
                Ok(count) => to.write_all(&sent[..count]).await,
            },
            read = to.read(&mut answered), if now != Way::Silent => match read {
                Ok(0) | Err(_) => return,
                Ok(count) => from.write_all(&answered[..count]).await,
            },
        };
        if passed.is_err() {
            return;
        }
    }
}

/// Whether a round begins here: one is on its way at a time, and its name comes first.
fn is_round(sent: &[u8]) -> bool {
    sent.windows(7).take(32).any(|name| name == b"EVALSHA")
}
