//! Files that say how models cut text into tokens.

use super::read::At;
use crate::tokenizer::{FILE_BYTES_MAX, Tokenizer};
use std::{fs, io::Read, sync::Arc};

/// What is done with the files that are named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tokenizers {
    /// They are read.
    Wanted,
    /// They are left alone: reading one takes longer than most commands.
    Unwanted,
}

impl Tokenizers {
    /// Reads the file that a key names; no name is none.
    pub(super) fn read(self, at: &At<'_>) -> Option<Option<Arc<Tokenizer>>> {
        let path = at.text()?;
        if path.is_empty() || self == Self::Unwanted {
            return Some(None);
        }
        let mut json = Vec::new();
        let read = fs::File::open(&path)
            .and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut json));
        if let Err(error) = read {
            return at.refuse(format!("{path} cannot be read: {error}"));
        }
        if json.len() as u64 > FILE_BYTES_MAX {
            return at.refuse(format!("{path} is larger than {FILE_BYTES_MAX} bytes"));
        }
        match Tokenizer::read(&json) {
            Ok(tokenizer) => Some(Some(tokenizer)),
            Err(why) => at.refuse(format!("{path} {why}")),
        }
    }
}
