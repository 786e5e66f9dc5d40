//! One connection, from its first byte to its close.

use super::{
    Counted, Plane, edge,
    hangup::{Heeding, OnSocket},
    io::{Activity, Doing, Watched, linger, time_out},
    stall::{Stall, Stalling},
    tls::Certificate,
};
use crate::{app::Worker, tasks};
use hyper::{
    Request,
    body::Incoming,
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::{
    net::SocketAddr,
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::{Instant, Sleep, sleep_until},
};

/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Streams that one HTTP/2 connection may have open.
const STREAMS_MAX: u32 = 256;

/// What a connection is served with.
pub(super) struct Served {
    pub(super) worker: Arc<Worker>,
    pub(super) plane: Plane,
    pub(super) peer: SocketAddr,
    pub(super) counted: Counted,
}

/// Serves a connection until it closes, in a task of its own.
pub(super) fn serve(served: Served, stream: TcpStream, certificate: Option<Arc<Certificate>>) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection was lost at once");
        return;
    }
    let stream = Stalling::new(stream);
    match certificate {
        None => {
            let stall = stream.stall();
            tasks::spawn(http1(served, stream, stall));
        }
        Some(certificate) => tasks::spawn(tls(served, stream, certificate)),
    }
}

async fn tls(served: Served, stream: Stalling<TcpStream>, certificate: Arc<Certificate>) {
    let stall = stream.stall();
    match tokio::time::timeout(HANDSHAKE, certificate.acceptor().accept(stream)).await {
        Ok(Ok(stream)) if stream.get_ref().1.alpn_protocol() == Some(b"h2") => {
            http2(served, stream, stall).await;
        }
        Ok(Ok(stream)) => http1(served, stream, stall).await,
        Ok(Err(error)) => tracing::debug!(%error, "no TLS handshake"),
        Err(_) => tracing::debug!("no TLS handshake in time"),
    }
}

/// A time limit that has passed on an HTTP/1 connection.
enum Lapse {
    Idle,
    Head,
    Write,
}

/// Not an `async fn`, which would keep the room of its arguments and of all that only prepares: there is one of these
/// for each connection, for as long as it is open.
fn http1<I>(served: Served, stream: I, stall: Stall) -> impl Future<Output = ()> + Send
where
    I: AsyncRead + AsyncWrite + OnSocket + Unpin + Send + 'static,
{
    let snapshot = served.worker.app.snapshot.load_full();
    let bounds = &snapshot.config.server;
    let activity = Activity::new();
    let io = TokioIo::new(Watched::new(Heeding::new(stream), activity.clone()));
    let service = service_fn(service(&served, &activity));
    let mut connection = http1::Builder::new()
        .max_header_size(bounds.header_max_bytes)
        .max_buf_size(bounds.header_max_bytes.max(MIN_BUFFER_BYTES))
        .serve_connection(io, service);
    let drain = served.worker.app.drain.clone();
    let Served { plane, counted, .. } = served;
    async move {
        let bounds = &snapshot.config.server;
        let mut drains = None;
        let mut timer: Option<Pin<Box<Sleep>>> = None;
        let lapse = std::future::poll_fn(|cx| {
            drains.get_or_insert_with(|| drain.register(cx.waker()));
            // While clients are sent away, operators still want to see how that goes.
            if drain.is_raised() && plane == Plane::Data {
                Pin::new(&mut connection).graceful_shutdown();
            }
            if let Poll::Ready(result) = Pin::new(&mut connection).poll(cx) {
                if let Err(error) = result {
                    tracing::debug!(%error, "a connection broke");
                }
                return Poll::Ready(None);
            }
            loop {
                let (due, lapse) = match activity.doing() {
                    Doing::Idle(since) => (since + bounds.idle_timeout, Some(Lapse::Idle)),
                    Doing::Receiving(since) => (since + bounds.header_timeout, Some(Lapse::Head)),
                    Doing::Answering => match stall.since() {
                        Some(since) => (since + bounds.write_timeout, Some(Lapse::Write)),
                        // The answer has limits of its own.
                        None => return Poll::Pending,
                    },
                };
                let timer = timer.get_or_insert_with(|| Box::pin(sleep_until(due)));
                if timer.deadline() > due {
                    timer.as_mut().reset(due);
                }
                std::task::ready!(timer.as_mut().poll(cx));
                if Instant::now() >= due {
                    return Poll::Ready(lapse);
                }
                timer.as_mut().reset(due);
            }
        })
        .await;
        let stream = || connection.into_parts().io.into_inner();
        match lapse {
            Some(Lapse::Head) => Box::pin(time_out(stream())).await,
            Some(Lapse::Write) => tracing::debug!("{STALLED}"),
            None if activity.refused_early() => Box::pin(linger(stream())).await,
            _ => {}
        }
        drop(counted);
    }
}

const STALLED: &str = "a client has stopped reading its answer";
/// hyper's smallest.
const MIN_BUFFER_BYTES: usize = 64 << 10;

async fn http2<I: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    served: Served,
    stream: I,
    stall: Stall,
) {
    let snapshot = served.worker.app.snapshot.load_full();
    let bounds = &snapshot.config.server;
    let activity = Activity::new();
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(bounds.header_max_bytes as u32)
        .keep_alive_interval(Duration::from_secs(30));
    let service = service_fn(service(&served, &activity));
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let drain = &served.worker.app.drain;
    let mut told = served.plane == Plane::Control;
    loop {
        let due = match activity.doing() {
            Doing::Idle(since) | Doing::Receiving(since) => since + bounds.idle_timeout,
            Doing::Answering => Instant::now() + bounds.idle_timeout.min(bounds.write_timeout),
        };
        tokio::select! {
            result = connection.as_mut() => {
                if let Err(error) = result {
                    tracing::debug!(%error, "a connection broke");
                }
                break;
            }
            () = drain.raised(), if !told => {
                connection.as_mut().graceful_shutdown();
                told = true;
            }
            () = sleep_until(due) => {
                if matches!(activity.doing(), Doing::Idle(since) if since.elapsed() >= bounds.idle_timeout) {
                    break;
                }
                if stall.since().is_some_and(|since| since.elapsed() >= bounds.write_timeout) {
                    tracing::debug!("{STALLED}");
                    break;
                }
            }
        }
    }
    drop(served.counted);
}

fn service(
    served: &Served,
    activity: &Activity,
) -> impl Fn(Request<Incoming>) -> edge::Handling + Clone + use<> {
    let (worker, plane, peer) = (Arc::clone(&served.worker), served.plane, served.peer);
    let activity = activity.clone();
    move |request| edge::handle(Arc::clone(&worker), plane, peer, activity.answer(), request)
}
