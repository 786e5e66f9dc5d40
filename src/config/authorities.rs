//! Files that say whose word is taken for who a server is.

use super::read::At;
use crate::domain::Authorities;
use std::{fs, io::Read};

/// Far more than the bundle of a whole company has.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// Reads the PEM file that a key names; no name is none.
pub(super) fn authorities(at: At<'_>) -> Option<Option<Authorities>> {
    let path = at.text()?;
    match path.is_empty() {
        true => Some(None),
        false => read(&at, &path).map(Some),
    }
}

/// Reads the PEM file at `path`, which the value at `at` names.
pub(super) fn read(at: &At<'_>, path: &str) -> Option<Authorities> {
    let mut pem = Vec::new();
    let read =
        fs::File::open(path).and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut pem));
    if let Err(error) = read {
        return at.refuse(format!("{path} cannot be read: {error}"));
    }
    if pem.len() as u64 > FILE_BYTES_MAX {
        return at.refuse(format!("{path} is larger than {FILE_BYTES_MAX} bytes"));
    }
    match Authorities::read(&pem) {
        Ok(authorities) => Some(authorities),
        Err(why) => at.refuse(format!("{path} {why}")),
    }
}
