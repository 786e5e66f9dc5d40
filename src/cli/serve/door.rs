//! Where a plane is reached.

use crate::{
    cli::Ending,
    config::Tls,
    server::{self, tls::Certificate},
    tasks,
};
use anyhow::Context;
use std::{net::SocketAddr, sync::Arc};
use tokio::net::TcpListener;

/// One plane's address, which is taken but lets nobody in yet.
pub(super) struct Door {
    pub(super) listener: TcpListener,
    /// None where it speaks plain HTTP.
    pub(super) certificate: Option<Arc<Certificate>>,
}

impl Door {
    /// Takes the address that `key` names.
    pub(super) fn open(key: &str, address: SocketAddr, tls: Option<&Tls>) -> Result<Self, Ending> {
        let certificate = tls
            .map(Certificate::load)
            .transpose()
            .map_err(|error| Ending::Mistake(format!("{:#}", anyhow::Error::new(error))))?;
        let listener = server::listen(address).map_err(|error| {
            Ending::Mistake(format!("{key}: cannot listen on {address}: {error}"))
        })?;
        Ok(Self {
            listener,
            certificate,
        })
    }

    /// Shows a new certificate once its file has one.
    pub(super) fn follow_certificate(&self) {
        if let Some(certificate) = self.certificate.clone() {
            tasks::spawn(certificate.follow());
        }
    }

    pub(super) fn url(&self) -> anyhow::Result<String> {
        let address = self.listener.local_addr();
        let address = address.context("a listener without an address")?;
        let is_tls = self.certificate.is_some();
        let scheme = if is_tls { "https" } else { "http" };
        Ok(format!("{scheme}://{address}"))
    }
}
