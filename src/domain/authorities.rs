//! Whose word is taken for who a server is, and the TLS that asks for it.

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use std::{fmt, sync::Arc};

/// Certificates of authorities, one or more, in place of the public's.
#[derive(Clone, PartialEq, Eq)]
pub struct Authorities(Vec<CertificateDer<'static>>);

impl Authorities {
    /// Reads a PEM file. Each certificate in it must be of use; why it is not, as the end of a sentence about the file.
    pub fn read(pem: &[u8]) -> Result<Self, &'static str> {
        let Ok(certificates) = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>()
        else {
            return Err("is no usable PEM file");
        };
        if certificates.is_empty() {
            return Err("has no certificate in it");
        }
        let authorities = Self(certificates);
        match authorities.roots().len() == authorities.0.len() {
            true => Ok(authorities),
            false => Err("has a certificate that cannot be used"),
        }
    }

    /// What a certificate is checked against.
    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(self.0.iter().cloned());
        roots
    }

    /// How a server is spoken to that must prove who it is: to these authorities, or without any to the public's.
    pub fn client(own: Option<&Self>) -> ClientConfig {
        let roots = own.map_or_else(
            || RootCertStore {
                roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
            },
            Self::roots,
        );
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider has what these versions need")
            .with_root_certificates(roots)
            .with_no_client_auth()
    }
}

impl fmt::Debug for Authorities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Authorities({})", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::Authorities;

    #[test]
    fn a_file_has_certificates_and_each_is_of_use() {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let good = made.cert.pem();
        let two = Authorities::read(format!("{good}{good}").as_bytes()).unwrap();
        assert_eq!(format!("{two:?}"), "Authorities(2)");
        let key = made.signing_key.serialize_pem();
        let bad = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for (pem, why) in [
            ("", "has no certificate in it"),
            (&*key, "has no certificate in it"),
            (
                &*format!("{good}{bad}"),
                "has a certificate that cannot be used",
            ),
            ("-----BEGIN CERTIFICATE-----\n!", "is no usable PEM file"),
        ] {
            assert_eq!(Authorities::read(pem.as_bytes()).err(), Some(why), "{pem}");
        }
    }
}
