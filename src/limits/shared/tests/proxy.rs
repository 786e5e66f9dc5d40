//! A way to Redis that can be cut.

use crate::domain::Redis;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// How the way is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Open,
    /// Connections end, and new ones end at once.
    Cut,
    /// Nothing comes through, and nobody is told.
    Silent,
}

pub(super) struct Proxy {
    way: watch::Sender<Way>,
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
        let server = (server.host.clone(), server.port);
        crate::tasks::spawn(async move {
            // Until the test is over, and its runtime with it.
            while let Ok((stream, _)) = listener.accept().await {
                crate::tasks::spawn(pass(stream, server.clone(), watched.clone()));
            }
        });
        Self { way, at }
    }

    pub(super) fn set(&self, way: Way) {
        self.way.send_replace(way);
    }
}

async fn pass(mut from: TcpStream, server: (String, u16), mut way: watch::Receiver<Way>) {
    let mut to = TcpStream::connect(server).await.unwrap();
    loop {
        let now = *way.borrow_and_update();
        if now == Way::Cut {
            return;
        }
        tokio::select! {
            changed = way.changed() => if changed.is_err() { return },
            _ = copy_bidirectional(&mut from, &mut to), if now == Way::Open => return,
        }
    }
}
