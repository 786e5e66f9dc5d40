//! A listener's certificate, taken up again when its files change.

use crate::config::Tls;
use arc_swap::ArcSwap;
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio_rustls::TlsAcceptor;

/// How often the files are looked at.
const POLL: Duration = Duration::from_secs(2);

/// A certificate and the acceptor that shows it.
pub struct Certificate {
    files: Tls,
    /// When the files were written that were read first.
    read: [Option<SystemTime>; 2],
    current: Arc<Current>,
    acceptor: TlsAcceptor,
}

#[derive(Debug)]
struct Current(ArcSwap<CertifiedKey>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file is not what it should be.
    #[error("{0} is no usable PEM file")]
    Pem(String, #[source] rustls::pki_types::pem::Error),
    /// The certificate and the key do not go together, or are of no known kind.
    #[error("the certificate and its key cannot be used")]
    Pair(#[from] rustls::Error),
}

impl Certificate {
    /// Reads the files.
    pub fn load(files: &Tls) -> Result<Arc<Self>, Error> {
        // Before they are read: what changes from here on is new.
        let modified = modified(files);
        let current = Arc::new(Current(ArcSwap::new(read(files)?)));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&current) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(Self {
            files: files.clone(),
            read: modified,
            current,
            acceptor: TlsAcceptor::from(Arc::new(config)),
        }))
    }

    /// What connections are accepted with.
    pub fn acceptor(&self) -> &TlsAcceptor {
        &self.acceptor
    }

    /// Takes the files up again when they change, for as long as it is polled. A pair that cannot be used changes
    /// nothing.
    pub async fn follow(self: Arc<Self>) {
        let mut seen = self.read;
        let mut ticks = tokio::time::interval(POLL);
        loop {
            ticks.tick().await;
            let now = modified(&self.files);
            if now == seen {
                continue;
            }
            match read(&self.files) {
                Ok(key) => {
                    self.current.0.store(key);
                    seen = now;
                    tracing::info!(cert = %self.files.cert.display(), "took up the new certificate");
                }
                // Perhaps one of the two files is still to be written: look again.
                Err(error) => {
                    tracing::warn!(%error, cert = %self.files.cert.display(), "kept the old certificate")
                }
            }
        }
    }
}

fn modified(files: &Tls) -> [Option<SystemTime>; 2] {
    [&files.cert, &files.key].map(|file| {
        std::fs::metadata(file)
            .and_then(|data| data.modified())
            .ok()
    })
}

fn read(files: &Tls) -> Result<Arc<CertifiedKey>, Error> {
    let bad = |path: &std::path::Path| {
        let path = path.display().to_string();
        |error| Error::Pem(path, error)
    };
    let chain = CertificateDer::pem_file_iter(&files.cert)
        .and_then(Iterator::collect)
        .map_err(bad(&files.cert))?;
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(bad(&files.key))?;
    Ok(Arc::new(CertifiedKey::from_der(
        chain,
        key,
        &rustls::crypto::ring::default_provider(),
    )?))
}
