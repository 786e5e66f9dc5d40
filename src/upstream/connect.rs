//! Opening connections: TCP without delay, TLS with the public roots or an upstream's own, HTTP/2 where the upstream offers it.

use super::{Outgoing, http1};
use crate::{body, config::Upstream, domain::Authorities, tasks};
use http::{Uri, uri::Scheme};
use hyper::{
    client::conn::http2,
    rt::{Read, Write},
};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::{
    client::legacy::connect::{Connection, HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use std::{
    pin::Pin,
    sync::OnceLock,
    task::{Context, Poll},
    time::Duration,
};
use tokio::net::TcpStream;
use tower::Service;

/// The system asks a silent peer so often whether it is still there.
const KEEPALIVE: Duration = Duration::from_secs(60);

/// Opens connections. Two ways, since one that could do both would give every plain connection the room of a TLS one.
pub(super) struct Connector {
    plain: HttpConnector,
    tls: HttpsConnector<HttpConnector>,
}

/// A connection that is ready for a request.
pub(super) enum Sender {
    /// For one request at a time.
    Http1(http1::Connection),
    /// For many.
    Http2(http2::SendRequest<Outgoing>),
}

impl Connector {
    pub(super) fn new(authorities: Option<&Authorities>) -> Self {
        let mut plain = HttpConnector::new();
        plain.set_nodelay(true);
        plain.enforce_http(false);
        plain.set_keepalive(Some(KEEPALIVE));
        let tls = match authorities {
            None => public().clone(),
            own => Authorities::client(own),
        };
        let tls = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_only()
            .enable_all_versions()
            .wrap_connector(plain.clone());
        Self { plain, tls }
    }

    /// Opens a connection to `origin`.
    pub(super) async fn open(&self, origin: Uri) -> Result<Sender, body::Error> {
        if origin.scheme() == Some(&Scheme::HTTPS) {
            // Boxed, so that a plain connection does not take the room of a TLS one on its way.
            Box::pin(open_tls(self.tls.clone(), origin)).await
        } else {
            let stream = connect(self.plain.clone(), origin).await?;
            Ok(Sender::Http1(stream.into_inner().into()))
        }
    }
}

async fn connect<S>(mut connector: S, origin: Uri) -> Result<S::Response, body::Error>
where
    S: Service<Uri>,
    S::Error: Into<body::Error>,
{
    std::future::poll_fn(|cx| connector.poll_ready(cx))
        .await
        .map_err(Into::into)?;
    connector.call(origin).await.map_err(Into::into)
}

/// Speaks the version of HTTP that was agreed on.
async fn open_tls(
    connector: HttpsConnector<HttpConnector>,
    origin: Uri,
) -> Result<Sender, body::Error> {
    let stream = connect(connector, origin).await?;
    let is_http2 = stream.connected().is_negotiated_h2();
    match stream {
        MaybeHttpsStream::Https(stream) if !is_http2 => {
            Ok(Sender::Http1(stream.into_inner().into()))
        }
        stream => http2(stream).await,
    }
}

/// Many requests on one connection need somebody to drive it: a task of this thread does, until it closes.
async fn http2<I>(stream: I) -> Result<Sender, body::Error>
where
    I: Read + Write + Unpin + Send + 'static,
{
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .keep_alive_interval(KEEPALIVE);
    let (sender, connection) = builder.handshake(stream).await?;
    tasks::spawn(Driven(connection));
    Ok(Sender::Http2(sender))
}

/// A connection until it closes. By hand: an `async` block would keep room for the connection twice.
struct Driven<C>(C);

impl<C: Future<Output = hyper::Result<()>> + Unpin> Future for Driven<C> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(cx).map(|outcome| {
            if let Err(error) = outcome {
                tracing::debug!(%error, "an upstream's connection broke");
            }
        })
    }
}

/// What all upstreams share that have public certificates.
fn public() -> &'static rustls::ClientConfig {
    static PUBLIC: OnceLock<rustls::ClientConfig> = OnceLock::new();
    PUBLIC.get_or_init(|| Authorities::client(None))
}

/// Whether a connection to the upstream can be opened now.
pub async fn reachable(upstream: &Upstream) -> Result<(), body::Error> {
    let uri: Uri = upstream.base_url.parse()?;
    let host = uri.host().ok_or("no host")?.trim_matches(['[', ']']);
    let https = uri.scheme_str() == Some("https");
    let port = uri.port_u16().unwrap_or(if https { 443 } else { 80 });
    TcpStream::connect((host, port)).await?;
    Ok(())
}
