//! Whose word is taken for who an upstream is, where that is not the public's authorities.

use super::read::At;
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use std::{fmt, fs, io::Read};

/// Far more than the bundle of a whole company has.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// Certificates of authorities, one or more.
#[derive(Clone, PartialEq, Eq)]
pub struct Authorities(Vec<CertificateDer<'static>>);

impl Authorities {
    /// What a certificate is checked against.
    pub fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(self.0.iter().cloned());
        roots
    }
}

impl fmt::Debug for Authorities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Authorities({})", self.0.len())
    }
}

/// Reads the PEM file that a key names; no name is none. Each certificate in it must be of use.
pub(super) fn authorities(at: At<'_>) -> Option<Option<Authorities>> {
    let path = at.text()?;
    if path.is_empty() {
        return Some(None);
    }
    let mut pem = Vec::new();
    let read =
        fs::File::open(&path).and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut pem));
    if let Err(error) = read {
        return at.refuse(format!("{path} cannot be read: {error}"));
    }
    if pem.len() as u64 > FILE_BYTES_MAX {
        return at.refuse(format!("{path} is larger than {FILE_BYTES_MAX} bytes"));
    }
    let Ok(certificates) = CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>()
    else {
        return at.refuse(format!("{path} is no usable PEM file"));
    };
    if certificates.is_empty() {
        return at.refuse(format!("{path} has no certificate in it"));
    }
    let authorities = Authorities(certificates);
    if authorities.roots().len() < authorities.0.len() {
        return at.refuse(format!("{path} has a certificate that cannot be used"));
    }
    Some(Some(authorities))
}
