//! Opening connections: TCP without delay, TLS with the public roots, HTTP/2 where the upstream offers it.

use super::Outgoing;
use crate::{body, config::Upstream, tasks};
use http::Uri;
use hyper::client::conn::{http1, http2};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::connect::{Connection as _, HttpConnector},
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

/// Opens connections.
pub(super) struct Connector(HttpsConnector<HttpConnector>);

/// A connection that is ready for a request.
pub(super) enum Sender {
    /// For one request at a time.
    Http1(http1::SendRequest<Outgoing>),
    /// For many.
    Http2(http2::SendRequest<Outgoing>),
}

impl Connector {
    pub(super) fn new() -> Self {
        let mut tcp = HttpConnector::new();
        tcp.set_nodelay(true);
        tcp.enforce_http(false);
        tcp.set_keepalive(Some(KEEPALIVE));
        let https = HttpsConnectorBuilder::new()
            .with_tls_config(tls().clone())
            .https_or_http()
            .enable_all_versions()
            .wrap_connector(tcp);
        Self(https)
    }

    /// Opens a connection to `origin`; it is driven by a task of this thread until it closes.
    pub(super) async fn open(&self, origin: Uri) -> Result<Sender, body::Error> {
        let mut connector = self.0.clone();
        std::future::poll_fn(|cx| connector.poll_ready(cx)).await?;
        let stream = connector.call(origin).await?;
        if stream.connected().is_negotiated_h2() {
            let mut builder = http2::Builder::new(TokioExecutor::new());
            builder
                .timer(TokioTimer::new())
                .keep_alive_interval(KEEPALIVE);
            let (sender, connection) = builder.handshake(stream).await?;
            tasks::spawn(Driven(connection));
            return Ok(Sender::Http2(sender));
        }
        let (sender, connection) = http1::handshake(stream).await?;
        tasks::spawn(Driven(connection));
        Ok(Sender::Http1(sender))
    }
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

fn tls() -> &'static rustls::ClientConfig {
    static TLS: OnceLock<rustls::ClientConfig> = OnceLock::new();
    TLS.get_or_init(|| {
        let roots = rustls::RootCertStore {
            roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
        };
        rustls::ClientConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .expect("the provider supports the default versions")
            .with_root_certificates(roots)
            .with_no_client_auth()
    })
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
