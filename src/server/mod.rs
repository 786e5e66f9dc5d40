//! The two listeners: accept, hand connections to the threads that serve, drain.
//!
//! The data plane is served by single-threaded runtimes, one a worker, and a connection stays with the worker that
//! it was given to. One acceptor hands them out, always to the worker with the fewest: the load is even, the number
//! of connections has one bound, and a port that is taken is an error. It has a thread of its own, as each worker has,
//! so that whatever the control plane is asked delays no client, not even a new one.

mod connection;
mod control;
mod cors;
mod data;
mod document;
mod edge;
mod forwarded;
mod hangup;
mod id;
mod io;
mod open;
mod path;
mod stall;
mod standing;
pub mod tls;

use crate::{
    app::{App, Worker},
    tasks,
    telemetry::metrics,
    upstream::Pool,
};
use connection::Served;
use std::{
    io::Error,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tls::Certificate;
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    sync::mpsc,
};

/// Connections that may wait to be accepted; a burst of clients is not refused.
const BACKLOG: u32 = 4096;
/// How long the acceptor rests when the system has no descriptors left.
const REST: Duration = Duration::from_millis(50);

/// Which plane a connection came in on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plane {
    /// For API keys.
    Data,
    /// For admins.
    Control,
}

impl Plane {
    fn as_str(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Control => "control",
        }
    }
}

/// Opens a listener.
pub fn listen(address: SocketAddr) -> Result<TcpListener, Error> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// How many connections there are and may be, both planes together.
pub struct Connections {
    data: AtomicUsize,
    control: AtomicUsize,
}

/// A connection that counts for as long as this lives.
pub(crate) struct Counted {
    all: Arc<Connections>,
    plane: Plane,
    gauge: metrics::Open,
    load: Arc<AtomicUsize>,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.all.of(self.plane).fetch_sub(1, Ordering::SeqCst);
        self.load.fetch_sub(1, Ordering::Relaxed);
        self.gauge.closed();
    }
}

impl Connections {
    /// None yet.
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            data: AtomicUsize::new(0),
            control: AtomicUsize::new(0),
        })
    }

    /// Open connections of clients.
    pub fn of_clients(&self) -> usize {
        self.data.load(Ordering::SeqCst)
    }

    fn all(&self) -> usize {
        self.of_clients() + self.control.load(Ordering::SeqCst)
    }

    fn of(&self, plane: Plane) -> &AtomicUsize {
        match plane {
            Plane::Data => &self.data,
            Plane::Control => &self.control,
        }
    }

    fn count(self: &Arc<Self>, plane: Plane, load: &Arc<AtomicUsize>) -> Counted {
        self.of(plane).fetch_add(1, Ordering::SeqCst);
        load.fetch_add(1, Ordering::Relaxed);
        let gauge = metrics::Open::new(plane.as_str());
        Counted {
            all: Arc::clone(self),
            plane,
            gauge,
            load: Arc::clone(load),
        }
    }
}

/// An accepted connection on its way to its worker.
struct Handed {
    stream: std::net::TcpStream,
    peer: SocketAddr,
    counted: Counted,
}

/// The threads that serve the data plane; they end with the process.
pub struct Workers {
    lanes: Vec<Lane>,
}

struct Lane {
    connections: mpsc::UnboundedSender<Handed>,
    load: Arc<AtomicUsize>,
}

impl Workers {
    /// Starts `count` threads.
    pub fn start(
        app: &Arc<App>,
        count: usize,
        certificate: Option<&Arc<Certificate>>,
    ) -> Result<Self, Error> {
        let mut lanes = Vec::new();
        for i in 0..count {
            let (sender, receiver) = mpsc::unbounded_channel();
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            let worker = Arc::new(Worker {
                app: Arc::clone(app),
                pool: Pool::default(),
            });
            let certificate = certificate.cloned();
            let serve = move || runtime.block_on(work(worker, certificate, receiver));
            std::thread::Builder::new()
                .name(format!("weir-worker-{i}"))
                .spawn(serve)?;
            lanes.push(Lane {
                connections: sender,
                load: Arc::default(),
            });
        }
        Ok(Self { lanes })
    }

    /// Starts the thread that accepts connections until the gateway drains, and hands each to the worker with the
    /// fewest.
    pub fn accept(
        self,
        app: &Arc<App>,
        listener: TcpListener,
        connections: &Arc<Connections>,
    ) -> Result<(), Error> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let listener = listener.into_std()?;
        let (app, connections) = (Arc::clone(app), Arc::clone(connections));
        let listener = {
            let _inside = runtime.enter();
            TcpListener::from_std(listener)?
        };
        let accept = move || runtime.block_on(self.hand_out(&app, listener, &connections));
        std::thread::Builder::new()
            .name("weir-accept".to_owned())
            .spawn(accept)?;
        Ok(())
    }

    async fn hand_out(&self, app: &App, listener: TcpListener, connections: &Arc<Connections>) {
        while let Some((stream, peer)) = next(&listener, app, connections, Plane::Data).await {
            let lane = self
                .lanes
                .iter()
                .min_by_key(|lane| lane.load.load(Ordering::Relaxed));
            let lane = lane.expect("there is at least one worker");
            let counted = connections.count(Plane::Data, &lane.load);
            match stream.into_std() {
                // The receiver lives as long as its thread, which outlives the acceptor.
                Ok(stream) => drop(lane.connections.send(Handed {
                    stream,
                    peer,
                    counted,
                })),
                Err(error) => tracing::debug!(%error, "a connection was lost at once"),
            }
        }
    }
}

async fn work(
    worker: Arc<Worker>,
    certificate: Option<Arc<Certificate>>,
    mut connections: mpsc::UnboundedReceiver<Handed>,
) {
    while let Some(Handed {
        stream,
        peer,
        counted,
    }) = connections.recv().await
    {
        let stream = match TcpStream::from_std(stream) {
            Ok(stream) => stream,
            Err(error) => {
                tracing::debug!(%error, "a connection was lost at once");
                continue;
            }
        };
        let served = Served {
            worker: Arc::clone(&worker),
            plane: Plane::Data,
            peer,
            counted,
        };
        connection::serve(served, stream, certificate.clone());
    }
    // Nobody accepts any more: what is served goes on until the process ends.
    std::future::pending().await
}

/// Serves the control plane on this runtime until the process ends.
pub async fn control(
    worker: Arc<Worker>,
    listener: TcpListener,
    certificate: Option<Arc<Certificate>>,
    connections: Arc<Connections>,
) {
    let load = Arc::default();
    loop {
        let Ok((stream, peer)) = listener.accept().await else {
            tokio::time::sleep(REST).await;
            continue;
        };
        let counted = connections.count(Plane::Control, &load);
        let served = Served {
            worker: Arc::clone(&worker),
            plane: Plane::Control,
            peer,
            counted,
        };
        connection::serve(served, stream, certificate.clone());
    }
}

/// The next connection that there is room for; `None` when the gateway drains.
async fn next(
    listener: &TcpListener,
    app: &App,
    connections: &Connections,
    plane: Plane,
) -> Option<(TcpStream, SocketAddr)> {
    loop {
        let accepted = tokio::select! {
            biased;
            () = app.drain.raised() => return None,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _))
                if connections.all() >= app.snapshot.load().config.server.connections_max =>
            {
                metrics::connection_refused(plane.as_str());
                tasks::spawn(io::turn_away(stream));
            }
            Ok(accepted) => return Some(accepted),
            Err(error) => {
                tracing::warn!(%error, "no connection could be accepted");
                tokio::time::sleep(REST).await;
            }
        }
    }
}
