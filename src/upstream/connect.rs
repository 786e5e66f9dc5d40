//! Opening connections: TCP without delay, TLS with the public roots, HTTP/2 where the upstream offers it.

use super::{Failure, Outgoing};
use crate::{body, config::Upstream};
use http::Uri;
use hyper_rustls::{HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo, TokioTimer},
};
use std::{error::Error, sync::OnceLock, time::Duration};
use tokio::net::TcpStream;
use tower::{
    BoxError,
    timeout::{Timeout, error::Elapsed},
    util::BoxCloneSyncService,
};

/// Connections that are kept for the next request, an upstream and worker.
const IDLE_MAX: usize = 4096;
/// How long one is kept: less than the time after which servers commonly close theirs.
const IDLE_TIMEOUT: Duration = Duration::from_secs(55);

type Connector = BoxCloneSyncService<Uri, MaybeHttpsStream<TokioIo<TcpStream>>, BoxError>;
pub(super) type Client = legacy::Client<Connector, Outgoing>;

/// A client whose connections are opened within `timeout`.
pub(super) fn client(timeout: Duration) -> Client {
    let mut tcp = HttpConnector::new();
    tcp.set_nodelay(true);
    tcp.enforce_http(false);
    tcp.set_keepalive(Some(Duration::from_secs(60)));
    let https = HttpsConnectorBuilder::new()
        .with_tls_config(tls().clone())
        .https_or_http()
        .enable_all_versions()
        .wrap_connector(tcp);
    legacy::Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE_TIMEOUT)
        .pool_max_idle_per_host(IDLE_MAX)
        .build(BoxCloneSyncService::new(Timeout::new(https, timeout)))
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

/// What a client's error means for the next try.
pub(super) fn failure(error: legacy::Error) -> Failure {
    let mut cause: Option<&(dyn Error + 'static)> = Some(&error);
    while let Some(inner) = cause {
        if inner.is::<Elapsed>() {
            return Failure::Unreachable("no connection in time".into());
        }
        cause = inner.source();
    }
    if error.is_connect() {
        return Failure::Unreachable(error.into());
    }
    Failure::Broken(error.into())
}

/// Whether a connection to the upstream can be opened now.
pub async fn reachable(upstream: &Upstream) -> Result<(), body::Error> {
    let uri: Uri = upstream.base_url.parse()?;
    let host = uri.host().ok_or("no host")?.trim_matches(['[', ']']);
    let port = uri
        .port_u16()
        .unwrap_or(if uri.scheme_str() == Some("https") {
            443
        } else {
            80
        });
    tokio::net::TcpStream::connect((host, port)).await?;
    Ok(())
}
