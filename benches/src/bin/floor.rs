//! A bare hyper reverse proxy: what forwarding costs on this stack before there is any gateway.
//!
//! It is laid out as Weir is, single-threaded runtimes with a client each, so that the difference is Weir's own work.

use bytes::Bytes;
use clap::{Parser, ValueEnum};
use http::{Request, Response, StatusCode, Uri, header, uri::Authority};
use http_body_util::{BodyExt, Either, Full};
use hyper::{
    body::{Body, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo, TokioTimer},
};
use std::{error::Error, net::SocketAddr, thread, time::Duration};
use tokio::net::TcpSocket;

#[derive(Parser, Clone)]
struct Args {
    /// Where to listen
    #[arg(long, default_value = "127.0.0.1:9001")]
    listen: SocketAddr,
    /// Where requests go
    #[arg(long, default_value = "127.0.0.1:9000")]
    upstream: Authority,
    /// Single-threaded runtimes, which share the port
    #[arg(long, default_value_t = 1)]
    workers: usize,
    /// What forwards
    #[arg(long, value_enum, default_value_t = Kind::HyperUtil)]
    client: Kind,
}

#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    HyperUtil,
    Reqwest,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let others: Vec<_> = (1..args.workers)
        .map(|_| args.clone())
        .map(|args| thread::spawn(move || work(args)))
        .collect();
    work(args)?;
    others
        .into_iter()
        .try_for_each(|other| other.join().expect("workers do not panic"))
}

fn work(args: Args) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async move {
        match args.client {
            Kind::HyperUtil => serve(&args, hyper_util_client()).await,
            Kind::Reqwest => serve(&args, reqwest_client()?).await,
        }
    })
}

async fn serve<C: Client>(args: &Args, client: C) -> anyhow::Result<()> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.set_reuseport(true)?;
    socket.bind(args.listen)?;
    let listener = socket.listen(4096)?;
    loop {
        let (tcp, _) = listener.accept().await?;
        tcp.set_nodelay(true)?;
        let (client, upstream) = (client.clone(), args.upstream.clone());
        let service = service_fn(move |request| forward(client.clone(), upstream.clone(), request));
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(tcp), service));
    }
}

type Answer<B> = Either<B, Full<Bytes>>;

async fn forward<C: Client>(
    client: C,
    upstream: Authority,
    request: Request<Incoming>,
) -> Result<Response<Answer<C::Body>>, hyper::Error> {
    let (mut head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let mut uri = head.uri.into_parts();
    uri.scheme = Some(http::uri::Scheme::HTTP);
    uri.authority = Some(upstream);
    head.uri = Uri::from_parts(uri).expect("the path is a request's");
    head.headers.remove(header::HOST);
    Ok(match client.send(Request::from_parts(head, body)).await {
        Ok(answer) => answer.map(Either::Left),
        Err(error) => {
            let mut answer = Response::new(Either::Right(Full::from(error.to_string())));
            *answer.status_mut() = StatusCode::BAD_GATEWAY;
            answer
        }
    })
}

/// What forwards a request. Both kinds keep connections in the same way.
trait Client: Clone + Send + Sync + 'static {
    type Body: Body<Data = Bytes, Error: Error + Send + Sync> + Send + Unpin;

    fn send(
        &self,
        request: Request<Bytes>,
    ) -> impl Future<Output = Result<Response<Self::Body>, Box<dyn Error + Send + Sync>>> + Send;
}

const IDLE_TIMEOUT: Duration = Duration::from_secs(55);
const IDLE_MAX: usize = 4096;

type HyperUtil = legacy::Client<HttpConnector, Full<Bytes>>;

fn hyper_util_client() -> HyperUtil {
    let mut tcp = HttpConnector::new();
    tcp.set_nodelay(true);
    legacy::Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE_TIMEOUT)
        .pool_max_idle_per_host(IDLE_MAX)
        .build(tcp)
}

impl Client for HyperUtil {
    type Body = Incoming;

    async fn send(
        &self,
        request: Request<Bytes>,
    ) -> Result<Response<Incoming>, Box<dyn Error + Send + Sync>> {
        Ok(self.request(request.map(Full::new)).await?)
    }
}

fn reqwest_client() -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .tcp_nodelay(true)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .pool_max_idle_per_host(IDLE_MAX)
        .build()
}

impl Client for reqwest::Client {
    type Body = reqwest::Body;

    async fn send(
        &self,
        request: Request<Bytes>,
    ) -> Result<Response<reqwest::Body>, Box<dyn Error + Send + Sync>> {
        Ok(self.execute(request.try_into()?).await?.into())
    }
}
